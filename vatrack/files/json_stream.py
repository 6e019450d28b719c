"""Reading JSON of gigabytes entry by entry, in constant memory.

An annotation file is one JSON object of a few long lists. Each entry of a list
is parsed on its own by the C scanner of the standard library, so that reading
is as fast as :func:`json.load` and the memory is that of one chunk.
"""
from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from json import JSONDecodeError, JSONDecoder
from pathlib import Path
from typing import Any, BinaryIO

from .errors import AnnotationError

_CHUNK_BYTES = 4 << 20
# More characters than a literal, an escape or the rest of a number can have.
_LONGEST_TOKEN = 16
_SPACE = re.compile(r'[ \t\n\r]*')
_DELIMITER = re.compile(r'[ \t\n\r]*(.?)[ \t\n\r]*', re.DOTALL)
_SELF_DELIMITING = (dict, list, str)


class JsonStream:
    """The entries of the top-level lists of a JSON file; see :func:`stream_json`.

    Attributes:
        path: The file.
        lists: The top-level keys, of those reached so far, whose value is a
            list. A list without entries yields nothing, but stands here.
        keys: All top-level keys reached so far, in file order.
    """

    def __init__(self, path: str | Path, on_read: Callable[[bytes], Any] | None = None,
                 chunk_bytes: int = _CHUNK_BYTES) -> None:
        self.path = path
        self.lists: set[str] = set()
        self.keys: list[str] = []
        self._on_read, self._chunk_bytes = on_read, chunk_bytes

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        self.lists.clear()
        self.keys.clear()
        with file_errors(self.path), open(self.path, 'rb') as file:
            yield from self._members(_Text(self.path, file, self._on_read, self._chunk_bytes))

    def _members(self, text: _Text) -> Iterator[tuple[str, Any]]:
        """Every member of the top-level object; a list entry by entry."""
        self._enter_object(text)
        delimiter = text.first('}')
        while delimiter != '}':
            key = text.key()
            if key in self.keys:
                raise AnnotationError(f"{self.path}: the top-level key '{key}' occurs twice; merge "
                                      'the two or remove one')
            self.keys.append(key)
            if text.peek() == '[':
                text.position += 1
                self.lists.add(key)
                yield from text.entries(key)
            else:
                yield key, text.value()
            delimiter = text.delimiter('}')
        if text.peek():
            text.fail('Extra data', text.position)

    def _enter_object(self, text: _Text) -> None:
        start = text.peek()
        if start != '{':
            kind = 'list' if start == '[' else type(text.value()).__name__
            raise AnnotationError(f'{self.path}: the top level must be an object of lists, got a '
                                  f'{kind}; convert with tools/convert.py')
        text.position += 1


def stream_json(path: str | Path, on_read: Callable[[bytes], Any] | None = None,
                chunk_bytes: int = _CHUNK_BYTES) -> JsonStream:
    """Iterate over a JSON object of lists: ``(key, entry)`` in file order.

    Each entry of a top-level list comes on its own, as ``(key of the list,
    entry)``; any other top-level value comes as ``(key, value)``. Whether a key
    holds a list is told by :attr:`JsonStream.lists`.

    Args:
        path: The file: one JSON object, UTF-8, with or without a byte order mark.
        on_read: Called with every chunk of bytes read, for a progress bar or a
            checksum.
        chunk_bytes: Bytes to read at a time.

    Raises:
        AnnotationError: While iterating: the file is missing, cut off, not
            JSON, not UTF-8, no object, or has a top-level key twice; names
            file, position and remedy.
    """
    return JsonStream(path, on_read, chunk_bytes)


def stream_list(path: str | Path, file: BinaryIO,
                chunk_bytes: int = _CHUNK_BYTES) -> Iterator[Any]:
    """Iterate over the entries of a JSON file that is one list, such as a result file.

    Args:
        path: Its name, for messages.
        file: The open file (or member of an archive), UTF-8.
        chunk_bytes: Bytes to read at a time.

    Raises:
        AnnotationError: While iterating: cut off, not JSON, not UTF-8, or no
            list; names file, position and remedy.
    """
    text = _Text(path, file, None, chunk_bytes)
    start = text.peek()
    if start != '[':
        kind = 'object' if start == '{' else type(text.value()).__name__
        raise AnnotationError(f'{path}: must hold one JSON list of records, got {kind}; is it the '
                              'right file?')
    text.position += 1
    for _, entry in text.entries(''):
        yield entry
    if text.peek():
        text.fail('Extra data', text.position)


def load_json(path: str | Path) -> Any:
    """The content of a small JSON file, UTF-8.

    Raises:
        ValueError: It is not JSON, or nested too deeply.
        OSError: It cannot be read.
    """
    try:
        return json.loads(Path(path).read_text(encoding='utf-8-sig'))
    except RecursionError:
        raise ValueError('nested too deeply') from None


@contextmanager
def file_errors(path: str | Path) -> Iterator[None]:
    """Say of an annotation file that cannot be opened or read what to do about it."""
    try:
        yield
    except FileNotFoundError:
        raise AnnotationError(f'{path}: no such annotation file; check the path, or make the file '
                              'with tools/convert.py') from None
    except OSError as error:
        raise AnnotationError(f'{path}: cannot be read ({error.strerror}); check that it is a '
                              'readable file') from error


