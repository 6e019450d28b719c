"""Output whose reader has left, as ``tool | head`` does."""
from __future__ import annotations

import os
import sys
from io import TextIOWrapper


class _Pipe(TextIOWrapper):
    """A stream that is dropped, without an error, once nobody reads it."""

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except BrokenPipeError:
            self._drop()
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except BrokenPipeError:
            self._drop()

    def _drop(self) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)


def quiet_pipes() -> None:
    """Make the standard streams of this process go on in silence when their reader leaves.

    What a tool does besides printing, such as training and writing files, is done to its end.
    Characters that the terminal has none for, as in names that are no UTF-8, are escaped.
    """
    for name in ('stdout', 'stderr'):
        stream = getattr(sys, name)
        if type(stream) is TextIOWrapper:
            setattr(sys, name, _Pipe(
                stream.buffer, stream.encoding, 'backslashreplace',
                line_buffering=stream.line_buffering, write_through=stream.write_through))
