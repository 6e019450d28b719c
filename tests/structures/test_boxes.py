from __future__ import annotations

import numpy as np
import pytest
import torch

from vatrack.structures.by_kind import BoxesByKind

AMODAL = np.array([[2, 3, 10, 9], [0, 0, 4, 4], [12, 6, 20, 16]], np.float64)
VISIBLE = np.array([[2, 3, 6, 9], [1, 0, 4, 2], [12, 6, 14, 8]], np.float64)
KINDS = ('amodal', 'visible')


def boxes() -> BoxesByKind:
    return BoxesByKind.from_kinds({'amodal': AMODAL, 'visible': VISIBLE})


def test_kinds_come_back_as_they_went_in():
    split = boxes().by_kind(KINDS)
    assert list(split) == list(KINDS)
    for kind, given in zip(KINDS, (AMODAL, VISIBLE), strict=True):
        assert split[kind].dtype == torch.float32 and split[kind].is_contiguous()
        np.testing.assert_array_equal(split[kind], given)


def test_one_kind():
    one = BoxesByKind.from_kinds({'visible': VISIBLE})
    assert one.tensor.shape == (3, 1, 4)
    np.testing.assert_array_equal(one.by_kind(('visible',))['visible'], VISIBLE)


@pytest.mark.parametrize('kinds', [('amodal',), KINDS])
def test_no_instances(kinds):
    none = BoxesByKind.from_kinds({kind: np.zeros(0) for kind in kinds})
    none.rescale_((2., 3.))
    none.flip_((20, 30))
    none.clip_((20, 30))
    assert len(none) == 0 and none.is_inside((20, 30)).shape == (0,)
    split = none.by_kind(kinds)
    assert tuple(split) == kinds and all(each.shape == (0, 4) for each in split.values())


def test_an_instance_is_inside_with_all_its_boxes():
    moved = boxes()
    moved.translate_((-5., -2.))  # the visible boxes of the first two leave the image
    assert moved.is_inside((30, 30)).tolist() == [True, False, True]
    moved.translate_((-1.5, 0.))
    assert moved.is_inside((30, 30)).tolist() == [False, False, True]
    assert boxes().is_inside((16, 20), all_inside=True, allowed_border=1).tolist() == [True] * 3
    assert boxes().is_inside((9, 30), all_inside=True).tolist() == [False, True, False]


def test_instances_are_taken_with_all_their_boxes():
    kept = boxes()[np.array([True, False, True])]
    assert isinstance(kept, BoxesByKind)
    np.testing.assert_array_equal(kept.by_kind(KINDS)['visible'], VISIBLE[[0, 2]])
    assert len(boxes()[np.zeros(3, bool)].by_kind(KINDS)['amodal']) == 0


@pytest.mark.parametrize('kinds', [{}, {'modal': AMODAL}, {'amodal': AMODAL, 'boxes': VISIBLE}])
def test_refused_kinds(kinds):
    with pytest.raises(ValueError, match='box kinds must be some of'):
        BoxesByKind.from_kinds(kinds)
