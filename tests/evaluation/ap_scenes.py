"""Made data for the evaluation tests: dense masks in, annotation file and tracks out."""
from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from vatrack.structures import AnnotationFile, Frame, Instance, TrackRecord, Video
from vatrack.structures import rle as rle_codec

CATEGORIES = {1: 'fish', 4: 'crab', 9: 'ship', 12: 'never there'}


@dataclass
class Object:
    """A true object: masks (T, H, W) uint8 by kind, occlusion and crowd flag per frame.

    ``present`` (T,) bool says where it is annotated; masks may be empty there.
    """

    instance_id: int
    category_id: int
    masks: dict[str, np.ndarray]
    occlusion: list[float | None]
    crowd: bool = False
    present: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.present is None:
            any_pixel = [volume.any(axis=(1, 2)) for volume in self.masks.values()]
            self.present = np.any(any_pixel, axis=0)


@dataclass
class Scene:
    """True objects by video id."""

    size: tuple[int, int]
    lengths: dict[int, int]
    objects: dict[int, list[Object]] = field(default_factory=dict)
    tracks: list[TrackRecord] = field(default_factory=list)

    def annotations(self, order: list[int] | None = None) -> AnnotationFile:
        """The scene as an annotation file; ids of images and annotations start at 0."""
        image_id, annotation_id, videos = 0, 0, {}
        for video_id, length in sorted(self.lengths.items()):
            video = Video(video_id, f'video{video_id}', self.size[1], self.size[0])
            for t in range(length):
                frame = Frame(image_id, t, f'{t}.png')
                image_id += 1
                for thing in self.objects.get(video_id, []):
                    if not thing.present[t]:
                        continue
                    masks = {kind: rle_codec.encode(volume[t:t + 1])[0]
                             for kind, volume in thing.masks.items()}
                    frame.instances.append(Instance(
                        annotation_id, thing.instance_id, thing.category_id, masks, {},
                        thing.occlusion[t], thing.crowd))
                    annotation_id += 1
                video.frames.append(frame)
            videos[video_id] = video
        return AnnotationFile('made.json', dict(CATEGORIES),
                              [videos[video_id] for video_id in order or self.lengths])

    def predict(self, video_id: int, category_id: int, score: float,
                masks: dict[str, np.ndarray], **extras: object) -> TrackRecord:
        """Add a predicted track with masks (T, H, W) by kind."""
        record = TrackRecord.from_dense(
            video_id, len(self.tracks) + 1, category_id, score,
            {kind: to_rles(volume) for kind, volume in masks.items()}, **extras)
        self.tracks.append(record)
        return record


def to_rles(volume: np.ndarray) -> list[dict | None]:
    """(T, H, W) -> T RLEs; every other empty frame is None, the others empty RLEs."""
    return [mask if frame.any() or t % 2 else None
            for t, (mask, frame) in enumerate(zip(rle_codec.encode(volume), volume, strict=True))]


def mask_at(track: TrackRecord, kind: str, video: Video, frame: int) -> dict | None:
    """Mask of a track in a frame of a video; None where it is absent."""
    position = track.position(frame) if track.video_id == video.id else None
    return None if position is None else track.masks[kind][position]


def rectangle(size: tuple[int, int], top: int, left: int, height: int, width: int) -> np.ndarray:
    """(H, W) uint8 mask of a rectangle, clipped to the frame."""
    mask = np.zeros(size, np.uint8)
    mask[max(top, 0):max(top + height, 0), max(left, 0):max(left + width, 0)] = 1
    return mask


def random_scene(seed: int, crowded: bool = False) -> Scene:
    """Videos with ties, crowd, empty frames, 1-pixel masks, heavy occlusion and odd ids.

    ``crowded`` adds a video with 170 tracks of one category.
    """
    rng = np.random.default_rng(seed)
    scene = Scene((24, 32), {7: 6, 2: 4, 11: 1, 5: 8, 3: 5, 30: 3})
    for video_id, length in scene.lengths.items():
        if video_id != 3:  # a video without truth
            # Neither in the order of their annotations nor without gaps.
            ids = 2 * rng.permutation(int(rng.integers(3, 7)))
            scene.objects[video_id] = [_random_object(rng, scene.size, length, int(k))
                                       for k in ids]
        if video_id != 30:  # a video without predictions
            _random_tracks(rng, scene, video_id, length)
    if crowded:
        _add_crowded_video(rng, scene)
    rng.shuffle(scene.tracks)
    return scene


def _random_object(rng: np.random.Generator, size: tuple[int, int], length: int,
                   instance_id: int) -> Object:
    amodal = _moving_rectangle(rng, size, length)
    visible = amodal.copy()
    visible[:, :, :int(rng.integers(0, size[1]))] *= rng.random() < .6
    rates = rng.choice([0, 0, .25, .5, .75, .8, 1, rng.random()], length)
    if rng.random() < .3:
        rates[:] = rng.choice([.25, .75])
    return Object(instance_id, int(rng.choice([1, 1, 4, 9])),
                  {'amodal': amodal, 'visible': visible}, [float(rate) for rate in rates],
                  bool(rng.random() < .15))


def _moving_rectangle(rng: np.random.Generator, size: tuple[int, int], length: int) -> np.ndarray:
    height, width = (1, 1) if rng.random() < .1 else rng.integers(2, 13, 2)
    top, left = rng.integers(0, size[0] - height), rng.integers(0, size[1] - width)
    step = rng.integers(-1, 2, 2)
    volume = np.stack([rectangle(size, top + step[0] * t, left + step[1] * t, height, width)
                       for t in range(length)])
    volume[rng.random(length) < .2] = 0
    if rng.random() < .5:  # not a rectangle any more: box and mask areas differ
        volume[:, ::2, ::3] = 0
    return volume


def _random_tracks(rng: np.random.Generator, scene: Scene, video_id: int, length: int) -> None:
    things = scene.objects.get(video_id, [])
    for number in range(2 * len(things) + 3):
        if number < 2 * len(things):
            thing = things[number % len(things)]
            masks = {kind: np.roll(volume, rng.integers(-1, 2, 3), (0, 1, 2))
                     for kind, volume in thing.masks.items()}
            category = thing.category_id if rng.random() < .9 else 4
        else:
            volume = _moving_rectangle(rng, scene.size, length)
            masks, category = {'amodal': volume, 'visible': volume.copy()}, 1
        scene.predict(video_id, int(category), round(float(rng.random()), 1), masks,
                      scores=[round(float(s), 1) for s in rng.random(length)])


def _add_crowded_video(rng: np.random.Generator, scene: Scene) -> None:
    scene.lengths[40] = 2
    scene.objects[40] = [_random_object(rng, scene.size, 2, k) for k in range(8)]
    for thing in scene.objects[40]:
        thing.category_id = 1
    for number in range(170):
        volume = scene.objects[40][number % 8].masks['amodal']
        score = round(.1 + float(rng.random()), 1)
        if number < 8:  # the exact ones come last, beyond the first hundred
            score = 0.
        else:
            volume = np.roll(volume, (int(rng.choice([-1, 1])), int(rng.integers(-1, 2))), (1, 2))
        scene.predict(40, 1, score, {'amodal': volume, 'visible': volume})
