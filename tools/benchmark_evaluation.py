r"""Time our vAP and AP side by side with those of mmdet and pycocotools, and compare the numbers.

vAP is held against mmdet's YTVISeval (the YouTube-VIS API), AP against pycocotools' COCOeval, and
both together: from run-length masks in memory to the last number, in turns. Times are CPU times of
one process, the shortest of --repeats; the largest difference of any number must be below 1e-9. The
sets are made: moving ellipses and boxes with holes, absent from some frames, with tied scores.

With --full, a set of the size of SAIL-VOS valid (989 videos of 1280x800, 26,873 frames, about 10
true objects and 30 tracks each) is written to a folder and scored by tools/evaluate.py.

Examples:
    python tools/benchmark_evaluation.py
    python tools/benchmark_evaluation.py --only small classes --repeats 5
    python tools/benchmark_evaluation.py --full /tmp/full --workers 2
"""
from __future__ import annotations

import argparse
import contextlib
import io
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
if __name__ == '__main__':
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # for Ctrl-C while all this is imported

from vatrack.evaluation.evaluate import evaluate
from vatrack.evaluation.protocols import COCO_AREAS, PROTOCOLS
from vatrack.files import AnnotationWriter, write_results
from vatrack.stopping import run_tool
from vatrack.structures import AnnotationFile, TrackRecord
from vatrack.synthetic.made_tracks import SetSize, empty_videos, filled_videos, made_set

REPO = Path(__file__).resolve().parents[1]
TOLERANCE = 1e-9
#: The rules of pycocotools for masks: those of YouTube-VIS with the areas of COCO.
RULES = replace(PROTOCOLS['ytvis'], name='coco', source='pycocotools', areas=COCO_AREAS)

GROUPS = {
    'small': [SetSize(20, 2, 1, 1), SetSize(20, 5, 3, 2), SetSize(20, 5, 3, 2, 5),
              SetSize(20, 20, 5, 3)],
    'pairs': [SetSize(6, 60, 20, 8), SetSize(4, 60, 50, 15), SetSize(2, 60, 100, 30)],
    'frames': [SetSize(4, length, 30, 10) for length in (25, 50, 100, 200)],
    'classes': [SetSize(6, 60, 20, 8, classes) for classes in (1, 5, 40)],
    'large-frames': [SetSize(4, 27, 30, 10, classes, 800, 1280) for classes in (1, 5)],
    'partial': [SetSize(6, 60, 20, 8, classes, partial=.8) for classes in (1, 5)],
}
SAILVOS_VALID = SetSize(989, 27, 30, 10, 24, 800, 1280, .5, ('amodal', 'visible'))
SAILVOS_FRAMES = 26873

HEAD = ('videos x T', 'tracks x G', 'classes', 'pixels', 'theirs s', 'ours s', 'ratio', 'us/frame',
        'AP', 'apart')


def score_mmdet(annotations: AnnotationFile,
                tracks: Sequence[TrackRecord]) -> Callable[[], dict[str, float]]:
    """What scores amodal tracks by mmdet's YTVISeval; prepares its input, which it writes into."""
    from mmdet.evaluation.functional.ytvis import YTVIS
    from mmdet.evaluation.functional.ytviseval import YTVISeval
    lengths = {video.id: len(video.frames) for video in annotations.videos}
    found = [{'video_id': track.video_id, 'category_id': track.category_id, 'score': track.score,
              'segmentations': track.spread(track.masks['amodal'], lengths[track.video_id])}
             for track in tracks]
    truths: dict[tuple[int, int], dict[str, Any]] = {}
    for video in annotations.videos:
        for t, frame in enumerate(video.frames):
            for each in frame.instances:
                truth = truths.setdefault((video.id, each.instance_id), {
                    'id': len(truths) + 1, 'video_id': video.id, 'category_id': each.category_id,
                    'iscrowd': 0, 'segmentations': [None] * len(video.frames),
                    'areas': [None] * len(video.frames)})
                truth['segmentations'][t] = each.masks['amodal']
                truth['areas'][t] = int(coco_mask.area(each.masks['amodal']))
    data = {'videos': [{'id': video.id, 'height': video.height, 'width': video.width}
                       for video in annotations.videos],
            'categories': [{'id': each} for each in annotations.categories],
            'annotations': list(truths.values())}

    def score() -> dict[str, float]:
        truth = YTVIS(data)
        evaluator = YTVISeval(truth, truth.loadRes(found), 'segm')
        evaluator.params.areaRng[1:] = [RULES.areas[name] for name in 'SML']
        return _scored(evaluator, 'video/v')
    return score


def score_pycocotools(annotations: AnnotationFile,
                      tracks: Sequence[TrackRecord]) -> Callable[[], dict[str, float]]:
    """The same by pycocotools' COCOeval, frame by frame."""
    images, truths, found = [], [], []
    for video in annotations.videos:
        for frame in video.frames:
            images.append({'id': frame.id, 'height': video.height, 'width': video.width})
            truths += [{'id': each.id, 'image_id': frame.id, 'category_id': each.category_id,
                        'segmentation': each.masks['amodal'], 'iscrowd': 0,
                        'area': int(coco_mask.area(each.masks['amodal']))}
                       for each in frame.instances]
    ids = {video.id: [frame.id for frame in video.frames] for video in annotations.videos}
    for track in tracks:
        found += [{'image_id': ids[track.video_id][t], 'category_id': track.category_id,
                   'score': track.score, 'segmentation': mask}
                  for t, mask in zip(track.frames, track.masks['amodal'], strict=True)]
    truth = COCO()
    truth.dataset = {'images': images, 'annotations': truths,
                     'categories': [{'id': each} for each in annotations.categories]}

    def score() -> dict[str, float]:
        truth.createIndex()
        return _scored(COCOeval(truth, truth.loadRes(found), 'segm'), 'image/')
    return score


