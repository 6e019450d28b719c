"""Which objects a clip keeps: hidden ones after their first sight, and not too many."""
from __future__ import annotations

import numpy as np
import pytest
from mmengine.dataset import pseudo_collate
from tiny_videos import HEIGHT, WIDTH, dataset, pipeline, thing, write

from vatrack.datasets import ConsecutiveFramesSampler, KeyReferenceSampler
from vatrack.structures.by_kind import PackedMasks
from vatrack.structures.clips import ClipTruth

HIDDEN = thing(0, hidden=1)


def clip_of(root, index, length=4, **options):
    """Ids of the frames of the training clip of a key frame."""
    options = dict(clip_sampler=ConsecutiveFramesSampler(length), keep_hidden=True) | options
    records = dataset(root, **options)[index]['instances']
    return [[instance['instance_id'] for instance in record] for record in records]


def test_hidden_objects_stay_from_their_first_sight_on(tmp_path):
    write(tmp_path, {'v': [[HIDDEN, thing(1)], [thing(0, hidden=.5)], [HIDDEN, thing(1)],
                           [HIDDEN]]})
    assert clip_of(tmp_path, 1) == [[1], [0], [0, 1], [0]]
    assert clip_of(tmp_path, 1, keep_hidden=False) == [[1], [0], [1], []]


def test_first_sight_is_that_of_the_clip(tmp_path):
    write(tmp_path, {'v': [[thing(0)], [HIDDEN, thing(1)], [HIDDEN, thing(1)]]})
    assert clip_of(tmp_path, 0, length=3) == [[0], [0, 1], [0, 1]]
    assert {tuple(map(tuple, clip_of(tmp_path, 1, length=2))) for _ in range(20)} == {
        ((0,), (0, 1)), ((1,), (1,))}


def test_hidden_objects_make_no_key_frame(tmp_path):
    write(tmp_path, {'v': [[HIDDEN], [thing(0)], [HIDDEN]]})
    assert dataset(tmp_path, keep_hidden=True).key_indices.tolist() == [1]


def test_hidden_objects_of_a_model_of_amodal_masks(tmp_path):
    """Without ``keep_hidden`` its objects need no visible pixel at all."""
    write(tmp_path, {'v': [[HIDDEN, thing(1)], [thing(0)], [HIDDEN], [HIDDEN]]})
    assert clip_of(tmp_path, 1, mask_kinds=['amodal']) == [[1], [0], [0], [0]]
    assert clip_of(tmp_path, 1, mask_kinds=['amodal'], keep_hidden=False) == [
        [0, 1], [0], [0], [0]]


def test_a_hidden_object_is_a_common_one(tmp_path):
    write(tmp_path, {'v': [[thing(0)], [HIDDEN, thing(1)]]})
    assert dataset(tmp_path).prepare_data(0) is None
    assert dataset(tmp_path, keep_hidden=True).prepare_data(0) is not None


def test_key_frames_alone_need_nothing_in_common(tmp_path):
    write(tmp_path, {'v': [[thing(0)], [thing(1)]]})
    assert dataset(tmp_path).prepare_data(0) is None
    assert clip_of(tmp_path, 0, length=2) == [[0], [1]]


@pytest.mark.parametrize(('options', 'message'), [
    (dict(box_kinds=['visible']), r"box_kinds must then be \('amodal',\)"),
    (dict(box_kinds=['amodal', 'visible']), r"box_kinds must then be \('amodal',\)"),
    (dict(max_occlusion=.95), 'set max_occlusion=None')])
def test_options_that_contradict_hidden_objects(options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        dataset(tmp_path, keep_hidden=True, **options)


def test_the_smallest_objects_are_left_out(tmp_path):
    """Visible pixels over all frames: 64 + 64, 128, 120 + 0 (hidden), 96 + 96."""
    write(tmp_path, {'v': [[thing(0, hidden=.5), thing(1), thing(2, size=(15, 8))],
                           [thing(0, hidden=.5), thing(2, hidden=1), thing(3, size=(12, 8))],
                           [thing(3, size=(12, 8))]]})

    def kept(**options):
        return clip_of(tmp_path, 0, length=3, **options)

    assert kept() == kept(max_objects=4) == [[0, 1, 2], [0, 2, 3], [3]]
    assert kept(max_objects=3) == [[0, 1], [0, 3], [3]]
    assert kept(max_objects=2) == [[0], [0, 3], [3]]
    assert kept(max_objects=1) == [[], [3], [3]]
    assert kept(max_objects=3, mask_kinds=['amodal']) == [[0, 2], [0, 2, 3], [3]]


@pytest.mark.parametrize('options', [dict(max_objects=0), dict(max_objects=3, mask_kinds=[])])
def test_numbers_of_objects_that_cannot_be_kept(options, tmp_path):
    with pytest.raises(ValueError, match='max_objects must be positive, and counts pixels'):
        dataset(tmp_path, **options)


@pytest.mark.parametrize('bits', [False, True])
def test_from_the_file_to_the_truth_of_a_clip(bits, tmp_path):
    """All on the way: a hidden object, another before its first sight, a frame without any."""
    write(tmp_path, {'v': [[thing(7, 5, hidden=.5), HIDDEN], [thing(7, 5, hidden=1)], [],
                           [thing(0, hidden=.25)]]})
    load, _ = pipeline()
    frames = dataset(tmp_path, clip_sampler=ConsecutiveFramesSampler(4), keep_hidden=True,
                     pipeline=[load, dict(type='PackClip', bits=bits)])
    sample = frames[1]
    clip = sample['data_samples']
    assert (clip.key_frames_inds, clip.ref_frames_inds) == ([0, 1, 2, 3], [])
    assert isinstance(clip[0].gt_instances.masks, PackedMasks) is bits
    truth = ClipTruth.join(clip.video_data_samples, ('amodal', 'visible'))
    assert truth.ids.tolist() == [0, 7] and truth.labels.tolist() == [0, 1]
    assert truth.presence.tolist() == [[False] * 3 + [True], [True, True, False, False]]
    assert truth.masks.unpack('amodal').sum((2, 3)).tolist() == [[0, 0, 0, 128], [128, 128, 0, 0]]
    assert truth.masks.unpack('visible').sum((2, 3)).tolist() == [[0, 0, 0, 96], [64, 0, 0, 0]]
    assert truth.boxes[1, 1].tolist() == [4, 6, 20, 14]


def test_packed_clips_are_batched_as_others_are(tmp_path):
    write(tmp_path, {'v': [[thing(0)], [thing(0, hidden=.5), thing(1)]]})
    load, _ = pipeline()
    load['transforms'][1]['reference_masks'] = True
    samples = [[dataset(tmp_path, clip_sampler=KeyReferenceSampler(), pipeline=[
        load, dict(type='PackClip', bits=bits)])[index] for index in (0, 1)]
        for bits in (True, False)]
    for packed, whole in zip(*(pseudo_collate(each)['data_samples'] for each in samples),
                             strict=True):
        for bits, arrays in zip(packed.video_data_samples, whole.video_data_samples, strict=True):
            masks = bits.gt_instances.masks
            assert masks.bits.shape == (len(arrays.gt_instances), 2, HEIGHT, WIDTH // 8)
            for kind in ('amodal', 'visible'):
                np.testing.assert_array_equal(masks.unpack(kind),
                                              arrays.gt_instances.masks.kind(kind).masks)
