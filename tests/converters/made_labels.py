"""A small dataset as arrays: what labels of every format are made of, and are compared to."""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from vatrack.files import check_annotations, load_annotations
from vatrack.structures.rle import decode

CLASSES = ('car', 'person')


@dataclass(frozen=True)
class Made:
    """An object in a frame: its class, and its masks as boxes (x1, y1, x2, y2), ends excluded."""

    label: str
    amodal: tuple[int, int, int, int]
    covers: tuple[int, int, int, int] | None = None

    def masks(self, size) -> dict[str, np.ndarray]:
        amodal, cover = box_mask(self.amodal, size), box_mask(self.covers or (0, 0, 0, 0), size)
        return {'amodal': amodal, 'visible': amodal & ~cover}


@dataclass(frozen=True)
class MadeVideo:
    """Objects by id in every frame."""

    name: str
    size: tuple[int, int]
    frames: list[dict[int, Made]]

    def masks(self, frame: int) -> dict[int, dict[str, np.ndarray]]:
        return {id_: made.masks(self.size) for id_, made in self.frames[frame].items()}


def box_mask(box, size) -> np.ndarray:
    mask = np.zeros(size, bool)
    mask[box[1]:box[3], box[0]:box[2]] = True
    return mask


def made_videos() -> list[MadeVideo]:
    """A car drives over two persons: one is covered partly, then fully; one leaves the picture."""
    frames = []
    for t in range(4):
        car = (2 + 6 * t, 6, 14 + 6 * t, 14)
        frames.append({1: Made('car', car), 2: Made('person', (16, 4, 22, 13), car)})
    frames[2][2] = Made('person', (22, 7, 25, 13), frames[2][1].amodal)
    frames[0][7] = Made('person', (0, 15, 4, 20))
    frames.append({})
    return [MadeVideo('street 1', (20, 40), frames),
            MadeVideo('yard', (12, 9), [{3: Made('car', (1, 1, 8, 5))}])]


def write_frames(video: MadeVideo, folder: Path, names: str = '{:06d}.png') -> list[Path]:
    """Write pictures of the right size; returns them in order."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for index in range(len(video.frames)):
        paths.append(folder / names.format(index))
        cv2.imwrite(str(paths[-1]), np.full((*video.size, 3), 20 * index, np.uint8))
    return paths


def assert_same(path: Path, videos: list[MadeVideo], kinds, same_ids: bool = True) -> None:
    """An annotation file holds exactly these objects; ids may be others if not ``same_ids``."""
    annotations = load_annotations(path)
    assert [(v.name, (v.height, v.width)) for v in annotations.videos] == [
        (v.name, v.size) for v in videos]
    for found, made in zip(annotations.videos, videos, strict=True):
        new_ids: dict[int, int] = {}
        assert len(found.frames) == len(made.frames)
        for index, frame in enumerate(found.frames):
            got = {}
            for each in frame.instances:
                masks = decode([each.masks[kind] for kind in kinds], made.size).astype(bool)
                assert set(each.masks) == set(kinds)
                got[each.instance_id] = (annotations.categories[each.category_id],
                                         dict(zip(kinds, masks, strict=True)))
            expected = {id_: (made.frames[index][id_].label, {kind: masks[kind] for kind in kinds})
                        for id_, masks in made.masks(index).items() if masks[kinds[0]].any()}
            if not same_ids:
                for id_, each in expected.items():
                    match = [new for new, other in got.items() if same_object(each, other)]
                    assert len(match) == 1
                    assert new_ids.setdefault(id_, match[0]) == match[0]
                assert len(set(new_ids.values())) == len(new_ids)
                expected = {new_ids[id_]: each for id_, each in expected.items()}
            assert set(got) == set(expected)
            assert all(same_object(got[id_], expected[id_]) for id_ in got)


def same_object(first, second) -> bool:
    return first[0] == second[0] and all(
        (first[1][kind] == second[1][kind]).all() for kind in second[1])


def assert_sound(path: Path, images: Path) -> None:
    """Frames exist, and the checker has nothing to say."""
    report = check_annotations(path, images)
    assert report.ok and not report.warnings, report
