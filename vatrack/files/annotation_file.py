"""One annotation format for every dataset: reading it.

The format is described in ``docs/annotations.md``. It is CocoVID-style JSON;
the joint files published by the VATrack authors (``bbox=amdl_bbox``,
``bbox=both_bbox``, ``bbox=visb_bbox``) and their single-kind files satisfy it
unchanged.
"""
from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from vatrack.structures import AnnotationFile

from .annotation_parser import LISTS, AnnotationParser
from .errors import AnnotationError
from .json_stream import JsonStream

#: Suffixes under which :func:`resolve_image` looks for a frame.
IMAGE_SUFFIXES = ('.png', '.bmp', '.jpg')


def load_annotations(path: str | Path) -> AnnotationFile:
    """Read an annotation file.

    Structure, values, references and mask sizes are checked, but no mask is
    decoded: :func:`~vatrack.files.annotation_check.check_annotations`
    goes deeper.

    Raises:
        AnnotationError: The file is missing, is not JSON (for example cut off
            in the middle), or an entry is wrong; the message names the file,
            the entry and the key, and the remedy.
    """
    parser = AnnotationParser(path, refuse)
    with paused_collector():
        parse_stream(JsonStream(path), parser)
    return parser.result()


def class_names(path: str | Path) -> tuple[str, ...]:
    """Names of the classes of an annotation file, in label order.

    Reading ends behind ``categories``, which the files that we write begin with.

    Raises:
        AnnotationError: As :func:`load_annotations`.
    """
    stream, parser = JsonStream(path), AnnotationParser(path, refuse)
    with closing(iter(stream)) as entries:
        for key, entry in entries:
            if key == 'categories':
                parser.read(key, len(parser.categories), entry)
            elif 'categories' in stream.lists:
                break
    if not parser.categories:
        raise AnnotationError(f"{path}: has no 'categories', or none in it; convert the dataset "
                              'with tools/convert.py')
    return tuple(parser.categories.values())


@contextmanager
def paused_collector() -> Iterator[None]:
    """Hold the cyclic garbage collector while millions of acyclic objects are made.

    Its repeated passes over them take almost as long as reading the JSON.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def read_json(path: str | Path) -> dict[str, Any]:
    """Read the JSON of an annotation file and make sure that its four lists are there."""
    stream, raw = JsonStream(path), {}
    for key, value in stream:
        if key in stream.lists:
            raw.setdefault(key, []).append(value)
        else:
            raw[key] = value
    _require_lists(stream)
    return {key: [] for key in LISTS} | raw


def parse_annotations(raw: dict[str, Any], path: str | Path,
                      report: Callable[[str], None]) -> AnnotationFile:
    """Turn the JSON of an annotation file into dataclasses.

    Args:
        raw: Result of :func:`read_json`.
        path: The file, for messages.
        report: Called with one message per wrong entry. Where it returns, the
            entry is left out and parsing goes on.
    """
    parser = AnnotationParser(path, report)
    for name in LISTS:
        parser.read_all(name, raw[name])
    return parser.result()


def parse_stream(stream: JsonStream, parser: AnnotationParser) -> None:
    """Feed a file to a parser without ever holding its annotations.

    The lists may stand in any order, but a file in which annotations come
    before what they refer to is read twice.
    """
    heads: dict[str, list[Any]] = {name: [] for name in LISTS[:-1]}
    count = 0
    for key, entry in stream:
        if key in heads:
            heads[key].append(entry)
        elif key == 'annotations' and stream.lists.issuperset(LISTS):
            if not count:
                _parse_heads(heads, parser)
            parser.read(key, count, entry)
            count += 1
    _require_lists(stream)
    if not count:
        _parse_heads(heads, parser)
        parser.read_all('annotations', (entry for key, entry in stream if key == 'annotations'))


def refuse(message: str) -> None:
    """Report a wrong entry by raising: the first one ends the reading."""
    raise AnnotationError(message) from None


def resolve_image(root: str | Path, file_name: str, video: str | None = None) -> Path:
    """Path of a frame on disk, whichever of .png, .bmp and .jpg it is stored as.

    SAIL-VOS ships BMP while the published annotation files say PNG.

    Args:
        root: Folder that ``file_name`` is relative to.
        file_name: Name in the annotation file; its own suffix is tried first.
        video: Name of the video, for the message.

    Raises:
        AnnotationError: The frame exists under none of the suffixes.
    """
    path = Path(root, file_name)
    if path.is_file():
        return path
    for suffix in IMAGE_SUFFIXES:
        other = path.with_suffix(suffix)
        if other.is_file():
            return other
    raise AnnotationError(
        f"video '{video or Path(file_name).parent}': no frame {path}, nor the same name with any "
        f'suffix of {", ".join(IMAGE_SUFFIXES)}; check the image folder, or extract the frames')


def _parse_heads(heads: dict[str, list[Any]], parser: AnnotationParser) -> None:
    for name, entries in heads.items():
        parser.read_all(name, entries)
        entries.clear()


def _require_lists(stream: JsonStream) -> None:
    for key in LISTS:
        if key not in stream.lists:
            fault = 'must be a list' if key in stream.keys else 'is missing'
            raise AnnotationError(f"{stream.path}: the top-level key '{key}' {fault}; "
                                  f'{_remedy(stream.keys)}')


def _remedy(keys: list[str]) -> str:
    """What to do about a file with these top-level keys."""
    if 'videos' in keys and 'images' not in keys:
        return 'the file looks like YouTube-VIS or OVIS: convert it with tools/convert.py ytvis'
    if 'images' in keys and 'videos' not in keys:
        return ('the file looks like plain COCO: convert it with tools/convert.py kins (single '
                'images: KINS, COCOA) or coco-video (frames of videos)')
    return 'convert the dataset with tools/convert.py, or add the list (it may be empty)'
