from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from vatrack.registry import VISUALIZERS
from vatrack.structures.by_kind import MasksByKind
from vatrack.structures.rle import encode
from vatrack.visualization import AmodalVisualizer, track_color
from vatrack.visualization.visualizer import _boxes

H, W = 60, 90


def masks(*boxes: tuple[int, int, int, int]) -> list[dict]:
    filled = np.zeros((len(boxes), H, W), np.uint8)
    for mask, (x0, y0, x1, y1) in zip(filled, boxes, strict=True):
        mask[y0:y1, x0:x1] = 1
    return encode(filled)


def truth() -> InstanceData:
    """A hidden object at the left, one in full view at the right."""
    return InstanceData(
        labels=torch.tensor([0, 1]), instances_id=torch.tensor([70, 20]),
        masks=MasksByKind.from_rles({'amodal': masks((5, 20, 35, 50), (55, 20, 85, 50)),
                                     'visible': masks((5, 20, 20, 50), (55, 20, 85, 50))}, (H, W)))


def prediction() -> InstanceData:
    """The right object, and below the threshold the left one."""
    return InstanceData(
        labels=torch.tensor([1, 0]), instances_id=torch.tensor([0, 1]),
        scores=torch.tensor([0.8, 0.2]), bboxes=torch.tensor([[55., 20, 85, 50], [5, 20, 35, 50]]),
        amodal_masks=masks((55, 20, 85, 50), (5, 20, 35, 50)),
        visible_masks=masks((55, 20, 85, 50), (5, 20, 35, 50)))


def sample(**fields: InstanceData) -> DetDataSample:
    made = DetDataSample(metainfo=dict(video_name='pool', frame_id=3))
    for name, instances in fields.items():
        made.set_data({name: instances})
    return made


@pytest.fixture
def visualizer(tmp_path) -> AmodalVisualizer:
    made = VISUALIZERS.build(dict(
        type='AmodalVisualizer', name=str(tmp_path), panel_width=180, save_dir=str(tmp_path),
        show=['visible', 'amodal'], vis_backends=[dict(type='LocalVisBackend')]))
    made.dataset_meta = {'classes': ('fish', 'turtle')}
    return made


def picture(visualizer: AmodalVisualizer, tmp_path, **kwargs) -> np.ndarray:
    visualizer.add_datasample('a', np.full((H, W, 3), 90, np.uint8), out_file=tmp_path / 'a.png',
                              **kwargs)
    return cv2.imread(str(tmp_path / 'a.png'))[..., ::-1]


def has_color(part: np.ndarray, number: int) -> bool:
    return bool((np.abs(part.astype(int) - track_color(number)).max(axis=2) < 30).any())


def test_truth_and_prediction_stand_side_by_side_in_equal_colors(visualizer, tmp_path):
    drawn = picture(visualizer, tmp_path,
                    data_sample=sample(gt_instances=truth(), pred_track_instances=prediction()))
    left, right = np.hsplit(drawn, 2)
    assert drawn.shape[1] == 2 * 180 + 6 + 2 * 12
    assert has_color(left, 0) and has_color(left, 1)
    assert has_color(right, 1) and not has_color(right, 0) and not has_color(right, 2)


def test_a_prediction_without_match_has_a_color_of_its_own(visualizer, tmp_path):
    found = prediction()
    found.amodal_masks = found.visible_masks = masks((40, 0, 50, 10), (40, 50, 50, 60))
    drawn = picture(visualizer, tmp_path, pred_score_thr=0,
                    data_sample=sample(gt_instances=truth(), pred_track_instances=found))
    right = np.hsplit(drawn, 2)[1]
    assert has_color(right, 2) and has_color(right, 3)
    assert not has_color(right, 0) and not has_color(right, 1)


@pytest.mark.parametrize(('options', 'panels'), [
    ({}, 2), ({'draw_gt': False}, 1), ({'draw_pred': False}, 1),
    ({'draw_gt': False, 'draw_pred': False}, 1)])
def test_layers_can_be_left_out(visualizer, tmp_path, options, panels):
    both = sample(gt_instances=truth(), pred_track_instances=prediction())
    drawn = picture(visualizer, tmp_path, data_sample=both, **options)
    assert drawn.shape[1] == panels * 180 + (panels - 1) * 6 + 2 * 12


def test_without_a_sample_the_image_is_shown(visualizer, tmp_path):
    drawn = picture(visualizer, tmp_path)
    assert (drawn == 90).all(axis=2).sum() >= 180 * 120


@pytest.mark.parametrize('empty', [prediction()[:0], prediction()[:0].new()])
def test_frames_without_objects(visualizer, tmp_path, empty):
    drawn = picture(visualizer, tmp_path,
                    data_sample=sample(gt_instances=truth()[:0], pred_track_instances=empty))
    assert (drawn == 90).all(axis=2).sum() >= 2 * 180 * 120


def test_pictures_go_to_the_backends(visualizer, tmp_path):
    visualizer.add_datasample('pool_frame3', np.zeros((H, W, 3), np.uint8),
                              sample(gt_instances=truth()), step=7)
    assert [path.name for path in tmp_path.rglob('*.png')] == ['pool_frame3_7.png']


def test_classes_without_a_name_are_numbers(visualizer):
    visualizer.dataset_meta = None
    drawn = visualizer._drawn(prediction(), {0: (1, 2, 3), 1: (4, 5, 6)})
    assert [each.caption() for each in drawn] == ['0 1 0.80', '1 0 0.20']


@pytest.mark.parametrize(('fields', 'kinds'), [
    (('amodal_masks', 'visible_masks'), ['amodal']), (('visible_masks',), ['visible']),
    (('amodal_masks', 'visible_bboxes'), ['amodal', 'visible']),
    (('amodal_masks', 'amodal_bboxes'), ['visible', 'amodal']), ((), ['amodal'])])
def test_kinds_of_boxes(fields, kinds):
    instances = InstanceData(bboxes=torch.ones(1, 4), **{
        name: torch.zeros(1, 4) if name.endswith('bboxes') else [{}] for name in fields})
    found = _boxes(instances, {name.removesuffix('_masks'): [] for name in fields
                               if name.endswith('masks')})
    assert list(found) == kinds
    assert found[kinds[0]] == [[1, 1, 1, 1]]
