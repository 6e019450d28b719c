from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vatrack.visualization import VideoError, VideoWriter, read_video, video_info
from vatrack.visualization.video_io import _frames


def gradient(index: int, height: int = 48, width: int = 64) -> np.ndarray:
    """A smooth frame whose colours are plain from its index."""
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = 30 + 20 * index
    image[..., 2] = np.linspace(40, 200, width).astype(np.uint8)
    return image


def written(path: Path, count: int = 7, **kwargs) -> Path:
    with VideoWriter(path, fps=12.5, **kwargs) as video:
        for index in range(count):
            video.write(gradient(index))
    return path


@pytest.mark.parametrize('codecs', [('avc1', 'vp09', 'mp4v'), ('mp4v',)])
def test_round_trip_keeps_count_size_rate_and_colors(tmp_path, codecs):
    path = written(tmp_path / 'deep' / 'film.mp4', codecs=codecs)
    frames = list(read_video(path))
    assert len(frames) == 7
    for index, frame in enumerate(frames):
        assert frame.shape == (48, 64, 3)
        assert np.abs(frame.astype(int) - gradient(index)).mean() < 12
    info = video_info(path)
    assert (info.frames, info.width, info.height) == (7, 64, 48)
    assert info.fps == pytest.approx(12.5)


def test_odd_sides_are_padded(tmp_path):
    with VideoWriter(tmp_path / 'odd.mp4') as video:
        video.write(gradient(1, 47, 63))
    (frame,) = read_video(tmp_path / 'odd.mp4')
    assert frame.shape == (48, 64, 3)
    assert np.abs(frame[47].astype(int) - frame[46]).mean() < 12


def test_codecs_are_tried_in_order(tmp_path):
    with VideoWriter(tmp_path / 'film.mp4', codecs=('zzzz', 'mp4v')) as video:
        video.write(gradient(0))
        assert video.codec == 'mp4v'


def test_without_a_codec_the_remedy_is_named(tmp_path):
    with pytest.raises(VideoError, match=r'zzzz.*pip install'), \
            VideoWriter(tmp_path / 'film.mp4', codecs=('zzzz',)) as video:
        video.write(gradient(0))


def test_a_video_without_frames_is_an_error(tmp_path):
    with pytest.raises(VideoError, match='no frame was written'), \
            VideoWriter(tmp_path / 'film.mp4'):
        pass


def test_an_error_in_the_block_is_not_covered_up(tmp_path):
    with pytest.raises(KeyError), VideoWriter(tmp_path / 'film.mp4'):
        raise KeyError('cause')


@pytest.mark.parametrize('second', [gradient(0, 48, 32), gradient(0)[..., 0],
                                    gradient(0).astype(float)])
def test_wrong_frames_are_refused(tmp_path, second):
    with pytest.raises(ValueError, match=r'film\.mp4'), \
            VideoWriter(tmp_path / 'film.mp4') as video:
        video.write(gradient(0))
        video.write(second)


def test_other_containers_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r'\.mp4'):
        VideoWriter(tmp_path / 'film.avi')


@pytest.mark.parametrize('call', [read_video, video_info])
def test_missing_and_broken_files_fail_at_the_call(tmp_path, call):
    with pytest.raises(VideoError, match='no such video'):
        call(tmp_path / 'none.mp4')
    (tmp_path / 'text.mp4').write_text('not a video')
    with pytest.raises(VideoError, match=r'text\.mp4.*not a video'):
        call(tmp_path / 'text.mp4')
    whole = written(tmp_path / 'whole.mp4').read_bytes()
    (tmp_path / 'half.mp4').write_bytes(whole[:len(whole) // 2])
    with pytest.raises(VideoError, match=r'half\.mp4.*cut off'):
        call(tmp_path / 'half.mp4')


class ShortCapture:
    """A capture that promises 20 frames and ends after the given number of reads."""

    def __init__(self, reads: int) -> None:
        self.reads = reads

    def get(self, key: int) -> float:
        return 20.0

    def read(self) -> tuple[bool, np.ndarray | None]:
        self.reads -= 1
        return self.reads >= 0, gradient(0)

    def release(self) -> None:
        pass


def test_a_video_that_ends_too_early_is_an_error():
    assert len(list(_frames('v.mp4', ShortCapture(18), gradient(0)))) == 19
    with pytest.raises(VideoError, match='only 8 of 20 frames'):
        list(_frames('v.mp4', ShortCapture(7), gradient(0)))
