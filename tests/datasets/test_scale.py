"""The size of frames is said once, and read by the pipeline."""
from __future__ import annotations

import copy

import pytest
from mmdet.datasets.transforms import Resize
from tiny_videos import dataset, pipeline, thing, write

from vatrack.datasets import transforms as scale_module
from vatrack.datasets import with_scale

BARE = dict(type='Resize', keep_ratio=True)


@pytest.fixture
def warnings(monkeypatch) -> list[str]:
    messages = []
    monkeypatch.setattr(scale_module, 'print_log', lambda text, *_: messages.append(text))
    return messages


@pytest.mark.parametrize('bare', [BARE, BARE | dict(type='mmdet.Resize'), BARE | dict(scale=None),
                                  BARE | dict(type=Resize)])
def test_resize_without_a_size_gets_it_wherever_it_stands(bare, warnings):
    steps = [dict(type='TransformBroadcaster', transforms=[dict(type='LoadFrame'), bare]),
             dict(type='RandomChoice', transforms=[[bare], [dict(type='RandomFlip', prob=.5)]]),
             len]
    before = copy.deepcopy(steps)
    broadcast, choice, other = with_scale(steps, [96, 64])
    filled = bare | dict(scale=(96, 64))
    assert broadcast['transforms'] == [dict(type='LoadFrame'), filled]
    assert choice['transforms'] == [[filled], [dict(type='RandomFlip', prob=.5)]]
    assert other is len and steps == before and not warnings


def test_resize_keeps_a_size_of_its_own(warnings):
    own = [BARE | dict(scale=(96, 64)), BARE | dict(scale_factor=.5)]
    assert with_scale(own, None) == with_scale(own, (96, 64)) == own
    assert not warnings
    assert with_scale(own, (64, 48)) == own
    assert len(warnings) == 1 and 'scale=(64, 48)' in warnings[0] and '(96, 64)' in warnings[0]


def test_a_size_must_be_given_and_be_one():
    with pytest.raises(ValueError, match=r'Resize of the pipeline has no scale.*dataset=dict'):
        with_scale([BARE], None)
    for wrong in (96, '96', (96, 64, 3)):
        with pytest.raises(ValueError, match=r'must be \(width, height\)'):
            with_scale([BARE], wrong)


def test_frames_of_a_dataset_have_its_size(tmp_path):
    write(tmp_path, {'v': [[thing()], [thing()]]})
    sample = dataset(tmp_path, scale=(32, 20), pipeline=pipeline(BARE))[0]
    assert sample['inputs'].shape == (2, 3, 20, 32)