class _Text:
    """A window of decoded text that moves over a file, and a position in it."""

    def __init__(self, path: str | Path, file: BinaryIO, on_read: Callable[[bytes], Any] | None,
                 chunk_bytes: int) -> None:
        self.position = 0
        self._window, self._ended = '', False
        self._path, self._file, self._on_read = path, file, on_read
        self._chunk_bytes = chunk_bytes
        self._decoder = codecs.getincrementaldecoder('utf-8-sig')()
        self._scan = JSONDecoder().scan_once
        self._bytes = 0
        # What has left the window: characters, line breaks, characters of the broken line.
        self._gone = self._lines = self._columns = 0

    def peek(self) -> str:
        """Step over white space: the next character, or '' at the end of the file."""
        self.position = _SPACE.match(self._window, self.position).end()
        while self.position == len(self._window) and not self._ended:
            self._fill()
            self.position = _SPACE.match(self._window, self.position).end()
        return self._window[self.position:self.position + 1]

    def value(self) -> Any:
        """Read the value that starts at the position or after white space."""
        self.peek()
        while True:
            try:
                value, end = self._scan(self._window, self.position)
            except (JSONDecodeError, StopIteration) as error:
                self._fill_or_fail(error)
                continue
            except RecursionError:
                self.fail('Nested too deeply', self.position)
            except ValueError:
                self.fail('A number has too many digits', self.position)
            # Anything else goes on if the file does: 12 may be the start of 12.5e3.
            if (type(value) in _SELF_DELIMITING or self._ended
                    or end + _LONGEST_TOKEN < len(self._window)):
                self.position = end
                return value
            self._fill()

    def key(self) -> str:
        """Read the name of a member and the colon behind it."""
        if self.peek() != '"':
            self.fail('Expecting property name enclosed in double quotes', self.position)
        key = self.value()
        if self.peek() != ':':
            self.fail("Expecting ':' delimiter", self.position)
        self.position += 1
        return key

    def first(self, closing: str) -> str:
        """Step over ``closing`` if the container has no member: ``closing`` or ','."""
        if self.peek() != closing:
            return ','
        self.position += 1
        return closing

    def delimiter(self, closing: str) -> str:
        """Step over what follows a member: ',' or ``closing``."""
        found = self.peek()
        if found != ',' and found != closing:
            self.fail("Expecting ',' delimiter", self.position)
        self.position += 1
        return found

    def entries(self, key: str) -> Iterator[tuple[str, Any]]:
        """Read the entries of a list and its end; the fast path stays within the window."""
        delimiter, scan, match = self.first(']'), self._scan, _DELIMITER.match
        while delimiter == ',':
            try:
                value, end = scan(self._window, self.position)
                after = match(self._window, end)
                delimiter = after[1]
                complete = type(value) in _SELF_DELIMITING and after.end() < len(self._window)
            except (ValueError, StopIteration, RecursionError):
                complete = False
            if complete and (delimiter == ',' or delimiter == ']'):
                self.position = after.end()
            else:
                value = self.value()
                delimiter = self.delimiter(']')
                if delimiter == ',':
                    self.peek()
            yield key, value

    def _fill_or_fail(self, error: JSONDecodeError | StopIteration) -> None:
        """Read on where the text may merely be incomplete, else raise the fault."""
        if isinstance(error, StopIteration):
            message, position = 'Expecting value', error.value
        else:
            message, position = error.msg, error.pos
        cut = message.startswith('Unterminated string')
        if self._ended or not (cut or position + _LONGEST_TOKEN >= len(self._window)):
            self.fail(message, position)
        self._fill()

    def _fill(self) -> None:
        """Drop what has been read, and at least double what has not."""
        self._drop()
        self._window += self._read(max(self._chunk_bytes, len(self._window)))

    def _drop(self) -> None:
        end = self.position
        newline = self._window.rfind('\n', 0, end)
        self._columns = end - newline - 1 if newline >= 0 else self._columns + end
        self._lines += self._window.count('\n', 0, end)
        self._gone += end
        self._window, self.position = self._window[end:], 0

    def _read(self, size: int) -> str:
        chunk = self._file.read(size)
        self._bytes += len(chunk)
        self._ended = not chunk
        if self._on_read is not None and chunk:
            self._on_read(chunk)
        try:
            return self._decoder.decode(chunk, final=self._ended)
        except UnicodeDecodeError as error:
            start = self._bytes - len(error.object) + error.start
            raise AnnotationError(f'{self._path}: not UTF-8 text at byte {start}; give the '
                                  'JSON file itself, unpacked') from None

    def fail(self, message: str, position: int) -> None:
        """Raise the fault at a position of the window, after reading how long the file is."""
        self.position = position
        self._drop()
        length = self._gone + len(self._window)
        while not self._ended:
            length += len(self._read(self._chunk_bytes))
        raise AnnotationError(
            f'{self._path}: not valid JSON at line {self._lines + 1}, column {self._columns + 1} '
            f'(character {self._gone} of {length}): {message}; the file is damaged or cut off: '
            'copy, download or convert it again') from None
