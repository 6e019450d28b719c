r"""Make an official SAIL-VOS JSON of any size, and time what is done with it.

Each step runs in a process of its own; its time and peak resident memory are printed: both
conversions, and the start of the training set, the first and the second time. No frames are made
or needed. Masks are ellipses of up to --mask-size pixels, half hidden on average.

Examples, about the size of SAIL-VOS, and a twentieth of it:
    python tools/benchmark_sailvos.py /tmp/sailvos --videos 200 --frames 110000 \
        --annotations 1900000
    python tools/benchmark_sailvos.py /tmp/sailvos_small --videos 10 --frames 5500 \
        --annotations 95000
"""
from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
if __name__ == '__main__':
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # for Ctrl-C while all this is imported

from vatrack.converters.sailvos.source import CLASSES
from vatrack.stopping import run_tool
from vatrack.structures import rle as rle_ops

REPO = Path(__file__).resolve().parents[1]
WIDTH, HEIGHT = 1280, 800
# Different masks that are made, and frames per shot of the structure file, as in the released one.
NUM_MASKS, SHOT_LENGTH = 500, 30
# Frames that an object stays.
STAY = 60

START_DATASET = """
import sys, time
import vatrack
from vatrack.datasets import AmodalVideoDataset
start = time.perf_counter()
dataset = AmodalVideoDataset(
    ann_file=sys.argv[1], data_root=sys.argv[2], data_prefix=dict(img_path=''),
    box_kinds=('amodal',), mask_kinds=('amodal', 'visible'), max_occlusion=0.75, pipeline=[])
print(f'  {len(dataset)} key frames after {time.perf_counter() - start:.1f} s (without imports)')
"""


