from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from full_disk import full_disk
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from vatrack.evaluation import metric as metric_module
from vatrack.evaluation.evaluate import evaluate
from vatrack.evaluation.metric import VideoInstanceMetric
from vatrack.files import OutputError, ResultError, load_annotations, read_results
from vatrack.structures.rle import encode

SIZE = (40, 60)
LENGTHS = {3: 3, 8: 2}  # frames by video id
CATEGORIES = {7: 'cat', 4: 'dog'}  # labels 0 and 1


def box_mask(x: int, y: int, w: int, h: int) -> dict:
    mask = np.zeros((1, *SIZE), dtype=np.uint8)
    mask[0, y:y + h, x:x + w] = 1
    return encode(mask)[0]


def write_annotations(path: Path, lengths: dict[int, int], objects: bool = True) -> Path:
    """One still cat, 10x10 at (5, 5), its right half hidden, in every video."""
    images, annotations = [], []
    for video_id, length in lengths.items():
        for t in range(length):
            images.append({'id': len(images), 'video_id': video_id, 'frame_id': t,
                           'file_name': f'{video_id}/{t}.png'})
            annotations.append({
                'id': len(annotations), 'image_id': len(images) - 1, 'category_id': 7,
                'instance_id': 0, 'bbox': [5, 5, 10, 10], 'occlude_rate': 0.5,
                'amodal_mask': box_mask(5, 5, 10, 10), 'visible_mask': box_mask(5, 5, 5, 10)})
    content = {'categories': [{'id': i, 'name': name} for i, name in CATEGORIES.items()],
               'videos': [{'id': i, 'name': f'video {i}', 'height': SIZE[0], 'width': SIZE[1]}
                          for i in lengths],
               'images': images, 'annotations': annotations if objects else []}
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def ann_file(tmp_path):
    return write_annotations(tmp_path / 'truth.json', LENGTHS)


def make_metric(ann_file: Path, **kwargs) -> VideoInstanceMetric:
    metric = VideoInstanceMetric(str(ann_file), **kwargs)
    metric.dataset_meta = {'classes': tuple(CATEGORIES.values())}
    return metric


def detection(track_id: int, score: float = 0.5, label: int = 0, amodal=(5, 5, 10, 10),
              visible=(5, 5, 5, 10)) -> tuple:
    return track_id, score, label, amodal, visible


def frame(video_id: int, frame_id: int, detections: list[tuple],
          meta: dict | None = None) -> DetDataSample:
    sample = DetDataSample(metainfo={
        'video_id': video_id, 'video_name': f'video {video_id}', 'frame_id': frame_id,
        'video_length': LENGTHS[video_id], **(meta or {})})
    ids, scores, labels, amodal, visible = (list(column) for column in
                                            zip(*detections, strict=True)) if detections else [
                                                [] for _ in range(5)]
    boxes = torch.tensor([(x, y, x + w, y + h) for x, y, w, h in amodal], dtype=torch.float32)
    sample.pred_track_instances = InstanceData(
        instances_id=torch.tensor(ids, dtype=torch.int64),
        scores=torch.tensor(scores, dtype=torch.float64),
        labels=torch.tensor(labels, dtype=torch.int64), bboxes=boxes.reshape(-1, 4),
        amodal_masks=[box_mask(*box) for box in amodal],
        visible_masks=[box_mask(*box) for box in visible])
    return sample


def feed(metric: VideoInstanceMetric, frames: list[DetDataSample], batch: int = 2) -> None:
    for start in range(0, len(frames), batch):
        metric.process(None, [{'video_data_samples': [one]} for one in frames[start:start + batch]])


def perfect(video_id: int) -> list[DetDataSample]:
    return [frame(video_id, t, [detection(0)]) for t in range(LENGTHS[video_id])]


