from __future__ import annotations

from dataclasses import fields

import pytest
import torch
from tracker_input import axis, found

from vatrack.track import Memory, TrackTable


def table(ids: list[int], frame_id: int = 0, first: int = 0) -> TrackTable:
    """Rows whose embeddings and boxes tell them apart."""
    detections = found(axis(*range(first, first + len(ids))), labels=[i % 3 for i in ids])
    return TrackTable.of(detections, torch.tensor(ids, dtype=torch.int64), frame_id)


def test_rows_of_detections():
    rows = table([4, 2], frame_id=7)
    assert len(rows) == 2 and rows.ids.tolist() == [4, 2] and rows.labels.tolist() == [1, 2]
    assert rows.last_seen.tolist() == [7, 7] and rows.embeds.argmax(1).tolist() == [0, 1]


@pytest.mark.parametrize('count', [0, 3])
def test_without_embeddings_rows_have_none(count):
    detections = found(torch.zeros(count, 2))
    del detections.embeds
    rows = TrackTable.of(detections, torch.arange(count), 0)
    assert rows.embeds.shape == (count, 0) and rows.embeds.dtype == torch.float32


@pytest.mark.parametrize(('old', 'seen', 'ids', 'times'), [
    ([1, 2, 3], [2], [1, 2, 3], [0, 9, 0]),
    ([1, 2], [5, 2, 4], [1, 2, 5, 4], [0, 9, 9, 9]),
    ([], [0, 1], [0, 1], [9, 9]),
    ([3, 0], [], [3, 0], [0, 0]),
    ([3, 0], [0, 3], [3, 0], [9, 9]),
    ([], [], [], []),
])
def test_update_replaces_known_rows_and_appends_new_ones(old, seen, ids, times):
    before, now = table(old), table(seen, frame_id=9, first=len(old))
    after = before.update(now)
    assert after.ids.tolist() == ids and after.last_seen.tolist() == times
    for row, (id_, time) in enumerate(zip(ids, times, strict=True)):
        source, at = (now, seen.index(id_)) if time else (before, old.index(id_))
        for f in fields(TrackTable):
            assert torch.equal(getattr(after, f.name)[row], getattr(source, f.name)[at])


def test_update_shares_nothing_with_what_was_seen():
    now = table([1, 2], frame_id=3)
    after = table([1]).update(now)
    for f in fields(TrackTable):
        getattr(now, f.name).fill_(5)
    assert after.ids.tolist() == [1, 2] and after.last_seen.tolist() == [3, 3]


@pytest.mark.parametrize('index', [torch.tensor([2, 0]), torch.tensor([True, False, True]),
                                   slice(0), slice(1, 3)])
def test_select_and_cat(index):
    rows = table([5, 6, 7])
    for f in fields(TrackTable):
        expected = getattr(rows, f.name)[index]
        assert torch.equal(getattr(rows.select(index), f.name), expected)
        both = TrackTable.cat([rows, rows.select(index)])
        assert torch.equal(getattr(both, f.name)[3:], expected) and len(both) == 3 + len(expected)


def test_locate():
    rows, known = table([7, 3, 5]).locate(torch.tensor([5, 1, 7]))
    assert rows.tolist() == [0, 2] and known.tolist() == [2, 0]


@pytest.mark.parametrize(('is_new', 'ids', 'following'), [
    ([True, False, True], [4, 5], 6), ([False], [], 4), ([], [], 4)])
def test_new_ids(is_new, ids, following):
    memory = Memory(next_id=4)
    given = memory.new_ids(torch.tensor(is_new, dtype=torch.bool))
    assert given.tolist() == ids and given.dtype == torch.int64 and memory.next_id == following
