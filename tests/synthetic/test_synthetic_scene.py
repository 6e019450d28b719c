"""Scenes and their drawing: exact masks, identities, occlusion."""
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vatrack.synthetic import OCCLUSION_LEVELS, Scene, SceneConfig, build_scene, draw_frame
from vatrack.synthetic.motion import Path
from vatrack.synthetic.render import MIN_AREA, draw_thing
from vatrack.synthetic.scene import Thing

CONFIG = SceneConfig(num_frames=8, width=128, height=80, occlusion='high', seed=3)


def still(thing: Thing, x: float, y: float) -> Thing:
    """The same thing, held at a point."""
    zero = np.zeros(2)
    return replace(thing, path=Path(np.array([x, y]), 0.0, zero, zero, zero))


def silhouette(thing: Thing, config: SceneConfig, time: int) -> np.ndarray:
    """Pixels of one thing alone, without the frame's other contents."""
    mask = np.zeros((config.height, config.width), dtype=bool)
    patch = draw_thing(thing, time, (config.width, config.height), 0)
    if patch is not None:
        mask[patch.rows, patch.columns] = patch.coverage >= 0.5
    return mask


@pytest.fixture(scope='module')
def scene() -> Scene:
    return build_scene(CONFIG, 'train', 1)


@pytest.mark.parametrize('time', [0, 3, 7])
def test_visible_is_amodal_minus_everything_in_front(scene: Scene, time: int) -> None:
    drawn = draw_frame(scene, time)
    masks = [silhouette(thing, CONFIG, time) for thing in scene.things]
    drawn_here = {identity.instance_id: k for k, identity in enumerate(drawn.identities)}
    left_out = {thing.identity.instance_id for thing in scene.things
                if thing.identity and thing.identity.instance_id not in drawn_here}
    assert drawn_here
    front = np.zeros((CONFIG.height, CONFIG.width), dtype=bool)
    for thing, mask in reversed(list(zip(scene.things, masks, strict=True))):
        if thing.identity is None:
            front |= mask
        elif thing.identity.instance_id not in left_out:
            k = drawn_here[thing.identity.instance_id]
            np.testing.assert_array_equal(drawn.amodal[k], mask)
            np.testing.assert_array_equal(drawn.visible[k], mask & ~front)
            front |= mask


def test_visible_masks_are_disjoint_and_inside_amodal(scene: Scene) -> None:
    for time in range(CONFIG.num_frames):
        drawn = draw_frame(scene, time)
        assert drawn.image.shape == (80, 128, 3) and drawn.image.dtype == np.uint8
        assert drawn.visible.sum(axis=0).max() <= 1
        assert not (drawn.visible & ~drawn.amodal).any()


def test_frames_do_not_depend_on_the_order_of_drawing(scene: Scene) -> None:
    later, again = draw_frame(scene, 5), draw_frame(build_scene(CONFIG, 'train', 1), 5)
    np.testing.assert_array_equal(later.image, again.image)
    np.testing.assert_array_equal(later.amodal, again.amodal)


def test_fully_hidden_object_is_kept_with_an_empty_visible_mask(scene: Scene) -> None:
    thing = next(still(t, 64, 40) for t in scene.things if t.identity)
    boulder = still(replace(thing, kind='rock', identity=None, gait=None, size=120.0), 64, 40)
    drawn = draw_frame(replace(scene, things=[thing, boulder]), 0)
    assert drawn.identities == [thing.identity]
    assert drawn.amodal[0].sum() > 100 and not drawn.visible.any()
    without = draw_frame(replace(scene, things=[boulder]), 0)
    np.testing.assert_array_equal(drawn.image, without.image)


def test_object_in_front_is_seen_whole(scene: Scene) -> None:
    thing = next(still(t, 64, 40) for t in scene.things if t.identity)
    boulder = still(replace(thing, kind='rock', identity=None, gait=None, size=120.0), 64, 40)
    drawn = draw_frame(replace(scene, things=[boulder, thing]), 0)
    np.testing.assert_array_equal(drawn.visible, drawn.amodal)


