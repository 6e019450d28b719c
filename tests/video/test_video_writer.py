from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from made_videos import gradient, is_like

from vatrack.video import VideoError, VideoWriter, open_frames, read_video, video_info, writer


def written(path, count=7, **kwargs):
    with VideoWriter(path, **kwargs) as video:
        for index in range(count):
            video.write(gradient(index))
    return path


def test_round_trip_keeps_count_size_and_colors(tmp_path):
    path = written(tmp_path / 'deep' / 'film.mp4', fps=12.5)
    images = list(read_video(path))
    assert len(images) == 7
    assert all(is_like(image, gradient(index)) for index, image in enumerate(images))
    assert np.abs(images[2].astype(int) - gradient(2)).mean() < 3
    info = video_info(path)
    assert (info.frames, info.fps, info.width, info.height) == (7, 12.5, 64, 48)
    assert [each.name for each in path.parent.iterdir()] == ['film.mp4']


def test_browsers_play_the_file(tmp_path):
    path = written(tmp_path / 'film.mp4')
    content = path.read_bytes()
    assert content.index(b'moov') < content.index(b'mdat')
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ('h264', 'yuv420p')


@pytest.mark.parametrize('rate', [3, 10, Fraction(30000, 1001), Fraction(24000, 1001), 60])
def test_the_rate_is_exact(tmp_path, rate):
    with av.open(str(written(tmp_path / 'film.mp4', fps=float(rate)))) as container:
        assert container.streams.video[0].average_rate == rate


def test_times_are_kept(tmp_path):
    times = [5, 5.1, 5.15, 5.5, 6.5, 6.6]
    with VideoWriter(tmp_path / 'uneven.mp4', fps=4) as video:
        for index, time in enumerate(times):
            video.write(gradient(index), time)
    found = [frame.time for frame in open_frames(tmp_path / 'uneven.mp4')]
    assert found == pytest.approx([time - 5 for time in times], abs=1e-4)


def test_times_that_do_not_ascend_are_mended(tmp_path):
    with VideoWriter(tmp_path / 'film.mp4') as video:
        for index, time in enumerate([0, 0.2, 0.2, 0.1, 0.4]):
            video.write(gradient(index), time)
    found = [frame.time for frame in open_frames(tmp_path / 'film.mp4')]
    assert found == pytest.approx([0, 0.2, 0.2, 0.2, 0.4], abs=1e-3)


def test_odd_sides_are_padded_by_the_last_pixel(tmp_path):
    with VideoWriter(tmp_path / 'odd.mp4') as video:
        video.write(gradient(1, 47, 63))
    (image,) = read_video(tmp_path / 'odd.mp4')
    assert image.shape == (48, 64, 3)
    assert is_like(image[:47, :63], gradient(1, 47, 63))
    assert np.abs(image[47].astype(int) - image[46]).mean() < 12


def test_without_the_encoder_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(writer, '_ENCODER', 'libnone')
    with pytest.raises(VideoError, match=r'libnone.*pip install'), \
            VideoWriter(tmp_path / 'film.mp4'):
        pytest.fail('begins without an encoder')


def test_a_video_without_frames_is_an_error(tmp_path):
    with pytest.raises(VideoError, match='no frame was written'), \
            VideoWriter(tmp_path / 'film.mp4'):
        pass


def test_an_error_leaves_the_old_file_alone(tmp_path):
    (tmp_path / 'film.mp4').write_text('old')
    with pytest.raises(KeyError), VideoWriter(tmp_path / 'film.mp4') as video:
        video.write(gradient(0))
        raise KeyError('cause')
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [('film.mp4', 'old')]


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(OSError, match='file'), VideoWriter(tmp_path / 'file' / 'film.mp4') as video:
        video.write(gradient(0))


@pytest.mark.parametrize('second', [gradient(0, 48, 32), gradient(0)[..., 0],
                                    gradient(0).astype(float)])
def test_wrong_frames_are_refused(tmp_path, second):
    with pytest.raises(ValueError, match=r'film\.mp4'), VideoWriter(tmp_path / 'film.mp4') as video:
        video.write(gradient(0))
        video.write(second)


@pytest.mark.parametrize(('name', 'fps'), [('film.avi', 10), ('film.mp4', 0),
                                           ('film.mp4', float('nan'))])
def test_other_containers_and_rates_are_refused(tmp_path, name, fps):
    with pytest.raises(ValueError, match=r'\.mp4|fps'):
        VideoWriter(tmp_path / name, fps)
