"""Clips of objects: stacking pads without effect, and time turns within what counts."""
import pytest
import torch

from vatrack.structures.object_clips import ClipSource, ObjectClips


def make_clip(frames: int, height: int, width: int, flow: bool = True) -> ObjectClips:
    generator = torch.Generator().manual_seed(frames)

    def draw(*shape):
        return torch.rand(1, frames, *shape, generator=generator)

    return ObjectClips(
        draw(height, width) > .5, draw(height, width) > .5, (draw(2) * 9).long(), draw(4),
        torch.ones(1, frames, dtype=torch.bool),
        forward=draw(2, height, width) if flow else None,
        backward=draw(2, height, width) if flow else None,
        sources=(ClipSource(3, 'video', frames, range(frames), (90, 120)),))


@pytest.fixture
def clips():
    return [make_clip(3, 4, 5), make_clip(5, 6, 3)]


def test_stack_pads_with_nothing_and_keeps_the_last_place(clips):
    joint = ObjectClips.stack(clips)
    assert joint.window_size == (6, 5) and joint.num_frames == 5
    assert joint.lengths.tolist() == [3, 5]
    assert torch.equal(joint.visible[0, :3, :4, :5], clips[0].visible[0])
    assert joint.visible[0].sum() == clips[0].visible.sum()
    assert torch.equal(joint.boxes[0, 3:], clips[0].boxes[0, -1:].expand(2, -1))
    assert [source.track_id for source in joint.sources] == [3, 5]


def test_reversed_turns_what_counts_and_swaps_the_flows(clips):
    turned = ObjectClips.stack(clips).reversed()
    assert torch.equal(turned.visible[0, :3, :4, :5], clips[0].visible[0].flip(0))
    assert torch.equal(turned.forward[1, :, :, :6, :3], clips[1].backward[0].flip(0))
    assert turned.valid[0].tolist() == [True] * 3 + [False] * 2
    again = turned.reversed()
    assert torch.equal(again.visible, ObjectClips.stack(clips).visible)


def test_rows_keep_their_sources(clips):
    joint = ObjectClips.stack(clips)
    assert [source.track_id for source in joint[torch.tensor([1, 0])].sources] == [5, 3]
    assert joint[:1].sources[0].track_id == 3


def test_stack_refuses_to_lose_what_only_some_have(clips):
    with pytest.raises(ValueError, match='some clips have forward'):
        ObjectClips.stack([clips[0], make_clip(2, 4, 5, flow=False)])
