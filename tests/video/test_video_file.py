from __future__ import annotations

import shutil
import sys

import av
import numpy as np
import pytest
from made_videos import cut, gradient, is_like, make_video, noise, turn

from vatrack.video import VideoError, open_frames, read_video, video_info
from vatrack.video.file import shown_name

FRAMES = [gradient(index) for index in range(7)]


@pytest.mark.parametrize(('name', 'codec'), [
    ('film.mp4', 'libx264'), ('film.mkv', 'libx264'), ('film.avi', 'mpeg4'), ('film.ts', 'libx264'),
    ('film.webm', 'libvpx')])
def test_containers_and_codecs(tmp_path, name, codec):
    path = make_video(tmp_path / name, FRAMES, codec)
    images = list(read_video(path))
    assert len(images) == 7
    assert all(is_like(image, expected) for image, expected in zip(images, FRAMES, strict=True))
    info = video_info(path)
    assert (info.frames, info.fps, info.width, info.height) == (7, 10, 64, 48)


def test_times_are_those_of_the_file(tmp_path):
    times = [0, 0.04, 0.08, 0.5, 1.5, 1.6, 3]
    for name in ('uneven.mp4', 'uneven.mkv'):
        source = open_frames(make_video(tmp_path / name, FRAMES, 'libx264', 25, times))
        assert [frame.time for frame in source] == pytest.approx(times, abs=2e-3)
        assert [frame.index for frame in source] == list(range(7))  # anew


def test_a_stream_without_index_or_times(tmp_path):
    path = make_video(tmp_path / 'film.h264', FRAMES, 'libx264')
    source = open_frames(path)
    assert source.num_frames is None
    assert [frame.time for frame in source] == pytest.approx([t / source.fps for t in range(7)])


@pytest.mark.parametrize(('matrix', 'upright'), [
    ((1, 0, 0, 1), lambda image: image),
    ((0, 1, -1, 0), lambda image: np.rot90(image, -1)),  # held upright
    ((-1, 0, 0, -1), lambda image: np.rot90(image, 2)),
    ((0, -1, 1, 0), lambda image: np.rot90(image)),
    ((-1, 0, 0, 1), np.fliplr),
    ((1, 0, 0, -1), np.flipud),
    ((0, 1, 1, 0), lambda image: image.swapaxes(0, 1)),
    ((0, -1, -1, 0), lambda image: np.rot90(image, 2).swapaxes(0, 1))])
def test_rotated_and_mirrored_recordings_are_upright(tmp_path, matrix, upright):
    path = turn(make_video(tmp_path / 'phone.mp4', FRAMES, 'libx264'), matrix)
    expected = upright(FRAMES[3])
    image = list(read_video(path))[3]
    assert is_like(image, expected)
    assert image.flags.c_contiguous
    info = video_info(path)
    assert (info.height, info.width) == expected.shape[:2]


def test_odd_sizes(tmp_path):
    frames = [gradient(index, 47, 63) for index in range(3)]
    path = make_video(tmp_path / 'odd.avi', frames, 'ffv1')
    assert [image.shape for image in read_video(path)] == [(47, 63, 3)] * 3


@pytest.mark.parametrize('call', [read_video, video_info, open_frames])
def test_missing_and_foreign_files_fail_at_the_call(tmp_path, call):
    with pytest.raises(VideoError, match='no such video'):
        call(tmp_path / 'none.mp4')
    for content in ('', 'not a video'):
        (tmp_path / 'text.mp4').write_text(content)
        with pytest.raises(VideoError, match=r'text\.mp4.*not a video'):
            call(tmp_path / 'text.mp4')
    half = cut(make_video(tmp_path / 'half.mp4', FRAMES), .5)
    with pytest.raises(VideoError, match=r'half\.mp4.*cut off'):
        call(half)


def test_sound_alone_is_no_video(tmp_path):
    with av.open(str(tmp_path / 'song.wav'), 'w') as container:
        stream = container.add_stream('pcm_s16le', rate=8000, layout='mono')
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout='mono')
        frame.rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(VideoError, match='holds no video'):
        video_info(tmp_path / 'song.wav')


@pytest.mark.parametrize(('name', 'options'), [
    ('film.mp4', {'movflags': '+faststart'}), ('film.mkv', {}), ('film.avi', {})])
def test_a_file_that_is_cut_off_ends_in_an_error(tmp_path, name, options):
    images = [noise(index) for index in range(30)]
    path = cut(make_video(tmp_path / name, images, **options), .6)
    seen = []
    with pytest.raises(VideoError, match='damaged or cut off'):
        seen.extend(frame.image for frame in open_frames(path))
    assert 10 <= len(seen) <= 20


def test_a_damaged_file_gives_what_comes_before_the_damage(tmp_path):
    path = make_video(tmp_path / 'film.mkv', [noise(index) for index in range(30)], 'libx264')
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle:middle + 4000] = bytes(4000)
    path.write_bytes(content)
    seen = []
    with pytest.raises(VideoError, match='damaged or cut off'):
        seen.extend(read_video(path))
    assert 5 <= len(seen) < 30


def test_whole_files_pass_whatever_their_lists_say(tmp_path):
    """An edit list hides frames; a sound may be longer than the picture."""
    path = make_video(tmp_path / 'whole.mp4', [gradient(index) for index in range(30)], 'libx264')
    with av.open(str(path)) as whole, av.open(str(tmp_path / 'sound.mkv'), 'w') as container:
        stream = container.add_stream_from_template(whole.streams.video[0])
        sound = container.add_stream('pcm_s16le', rate=8000, layout='mono')
        for packet in whole.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                container.mux(packet)
        for second in range(12):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), layout='mono')
            frame.rate, frame.pts = 8000, 8000 * second
            container.mux(sound.encode(frame))
    assert len(list(read_video(tmp_path / 'sound.mkv'))) == 30


def test_an_address_is_read_and_its_password_kept(tmp_path):
    path = make_video(tmp_path / 'film.mp4', FRAMES)
    source = open_frames(f'file://{path}')
    assert len(list(source)) == 7
    shown = shown_name('rtsp://user:secret@camera.example:554/stream?key=secret')
    assert shown == 'rtsp://camera.example:554/stream'


def test_without_pyav_the_remedy_is_named(tmp_path, monkeypatch):
    path = make_video(tmp_path / 'film.mp4', FRAMES)
    monkeypatch.setitem(sys.modules, 'av', None)
    with pytest.raises(VideoError, match=r"pip install 'av"):
        video_info(path)


def test_no_video_of_one_name_is_left_open(tmp_path):
    path = make_video(tmp_path / 'film.mp4', FRAMES)
    frames = iter(open_frames(path))
    next(frames)
    frames.close()
    shutil.move(path, tmp_path / 'moved.mp4')
    assert not path.exists()
