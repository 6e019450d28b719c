from __future__ import annotations

import multiprocessing
import os
from errno import ENOSPC
from pathlib import Path

import pytest

from vatrack.files import AnnotationError
from vatrack.files.column_cache import cached_folder, content_hash


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch) -> dict[str, Path]:
    """Every place that things may be kept in, all of them below ``tmp_path``."""
    for variable in ('VATRACK_CACHE', 'XDG_CACHE_HOME'):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv('HOME', str(tmp_path / 'home'))
    monkeypatch.setattr('tempfile.tempdir', str(tmp_path / 'temporary'))
    source = tmp_path / 'data' / 'train.json'
    source.parent.mkdir()
    source.write_text('{}')
    yield dict(source=source, beside=source.parent / '.vatrack_cache',
               home=tmp_path / 'home' / '.cache' / 'vatrack', temporary=tmp_path / 'temporary')
    source.parent.chmod(0o755)


def is_sound(folder: Path) -> bool:
    return (folder / 'done').is_file()


def build(folder: Path) -> None:
    assert list(folder.iterdir()) == []
    (folder / 'done').write_text('content')


def must_not_build(folder: Path) -> None:
    raise AssertionError(f'{folder} was built again')


def kept(shelf: Path) -> list[str]:
    return sorted(folder.name for folder in shelf.iterdir() if folder.is_dir())


def test_built_once_beside_the_file(places):
    folder = cached_folder(places['source'], 'a', is_sound, build)
    assert (folder / 'done').read_text() == 'content'
    assert folder.name == 'a' and folder.parent.parent == places['beside']
    assert cached_folder(places['source'], 'a', is_sound, must_not_build) == folder


def test_what_is_outdated_damaged_or_half_built_is_removed(places, capsys):
    shelf = cached_folder(places['source'], 'a', is_sound, build).parent
    for name in ('b', 'unfinished'):
        (shelf / name).mkdir()
        (shelf / name / 'rest').touch()
    capsys.readouterr()
    folder = cached_folder(places['source'], 'b', is_sound, build)
    assert kept(shelf) == ['b'] and not (folder / 'rest').exists()
    assert f'{folder}: this index is damaged, and is made anew' in capsys.readouterr().out


def test_files_of_one_folder_do_not_mix(places):
    other = places['source'].with_name('val.json')
    folders = [cached_folder(source, 'a', is_sound, build) for source in (places['source'], other)]
    assert folders[0].parent != folders[1].parent
    cached_folder(other, 'b', is_sound, build)
    assert is_sound(folders[0])


def test_a_moved_folder_keeps_what_lies_beside(places, tmp_path):
    cached_folder(places['source'], 'a', is_sound, build)
    moved = places['source'].parent.rename(tmp_path / 'moved')
    cached_folder(moved / 'train.json', 'a', is_sound, must_not_build)
    moved.rename(places['source'].parent)


def test_home_if_nothing_can_be_written_beside(places, monkeypatch, tmp_path):
    places['source'].parent.chmod(0o555)
    folder = cached_folder(places['source'], 'a', is_sound, build)
    assert folder.parent.parent == places['home']
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'xdg'))
    folder = cached_folder(places['source'], 'a', is_sound, build)
    assert folder.parent.parent == tmp_path / 'xdg' / 'vatrack'
    assert not places['beside'].exists()


def test_what_lies_beside_is_used_even_if_it_cannot_be_written(places):
    folder = cached_folder(places['source'], 'a', is_sound, build)
    for path in (folder, folder.parent, places['beside'], places['source'].parent):
        path.chmod(0o555)
    assert cached_folder(places['source'], 'a', is_sound, must_not_build) == folder
    assert cached_folder(places['source'], 'b', is_sound, build).parent.parent == places['home']
    for path in (places['beside'], folder.parent, folder):
        path.chmod(0o755)


