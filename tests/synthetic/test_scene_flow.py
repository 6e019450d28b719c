"""Exact flow of the underwater scenes: against poses, masks, pictures, and its own reverse."""
from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest

from vatrack.flow import FlowFiles
from vatrack.synthetic import SceneConfig, build_scene, draw_frame, generate
from vatrack.synthetic.scene import Scene, Thing
from vatrack.synthetic.scene_flow import moved, scene_flow

CONFIG = SceneConfig(num_frames=8, width=192, height=128, objects=(6, 7), occlusion='high', seed=5)


@pytest.fixture(scope='module')
def scenes() -> list[Scene]:
    return [build_scene(CONFIG, 'train', index) for index in range(4)]


def inner(mask: np.ndarray) -> np.ndarray:
    """The pixels of a mask whose neighbours two pixels around belong to it, too."""
    return cv2.erode(mask.astype(np.uint8), np.ones((5, 5), np.uint8), borderValue=0).astype(bool)


def follow(mask: np.ndarray, field: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where pixels of a mask are next: the nearest pixels (P, 2), y and x, and which are inside."""
    places = np.argwhere(mask)
    there = np.rint(places + field[mask][:, ::-1]).astype(int)
    return there, ((there >= 0) & (there < mask.shape)).all(axis=1)


def test_objects_arrive_within_their_amodal_masks(scenes):
    """The pixels that are seen of an object lie, moved, in its next full mask.

    Outlines that change their shape may lose a few.
    """
    arrived = []
    for scene in scenes:
        frames = [draw_frame(scene, time, flow=True) for time in range(CONFIG.num_frames)]
        for now, after in pairwise(frames):
            for each, identity in enumerate(now.identities):
                visible = inner(now.visible[each])
                if identity not in after.identities or not visible.any():
                    continue
                there, inside = follow(visible, now.flow['forward'])
                full = after.amodal[after.identities.index(identity)]
                arrived.append(full[tuple(there[inside].T)].mean() if inside.any() else 1)
    assert len(arrived) > 80
    assert np.mean(arrived) > 0.98 and np.quantile(arrived, 0.05) > 0.85


def test_there_and_back(scenes):
    """Flow to the next frame, then back by its own backward flow, ends where it began.

    But where something passes in front, a pixel arrives on another thing.
    """
    for scene in scenes:
        now, after = (draw_frame(scene, time, flow=True) for time in (3, 4))
        there, inside = follow(np.ones(now.image.shape[:2], bool), now.flow['forward'])
        forward = now.flow['forward'].reshape(-1, 2)[inside]
        back = after.flow['backward'][tuple(there[inside].T)]
        assert (np.linalg.norm(forward + back, axis=1) < 0.5).mean() > 0.85


def test_backdrop_is_followed_in_its_picture(scenes):
    """A later picture, fetched along the flow, is this one but for edges of the layers."""
    for scene in scenes:
        first, second = (scene.backdrop.picture(time, 192, 128) for time in (2, 12))
        grid = np.stack(np.meshgrid(np.arange(192), np.arange(128)), axis=2).astype(np.float32)
        field = scene.backdrop.flow(2, 12, 192, 128)
        fetched = cv2.remap(second, grid + field, None, cv2.INTER_LINEAR)
        inside = np.s_[8:-8, 24:-24]
        moved_error, still_error = (np.abs(each - first)[inside] for each in (fetched, second))
        assert np.median(moved_error) < 0.5 and moved_error.mean() < 0.5 * still_error.mean()


def test_speed_is_the_derivative_of_the_pose(scenes):
    """Over a short time the flow of a thing is the difference of where its points are."""
    step = 1e-3
    own = np.random.default_rng(0).uniform(-0.8, 0.8, (50, 2))
    kinds = set()
    for scene in scenes:
        for thing in scene.things:
            kinds.add(thing.kind)
            before, now, after = (thing.pose(2 + shift).to_pixels(own)
                                  for shift in (-step, 0, step))
            expected = (after - before) / (2 * step)
            found = moved(thing, *now.T, 2, 2 + step) / step
            assert np.allclose(found, expected, atol=0.05 + 0.01 * np.abs(expected).max())
    assert {'fish', 'turtle', 'jellyfish', 'starfish', 'leaf'} <= kinds


def test_ground_moves_with_the_camera(scenes):
    backdrop = scenes[0].backdrop
    field = backdrop.flow(1, 1 + 1e-3, 192, 128) / 1e-3
    speed = backdrop.pan * backdrop.pan_pace * np.cos(backdrop.pan_pace + backdrop.pan_phase)
    parallax = (field / speed).round(2)
    assert (parallax[..., 0] == parallax[..., 1]).all()
    assert {*np.unique(parallax).tolist()} == {0.15, 0.4, 0.7, 1}
    assert (parallax[0] == 0.15).all() and parallax[-1].max() == 1  # water above, sand below
    rooted = next(thing for thing in scenes[0].things if thing.kind in ('rock', 'coral', 'pillar'))
    place = rooted.path.position(1)[None]
    assert np.allclose(moved(rooted, *place.T, 1, 1 + 1e-3) / 1e-3, 1.3 * speed, atol=0.05)


def test_a_pixel_has_the_flow_of_what_is_in_front(scenes):
    scene = scenes[0]
    owner = np.zeros((128, 192), np.uint16)
    owner[:64], owner[64:] = 1, 2
    field = scene_flow(scene, owner, 2, 3)
    assert field.dtype == np.float32 and field.shape == (128, 192, 2)

    def at(thing: Thing, x: int, y: int) -> np.ndarray:
        return moved(thing, np.array([x + 0.5]), np.array([y + 0.5]), 2, 3)[0]

    assert np.allclose(field[10, 20], at(scene.things[0], 20, 10), atol=1e-3)
    assert np.allclose(field[100, 150], at(scene.things[1], 150, 100), atol=1e-3)


def test_files_are_added_and_nothing_else_changes(tmp_path):
    config = replace(CONFIG, num_frames=3)
    generate(tmp_path / 'plain', 'val', 2, config)
    generate(tmp_path / 'flow', 'val', 2, config, flow=True)
    plain, both = ({str(path.relative_to(folder)): path.read_bytes()
                    for path in folder.rglob('*.*') if path.is_file()}
                   for folder in (tmp_path / 'plain', tmp_path / 'flow'))
    stamp = 'val/synthetic.json'
    assert b'flow' not in plain[stamp] and b'"flow": true' in both[stamp]
    added = {name for name in both if name not in plain}
    assert added == {f'val/flow/{direction}/val_000{video}/images/00000{time}.npz'
                     for video in (0, 1) for direction, times in (('forward', (0, 1)),
                                                                  ('backward', (1, 2)))
                     for time in times}
    assert {name: both[name] for name in plain if name != stamp} == {
        name: content for name, content in plain.items() if name != stamp}
    drawn = draw_frame(build_scene(config, 'val', 1), 1, flow=True)
    files = FlowFiles(tmp_path / 'flow/val/flow')
    for direction, field in drawn.flow.items():
        read = files.read('val_0001/images/000001.png', direction, (128, 192))
        assert np.abs(read - field).max() < 0.05
