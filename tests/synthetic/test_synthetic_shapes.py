"""Silhouettes, skins and the mapping between them."""
from __future__ import annotations

import numpy as np
import pytest

from vatrack.synthetic.motion import GAITS, Path, Pose, orientation
from vatrack.synthetic.shapes import CREATURES, SILHOUETTES, ellipse, ribbon
from vatrack.synthetic.textures import SKIN_REACH, SKINS, colour, noise, paint


@pytest.mark.parametrize('kind', SILHOUETTES)
def test_silhouettes_are_finite_and_lie_on_their_skin(kind: str) -> None:
    rng = np.random.default_rng(1)
    for beat in np.linspace(0, 12, 40):
        polygons = SILHOUETTES[kind](rng.random(4), float(beat))
        points = np.concatenate(polygons)
        assert np.isfinite(points).all()
        assert all(polygon.ndim == 2 and polygon.shape[1] == 2 for polygon in polygons)
        assert np.abs(points).max() <= SKIN_REACH
        assert np.ptp(points[:, 0]) > 1.2


@pytest.mark.parametrize('kind', CREATURES)
def test_creatures_move_and_differ(kind: str) -> None:
    form = np.full(4, 0.5)
    outline = np.concatenate(CREATURES[kind](form, 0.3))
    assert not np.allclose(outline, np.concatenate(CREATURES[kind](form, 1.5)))
    other = np.concatenate(CREATURES[kind](np.full(4, 0.2), 0.3))
    assert other.shape != outline.shape or not np.allclose(outline, other)


def test_every_thing_has_a_skin_and_every_creature_a_gait() -> None:
    assert set(SKINS) == set(SILHOUETTES)
    assert set(GAITS) == set(CREATURES)


@pytest.mark.parametrize('kind', SKINS)
def test_skin_is_an_image_that_its_generator_determines(kind: str) -> None:
    skins = [paint(kind, colour(0.4, 0.6, 0.7), 48, np.random.default_rng(seed))
             for seed in (5, 5, 6)]
    assert skins[0].shape == (48, 48, 3) and skins[0].dtype == np.float32
    assert skins[0].min() >= 0 and skins[0].max() <= 255 and skins[0].std() > 5
    np.testing.assert_array_equal(skins[0], skins[1])
    assert not np.array_equal(skins[0], skins[2])


def test_noise_has_the_asked_shape_and_is_smooth() -> None:
    field = noise(np.random.default_rng(0), 37, 61, 12.0, octaves=1)
    assert field.shape == (37, 61)
    assert np.abs(np.diff(field, axis=0)).max() < 0.5 < np.ptp(field)


def test_ribbon_is_as_wide_as_asked() -> None:
    spine = np.stack([np.linspace(0, 1, 5), np.zeros(5)], axis=1)
    band = ribbon(spine, np.full(5, 0.2))
    assert band.shape == (10, 2)
    np.testing.assert_allclose(sorted(set(band[:, 1].round(6))), [-0.2, 0.2])


def test_ellipse_meets_its_radii() -> None:
    points = ellipse(1.0, 2.0, 3.0, 0.5, points=32)
    np.testing.assert_allclose(points.max(axis=0), [4.0, 2.5])


def test_pose_maps_back_to_own_coordinates() -> None:
    matrix = np.array([[12.0, -7.0], [6.0, 10.0]])
    pose = Pose(np.array([40.0, 25.0]), matrix, (0.3, 2.2, 1.0, -1.0))
    own = np.random.default_rng(0).uniform(-1, 1, (20, 2))
    for point, (x, y) in zip(own, pose.to_pixels(own), strict=True):
        u, v = pose.to_own(np.float32([x]), np.float32([[y]]))
        assert u.item() == pytest.approx(point[0], abs=1e-4)
        assert v.item() == pytest.approx(point[1], abs=1e-4)


def test_path_meets_its_anchor_and_velocity_is_its_derivative() -> None:
    path = Path(np.array([10.0, 20.0]), 4.0, np.array([30.0, 5.0]), np.array([0.1, 0.2]),
                np.array([0.7, 2.0]))
    np.testing.assert_allclose(path.position(4.0), [10, 20])
    slope = (path.position(7.001) - path.position(6.999)) / 0.002
    np.testing.assert_allclose(path.velocity(7.0), slope, rtol=1e-4)


@pytest.mark.parametrize('direction', [-1.0, 1.0])
def test_fish_face_where_they_swim_and_stay_upright(direction: float) -> None:
    angle, along, across = orientation(GAITS['fish'], np.array([direction * 3, 0.5]), 3.0, 0.0, 0.0)
    nose = np.array([np.cos(angle), np.sin(angle)]) * along
    back_y = np.cos(angle) * -across
    assert nose[0] * direction > 0 and nose[1] > 0 and back_y < 0