def test_the_variable_overrides(places, tmp_path, monkeypatch):
    monkeypatch.setenv('VATRACK_CACHE', str(tmp_path / 'chosen' / 'deep'))
    folder = cached_folder(places['source'], 'a', is_sound, build)
    assert folder.parent.parent == tmp_path / 'chosen' / 'deep'
    twin = tmp_path / 'data2' / 'train.json'
    assert cached_folder(twin, 'a', is_sound, build).parent != folder.parent
    assert not places['beside'].exists()


def test_relative_paths(places, monkeypatch):
    monkeypatch.chdir(places['source'].parent)
    folder = cached_folder(Path('train.json'), 'a', is_sound, build)
    assert folder.is_absolute()
    assert cached_folder(places['source'], 'a', is_sound, must_not_build) == folder


def test_no_place_at_all(places, tmp_path, monkeypatch):
    places['source'].parent.chmod(0o555)
    monkeypatch.setenv('HOME', str(places['source'].parent / 'home'))
    monkeypatch.setattr('tempfile.tempdir', str(places['source'].parent / 'temporary'))
    with pytest.raises(AnnotationError, match=r'train\.json: its index cannot be kept anywhere '
                                              r'\(.*Permission denied.*; make room'):
        cached_folder(places['source'], 'a', is_sound, build)
    monkeypatch.setenv('VATRACK_CACHE', str(places['source']))
    with pytest.raises(AnnotationError, match=r'cannot be kept anywhere \(.*; make room, or set'):
        cached_folder(places['source'], 'a', is_sound, build)


def test_a_failed_build_leaves_nothing(places):
    def fail(folder: Path) -> None:
        (folder / 'done').touch()
        raise AnnotationError('the file is wrong')

    with pytest.raises(AnnotationError, match='the file is wrong'):
        cached_folder(places['source'], 'a', is_sound, fail)
    shelf, = places['beside'].iterdir()
    assert kept(shelf) == []
    cached_folder(places['source'], 'a', is_sound, build)


def test_a_full_disk(places, capsys):
    """The next place is taken, and that is said; with no room anywhere it is an error."""
    rooms = [places['temporary']]

    def fill(folder: Path) -> None:
        if not any(room in folder.parents for room in rooms):
            raise OSError(ENOSPC, os.strerror(ENOSPC))
        build(folder)

    folder = cached_folder(places['source'], 'a', is_sound, fill)
    assert places['temporary'] in folder.parents
    said = capsys.readouterr().out
    assert said.count('an index cannot be written here (No space left') == 2
    rooms.clear()
    with pytest.raises(AnnotationError, match=r'No space left on device.*; make room, or set'):
        cached_folder(places['source'], 'b', is_sound, fill)


def slow_build(folder: Path) -> None:
    with open(folder.parents[2] / 'builds', 'a') as log:
        log.write('x')
    build(folder)


def ask(source: Path, barrier, results) -> None:
    barrier.wait()
    results.put(cached_folder(source, 'a', is_sound, slow_build))


def test_one_of_several_processes_builds(places):
    context = multiprocessing.get_context('fork')
    barrier, results = context.Barrier(4), context.Queue()
    processes = [context.Process(target=ask, args=(places['source'], barrier, results))
                 for _ in range(4)]
    for process in processes:
        process.start()
    folders = {results.get(timeout=60) for _ in processes}
    for process in processes:
        process.join()
    assert len(folders) == 1 and is_sound(folders.pop())
    assert (places['source'].parent / 'builds').read_text() == 'x'


def test_the_hash_is_that_of_the_content(tmp_path):
    first, second = tmp_path / 'a', tmp_path / 'b'
    for path, content in ((first, b'x' * 9_000_000), (second, b'x' * 8_999_999 + b'y')):
        path.write_bytes(content)
    assert content_hash(first) != content_hash(second)
    second.write_bytes(first.read_bytes())
    assert content_hash(first) == content_hash(second)
    empty = tmp_path / 'empty'
    empty.touch()
    assert content_hash(empty) == 'da39a3ee5e6b4b0d3255bfef95601890afd80709'