def _scored(evaluator: Any, prefix: str) -> dict[str, float]:
    """The twelve numbers under our names."""
    evaluator.evaluate()
    evaluator.accumulate()
    evaluator.summarize()
    names = ['AP', 'AP50', 'AP75', 'AP_S', 'AP_M', 'AP_L', 'AR@1', 'AR@10', 'AR@100',
             'AR@100_S', 'AR@100_M', 'AR@100_L']
    return {f'amodal/{prefix}{name}': float(value)
            for name, value in zip(names, evaluator.stats, strict=True)}


#: Our metrics and who else computes them, by what is compared.
RIVALS = {
    'vAP and mmdet': (['vAP', 'vAR'], [score_mmdet]),
    'AP and pycocotools': (['AP', 'AR'], [score_pycocotools]),
    'vAP with AP, and mmdet with pycocotools': (['AP', 'AR', 'vAP', 'vAR'],
                                                [score_mmdet, score_pycocotools]),
}


def compare(rivals: str, size: SetSize, repeats: int) -> str:
    """A line of the table: least CPU seconds of both, in turns, and how far the numbers differ.

    Raises:
        AssertionError: The numbers differ.
    """
    metrics, others = RIVALS[rivals]
    annotations, tracks = made_set(size)
    times = []
    for _ in range(repeats):
        scores = [prepare(annotations, tracks) for prepare in others]
        with contextlib.redirect_stdout(io.StringIO()):
            found, their_time = timed(lambda scores=scores: [score() for score in scores])
        ours, our_time = timed(lambda: evaluate(annotations, tracks, metrics, RULES))
        times.append((their_time, our_time))
    theirs = {name: value for numbers in found for name, value in numbers.items()}
    apart = max(abs(ours[name] - value) for name, value in theirs.items())
    if apart > TOLERANCE:
        raise AssertionError(f'{rivals}, {size}: {ours} differ from {theirs}')
    their_time, our_time = map(min, zip(*times, strict=True))
    num_frames = sum(len(video.frames) for video in annotations.videos)
    return line([f'{size.videos} x {size.frames}', f'{size.tracks} x {size.truths}', size.classes,
                 f'{size.width}x{size.height}', f'{their_time:.3f}', f'{our_time:.4f}',
                 f'{their_time / our_time:.1f}', f'{1e6 * our_time / num_frames:.0f}',
                 f'{next(iter(theirs.values())):.3f}', f'{apart:.0e}'])


def line(columns: Sequence[Any]) -> str:
    """One line of the table."""
    return ''.join(f'{column!s:>11}' for column in columns)


def timed(function: Callable[[], Any]) -> tuple[Any, float]:
    """What a function returns, and the CPU seconds it took."""
    start = time.process_time()
    result = function()
    return result, time.process_time() - start


def write_full(folder: Path, num_videos: int) -> tuple[Path, Path]:
    """Write a set of the size of SAIL-VOS valid, or a part of it, one video at a time."""
    size = replace(SAILVOS_VALID, videos=num_videos)
    videos = empty_videos(size, num_frames=SAILVOS_FRAMES * num_videos // SAILVOS_VALID.videos)
    ann_file, results = folder / 'annotations.json', folder / 'results.json'

    def tracks(writer: AnnotationWriter) -> Iterator[TrackRecord]:
        for video, of_video in zip(videos, filled_videos(videos, size), strict=True):
            writer.add_video(video.name, video.width, video.height)
            for frame in video.frames:
                writer.add_frame(f'{video.name}/{frame.file_name}', frame.instances)
                frame.instances = []
            yield from of_video

    with AnnotationWriter(ann_file, size.categories) as writer:
        write_results(results, tracks(writer),
                      AnnotationFile(str(ann_file), size.categories, videos))
    return ann_file, results


def run_full(folder: Path, videos: int, workers: int) -> None:
    """Write the full set and score it by ``tools/evaluate.py``; prints time and memory."""
    print(f'writing {videos} videos to {folder}', flush=True)
    start = time.perf_counter()
    ann_file, results = write_full(folder, videos)
    print(f'written in {time.perf_counter() - start:.0f} s', flush=True)
    start = time.perf_counter()
    subprocess.run([sys.executable, REPO / 'tools' / 'evaluate.py', results, '--ann', ann_file,
                    '--eval', 'AP', 'vAP', '--protocol', 'sailvos', '--workers', str(workers)],
                   check=True)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    print(f'read and scored in {seconds:.0f} s with {workers} processes; the largest took '
          f'{peak:.1f} GiB')


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table, or score the full set; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--only', nargs='+', choices=list(GROUPS), default=list(GROUPS))
    parser.add_argument('--repeats', type=int, default=3)
    parser.add_argument('--full', type=Path, metavar='FOLDER', help='score the full set instead')
    parser.add_argument('--videos', type=int, default=SAILVOS_VALID.videos,
                        help='of the full set (default: %(default)s)')
    parser.add_argument('--workers', type=int, default=2, help='for the full set')
    args = parser.parse_args(argv)
    if args.full:
        run_full(args.full, args.videos, args.workers)
        return 0
    for group in args.only:
        for rivals in RIVALS:
            print(f'\n{group}: {rivals}\n{line(HEAD)}', flush=True)
            for size in GROUPS[group]:
                print(compare(rivals, size, args.repeats), flush=True)
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