def test_sliver_is_neither_annotated_nor_drawn(scene: Scene) -> None:
    thing = next(t for t in scene.things if t.identity)
    empty = draw_frame(replace(scene, things=[]), 0)
    assert empty.amodal.shape == empty.visible.shape == (0, 80, 128) and not empty.identities
    areas = []
    for x in np.arange(-30.0, 10.0, 0.25):
        placed = still(thing, float(x), 40)
        area = int(silhouette(placed, CONFIG, 0).sum())
        drawn = draw_frame(replace(scene, things=[placed]), 0)
        assert len(drawn.identities) == int(area >= MIN_AREA)
        if area < MIN_AREA:
            np.testing.assert_array_equal(drawn.image, empty.image)
        areas.append(area)
    assert any(0 < area < MIN_AREA for area in areas) and max(areas) > MIN_AREA


def test_objects_can_be_told_from_the_backdrop(scene: Scene) -> None:
    """The pixels of a visible object differ from the picture without it."""
    empty = draw_frame(replace(scene, things=[]), 2).image.astype(int)
    drawn = draw_frame(scene, 2)
    change = np.abs(drawn.image.astype(int) - empty).mean(axis=2)
    assert change[drawn.visible.any(axis=0)].mean() > 15


def test_scene_depends_on_seed_split_and_index_only() -> None:
    def first_positions(config: SceneConfig, split: str, index: int) -> np.ndarray:
        return np.array([t.path.anchor for t in build_scene(config, split, index).things])

    base = first_positions(CONFIG, 'train', 2)
    np.testing.assert_array_equal(base, first_positions(CONFIG, 'train', 2))
    for other in (first_positions(CONFIG, 'val', 2), first_positions(CONFIG, 'train', 3),
                  first_positions(replace(CONFIG, seed=4), 'train', 2)):
        assert other.shape != base.shape or not np.allclose(other, base)


def test_identities_count_from_zero_and_categories_follow_the_config() -> None:
    config = replace(CONFIG, objects=(6, 6), classes=('leaf', 'fish'))
    things = [t for t in build_scene(config, 'train', 0).things if t.identity]
    assert sorted(t.identity.instance_id for t in things) == list(range(6))
    assert {t.kind for t in things} == {'leaf', 'fish'}
    assert all(config.classes[t.identity.category_id - 1] == t.kind for t in things)


def test_objects_leave_and_return_under_the_same_identity() -> None:
    config = SceneConfig(num_frames=120, width=96, height=60, objects=(6, 6), seed=1)
    returned = 0
    for index in range(2):
        scene = build_scene(config, 'train', index)
        present = np.zeros((6, config.num_frames), dtype=bool)
        for time in range(config.num_frames):
            present[[i.instance_id for i in draw_frame(scene, time).identities], time] = True
        assert present.any(axis=1).all()
        starts = (np.diff(present.astype(int), axis=1) == 1).sum(axis=1) + present[:, 0]
        returned += int((starts > 1).sum())
    assert returned >= 2


def mean_occlusion(level: float | str) -> tuple[float, float]:
    """Mean occlusion rate and objects per frame over a few videos."""
    config = SceneConfig(num_frames=9, width=96, height=60, occlusion=level)
    rates, frames = [], 0
    for index in range(16):
        scene = build_scene(config, 'train', index)
        for time in (0, 4, 8):
            drawn = draw_frame(scene, time)
            frames += 1
            rates.extend(1 - drawn.visible.sum(axis=(1, 2)) / drawn.amodal.sum(axis=(1, 2)))
    return float(np.mean(rates)), len(rates) / frames


def test_occlusion_grows_with_its_level() -> None:
    (low, few), (medium, some), (high, many) = (mean_occlusion(name) for name in OCCLUSION_LEVELS)
    assert low + 0.04 < medium < high - 0.04
    assert few < some < many


@pytest.mark.parametrize(('option', 'value'), [
    ('num_frames', 0), ('width', 8), ('objects', (0, 3)), ('objects', (5, 2)),
    ('occlusion', 'extreme'), ('occlusion', 1.5), ('classes', ()), ('classes', ('fish', 'cat')),
    ('classes', ('fish', 'fish'))])
def test_config_refuses_what_it_cannot_make(option: str, value: object) -> None:
    with pytest.raises(ValueError, match=option if option != 'width' else 'frames'):
        replace(CONFIG, **{option: value})


@pytest.mark.parametrize('size', [(32, 32), (33, 47), (300, 40)])
def test_odd_sizes_are_drawn(size: tuple[int, int]) -> None:
    scene = build_scene(replace(CONFIG, width=size[0], height=size[1]), 'train', 0)
    assert draw_frame(scene, 3).image.shape == (size[1], size[0], 3)