def test_perfect_tracks_score_1_and_an_unfound_object_0(ann_file):
    metric = make_metric(ann_file)
    feed(metric, perfect(3) + perfect(8))
    values = metric.evaluate(5)
    assert {values[f'{kind}/{name}'] for kind in ('amodal', 'visible')
            for name in ('image/AP', 'video/vAP')} == {1.0}

    feed(metric, [frame(i, t, []) for i, length in LENGTHS.items() for t in range(length)])
    values = metric.evaluate(5)
    assert values['amodal/video/vAP'] == values['visible/image/AP'] == 0


def test_tracks_are_assembled_from_frames(ann_file, tmp_path):
    """Track 5 misses a frame and is a dog in one of two, then a cat: a tie, which 4 (dog) wins."""
    out = tmp_path / 'results.json'
    metric = make_metric(ann_file, out=str(out))
    feed(metric, [
        frame(3, 0, [detection(5, 0.9, label=1), detection(0, 0.2)]),
        frame(3, 1, [detection(0, 0.4)]),
        frame(3, 2, [detection(0, 0.3), detection(5, 0.5, amodal=(6, 5, 10, 8))]),
        *perfect(8)])
    metric.evaluate(5)

    first, second, third = read_results(out, load_annotations(ann_file))

    assert [(t.video_id, t.track_id) for t in (first, second, third)] == [(3, 1), (3, 2), (8, 3)]
    assert first.score == pytest.approx(0.3) and first.scores == [0.2, 0.4, 0.3]
    assert first.category_id == 7 and first.category_ids is None
    assert second.score == pytest.approx(0.7) and second.scores == [0.9, 0.5]
    assert second.category_id == 4 and second.category_ids == [4, 7]
    assert second.frames == [0, 2] and second.visible_bboxes is None
    assert second.bboxes == [(5, 5, 15, 15), (6, 5, 16, 13)]
    assert second.masks['amodal'] == [box_mask(5, 5, 10, 10), box_mask(6, 5, 10, 8)]
    assert second.masks['visible'] == [box_mask(5, 5, 5, 10), box_mask(5, 5, 5, 10)]


def test_visible_boxes_are_written_where_a_model_has_them(ann_file, tmp_path):
    out = tmp_path / 'results.json'
    metric = make_metric(ann_file, out=str(out))
    frames = [*perfect(3), frame(8, 0, [detection(0)]), frame(8, 1, [])]
    for sample in frames:
        instances = sample.pred_track_instances
        instances.visible_bboxes = instances.bboxes - torch.tensor([0., 0., 5., 0.])
    feed(metric, frames)
    metric.evaluate(5)
    first, second = read_results(out, load_annotations(ann_file))
    assert first.visible_bboxes == [(5, 5, 10, 15)] * 3 and first.bboxes == [(5, 5, 15, 15)] * 3
    assert (second.frames, second.visible_bboxes) == ([0], [(5, 5, 10, 15)])
    assert json.loads(out.read_text())[1]['visible_bboxes'] == [[5, 5, 5, 10], None]


def test_majority_of_frames_decides_the_class(ann_file, tmp_path):
    out = tmp_path / 'results.json'
    metric = make_metric(ann_file, out=str(out))
    feed(metric, [frame(3, t, [detection(0, 0.9, label)]) for t, label in enumerate([1, 0, 0])]
         + perfect(8))
    metric.evaluate(5)
    assert read_results(out, load_annotations(ann_file))[0].category_id == 7


@pytest.mark.parametrize('batch', [1, 2, 5])
def test_order_of_videos_and_size_of_batches_do_not_matter(ann_file, tmp_path, batch):
    results = []
    for name, order in [('a.json', (3, 8)), ('b.json', (8, 3))]:
        metric = make_metric(ann_file, out=str(tmp_path / name))
        feed(metric, [sample for video_id in order for sample in perfect(video_id)], batch)
        results.append((metric.evaluate(5), (tmp_path / name).read_text()))
    assert results[0] == results[1]