def make_masks(rng: random.Random, mask_size: int) -> list[dict[str, Any]]:
    """Mask, box and area keys of :data:`NUM_MASKS` annotations, amodal and visible."""
    made = []
    for _ in range(NUM_MASKS):
        pixels = np.zeros((3, HEIGHT, WIDTH), np.uint8)
        axes = [rng.randrange(4, max(mask_size // 2, 5)) for _ in range(2)]
        centre = rng.randrange(axes[0], WIDTH - axes[0]), rng.randrange(axes[1], HEIGHT - axes[1])
        cv2.ellipse(pixels[0], centre, axes, rng.randrange(180), 0, 360, 1, -1)
        pixels[1] = pixels[0]
        pixels[1, :, :centre[0] + rng.randrange(-axes[0], axes[0]) // 2] = 0
        pixels[2] = pixels[0] - pixels[1]
        amodal, visible, invisible = rle_ops.encode(pixels)
        areas, boxes = rle_ops.areas([amodal, visible]), rle_ops.bboxes([amodal, visible])
        boxes[:, 2:] -= boxes[:, :2]
        made.append({
            'segmentation': amodal, 'visible_mask': visible, 'invisible_mask': invisible,
            'bbox': boxes[0].tolist(), 'bbox_visible': boxes[1].tolist(), 'area': int(areas[0]),
            'area_visible': int(areas[1]), 'occlude_rate': 1 - areas[1] / areas[0], 'iscrowd': 0,
            'occlu_depth': 0})
    return made


def make_images(videos: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Entries of ``images``."""
    number = 0
    for video in videos:
        for frame_id in range(video['num_frames']):
            yield {'id': number, 'file_name': f"{video['vid_name']}/images/{frame_id + 3:06d}.bmp",
                   'frame_id': frame_id, 'width': WIDTH, 'height': HEIGHT}
            number += 1


def make_annotations(videos: Sequence[dict[str, Any]], total: int, mask_size: int
                     ) -> Iterator[str]:
    """Entries of ``annotations`` as JSON; an object stays for some frames, then another comes."""
    rng = random.Random(0)
    masks = [json.dumps(mask)[1:] for mask in make_masks(rng, mask_size)]
    num_frames = sum(video['num_frames'] for video in videos)
    number = image = 0
    for video in videos:
        for frame_id in range(video['num_frames']):
            image += 1
            for slot in range(total * image // num_frames - number):
                kind = slot * 7919 + frame_id // STAY
                yield (f'{{"id":{number},"image_id":{image - 1},"category_id":'
                       f'{3 * (kind % len(CLASSES)) + 2},"obj_id":{kind},"model_id":{kind % 99},'
                       f'{rng.choice(masks)}')
                number += 1


def make_raw(folder: Path, split: str, videos: int, frames: int, annotations: int,
             mask_size: int) -> None:
    """Write ``<split>.json`` in the official format, and ``structure.json`` that cuts it."""
    tables = [{'id': index, 'vid_name': f'{split}_{index}', 'num_objs': 0,
               'num_frames': frames * (index + 1) // videos - frames * index // videos}
              for index in range(videos)]
    categories = [{'id': 3 * index + 2, 'name': name, 'supercategory': 'thing'}
                  for index, name in enumerate(CLASSES)]
    models = [{'id': index, 'category_id': 3 * (index % len(CLASSES)) + 2} for index in range(99)]
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / f'{split}.json', 'w', encoding='utf-8') as file:
        file.write(f'{{"categories": {json.dumps(categories)}, "models": {json.dumps(models)}, '
                   f'"videos": {json.dumps(tables)}, "images": [')
        _write_entries(file, map(json.dumps, make_images(tables)))
        file.write('], "annotations": [')
        _write_entries(file, make_annotations(tables, annotations, mask_size))
        file.write(']}')
    structure = {}
    for video in tables:
        last = video['num_frames'] - 1
        for start in range(0, last + 1, SHOT_LENGTH):
            stop = min(start + SHOT_LENGTH, last + 1)
            structure[f"{video['vid_name']}__{min(stop, last)}"] = [
                f'{index + 3:06d}.bmp' for index in range(start, stop)]
    (folder / 'structure.json').write_text(json.dumps(structure), encoding='utf-8')


def timed(label: str, command: Sequence[str]) -> bool:
    """Run a command, print its wall time and peak memory; returns whether it succeeded."""
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=REPO)
    # Not process.wait(): only wait4 tells the memory of this one process.
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    print(f'{label:<32}{time.perf_counter() - start:8.1f} s   peak '
          f'{usage.ru_maxrss / 1024:6.0f} MiB' + (f'   FAILED, exit code {process.returncode}'
                                                if process.returncode else ''), flush=True)
    return process.returncode == 0


def _write_entries(file: Any, entries: Iterator[str]) -> None:
    for index, entry in enumerate(entries):
        file.write((',\n' if index else '\n') + entry)


def main(argv: Sequence[str] | None = None) -> int:
    """Make, convert, start the dataset; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder', type=Path, help='folder to write')
    parser.add_argument('--videos', type=int, default=200)
    parser.add_argument('--frames', type=int, default=110_000, help='of all videos together')
    parser.add_argument('--annotations', type=int, default=1_900_000)
    parser.add_argument('--mask-size', type=int, default=120, metavar='PIXELS')
    parser.add_argument('--boxes', nargs='+', default=['amodal'])
    parser.add_argument('--only-make', action='store_true', help='stop after making the JSON')
    args = parser.parse_args(argv)
    raw, out = args.folder.resolve() / 'raw', args.folder.resolve() / 'data'
    start = time.perf_counter()
    make_raw(raw, 'train', args.videos, args.frames, args.annotations, args.mask_size)
    size = (raw / 'train.json').stat().st_size / 2**20
    print(f'made {raw / "train.json"}: {size:.0f} MiB in {time.perf_counter() - start:.1f} s',
          flush=True)
    if args.only_make:
        return 0
    common = [str(raw), '--out', str(out), '--frames', 'reference', '--boxes', *args.boxes]
    tool = [sys.executable, str(REPO / 'tools' / 'convert.py')]
    ok = timed('convert sailvos', [*tool, 'sailvos', *common])
    ok &= timed('convert sailvos-cut', [*tool, 'sailvos-cut', *common, '--structure',
                                        str(raw / 'structure.json')])
    annotations = 'sailvos_cut_json/joint/train(bbox=amdl_bbox).json'
    for label in ('dataset, first start', 'dataset, second start'):
        ok &= timed(label, [sys.executable, '-c', START_DATASET, annotations, f'{out}/'])
    return 0 if ok else 1


if __name__ == '__main__':
    sys.exit(run_tool(main))
