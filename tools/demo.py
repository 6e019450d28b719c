"""Find, track and segment the objects of a video; write a film of them, and result files.

Examples:
    python tools/demo.py street.mp4 --out tracked.mp4           # the newest run in work_dirs
    python tools/demo.py street.mp4 CONFIG CHECKPOINT --out tracked.mp4 --json tracks.json
    python tools/demo.py frames/ CONFIG CHECKPOINT --fps 10 --out tracked.mp4 --show amodal ids
    python tools/demo.py 'frames/*.png' CONFIG CHECKPOINT --coco coco.json --ytvis ytvis.json

Ctrl-C ends the video early, as damage in it does: what is done by then is written.
"""
from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tqdm import tqdm

from vatrack.apis import FrameResult, VideoInferencer, VideoResult, VideoStream, parse_options
from vatrack.apis.command_line import add_trust_option
from vatrack.apis.device import PRECISIONS
from vatrack.apis.errors import USER_ERRORS
from vatrack.files.printing import print_any_name
from vatrack.video import DEFAULT_FPS, VideoError, VideoWriter, open_frames
from vatrack.visualization import DrawStyle
from vatrack.visualization.draw import SHOWN

_STAGES = {'decode': 'in a thread of its own', 'prepare': 'in the same thread',
           'wait': 'for these two', 'detector': 'with masks', 'track': '', 'draw': '',
           'encode': ''}


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('video', metavar='VIDEO',
                        help='video file, URL of a stream, folder of frames, or quoted pattern')
    parser.add_argument('config', nargs='?', metavar='CONFIG',
                        help='config or folder of a run (default: the newest run in work_dirs)')
    parser.add_argument('checkpoint', nargs='?', metavar='CHECKPOINT',
                        help='default: the last checkpoint of the run of CONFIG')
    out = parser.add_argument_group('outputs, at least one')
    out.add_argument('--out', type=Path, metavar='FILM.mp4', help='the video with its objects')
    out.add_argument('--json', type=Path, metavar='RESULTS.json',
                     help='tracks, and RESULTS.annotations.json beside them for the other tools')
    out.add_argument('--coco', type=Path, metavar='FILE.json',
                     help='COCO results, a file per kind of mask: FILE.amodal.json, ...')
    out.add_argument('--ytvis', type=Path, metavar='FILE.json',
                     help='YouTube-VIS results, likewise')
    parser.add_argument('--show', nargs='+', choices=SHOWN, metavar='WHAT',
                        default=sorted(DrawStyle().show, key=SHOWN.index),
                        help=f'what is drawn, of {", ".join(SHOWN)} (default: all but boxes)')
    parser.add_argument('--score-thr', type=float, default=0.3, metavar='S',
                        help='leave out objects with a lower score (default: %(default)s)')
    parser.add_argument('--fps', type=float,
                        help=f'rate of frames without times (default: {DEFAULT_FPS:.0f})')
    parser.add_argument('--max-frames', type=int, metavar='N', help='stop after so many frames')
    parser.add_argument('--device', help='default: a GPU if there is one')
    parser.add_argument('--precision', choices=PRECISIONS,
                        help='default: half precision on a GPU that has it')
    parser.add_argument('--batch-size', type=int, metavar='N',
                        help='frames that are detected at once (default: that of testing)')
    parser.add_argument('--timing', action='store_true',
                        help='wait for the GPU after each stage, so that their times are exact')
    parser.add_argument('--cfg-options', nargs='+', metavar='KEY=VALUE',
                        help='change values of the config')
    add_trust_option(parser)
    args = parser.parse_args(argv)
    if not any((args.out, args.json, args.coco, args.ytvis)):
        parser.error('nothing to do: give --out, --json, --coco or --ytvis')
    for path in (args.out, args.json, args.coco, args.ytvis):
        if path is not None and path.resolve() == Path(args.video).resolve():
            parser.error(f'{path} is the input; choose another name')
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Run a model over a video; returns the exit code."""
    print_any_name()
    args = parse_args(argv)
    try:
        source = open_frames(args.video, args.fps, args.max_frames)
        film = VideoWriter(args.out, source.fps or DEFAULT_FPS) if args.out else nullcontext()
        inferencer = VideoInferencer(
            args.config, args.checkpoint, args.device, args.precision, args.batch_size,
            args.score_thr, parse_options(args.cfg_options))
        keep_tracks = any((args.json, args.coco, args.ytvis))
        with inferencer(source, keep_tracks=keep_tracks, timing=args.timing) as video, film:
            stopped, fault = run(video, film if args.out else None, DrawStyle(show=args.show))
        for path in [args.out] * bool(args.out) + write(video, args):
            print(path)
        if fault is not None:
            print(f'error: {fault}; the frames before are written', file=sys.stderr)
            return 1
    except (*USER_ERRORS, OSError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    return 130 if stopped else 0


def run(video: VideoStream, film: VideoWriter | None,
        style: DrawStyle) -> tuple[bool, VideoError | None]:
    """Take and draw all frames, and print where the time went.

    Returns:
        Whether the user ended it early, and the damage that ended it early.

    Raises:
        VideoError: There is no good frame at all.
    """
    count, start, faults = 0, time.perf_counter(), []
    measure = video.stopwatch.measure
    with interrupts(video.stop) as asked, tqdm(total=video.source.num_frames, unit='frame',
                                     disable=None) as bar:
        for frame in until_damage(video, faults):
            if film is not None:
                with measure('draw'):
                    picture = frame.draw(style)
                with measure('encode'):
                    film.write(picture, frame.time)
            count += 1
            bar.update()
    video.close()
    if faults and not count:
        raise faults[0]
    seconds = time.perf_counter() - start
    if asked:
        print(f'stopped after {count} frames')
    print(f'{count} frames in {seconds:.1f} s: {count / seconds:.1f} frames per second')
    for stage, note in _STAGES.items():
        if stage in video.stopwatch.seconds:
            each = 1000 * video.stopwatch.seconds[stage] / max(count, 1)
            print(f'{stage:>10} {each:8.2f} ms a frame  {note}'.rstrip())
    return bool(asked), faults[0] if faults else None


def until_damage(video: VideoStream, faults: list[VideoError]) -> Iterator[FrameResult]:
    """Frames of a video; an error of the video ends them and goes to ``faults``."""
    try:
        yield from video
    except VideoError as fault:
        faults.append(fault)


@contextmanager
def interrupts(stop: Callable[[], None]) -> Iterator[list[int]]:
    """On the first Ctrl-C call ``stop`` instead of raising; the second raises."""
    asked: list[int] = []

    def remember(number: int, _: object) -> None:
        asked.append(number)
        stop()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, remember)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


def write(video: VideoStream, args: argparse.Namespace) -> list[Path]:
    """Write the result files that were asked for; returns their names."""
    if not any((args.json, args.coco, args.ytvis)):
        return []
    result: VideoResult = video.result()
    written = [args.json, result.to_json(args.json)] if args.json else []
    for target, export in ((args.coco, result.to_coco), (args.ytvis, result.to_ytvis)):
        for kind in result.kinds if target else ():
            written.append(target.with_suffix(f'.{kind}{target.suffix}'))
            export(written[-1], kind)
    return written


if __name__ == '__main__':
    sys.exit(main())
