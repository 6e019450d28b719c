"""The truth of a clip is that of its frames, put together object by object."""
from __future__ import annotations

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.structures import InstanceData

from vatrack.structures.by_kind import MasksByKind, PackedMasks
from vatrack.structures.clips import ClipTruth

KINDS = ('amodal', 'visible')
HEIGHT, WIDTH = 6, 11
#: Columns that are filled, of the amodal and of the visible mask.
WHOLE, HALF, HIDDEN, GONE = (9, 9), (9, 4), (9, 0), (0, 0)


def frame(objects: dict[int, tuple[int, int]], packed: bool = False, kinds=KINDS,
          **meta) -> DetDataSample:
    """A frame of objects by id; row ``id`` of the masks is filled, and the label is 2 * id."""
    arrays = np.zeros((2, len(objects), HEIGHT, WIDTH), np.uint8)
    for position, (id_, filled) in enumerate(objects.items()):
        for kind, columns in enumerate(filled):
            arrays[kind, position, id_, :columns] = 1
    masks = MasksByKind({kind: BitmapMasks(arrays[KINDS.index(kind)], HEIGHT, WIDTH)
                         for kind in kinds})
    ids = torch.tensor(list(objects), dtype=torch.int64)
    boxes = torch.tensor([[0, id_, filled[0], id_ + 1] for id_, filled in objects.items()])
    return DetDataSample(metainfo=meta, gt_instances=InstanceData(
        bboxes=boxes.reshape(-1, 4).float(), labels=2 * ids, instances_id=ids,
        masks=PackedMasks.pack(masks) if packed else masks))


def presence(*frames: dict, kinds=KINDS, **options) -> dict[int, list[int]]:
    """{id: frames that it is in}."""
    truth = ClipTruth.join([frame(each, **options) for each in frames], kinds)
    return {id_: torch.nonzero(row)[:, 0].tolist()
            for id_, row in zip(truth.ids.tolist(), truth.presence, strict=True)}


@pytest.mark.parametrize('packed', [False, True])
def test_everything_is_where_it_was_in_its_frame(packed):
    frames = [{4: WHOLE, 1: HALF}, {}, {0: WHOLE, 4: HALF}]
    truth = ClipTruth.join([frame(each, packed) for each in frames], KINDS)
    assert truth.ids.tolist() == [0, 1, 4] and truth.labels.tolist() == [0, 2, 8]
    assert truth.presence.tolist() == [[False, False, True], [True, False, False],
                                       [True, False, True]]
    assert truth.boxes.shape == (3, 3, 4)
    assert truth.boxes[2].tolist() == [[0, 4, 9, 5], [0, 0, 0, 0], [0, 4, 9, 5]]
    for kind, columns in (('amodal', 9), ('visible', 4)):
        masks = truth.masks.unpack(kind)
        assert masks.shape == (3, 3, HEIGHT, WIDTH) and masks.dtype == torch.bool
        assert torch.equal(masks.flatten(2).any(2), truth.presence)
        assert torch.equal(masks[2, 2].nonzero(), torch.tensor([[4, x] for x in range(columns)]))


def test_some_kinds_in_the_order_asked_for():
    truth = ClipTruth.join([frame({1: HALF})], ('visible', 'amodal'))
    assert truth.masks.kinds == ('visible', 'amodal')
    assert truth.masks.unpack('visible').sum() == 4 and truth.masks.unpack('amodal').sum() == 9
    assert ClipTruth.join([frame({1: HALF})], ('visible',)).masks.kinds == ('visible',)
    boxes_only = ClipTruth.join([frame({1: HALF}, kinds=('visible',))], ())
    assert boxes_only.masks is None and boxes_only.presence.tolist() == [[True]]


def test_hidden_objects_count_from_their_first_sight():
    assert presence({1: HIDDEN, 2: HIDDEN}, {1: HALF, 2: HIDDEN}, {1: HIDDEN}) == {1: [1, 2]}


def test_what_has_no_pixel_left_is_not_there():
    assert presence({1: GONE, 2: WHOLE}, {1: HALF, 2: GONE}) == {1: [1], 2: [0]}


def test_visible_or_not_is_no_question_of_other_kinds():
    assert presence({1: HIDDEN}, {1: HALF}, kinds=('amodal',)) == {1: [0, 1]}
    assert presence({1: HALF}, {1: HIDDEN}, {1: HALF}, kinds=('visible',)) == {1: [0, 2]}
    assert presence({1: HIDDEN}, kinds=()) == {1: [0]}


@pytest.mark.parametrize('frames', [[{}], [{}, {}], [{3: HIDDEN}]])
def test_clips_without_objects(frames):
    truth = ClipTruth.join([frame(each) for each in frames], KINDS)
    assert truth.ids.shape == truth.valid.shape == (0,)
    assert truth.boxes.shape == (0, len(frames), 4)
    assert truth.masks.unpack('amodal').shape == (0, len(frames), HEIGHT, WIDTH)
    assert len(truth.split(1)) == len(frames)


def test_masks_lie_on_the_padded_input():
    truth = ClipTruth.join([frame({1: HALF}, batch_input_shape=(8, 32))] * 2, KINDS)
    masks = truth.masks.unpack('amodal')
    assert masks.shape == (1, 2, 8, 32)
    assert masks.sum() == 2 * 9 and masks[:, :, 1, :9].all()


def test_clips_of_a_sample_share_their_rows():
    truth = ClipTruth.join([frame(each) for each in (
        {1: WHOLE}, {1: WHOLE, 5: HALF}, {}, {5: HALF}, {1: WHOLE, 2: WHOLE})], KINDS)
    clips = truth.split(2)
    assert [clip.presence.shape[1] for clip in clips] == [2, 2, 1]
    assert all(clip.ids.tolist() == [1, 2, 5] for clip in clips)
    assert [clip.valid.tolist() for clip in clips] == [
        [True, False, True], [False, False, True], [True, True, False]]
    assert [clip.new.tolist() for clip in clips] == [
        [True, False, True], [False, False, False], [False, True, False]]
    assert [clip.appeared.tolist() for clip in clips] == [
        [False, False, False], [True, False, True], [True, False, True]]
    for whole, parts in ((truth.boxes, [clip.boxes for clip in clips]),
                         (truth.masks.bits, [clip.masks.bits for clip in clips])):
        assert torch.equal(torch.cat(parts, dim=1), whole)


def test_frames_that_cannot_be_joined():
    bare = frame({1: HALF})
    del bare.gt_instances.masks
    with pytest.raises(ValueError, match=r'has no masks.*reference_masks=True'):
        ClipTruth.join([frame({1: HALF}), bare], KINDS)
    with pytest.raises(KeyError, match=r"'amodal' masks were not loaded.*mask_kinds"):
        ClipTruth.join([frame({1: HALF}, kinds=('visible',))], KINDS)
    larger = frame({1: HALF})
    larger.gt_instances.masks = larger.gt_instances.masks.pad((HEIGHT, WIDTH + 1))
    with pytest.raises(ValueError, match=r'must share.*share_random_params=True'):
        ClipTruth.join([frame({1: HALF}), larger], KINDS)
