"""TrackCompleter: composition, stretches of time, what passes through, and mmengine's test loop."""
from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from vatrack.datasets import TrackChunkDataset, TrackClipDataset, stack_clips
from vatrack.evaluation import MeanLoss, VideoInstanceMetric
from vatrack.files import load_annotations, read_results
from vatrack.models import TrackCompleter
from vatrack.models.completion import Completed
from vatrack.models.track_completer import completed_record
from vatrack.registry import MODELS
from vatrack.structures import TrackRecord
from vatrack.structures.object_clips import ClipSource, ObjectClips
from vatrack.structures.rle import areas, decode, encode


@MODELS.register_module()
class TellAmodal(nn.Module):
    """Knows the truth, or what it is told to say."""

    needs = frozenset()

    def __init__(self, answer: float | None = None) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, clips: ObjectClips) -> Completed:
        says = (clips.amodal.float() if self.answer is None
                else torch.full(clips.visible.shape, self.answer))
        return Completed(says, clips.valid)


@MODELS.register_module()
class CountVisible(nn.Module):
    """Its loss is the number of visible pixels in a clip."""

    def prepare(self, clips: ObjectClips) -> ObjectClips:
        return clips

    def forward(self, clips: ObjectClips, completed: Completed) -> dict[str, Tensor]:
        return dict(loss_visible=clips.visible.float().sum() / len(clips))


def completer(**options) -> TrackCompleter:
    return TrackCompleter(**dict(completer=dict(type='TellAmodal')) | options)


def dataset(root: Path, **more) -> TrackChunkDataset:
    return TrackChunkDataset('val.json', f'{root}/', dict(img_path='val/'), needs=(), **more)


def run(model: TrackCompleter, chunks: TrackChunkDataset, out: Path, metric=()) -> dict:
    """What mmengine's test loop does."""
    evaluator = VideoInstanceMetric(chunks.ann_file, metric=metric, out=str(out))
    evaluator.dataset_meta = chunks.metainfo
    for index in range(len(chunks)):
        evaluator.process(None, model.test_step(stack_clips([chunks[index]])))
    return evaluator.evaluate(len(chunks))


def test_the_truth_scores_full_marks_in_any_stretches(tiny_data, tmp_path):
    # From the whole frame, so that no window cuts a part off.
    look = dict(whole_frame=True)
    whole = run(completer(compose='union'), dataset(tiny_data, look=look), tmp_path / 'a.json',
                ['mIoU'])
    assert whole['amodal/image/mIoU_full_object'] == 1
    assert whole['amodal/image/mIoU_occluded_object'] == 1
    parts = dataset(tiny_data, look=look, chunk_length=2, context=1)
    run(completer(compose='union', batch_tracks=1), parts, tmp_path / 'b.json')
    assert (tmp_path / 'a.json').read_text() == (tmp_path / 'b.json').read_text()


def clip(visible: list[str], others: list[str], origin=(0, 0)) -> ObjectClips:
    """A clip of one frame, 'x' for pixels."""
    def mask(rows):
        return torch.tensor([[each == 'x' for each in row] for row in rows])[None, None]
    size = len(visible), len(visible[0])
    return ObjectClips(mask(visible), mask(others), torch.tensor([[origin]]),
                       torch.tensor([[[0., 0, size[1], size[0]]]]), torch.tensor([[True]]),
                       sources=(ClipSource(1, 'video', 1, range(1), (2, 4)),))


@pytest.mark.parametrize(('compose', 'expected'), [
    ('occluders', [[1, 1, 1, 0], [0, 0, 0, 0]]),
    ('union', [[1, 1, 1, 1], [1, 1, 1, 1]]),
    ('predicted', [[1, 1, 1, 1], [1, 1, 1, 1]]),
])
def test_how_the_prediction_becomes_a_mask(compose, expected):
    model = completer(completer=dict(type='TellAmodal', answer=.6), compose=compose)
    mask, = model.complete([clip(['xx..', '....'], ['..x.', '....'])])
    assert mask[0].int().tolist() == expected
    nothing = completer(completer=dict(type='TellAmodal', answer=.4), compose=compose)
    mask, = nothing.complete([clip(['xx..', '....'], ['..x.', '....'])])
    assert mask.sum() == (0 if compose == 'predicted' else 2)