def test_a_model_may_hold_frames_back_and_say_at_the_end_what_its_tracks_are(ann_file, tmp_path):
    out = tmp_path / 'results.json'
    metric = make_metric(ann_file, out=str(out))
    said = dict(instances_id=torch.tensor([0]), labels=torch.tensor([1]),
                scores=torch.tensor([.25]))
    metric.process(None, [{}])
    metric.process(None, [{'video_data_samples': perfect(3), 'pred_tracks': said}])
    feed(metric, perfect(8))
    metric.evaluate(5)
    first, second = read_results(out, load_annotations(ann_file))
    assert (first.category_id, first.score, first.scores) == (4, .25, None)
    assert (second.category_id, second.score, second.scores) == (7, .5, [.5, .5])


def test_two_validations_of_one_run_are_independent(ann_file):
    metric = make_metric(ann_file)
    feed(metric, [frame(3, t, [detection(0, amodal=(30, 20, 9, 9), visible=(30, 20, 9, 9))])
                  for t in range(3)] + perfect(8))
    first = metric.evaluate(5)
    feed(metric, perfect(3) + perfect(8))
    second = metric.evaluate(5)
    assert first['amodal/video/vAP'] < 1 and second['amodal/video/vAP'] == 1


def test_numbers_are_those_of_the_result_file(ann_file, tmp_path):
    metric = make_metric(ann_file, out=str(tmp_path / 'results.json'), protocol='ytvis')
    feed(metric, perfect(3)[:2] + [frame(3, 2, [])] + [frame(8, t, []) for t in range(2)])
    values = metric.evaluate(5)
    annotations = load_annotations(ann_file)
    assert values == evaluate(annotations, read_results(tmp_path / 'results.json', annotations),
                              ('AP', 'vAP'), 'ytvis')
    assert 0 < values['amodal/video/vAP'] < 1


def test_memory_holds_one_video_and_finished_ones_are_on_disk(ann_file, tmp_path):
    out = tmp_path / 'results.json'
    metric = make_metric(ann_file, out=str(out))
    feed(metric, perfect(3))
    assert metric._open is None and metric.results == []
    (part,) = (tmp_path / 'results.json.parts').iterdir()
    assert [json.loads(line)['video_id'] for line in part.read_text().splitlines()] == [3]
    feed(metric, perfect(8)[:1])
    assert [track.video_id for track in metric._open.tracks()] == [8] and not out.exists()


def test_left_overs_of_a_crash_are_not_scored_again(ann_file, tmp_path):
    out = tmp_path / 'results.json'
    feed(make_metric(ann_file, out=str(out)), perfect(3))
    metric = make_metric(ann_file, out=str(out))
    feed(metric, perfect(3) + perfect(8))
    assert metric.evaluate(5)['amodal/video/vAP'] == 1
    assert len(json.loads(out.read_text())) == 2
    assert not (tmp_path / 'results.json.parts').exists()


