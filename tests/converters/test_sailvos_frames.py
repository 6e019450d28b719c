from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from made_sailvos import make_sailvos

from vatrack.converters import ConversionError
from vatrack.converters.sailvos.frames import FrameNames, find_frames, place_frames
from vatrack.converters.sailvos.shots import Shot, shots_between
from vatrack.converters.sailvos.source import read_source
from vatrack.files import AnnotationError

VIDEOS = {'train': {'ah_1_ext': [3, 2], 'bs_2a_ext': [2]}}


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return make_sailvos(tmp_path / 'raw', VIDEOS).root


def shots_of(raw: Path) -> list[Shot]:
    ah, bs = read_source(raw / 'train.json').videos
    return [*shots_between(ah, [3]), *shots_between(bs, [])]


def place(raw: Path, target: Path, mode: str = 'link', workers: int = 1) -> None:
    place_frames(shots_of(raw), FrameNames(raw, reference=False), target, mode, workers)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob('*')) if path.is_file()}


@pytest.mark.parametrize('workers', [1, 2])
@pytest.mark.parametrize('mode', ['link', 'copy'])
def test_frames_of_shots(mode, workers, raw, tmp_path):
    before = contents(raw)
    place(raw, tmp_path / 'out', mode, workers)
    assert contents(raw) == before
    expected = {f'ah_1_ext__3/images/00000{t}.bmp': before[f'ah_1_ext/images/00000{t}.bmp']
                for t in (3, 4, 5)}
    expected |= {f'ah_1_ext__4/images/00000{t}.bmp': before[f'ah_1_ext/images/00000{t}.bmp']
                 for t in (6, 7)}
    expected |= {f'bs_2a_ext__1/images/00000{t}.bmp': before[f'bs_2a_ext/images/00000{t}.bmp']
                 for t in (3, 4)}
    assert contents(tmp_path / 'out') == expected
    assert all(path.is_symlink() == (mode == 'link')
               for path in (tmp_path / 'out').rglob('*.bmp'))


def test_links_are_relative(raw, tmp_path):
    place(raw, tmp_path / 'deep' / 'out')
    link = os.readlink(tmp_path / 'deep/out/ah_1_ext__3/images/000003.bmp')
    assert link == '../../../../raw/ah_1_ext/images/000003.bmp'
    shutil.move(tmp_path / 'raw', tmp_path / 'moved' / 'raw')
    shutil.move(tmp_path / 'deep', tmp_path / 'moved' / 'deep')
    assert (tmp_path / 'moved/deep/out/ah_1_ext__3/images/000003.bmp').is_file()


def test_links_through_linked_folders(raw, tmp_path):
    (tmp_path / 'disk' / 'a' / 'b').mkdir(parents=True)
    (tmp_path / 'data').symlink_to(tmp_path / 'disk' / 'a' / 'b')
    (tmp_path / 'raw_link').symlink_to(raw)
    place(tmp_path / 'raw_link', tmp_path / 'data')
    assert len(contents(tmp_path / 'data')) == 7
    # The link to the raw data may go.
    link = os.readlink(tmp_path / 'data/ah_1_ext__3/images/000003.bmp')
    assert link == '../../../../../raw/ah_1_ext/images/000003.bmp'


def test_a_second_run_changes_nothing(raw, tmp_path):
    for mode in ('link', 'copy'):
        place(raw, tmp_path / mode, mode)
        removed = tmp_path / mode / 'ah_1_ext__4/images/000006.bmp'
        removed.unlink()
        times = {path: path.lstat().st_mtime_ns for path in (tmp_path / mode).rglob('*.bmp')}
        place(raw, tmp_path / mode, mode)
        assert removed.is_file()
        assert all(path.lstat().st_mtime_ns == time for path, time in times.items())


def test_links_become_copies_and_originals_stay(raw, tmp_path):
    before = contents(raw)
    place(raw, tmp_path / 'out', 'link')
    place(raw, tmp_path / 'out', 'copy')
    assert not any(path.is_symlink() for path in (tmp_path / 'out').rglob('*'))
    place(raw, tmp_path / 'out', 'link')  # copies are good enough
    assert not any(path.is_symlink() for path in (tmp_path / 'out').rglob('*'))
    assert contents(raw) == before


def test_a_link_that_leads_elsewhere_is_renewed(raw, tmp_path):
    link = tmp_path / 'out/ah_1_ext__3/images/000003.bmp'
    link.parent.mkdir(parents=True)
    for wrong in ('nowhere.bmp', raw / 'ah_1_ext/images/000004.bmp'):
        link.symlink_to(wrong)
        place(raw, tmp_path / 'out')
        assert link.samefile(raw / 'ah_1_ext/images/000003.bmp')
        link.unlink()


@pytest.mark.parametrize('mode', ['link', 'copy'])
def test_frames_that_are_in_place_already(mode, raw):
    before = contents(raw)
    videos = read_source(raw / 'train.json').videos
    whole = [Shot(video.name, video.name, video.size, video.frames) for video in videos]
    place_frames(whole, FrameNames(raw, reference=False), raw, mode)
    assert contents(raw) == before
    assert not any(path.is_symlink() for path in raw.rglob('*'))


@pytest.mark.parametrize('mode', ['link', 'copy'])
def test_foreign_files_are_not_replaced(mode, raw, tmp_path):
    foreign = tmp_path / 'out/ah_1_ext__3/images/000003.bmp'
    foreign.parent.mkdir(parents=True)
    foreign.write_text('mine')
    with pytest.raises(ConversionError, match=r'000003\.bmp: is another file than .*; choose'):
        place(raw, tmp_path / 'out', mode)
    assert foreign.read_text() == 'mine'


def test_missing_frames_are_named(raw, tmp_path):
    (raw / 'ah_1_ext/images/000004.bmp').unlink()
    with pytest.raises(AnnotationError, match=r"video 'ah_1_ext': no frame .*000004\.bmp"):
        place(raw, tmp_path / 'out')
    assert not list((tmp_path / 'out').rglob('*.part'))


def test_frames_in_folders_of_the_images(raw, tmp_path):
    for folder, video in (('part_1', 'bs_2a_ext'), ('part_2', 'ah_1_ext')):
        (raw / folder).mkdir()
        (raw / video).rename(raw / folder / video)
    assert find_frames(raw, 'ah_1_ext') == raw / 'part_2'
    assert find_frames(raw, 'unknown') == raw
    assert find_frames(tmp_path / 'nowhere', 'ah_1_ext') == tmp_path / 'nowhere'
    place(raw, tmp_path / 'out')
    assert len(contents(tmp_path / 'out')) == 7
    first = shots_of(raw)[0]
    assert FrameNames(raw, reference=True)(first)[0] == 'part_2/ah_1_ext/images/000003.bmp'
    assert FrameNames(raw, reference=False)(first)[0] == 'ah_1_ext__3/images/000003.png'
