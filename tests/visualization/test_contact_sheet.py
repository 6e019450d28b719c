from __future__ import annotations

import numpy as np
import pytest

from vatrack.visualization import contact_sheet, stack_sheets


def frames(count: int, height: int = 30, width: int = 50) -> list[np.ndarray]:
    return [np.full((height, width, 3), (10 + 40 * k, 255, 3), np.uint8) for k in range(count)]


@pytest.mark.parametrize('count, columns, shape', [
    (1, 1, (70, 90)), (1, 4, (70, 90)), (4, 2, (110, 150)), (5, 2, (150, 150)), (3, 3, (70, 210))])
def test_size_without_text(count, columns, shape):
    assert contact_sheet(frames(count), columns).shape == (*shape, 3)


def test_every_frame_stands_in_its_cell():
    sheet = contact_sheet(frames(5), 2)
    for index in range(5):
        y, x = 20 + 40 * (index // 2), 20 + 60 * (index % 2)
        assert (sheet[y:y + 30, x:x + 50] == (10 + 40 * index, 255, 3)).all()
        assert (sheet[y:y + 30, x + 50] == sheet[0, 0]).all()


def test_title_and_captions_take_room_and_are_written():
    bare = contact_sheet(frames(2), 2)
    sheet = contact_sheet(frames(2), 2, ['one', 'two'], 'Fish')
    assert sheet.shape[0] > bare.shape[0] + 30
    assert sheet.shape[1] == bare.shape[1]
    background = sheet[0, 0]
    ink = (sheet != background).any(axis=2) & ~(sheet[..., 1] == 255)
    assert ink[:40].sum() > 20
    assert ink[-45:, :75].sum() > 10
    assert ink[-45:, 75:].sum() > 10


def test_long_captions_do_not_leave_their_cell():
    sheet = contact_sheet(frames(2), 2, ['x' * 300, ''])
    assert (sheet[:, 70:80] == sheet[0, 0]).all()


@pytest.mark.parametrize('theme, bright', [('dark', False), ('light', True)])
def test_themes(theme, bright):
    assert (contact_sheet(frames(1), 1, theme=theme)[0, 0].mean() > 128) == bright


def test_smaller_frames_are_centred():
    sheet = contact_sheet([*frames(1), *frames(1, 10, 20)], 2)
    assert (sheet[30:40, 95:115] == (10, 255, 3)).all()
    assert (sheet[20:30, 80:130] == sheet[0, 0]).all()


@pytest.mark.parametrize('arguments', [([], 2), (frames(2), 0), (frames(2), 2, ['one'])])
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(ValueError):
        contact_sheet(*arguments)


def test_stacked_sheets_keep_their_pixels():
    first, second = contact_sheet(frames(1), 1), contact_sheet(frames(2), 2)
    stacked = stack_sheets([first, second])
    assert stacked.shape == (140, 150, 3)
    assert (stacked[:70, :90] == first).all()
    assert (stacked[70:] == second).all()
