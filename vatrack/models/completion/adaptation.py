"""Test-time adaptation: a network goes on learning on the video that it is about to complete."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from vatrack.registry import MODELS
from vatrack.structures.object_clips import ObjectClips

from .seeded import seeded

_SMOOTHING = 1e-6


@MODELS.register_module()
class Adaptation:
    """Train on the tracks of one video, without their truth; forget it afterwards.

    From the SaVos paper: the loss of training, unchanged, for each test video on its own, from
    the trained weights on, until the visible IoU has gained less than ``min_gain`` over
    ``patience`` iterations. The paper says no more. Here an iteration is one step of Adam,
    with a fresh state and for all parameters, on all tracks of the video together, each
    with ``clip_length`` frames from a random one on. Visible IoU is measured on the whole
    tracks after each step: the mean over tracks and frames, all but the first and the last,
    of IoU(prediction, visible mask) where no other object is visible (W = 1 of Eq. 5).

    Args:
        lr: Learning rate.
        max_iters: Iterations at most.
        patience: See above.
        min_gain: See above.
        clip_length: Frames of a clip, as in training.
        threshold: Least probability of a pixel of the mask.
        batch_tracks: Tracks that are in memory at a time; of a step, gradients of all add up.
        seed: Of the random numbers of each video; those of the program are left alone.

    Raises:
        ValueError: A number makes no sense.
    """

    def __init__(self, lr: float = 1e-4, max_iters: int = 200, patience: int = 10,
                 min_gain: float = 0.01, clip_length: int = 40, threshold: float = 0.5,
                 batch_tracks: int = 8, seed: int = 0):
        if lr <= 0 or max_iters < 1 or patience < 1 or clip_length < 1 or batch_tracks < 1:
            raise ValueError('adaptation needs lr, max_iters, patience, clip_length and '
                             'batch_tracks above 0')
        self.lr = lr
        self.max_iters = max_iters
        self.patience = patience
        self.min_gain = min_gain
        self.clip_length = clip_length
        self.threshold = threshold
        self.batch_tracks = batch_tracks
        self.seed = seed

    @contextmanager
    def adapt(self, completer: nn.Module, objective: nn.Module,
              clips: Sequence[ObjectClips]) -> Iterator[list[dict[str, Any]]]:
        """Adapt a network to one video for as long as the context lasts.

        Works where gradients are switched off, as in a test loop. Afterwards weights,
        statistics and mode of the network are what they were, to the bit.

        Args:
            completer: The network; it is changed in place.
            objective: Its loss, see :mod:`vatrack.models.completion`.
            clips: All tracks of the video, of any lengths.

        Yields:
            A row for each iteration, 0 is before the first: ``iteration``, ``loss`` (of the
            step that led there; None of row 0), ``visible_iou``, and ``occluded_iou`` where the
            truth is there. Empty if no track has three frames; the network is as trained then.

        Raises:
            FloatingPointError: The loss is no number any more; names the video.
        """
        before = {name: value.clone() for name, value in completer.state_dict().items()}
        training, learns = completer.training, objective.training
        objective.train()
        try:
            device = next(completer.parameters()).device
            with seeded(self.seed, device), torch.enable_grad():
                rows = self._train(completer, objective, _tracks(clips), device)
            completer.train(training)
            yield rows
        finally:
            completer.load_state_dict(before)
            completer.train(training)
            objective.train(learns)
            completer.zero_grad(set_to_none=True)

    def _train(self, completer: nn.Module, objective: nn.Module, tracks: list[ObjectClips],
               device: torch.device) -> list[dict[str, Any]]:
        measured = self._measure(completer, tracks, device)
        if 'visible_iou' not in measured:
            return []
        rows = [dict(iteration=0, loss=None, **measured)]
        learnt = [value for value in completer.parameters() if value.requires_grad]
        optimizer = torch.optim.Adam(learnt, lr=self.lr)
        for iteration in range(1, self.max_iters + 1):
            optimizer.zero_grad(set_to_none=True)
            loss = self._backward(completer, objective, tracks, device)
            optimizer.step()
            measured = self._measure(completer, tracks, device)
            rows.append(dict(iteration=iteration, loss=loss, **measured))
            if iteration >= self.patience:
                gain = measured['visible_iou'] - rows[-1 - self.patience]['visible_iou']
                if gain < self.min_gain:
                    break
        return rows

    def _backward(self, completer: nn.Module, objective: nn.Module, tracks: list[ObjectClips],
                  device: torch.device) -> float:
        """Gradients of one clip of each track; the loss."""
        completer.train()
        total = 0.0
        for some in self._batches([self._random_clip(track) for track in tracks]):
            shown = objective.prepare(ObjectClips.stack(some).to(device))
            losses = objective(shown, completer(shown))
            loss = sum(value for name, value in losses.items() if 'loss' in name)
            loss = loss * (len(some) / len(tracks))
            if not torch.isfinite(loss):
                name = some[0].sources[0].video_name if some[0].sources else 'of no name'
                raise FloatingPointError(f'video {name}: the loss became {loss.item()} while '
                                         'adapting to it; lower adaptation.lr')
            loss.backward()
            total += float(loss.detach())
        return total

    def _random_clip(self, track: ObjectClips) -> ObjectClips:
        spare = max(track.num_frames - self.clip_length, 0)
        start = int(torch.randint(spare + 1, ()))
        return track.part(range(start, min(start + self.clip_length, track.num_frames)))

    @torch.no_grad()
    def _measure(self, completer: nn.Module, tracks: list[ObjectClips],
                 device: torch.device) -> dict[str, float]:
        """Mean visible and, with truth, occluded IoU; of what there is no frame for, nothing."""
        completer.eval()
        found = {}
        for some in self._batches(tracks):
            clips = ObjectClips.stack(some).to(device)
            completed = completer(clips)
            mask = completed.probability > self.threshold
            steps = torch.arange(clips.num_frames, device=device)
            counts = (steps > 0) & (steps < clips.lengths[:, None] - 1) & completed.known
            seen = clips.visible | ~clips.others  # W = 1
            found.setdefault('visible_iou', []).append(_iou(mask & seen, clips.visible)[counts])
            if clips.amodal is not None:
                hidden = clips.amodal & clips.others
                counts = counts & hidden.flatten(2).any(2)
                found.setdefault('occluded_iou', []).append(
                    _iou(mask & clips.others, hidden)[counts])
        values = {name: torch.cat(parts) for name, parts in found.items()}
        return {name: float(value.mean()) for name, value in values.items() if len(value)}

    def _batches(self, clips: list[ObjectClips]) -> Iterator[list[ObjectClips]]:
        for start in range(0, len(clips), self.batch_tracks):
            yield clips[start:start + self.batch_tracks]


def _tracks(clips: Sequence[ObjectClips]) -> list[ObjectClips]:
    """Each track on its own, without padding."""
    return [clip[row:row + 1].part(range(length)) for clip in clips
            for row, length in enumerate(clip.lengths.tolist())]


def _iou(masks: Tensor, others: Tensor) -> Tensor:
    """(..., h, w) bool each -> (...) float64; 1 if both are empty."""
    shared = (masks & others).sum((-2, -1), dtype=torch.float64)
    joint = (masks | others).sum((-2, -1), dtype=torch.float64)
    return (shared + _SMOOTHING) / (joint + _SMOOTHING)
