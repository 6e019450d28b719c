"""Measure flow on made videos: how exact DIS is, how long it takes, how fast they are made.

CPU time on one core.

Example:
    python tools/benchmark_flow.py
"""
from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import pairwise, product
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
if __name__ == '__main__':
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # for Ctrl-C while all this is imported

import cv2
import numpy as np

from vatrack.flow import DISFlow, read_flow, write_flow
from vatrack.flow.estimate import PRESETS
from vatrack.stopping import run_tool
from vatrack.synthetic import ChewingGumConfig, SceneConfig, generate, make_chewing_gum
from vatrack.synthetic.chewing_gum import VARIANTS, draw_chewing_gum
from vatrack.synthetic.render import DrawnFrame, draw_scene


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--videos', type=int, default=30, metavar='N',
                        help='Chewing Gum videos to estimate (default: %(default)s), and a tenth '
                             'as many scenes')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure everything and print it; returns the exit code."""
    args = parse_args(argv)
    cv2.setNumThreads(1)
    gum = [list(draw_chewing_gum(ChewingGumConfig(), 'test', index, True))
           for index in range(args.videos)]
    scenes = [list(draw_scene(SceneConfig(num_frames=24), 'val', index, True))
              for index in range(max(args.videos // 10, 1))]
    for preset in PRESETS:
        for name, videos in (('chewing gum', gum), ('scenes', scenes)):
            print(f'dis {preset}, {name}: {errors(DISFlow(preset), videos)}')
    for size in ((256, 160), (480, 320)):
        time_fields([cv2.resize(frame.image, size) for frame in scenes[0]])
    time_generator(args.videos)
    return 0


def errors(estimator: DISFlow, videos: Iterable[Sequence[DrawnFrame]]) -> str:
    """Mean end-point error and mean motion, in pixels, of all pixels and of those of objects."""
    shares = []
    for video in videos:
        for first, second in pairwise(video):
            [found] = estimator([first.image], [second.image])
            true = first.flow['forward']
            seen = first.visible.any(axis=0)
            shares.append([np.linalg.norm(field, axis=2)[mask].mean()
                           for mask in (seen, np.ones_like(seen))
                           for field in (found - true, true)])
    seen_error, seen_motion, error, motion = np.mean(shares, axis=0)
    return (f'visible pixels of objects: error {seen_error:.2f} at a motion of {seen_motion:.2f}, '
            f'all pixels: {error:.2f} at {motion:.2f}')


def time_fields(images: Sequence[np.ndarray]) -> None:
    """Print how long a field takes to be estimated, written and read."""
    estimator, fields = DISFlow(), []
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f'{number}.npz') for number in range(len(images) - 1)]
        spent = {'estimate': cpu_time(lambda: fields.extend(estimator(images[:-1], images[1:]))),
                 'write': cpu_time(lambda: [*map(write_flow, paths, fields)]),
                 'read': cpu_time(lambda: [*map(read_flow, paths)])}
        size = np.mean([path.stat().st_size for path in paths])
    each = ', '.join(f'{name} {1000 * seconds / len(fields):.1f} ms'
                     for name, seconds in spent.items())
    print(f'{images[0].shape[1]}x{images[0].shape[0]}: {each}, {size / 1e6:.2f} MB')


def time_generator(count: int) -> None:
    """Print how many Chewing Gum videos a minute are made."""
    def in_memory(config: ChewingGumConfig, flow: bool) -> None:
        for index in range(count):
            video = make_chewing_gum(config, 'train', index)
            if flow:
                video.flow('forward'), video.flow('backward')

    def on_disk(config: ChewingGumConfig, flow: bool) -> None:
        with tempfile.TemporaryDirectory() as folder:
            generate(folder, 'train', count, config, flow=flow)

    for make, flow, variant in product((in_memory, on_disk), (False, True), VARIANTS):
        seconds = cpu_time(partial(make, ChewingGumConfig(variant=variant), flow))
        print(f'chewing gum, {variant}, {make.__name__}, {"with" if flow else "without"} flow: '
              f'{60 * count / seconds:.0f} videos a minute')


def cpu_time(work: Callable[[], object]) -> float:
    """Seconds of CPU that something takes."""
    start = time.process_time()
    work()
    return time.process_time() - start


if __name__ == '__main__':
    sys.exit(run_tool(main))
