"""PyAV, imported when the first video file is opened, and the error of this package."""
from __future__ import annotations

import gc
import os
from functools import cache
from types import ModuleType


class VideoError(OSError):
    """A video cannot be read or written; says which and how to mend it."""


def load_av() -> ModuleType:
    """PyAV: FFmpeg's libraries with an H.264 encoder, in one wheel.

    Raises:
        VideoError: It is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise VideoError(f'video files are read and written with PyAV, which cannot be imported '
                         f"({error}): pip install 'av>=17,<19'. Folders of images work without "
                         'it') from error
    _guard_forks()
    return av


@cache
def _guard_forks() -> None:
    """Make forks of this process, pools and data workers, leave alone what they inherit.

    A decoder that waits for the garbage collector would be collected in the fork too, where its
    threads are missing, and crash it.
    """
    os.register_at_fork(after_in_child=gc.freeze)
