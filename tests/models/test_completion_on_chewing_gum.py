"""Rules on Chewing Gum, against figures worked out from the paper's description of the data.

Of 1,000 test videos, the metric of the released code gives 0.926 / 0.309 for the hull (the paper:
0.9264 / 0.3182), 0.885 / 0.516 for visible masks as they are. Few videos are made here: tolerances
are four standard errors.
"""
from __future__ import annotations

import numpy as np
import pytest
import torch

from vatrack.models.completion import ConvexHull, TemporalAggregation
from vatrack.structures.object_clips import ObjectClips
from vatrack.synthetic.chewing_gum import ChewingGumConfig, make_chewing_gum


def chewing_gum(videos: int) -> ObjectClips:
    """Both objects of each video, in windows of the whole frame, with exact flow."""
    clips = []
    for index in range(videos):
        video = make_chewing_gum(ChewingGumConfig(), 'test', index)
        flow = [torch.from_numpy(video.flow(direction)).permute(0, 3, 1, 2)
                for direction in ('forward', 'backward')]
        flow = [torch.cat([flow[0], flow[0][-1:]]), torch.cat([flow[1][:1], flow[1]])]
        visible = torch.from_numpy(video.visible)
        batch, (height, width) = visible.shape[:2], visible.shape[2:]
        clips.append(ObjectClips(
            visible=visible, others=visible.flip(0), amodal=torch.from_numpy(video.full),
            origins=torch.zeros(*batch, 2, dtype=torch.int64),
            boxes=torch.tensor([0., 0, width, height]).expand(*batch, 4),
            valid=torch.ones(batch, dtype=torch.bool),
            forward=flow[0].expand(2, -1, -1, -1, -1), backward=flow[1].expand(2, -1, -1, -1, -1)))
    return ObjectClips.stack(clips)


def released_miou(clips: ObjectClips, predicted: torch.Tensor) -> tuple[float, float]:
    """Full and occluded mIoU: the prediction counts under other objects only; first and last
    frame of 40 do not count; two empty masks are the same."""
    full, occluded = [], []
    scored = np.where(clips.others, predicted, clips.visible)
    for answer, truth, others in zip(scored, clips.amodal.numpy(), clips.others.numpy(),
                                     strict=True):
        for t in range(1, 39):
            for values, inside in ((full, np.True_), (occluded, others[t])):
                a, b = answer[t] & inside, truth[t] & inside
                values.append(((a & b).sum() + 1e-6) / ((a | b).sum() + 1e-6))
    return np.mean(full), np.mean(occluded)


@pytest.fixture(scope='module')
def clips() -> ObjectClips:
    return chewing_gum(100)


def test_do_nothing_and_convex(clips):
    found = released_miou(clips, clips.visible.numpy())
    assert found == (pytest.approx(0.885, abs=0.006), pytest.approx(0.516, abs=0.03))
    found = released_miou(clips, ConvexHull()(clips).probability.numpy() > 0.5)
    assert found == (pytest.approx(0.926, abs=0.006), pytest.approx(0.309, abs=0.03))


@pytest.mark.parametrize(('k', 'full', 'occluded'), [
    (1, 0.9299, 0.7291), (3, 0.9806, 0.9134), (5, 0.9988, 0.9941)])
def test_aggregation_over_k_frames(clips, k, full, occluded):
    """With exact flow, in odd frames of 200 videos; here in all frames of 20."""
    some = clips[:40]
    found = released_miou(some, TemporalAggregation(k)(some).probability.numpy() > 0.5)
    assert found == (pytest.approx(full, abs=0.015), pytest.approx(occluded, abs=0.05))


def test_aggregation_over_ten_frames_finds_all(clips):
    some = clips[:40]
    found = TemporalAggregation(10)(some).probability > 0.5
    assert torch.equal(found[:, 1:39], some.amodal[:, 1:39])
