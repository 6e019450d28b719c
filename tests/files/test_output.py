"""Files and pictures are written whole or not at all, and errors say what to do."""
from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest
from full_disk import full_disk

from vatrack.files import AnnotationWriter, write_image, write_results
from vatrack.files.whole_file import OutputError, make_folder, output_errors, replace_when_done
from vatrack.synthetic.made_tracks import SetSize, made_set
from vatrack.video import VideoError, VideoWriter
from vatrack.video.image_file import read_image


def write(path: Path) -> None:
    with replace_when_done(path) as file:
        file.write('x' * 5000)


def write_picture(path: Path) -> None:
    write_image(path.with_suffix('.png'), np.random.default_rng(0).integers(
        0, 256, (80, 80, 3), np.uint8))


@pytest.mark.parametrize('action', [write, write_picture])
def test_a_full_disk_is_an_error_and_leaves_the_file_before(tmp_path, action):
    path = tmp_path / 'a.png'
    path.write_text('before')
    with full_disk(1000), pytest.raises(OutputError, match=r'a\.png: cannot be written'):
        action(path)
    assert path.read_text() == 'before'
    assert list(tmp_path.iterdir()) == [path]


def test_a_film_on_a_full_disk(tmp_path):
    frame = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    with full_disk(1000), pytest.raises(VideoError, match=r'film\.mp4: the video cannot be '
                                        r'written: File too large; check the free space'), \
            VideoWriter(tmp_path / 'film.mp4') as film:
        for _ in range(40):
            film.write(frame)
    assert not list(tmp_path.iterdir())


def test_the_error_has_a_remedy(tmp_path):
    with pytest.raises(OutputError) as caught, output_errors(tmp_path / 'a'):
        raise OSError(errno.ENOSPC, 'No space left on device')
    assert str(caught.value) == (f'{tmp_path}/a: cannot be written: No space left on device; free '
                                 'some space, or choose another place')


@pytest.mark.parametrize('action', [write, write_picture])
def test_places_where_nothing_can_be_written(tmp_path, action):
    (tmp_path / 'file').write_text('')
    (tmp_path / 'folder.png').mkdir()
    (tmp_path / 'loop').symlink_to(tmp_path / 'loop')
    for place, reason in [('file/a.png', 'a file stands where a folder is needed'),
                          ('folder.png', 'choose another name'),
                          ('loop/a.png', 'cannot be written')]:
        with pytest.raises(OutputError, match=reason):
            action(tmp_path / place)
    with pytest.raises(OutputError, match='where a folder is needed'):
        make_folder(tmp_path / 'file' / 'a')


def test_a_folder_that_is_read_only(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, 'Permission denied', str(tmp_path / 'a'))

    monkeypatch.setattr(Path, 'mkdir', refuse)
    with pytest.raises(OutputError, match='Permission denied; choose a place that is writable'):
        write(tmp_path / 'deep' / 'a')


@pytest.mark.parametrize(('format_', 'suffix'), [
    ('mots-png', ''), ('mots-txt', ''), ('ytvis', '.zip')])
def test_results_on_a_full_disk_leave_nothing(tmp_path, format_, suffix, run_tool, capsys):
    annotations, tracks = made_set(SetSize(1, 3, 1, 1, kinds=('visible',)))
    with AnnotationWriter(tmp_path / 'ann.json', annotations.categories) as writer:
        for video in annotations.videos:
            writer.add_video(video.name, video.width, video.height)
            for frame in video.frames:
                writer.add_frame(frame.file_name, frame.instances)
    write_results(tmp_path / 'results.json', tracks, annotations)
    target = tmp_path / 'out' / f'theirs{suffix}'
    with full_disk(10):
        assert run_tool('convert_results', format_, 'export', tmp_path / 'results.json', target,
                        '--ann', tmp_path / 'ann.json', '--kind', 'visible') == 1
    assert f'error: {target}: cannot be written: File too large' in capsys.readouterr().err
    assert not list(target.parent.iterdir())


def test_errors_of_the_block_stay_what_they_are(tmp_path):
    with pytest.raises(FileNotFoundError), replace_when_done(tmp_path / 'a'):
        (tmp_path / 'other').read_text()
    assert not list(tmp_path.iterdir())


def test_links_stay_and_devices_are_written_to(tmp_path):
    (tmp_path / 'a').symlink_to(tmp_path / 'target')
    write(tmp_path / 'a')
    assert (tmp_path / 'a').is_symlink()
    assert (tmp_path / 'target').read_text() == 'x' * 5000
    write(Path('/dev/null'))
    assert Path('/dev/null').is_char_device()
    with pytest.raises(OutputError, match='No space left'):
        write(Path('/dev/full'))
    assert Path('/dev/full').is_char_device()


def test_pictures_are_rgb_and_their_folders_are_made(tmp_path):
    image = np.zeros((4, 5, 3), np.uint8)
    image[..., 0] = 200
    write_image(tmp_path / 'deep' / 'a.png', image)
    assert np.array_equal(read_image(tmp_path / 'deep' / 'a.png'), image)
    with pytest.raises(OSError, match=r'\.png'):
        write_image(tmp_path / 'a.unknown', image)
