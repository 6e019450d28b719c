"""The third kind of system: identities and visible masks are given, amodal masks are wanted."""
from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import torch
from mmengine.model import BaseDataPreprocessor, BaseModel
from torch import Tensor

from vatrack.registry import MODELS
from vatrack.structures import TrackRecord
from vatrack.structures.object_clips import ObjectClips, TrackChunk
from vatrack.structures.rle import bboxes, encode_windows

#: How a predicted mask and the visible one become the amodal mask.
COMPOSITIONS = ('occluders', 'union', 'predicted')


@MODELS.register_module()
class ClipPreprocessor(BaseDataPreprocessor):
    """Moves clips to the device of the model; chunks follow as they are looked at."""

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Take what :func:`~vatrack.datasets.object_tracks.stack_clips` gives."""
        if 'clips' in data:
            return dict(clips=data['clips'].to(self.device, non_blocking=self._non_blocking))
        return data


@MODELS.register_module()
class TrackCompleter(BaseModel):
    """Completes tracks: visible masks, frames and flow in, amodal masks out.

    The parts are independent of one another: a completer (a rule or a network),
    what it learns from, and how its answer becomes a mask. SaVos (Yao et al.,
    NeurIPS 2022), its ablations and all its baselines are combinations of them.

    Args:
        completer: Module that gives the probability of amodal masks, see
            :mod:`vatrack.models.completion.base`.
        objective: What it is trained with; None for rules, which learn nothing.
        order: Tells which of the other objects lie in front of an object
            (Self-Deocclusion); None takes all that are visible beside it.
        compose: ``'occluders'``: the visible mask, and of the prediction what
            lies under visible parts of other objects (what SaVos scores).
            ``'union'``: the visible mask and all of the prediction, for scenes
            whose occluders are not among the tracks. ``'predicted'``: the
            prediction as it is.
        threshold: Least probability of a pixel of the mask.
        adaptation: Trains a copy on each video before completing it; None does not.
        batch_tracks: Most tracks that are completed at a time.
        data_preprocessor: By default :class:`ClipPreprocessor`.
        init_cfg: As of :class:`mmengine.model.BaseModule`.

    Raises:
        ValueError: An unknown composition, a threshold outside of (0, 1), or
            adaptation without an objective.
    """

    mask_kinds = ('amodal', 'visible')

    def __init__(self, completer: dict, objective: dict | None = None, order: dict | None = None,
                 compose: str = 'occluders', threshold: float = .5,
                 adaptation: dict | None = None, batch_tracks: int = 8,
                 data_preprocessor: dict | None = None, init_cfg: dict | None = None) -> None:
        super().__init__(MODELS.build(data_preprocessor or dict(type='ClipPreprocessor')), init_cfg)
        if compose not in COMPOSITIONS:
            raise ValueError(f'compose must be one of {COMPOSITIONS}, got {compose!r}')
        if not 0 < threshold < 1 or batch_tracks < 1:
            raise ValueError('threshold must lie between 0 and 1 and batch_tracks be positive, got '
                             f'{threshold} and {batch_tracks}')
        if adaptation is not None and objective is None:
            raise ValueError('adaptation trains on each video: give an objective, or set '
                             'adaptation=None')
        self.completer = MODELS.build(completer)
        self.objective = MODELS.build(objective) if objective else None
        self.order = MODELS.build(order) if order else None
        self.adaptation = MODELS.build(adaptation) if adaptation else None
        self.compose, self.threshold, self.batch_tracks = compose, threshold, batch_tracks
        #: Curves of all adaptations: ``video_id``, ``video_name``, ``start`` and the ``rows`` of
        #: :meth:`vatrack.models.completion.Adaptation.adapt`, for each chunk.
        self.curves: list[dict[str, Any]] = []

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.data_preprocessor.device

    def forward(self, clips: ObjectClips | None = None, chunks: Sequence[TrackChunk] = (),
                mode: str = 'loss') -> dict[str, Tensor] | list[dict]:
        """Train on clips, or complete chunks.

        Args:
            clips: B objects over T frames.
            chunks: Stretches of videos.
            mode: 'loss' or 'predict'.

        Returns:
            Losses by name; or a dict for each chunk with its ``pred_records``,
            and where they belong.
        """
        if mode == 'loss':
            return self.loss(clips)
        return [self.predict_chunk(chunk) for chunk in chunks]

    def loss(self, clips: ObjectClips) -> dict[str, Tensor]:
        """Losses of clips by name.

        Raises:
            ValueError: There is no objective: a rule cannot be trained.
        """
        if self.objective is None:
            raise ValueError(f'{type(self.completer).__name__} has no objective to train with; '
                             'test it: python tools/complete.py')
        shown = self.objective.prepare(clips)
        return self.objective(shown, self.completer(shown))

    @torch.no_grad()
    def val_step(self, data: dict) -> list[dict]:
        """Validation losses of a batch of clips: by them the paper chooses the weights."""
        data = self.data_preprocessor(data, False)
        if 'clips' not in data:
            return self(**data, mode='predict')
        losses = {name: float(value) for name, value in self.loss(data['clips']).items()}
        return [dict(losses=losses, count=len(data['clips']))]

    def predict_chunk(self, chunk: TrackChunk) -> dict:
        """Complete the tracks of a stretch of a video.

        Returns:
            ``pred_records``, the tracks of the chunk with amodal masks, and
            ``video_id``, ``video_name``, ``frames``, ``video_length`` of the chunk.
        """
        rows = [row for row, clip in enumerate(chunk.clips) if clip is not None]
        clips = [chunk.clips[row] for row in rows]
        masks = dict(zip(rows, self.complete(clips), strict=True))
        records = [completed_record(track, chunk.clips[row], masks.get(row))
                   for row, track in enumerate(chunk.tracks)]
        return dict(pred_records=records, video_id=chunk.video_id, video_name=chunk.video_name,
                    frames=chunk.frames, video_length=chunk.video_length)

    def complete(self, clips: Sequence[ObjectClips]) -> list[Tensor]:
        """Amodal masks of all objects of a stretch of a video.

        Args:
            clips: Each of one object; together they are all that is known of
                the scene.

        Returns:
            For each clip (T, h, w) bool in its windows, on the CPU.
        """
        adapted = (self.adaptation.adapt(self.completer, self.objective, clips)
                   if self.adaptation is not None and clips else nullcontext())
        masks: list[Tensor | None] = [None] * len(clips)
        with adapted as rows, torch.no_grad():
            if rows:
                source = clips[0].sources[0]
                start = min(clip.sources[0].frames.start for clip in clips)
                self.curves.append(dict(video_id=source.video_id, video_name=source.video_name,
                                        start=start, rows=rows))
            if self.order is not None:
                clips = self.order(self.completer, clips)
            for rows in self._batches(clips):
                batch = ObjectClips.stack([clips[row] for row in rows]).to(self.device)
                for row, mask in zip(rows, self._masks(batch).cpu(), strict=True):
                    height, width = clips[row].window_size
                    masks[row] = mask[:clips[row].num_frames, :height, :width]
        return masks

    def _batches(self, clips: Sequence[ObjectClips]) -> list[list[int]]:
        """Rows of clips that are completed together, those of like size, to pad little."""
        order = sorted(range(len(clips)), key=lambda row: (clips[row].visible[0].numel(), row))
        return [order[i:i + self.batch_tracks] for i in range(0, len(order), self.batch_tracks)]

    def _masks(self, clips: ObjectClips) -> Tensor:
        """(B, T, h, w) bool."""
        completed = self.completer(clips)
        predicted = completed.probability > self.threshold
        if self.compose == 'occluders':
            predicted = clips.visible | predicted & clips.others
        elif self.compose == 'union':
            predicted = clips.visible | predicted
        return torch.where(completed.known[..., None, None], predicted, clips.visible)


def completed_record(track: TrackRecord, clip: ObjectClips | None,
                     masks: Tensor | None) -> TrackRecord:
    """A track with amodal masks beside its visible ones; all else stays.

    Args:
        track: With visible masks, in some of the frames of the clip.
        clip: The windows of the masks; None if the track is seen nowhere.
        masks: (T, h, w) bool.

    Returns:
        The track. Frames beyond the clip keep the visible mask as the amodal one.
    """
    visible = track.masks['visible']
    amodal = list(visible)
    if clip is not None:
        frames = clip.sources[0].frames
        rows = [row for row, t in enumerate(track.frames)
                if t in frames and visible[row] is not None]
        places = torch.tensor([track.frames[row] - frames.start for row in rows], dtype=torch.long)
        size = clip.sources[0].frame_size
        inside = masks[places] & _inside(clip.origins[0, places], clip.window_size, size)
        corners = clip.origins[0, places].unbind(dim=1)
        for row, rle in zip(rows, encode_windows(inside, *corners, size), strict=True):
            amodal[row] = rle
    boxes = {}
    if track.bboxes is not None:  # they are of the main kind, which is the amodal one now
        tight = iter(bboxes([mask for mask in amodal if mask is not None]).tolist())
        boxes = dict(bboxes=[None if mask is None else tuple(next(tight)) for mask in amodal],
                     visible_bboxes=track.visible_bboxes or track.bboxes)
    return replace(track, masks=dict(amodal=amodal, visible=visible), **boxes)


def _inside(origins: Tensor, window: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """Which pixels of windows lie in the frame: (N, h, w) bool."""
    x = origins[:, :1] + torch.arange(window[1])
    y = origins[:, 1:] + torch.arange(window[0])
    return (((y >= 0) & (y < size[0]))[:, :, None] & ((x >= 0) & (x < size[1]))[:, None])
