r"""Make the moving picture at the head of the README: input, truth and prediction side by side.

Example, after `make demo`:
    python docs/moving_picture.py work_dirs/vatrack_qd_synthetic/results.json \
        --ann data/synthetic/val.json --images data/synthetic/val --video val_0002 \
        --out docs/demo.webp
"""
from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from vatrack.apis.errors import user_message
from vatrack.files import load_annotations, read_results
from vatrack.visualization.contact_sheet import contact_sheet
from vatrack.visualization.draw import DrawStyle, draw_instances, resize_image
from vatrack.visualization.overlay import VideoScene, build_scene, choose_videos, read_frame

#: At the size of a README, ids and classes would hide what they name.
STYLE = DrawStyle(show=('visible', 'amodal', 'occluded'))


def frames(scene: VideoScene, width: int) -> Iterator[np.ndarray]:
    """Input, truth and prediction of every frame, ``width`` pixels each: (H, W, 3) uint8 RGB."""
    for index, frame in enumerate(scene.video.frames):
        image = read_frame(scene.image_root, scene.video, frame)
        scale = width / scene.video.width
        panels = [resize_image(image, scale),
                  *(draw_instances(image, layer[index], scale=scale, style=STYLE)
                    for layer in scene.layers.values())]
        yield contact_sheet(panels, len(panels), ['input', *scene.layers], margin=8)


def main(argv: Sequence[str] | None = None) -> int:
    """Draw and write; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('results', metavar='RESULTS', help='result file')
    parser.add_argument('--ann', required=True, metavar='ANN', help='annotation file')
    parser.add_argument('--images', required=True, metavar='DIR',
                        help='folder to which the file names in ANN are relative')
    parser.add_argument('--video', required=True, metavar='NAME')
    parser.add_argument('--out', required=True, metavar='FILE.webp')
    parser.add_argument('--score-thr', type=float, default=0.3, metavar='S',
                        help='leave out tracks of a lower score (default: %(default)s)')
    parser.add_argument('--width', type=int, default=400, help='of a panel (default: %(default)s)')
    parser.add_argument('--fps', type=float, default=8, help='default: %(default)s')
    args = parser.parse_args(argv)
    try:
        annotations = load_annotations(args.ann)
        video, = choose_videos(annotations, [args.video], None)
        tracks = [track for track in read_results(args.results, annotations)
                  if track.video_id == video.id and track.score >= args.score_thr]
        scene = build_scene(annotations, video, tracks, Path(args.images))
        first, *rest = map(Image.fromarray, frames(scene, args.width))
        first.save(args.out, save_all=True, append_images=rest, duration=round(1000 / args.fps),
                   loop=0, quality=70, method=6)
    except (ValueError, OSError) as error:
        print(f'error: {user_message(error)}', file=sys.stderr)
        return 1
    print(f'{args.out}: {len(rest) + 1} frames, {Path(args.out).stat().st_size / 1024:.0f} KiB')
    return 0


if __name__ == '__main__':
    sys.exit(main())
