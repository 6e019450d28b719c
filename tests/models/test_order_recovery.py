"""Who covers whom, on squares: a square that is cut grows back into what cuts it."""
from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from vatrack.models.completion import Completed, OrderRecovery
from vatrack.structures.object_clips import ClipSource, ObjectClips

SIZE = (40, 60)
FRAMES = 5
#: Squares from front to back at frame 0 (x, y, side), each moving right by a pixel per frame.
SQUARES = dict(front=(24, 4, 12), middle=(14, 10, 16), back=(4, 18, 16), apart=(42, 25, 10))


class FillBox(nn.Module):
    """Completes an object to the box around it, where another one lies: right for squares."""

    needs = frozenset()

    def __init__(self) -> None:
        super().__init__()
        self.pairs = []

    def forward(self, clips: ObjectClips) -> Completed:
        self.pairs.append(len(clips))
        rows, columns = clips.visible.any(-1), clips.visible.any(-2)
        box = _between(rows)[..., :, None] & _between(columns)[..., None, :]
        return Completed((box & (clips.visible | clips.others)) * 0.15, clips.valid)


def _between(filled: torch.Tensor) -> torch.Tensor:
    counts = filled.int()
    return (counts.cumsum(-1) > 0) & (counts.flip(-1).cumsum(-1).flip(-1) > 0)


def scene() -> tuple[dict[str, torch.Tensor], dict[str, ObjectClips]]:
    """Visible masks in the whole frame, (T, H, W) by name; and clips in windows of their own."""
    amodal, visible = {}, {}
    for name, (x, y, side) in SQUARES.items():
        amodal[name] = torch.zeros(FRAMES, *SIZE, dtype=torch.bool)
        for t in range(FRAMES):
            amodal[name][t, y:y + side, x + t:x + t + side] = True
        visible[name] = amodal[name].clone()
        for other in list(amodal)[:-1]:
            visible[name] &= ~amodal[other]
    clips = {}
    for number, (name, (x, y, side)) in enumerate(SQUARES.items()):
        begin = number % 2  # tracks begin at different times
        window = side + 6 + number
        origins = torch.tensor([[x + t - 3, y - 3] for t in range(begin, FRAMES)])
        rest = sum(visible[other] for other in visible if other != name) > 0
        clips[name] = ObjectClips(
            visible=cut(visible[name][begin:], origins, window),
            others=cut(rest[begin:], origins, window), origins=origins[None],
            boxes=torch.zeros(1, FRAMES - begin, 4),
            valid=torch.ones(1, FRAMES - begin, dtype=torch.bool),
            sources=(ClipSource(7, 'squares', number, range(begin, FRAMES), SIZE),))
    return visible, clips


def cut(masks: torch.Tensor, origins: torch.Tensor, side: int) -> torch.Tensor:
    """(T, H, W) whole frames -> (1, T, side, side), pixel by pixel."""
    windows = torch.zeros(1, len(masks), side, side, dtype=torch.bool)
    for t, (left, top) in enumerate(origins.tolist()):
        for y in range(side):
            for x in range(side):
                if 0 <= top + y < masks.shape[1] and 0 <= left + x < masks.shape[2]:
                    windows[0, t, y, x] = masks[t, top + y, left + x]
    return windows


def test_what_lies_in_front_is_all_that_is_left_of_others():
    visible, clips = scene()
    completer = FillBox()
    found = OrderRecovery(batch_pairs=4)(completer, list(clips.values()))
    in_front = dict(front=[], middle=['front'], back=['middle', 'front'], apart=[])
    for (name, clip), after in zip(clips.items(), found, strict=True):
        begin = clip.sources[0].frames.start
        expected = torch.zeros(FRAMES, *SIZE, dtype=torch.bool)
        for other in in_front[name]:
            expected |= visible[other]
        # In frame 0 the one in the middle is not tracked: what says that the front one covers?
        expected[0] = False
        expected = cut(expected[begin:], clip.origins[0], clip.window_size[0])
        assert torch.equal(after.others, expected), name
        assert after.visible is clip.visible
    assert max(completer.pairs) <= 8 and len(completer.pairs) > 1


def test_objects_that_do_not_grow_cover_nobody():
    _, clips = scene()
    found = OrderRecovery(threshold=0.2)(FillBox(), list(clips.values()))
    assert not any(clip.others.any() for clip in found)


def test_videos_and_moments_are_told_apart():
    _, clips = scene()
    alone = [clips['middle'], replace(clips['front'], sources=(
        replace(clips['front'].sources[0], video_id=8),))]
    later = [clips['middle'], replace(clips['front'], sources=(
        replace(clips['front'].sources[0], frames=range(10, 15)),))]
    for pair in (alone, later):
        assert not OrderRecovery()(FillBox(), pair)[0].others.any()
    together = OrderRecovery()(FillBox(), [clips['middle'], clips['front']])
    assert together[0].others.any() and not together[1].others.any()


def test_clips_without_a_source_are_refused():
    _, clips = scene()
    with pytest.raises(ValueError, match='sources'):
        OrderRecovery()(FillBox(), [replace(clips['front'], sources=())])
    assert OrderRecovery()(FillBox(), []) == []