def test_results_are_written_before_they_are_scored(ann_file, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError('no score today')

    monkeypatch.setattr(metric_module, 'evaluate', fail)
    out = tmp_path / 'results.json'
    metric = make_metric(ann_file, out=str(out))
    feed(metric, perfect(3) + perfect(8))
    with pytest.raises(RuntimeError, match='no score today'):
        metric.evaluate(5)
    assert len(read_results(out, load_annotations(ann_file))) == 2


def test_a_full_disk_is_named(ann_file, tmp_path):
    metric = make_metric(ann_file, out=str(tmp_path / 'out' / 'results.json'))
    with full_disk(10), pytest.raises(OutputError, match=r'rank0\.jsonl: cannot be written'):
        feed(metric, perfect(3))


def test_without_out_nothing_is_left_behind(ann_file, tmp_path, monkeypatch):
    monkeypatch.setattr(metric_module.tempfile, 'tempdir', str(tmp_path / 'temp'))
    (tmp_path / 'temp').mkdir()
    metric = make_metric(ann_file)
    feed(metric, perfect(3) + perfect(8))
    assert list((tmp_path / 'temp').iterdir())
    metric.evaluate(5)
    assert not list((tmp_path / 'temp').iterdir())


@pytest.mark.parametrize(('frames', 'message'), [
    (lambda: perfect(3)[:2] + perfect(8), "frame 0 of video 'video 8' came where frame 2 of video "
                                          "'video 3', which has 3, was expected"),
    (lambda: perfect(3)[1:], "frame 1 of video 'video 3' came where frame 0"),
    (lambda: [perfect(3)[0], perfect(3)[2]], "frame 2 of video 'video 3' came where frame 1"),
    (lambda: perfect(8)[:1] + perfect(3), "frame 0 of video 'video 3' came where frame 1 of video "
                                          "'video 8'"),
], ids=['broken off', 'no start', 'gap', 'interleaved'])
def test_frames_that_do_not_follow_each_other_are_refused(ann_file, frames, message):
    with pytest.raises(ResultError, match='VideoSampler') as caught:
        feed(make_metric(ann_file), frames())
    assert message in str(caught.value)


@pytest.mark.parametrize(('frames', 'message'), [
    (lambda: perfect(3) + perfect(8)[:1], "ended where frame 1 of video 'video 8'"),
    (lambda: perfect(3), r"3 samples were processed instead of 5; videos without results: "
                         r"\['video 8'\]"),
    (lambda: perfect(3) + perfect(8) + perfect(8), r"7 samples .* instead of 5; .* several: "
                                                   r"\['video 8'\]"),
    (lambda: [], r"0 samples were processed instead of 5; .*\['video 3', 'video 8'\]"),
], ids=['unfinished', 'missing', 'twice', 'nothing'])
def test_incomplete_data_is_not_scored(ann_file, tmp_path, frames, message):
    metric = make_metric(ann_file, out=str(tmp_path / 'results.json'))
    feed(metric, frames())
    with pytest.raises(ResultError, match=message):
        metric.evaluate(5)
    assert not (tmp_path / 'results.json').exists()


@pytest.mark.parametrize('meta', [{'video_id': 5}, {'video_name': 'other'}, {'video_length': 9}])
def test_data_of_another_annotation_file_is_refused(ann_file, meta):
    with pytest.raises(ResultError, match='give the ann_file of the dataset to the evaluator'):
        feed(make_metric(ann_file), [frame(3, 0, [detection(0)], meta)])


def test_classes_that_the_annotation_file_lacks_are_refused(ann_file):
    metric = make_metric(ann_file)
    metric.dataset_meta = {'classes': ('cat', 'unicorn')}
    with pytest.raises(ResultError, match=r"no categories \['unicorn'\]"):
        feed(metric, perfect(3))


def test_without_truth_every_value_is_n_a_and_the_reason_is_given(tmp_path, capture_log):
    metric = make_metric(write_annotations(tmp_path / 'empty.json', LENGTHS, objects=False))
    feed(metric, perfect(3) + perfect(8))
    values = metric.evaluate(5)
    assert set(values.values()) == {-1}
    assert f'amodal: all n/a, because {tmp_path / "empty.json"} has no amodal mask' in capture_log()


@pytest.fixture
def capture_log(monkeypatch):
    lines = []

    class Logger:
        def info(self, text, *args):
            lines.append(text % args)

    monkeypatch.setattr(metric_module.MMLogger, 'get_current_instance', Logger)
    return lambda: '\n'.join(lines)


def test_a_kind_that_is_not_annotated_is_not_scored(ann_file):
    content = json.loads(ann_file.read_text())
    for entry in content['annotations']:
        del entry['visible_mask']
    ann_file.write_text(json.dumps(content))
    metric = make_metric(ann_file)
    feed(metric, perfect(3) + perfect(8))
    assert {name.split('/')[0] for name in metric.evaluate(5)} == {'amodal'}


@pytest.mark.parametrize(('kwargs', 'message'), [
    ({'metric': ['mAP']}, r"unknown metrics \['mAP'\]; choose from \['AP', 'AR', 'vAP'"),
    ({'protocol': 'coco'}, "unknown protocol 'coco'; choose one of"),
])
def test_unknown_names_are_refused_before_any_frame(ann_file, kwargs, message):
    with pytest.raises(ValueError, match=message):
        make_metric(ann_file, **kwargs)
