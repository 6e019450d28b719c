r"""Show that testing and inference take the same memory however long the video is.

Runs a checkpoint over the test set of its config, or over a video, and prints the peak resident
memory of the process at some frames.

Example, a video of 3,000 frames:
    python tools/make_synthetic.py --out data/long --splits val:1x3000 --width 160 --height 96
    python tools/benchmark_memory.py CONFIG CHECKPOINT --frames 500 1000 2000 3000 --cfg-options \
        test_dataloader.dataset.data_root=data/long/ test_evaluator.ann_file=data/long/val.json
    python tools/benchmark_memory.py CONFIG CHECKPOINT --video data/long/val/val_0000/images
"""
from __future__ import annotations

import argparse
import resource
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
if __name__ == '__main__':
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # for Ctrl-C while all this is imported

from mmengine.hooks import Hook

from vatrack.apis import VideoInferencer, load_config, parse_options, test
from vatrack.registry import HOOKS
from vatrack.stopping import run_tool


class PeakMemory:
    """Prints the peak resident memory after given numbers of frames."""

    def __init__(self, frames: Sequence[int]) -> None:
        self.frames = sorted(frames)
        self.seen = 0

    def add(self, count: int) -> None:
        """Count frames; ru_maxrss is in KiB on Linux."""
        self.seen += count
        while self.frames and self.seen >= self.frames[0]:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f'frame {self.frames.pop(0)}: peak {peak:.0f} MiB', flush=True)


@HOOKS.register_module()
class PeakMemoryHook(Hook):
    """:class:`PeakMemory` of a test loop."""

    def __init__(self, frames: Sequence[int]) -> None:
        self.peak = PeakMemory(frames)

    def after_test_iter(self, runner: object, batch_idx: int, data_batch: dict | None = None,
                        outputs: Sequence | None = None) -> None:
        """Count the frames of a batch."""
        self.peak.add(len(data_batch['inputs']))


def main(argv: Sequence[str] | None = None) -> int:
    """Test and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config')
    parser.add_argument('checkpoint')
    parser.add_argument('--video', help='run over this video, or folder of frames')
    parser.add_argument('--drop-tracks', action='store_true',
                        help='with --video: keep no tracks, as for a camera')
    parser.add_argument('--frames', type=int, nargs='+', default=[500, 1000, 2000, 3000])
    parser.add_argument('--work-dir', default='work_dirs/benchmark_memory')
    parser.add_argument('--cfg-options', nargs='+', metavar='KEY=VALUE')
    args = parser.parse_args(argv)
    options = parse_options(args.cfg_options)
    if args.video:
        peak = PeakMemory(args.frames)
        inferencer = VideoInferencer(args.config, args.checkpoint, cfg_options=options)
        for _ in inferencer(args.video, keep_tracks=not args.drop_tracks):
            peak.add(1)
        return 0
    config = load_config(args.config, options)
    config.work_dir = args.work_dir
    config.custom_hooks = [dict(type='PeakMemoryHook', frames=args.frames)]
    test(config, args.checkpoint, Path(args.work_dir) / 'results.json')
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