def test_frames_without_a_prediction_keep_the_visible_mask():
    class Unknown(TellAmodal):
        def forward(self, clips):
            return replace(super().forward(clips), known=clips.valid & False)
    model = completer(compose='predicted')
    model.completer = Unknown(.9)
    mask, = model.complete([clip(['xx..', '....'], ['..x.', '....'])])
    assert mask[0].int().tolist() == [[1, 1, 0, 0], [0, 0, 0, 0]]


def test_windows_beyond_the_frame_are_cut_off_and_all_else_passes_through():
    given = clip(['xxx', 'xxx', 'xxx'], ['...'] * 3, origin=(-1, 0))
    visible = encode(np.array([[[1, 1, 0, 0], [1, 1, 0, 0]]], np.uint8))
    track = TrackRecord(1, 7, 3, .5, [0], {'visible': visible}, scores=[.4],
                        bboxes=[(0, 0, 2, 2)])
    record = completed_record(track, given, torch.ones(1, 3, 3, dtype=torch.bool))
    assert decode(record.masks['amodal'], (2, 4))[0].tolist() == [[1, 1, 0, 0]] * 2
    assert record.masks['visible'] is visible and record.visible_bboxes == [(0, 0, 2, 2)]
    assert (record.track_id, record.category_id, record.score, record.scores) == (7, 3, .5, [.4])
    assert record.bboxes == [(0, 0, 2, 2)]


def test_a_track_without_a_clip_keeps_its_visible_masks(tiny_data, tmp_path):
    chunks = dataset(tiny_data)
    chunk = chunks[0]
    bare = replace(chunk, clips=[None] * len(chunk.clips))
    records = completer().predict_chunk(bare)['pred_records']
    assert [r.masks['amodal'] for r in records] == [t.masks['visible'] for t in chunk.tracks]


def test_results_hold_both_kinds_of_every_track(tiny_data, tmp_path):
    chunks = dataset(tiny_data)
    run(completer(), chunks, tmp_path / 'out.json')
    annotations = load_annotations(tiny_data / 'val.json')
    tracks = read_results(tmp_path / 'out.json', annotations)
    assert len(tracks) == sum(len(chunks[i].tracks) for i in range(len(chunks)))
    assert all(set(track.masks) == {'amodal', 'visible'} for track in tracks)
    assert all((areas(t.masks['amodal']) >= areas(t.masks['visible'])).all() for t in tracks)


def test_validation_losses_are_means_over_clips(tiny_data):
    clips = TrackClipDataset('val.json', f'{tiny_data}/', dict(img_path='val/'), needs=(),
                             min_length=1, random_start=False)
    model = completer(objective=dict(type='CountVisible'))
    metric = MeanLoss()
    order = list(range(len(clips)))
    for rows in (order[:2], order[2:]):
        metric.process(None, model.val_step(stack_clips([clips[row] for row in rows])))
    expected = np.mean([clips[row].visible.sum().item() for row in order])
    numbers = metric.evaluate(len(clips))
    assert numbers['val/loss'] == numbers['val/loss_visible'] == pytest.approx(expected)


@pytest.mark.parametrize(('options', 'message'), [
    (dict(compose='both'), 'compose must be one of'),
    (dict(threshold=1.), 'threshold must lie between 0 and 1'),
    (dict(adaptation=dict(type='Adaptation')), 'give an objective'),
])
def test_options_that_cannot_be_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        completer(**options)


def test_a_rule_cannot_be_trained():
    with pytest.raises(ValueError, match='TellAmodal has no objective'):
        completer().loss(clip(['x'], ['.']))
