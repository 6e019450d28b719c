"""Reading the JSON of another format: entry by entry, with every fault located."""
from __future__ import annotations

import pickle
from array import array
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import Any

from tqdm import tqdm

from vatrack.files import AnnotationError
from vatrack.files.annotation_entry import Entry, integer, is_number, new_name, text
from vatrack.files.json_stream import stream_json

from ..common import ConversionError


class EntriesOnDisk:
    """Entries of a long list, on disk by the group that they belong to.

    The list may be in any order and larger than memory; afterwards its entries
    are there group by group.

    Args:
        folder: Where there is room for a temporary file.
    """

    def __init__(self, folder: str | Path) -> None:
        self._file = TemporaryFile(dir=folder)  # noqa: SIM115
        self._places: dict[int, array] = {}
        self._count = 0

    def __enter__(self) -> EntriesOnDisk:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._file.close()

    def __len__(self) -> int:
        return self._count

    def add(self, group: int, entry: Any) -> None:
        """Take the next entry of the list."""
        self._places.setdefault(group, array('q')).append(self._file.tell())
        try:
            pickle.dump((self._count, entry), self._file, pickle.HIGHEST_PROTOCOL)
        except RecursionError:
            raise AnnotationError('is nested too deeply; correct or remove it') from None
        self._count += 1

    def take(self, group: int) -> Iterator[tuple[int, Any]]:
        """Position in the list and entry of all members of a group, in the order of the list."""
        for place in self._places.get(group, ()):
            self._file.seek(place)
            yield pickle.load(self._file)

    def require_known(self, groups: Mapping[int, Any], path: str | Path, key: str,
                      table: str) -> None:
        """Refuse an entry of a group that is not one of these.

        Raises:
            ConversionError: Says that no entry of the list ``table`` has the id that
                ``key`` of the entry names.
        """
        strange = next((group for group in self._places if group not in groups), None)
        if strange is not None:
            with located(path, 'annotations', *next(self.take(strange))):
                raise AnnotationError(f"'{key}' {strange} is unknown: no entry of '{table}' has "
                                      'this id; add that entry, or remove this one')


def read_tables(path: str | Path, readers: Mapping[str, Callable[[Entry], Any]],
                entries: EntriesOnDisk, group: str) -> dict[str, list[Any]]:
    """Read the short lists of a JSON file, and put its ``annotations`` on disk.

    Args:
        path: The file: one JSON object of lists, in any order.
        readers: What reads the entries of each short list, by its key. A list
            that is absent is empty.
        entries: Takes the entries of ``annotations``.
        group: Key of an annotation by which they are grouped.

    Raises:
        AnnotationError: The file is cut off or not JSON.
        ConversionError: The file is missing, or an entry is wrong; names it.
    """
    if not Path(path).is_file():
        raise ConversionError(f'{path}: no such file; check the path')
    tables: dict[str, list[Any]] = {key: [] for key in readers}
    with file_progress(path, f'reading {Path(path).name}') as on_read:
        stream = stream_json(path, on_read)
        for key, entry in stream:
            if key == 'annotations' and key in stream.lists:
                with located(path, key, len(entries), entry):
                    entries.add(integer(entry, group), entry)
            elif key in tables and key in stream.lists:
                with located(path, key, len(tables[key]), entry):
                    tables[key].append(readers[key](entry))
    return tables


def read_category(entry: Entry) -> tuple[int, str]:
    """Id and name of an entry of ``categories``."""
    return integer(entry, 'id'), text(entry, 'name')


def file_name(entry: Entry, key: str = 'file_name') -> str:
    """Name of a frame; backslashes of Windows become slashes, so that folders are told apart."""
    return text(entry, key).replace('\\', '/')


def unique_categories(path: str | Path, pairs: list[tuple[int, str]]) -> dict[int, str]:
    """Class names by category id; refuses an id or a name that occurs twice."""
    categories, seen = unique(path, 'categories', pairs), set()
    for index, (id_, name) in enumerate(pairs):
        with located(path, 'categories', index, {'id': id_}):
            seen.add(new_name({'name': name}, seen))
    return categories


def unique(path: str | Path, key: str, pairs: list[tuple[int, Any]]) -> dict[int, Any]:
    """The entries of a list by their id.

    Raises:
        ConversionError: The list has no entry, or an id twice.
    """
    found: dict[int, Any] = {}
    for index, (id_, value) in enumerate(pairs):
        if id_ in found:
            raise ConversionError(f"{path}: {key}[{index}] (id {id_}): this id occurs twice in "
                                  f"'{key}'; number the entries anew")
        found[id_] = value
    if not found:
        raise ConversionError(f"{path}: has no list '{key}', or nothing in it; is it the right "
                              'file, in the right format?')
    return found


@contextmanager
def located(path: str | Path, key: str, index: int, entry: Any, where: str = '',
            remedy: str = '') -> Iterator[None]:
    """Put file and entry in front of an error about one entry.

    Args:
        path: The file.
        key: The list.
        index: Position of the entry in it.
        entry: The entry, for its id.
        where: What else says where: video, frame.
        remedy: What else to do about it.

    Raises:
        ConversionError: In place of an :class:`AnnotationError`, or because the entry is no
            JSON object.
    """
    try:
        if type(entry) is not dict:
            raise AnnotationError(f'must be an object, got a {type(entry).__name__}')
        yield
    except AnnotationError as error:
        label = f" (id {entry['id']})" if type(entry) is dict and 'id' in entry else ''
        parts = [f'{key}[{index}]{label}{where and ", "}{where}', str(error)]
        raise ConversionError(f'{path}: {": ".join(parts)}{remedy and "; "}{remedy}') from None


@contextmanager
def file_progress(path: str | Path, description: str) -> Iterator[Callable[[bytes], None]]:
    """Progress bar over the bytes of a file; yields what is to be called with each chunk."""
    size = Path(path).stat().st_size if Path(path).is_file() else None
    with tqdm(desc=description, total=size, unit='B', unit_scale=True, disable=None) as bar:
        yield lambda chunk: bar.update(len(chunk))


def check_box(value: Any, key: str) -> None:
    """Refuse a box that is not null and not four finite numbers.

    Boxes of a file are not kept, those of its masks are; but one that is
    damaged says that the file is.
    """
    if value is not None and not (isinstance(value, list) and len(value) in (0, 4)
                                  and all(map(is_number, value))):
        raise AnnotationError(f"'{key}' must be four finite numbers [x, y, w, h], got {value!r}; "
                              'correct it, or remove it')
