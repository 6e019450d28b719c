"""A fork leaves the decoders of its parent alone."""
from __future__ import annotations

import gc
from multiprocessing import get_context
from pathlib import Path

import av
from made_videos import gradient, make_video

from vatrack.video import open_frames


class _Cycle:
    """Garbage that only the collector finds, with a decoder in it whose threads are at work."""

    def __init__(self, path: Path) -> None:
        self.container = av.open(str(path))
        stream = self.container.streams.video[0]
        stream.thread_type, stream.codec_context.thread_count = 'FRAME', 4
        self.frames = self.container.decode(stream)
        next(self.frames)
        self.own = self


def _make_garbage(path: Path) -> None:
    _Cycle(path)


def test_a_decoder_that_waits_for_the_collector(tmp_path):
    path = make_video(tmp_path / 'a.mp4', [gradient(i) for i in range(12)], 'libx264')
    next(iter(open_frames(path)))  # the package has loaded PyAV
    gc.disable()
    try:
        _make_garbage(path)
        process = get_context('fork').Process(target=gc.collect)
        process.start()
        process.join(20)
        code = process.exitcode
        process.kill()
        assert code == 0
    finally:
        gc.enable()
