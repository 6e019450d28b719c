"""Files, folders and archives of results in other formats: one JSON, or an entry per video."""
from __future__ import annotations

import json
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vatrack.files.bystanders import is_bystander
from vatrack.files.errors import ResultError
from vatrack.files.result_file import archive_errors, is_zip
from vatrack.files.whole_file import make_folder, output_errors, replace_when_done
from vatrack.structures import AnnotationFile, Video


def sequence_names(annotations: AnnotationFile) -> dict[int, str]:
    """File names of the videos: their names, with a dash for spaces, slashes and the like.

    Raises:
        ResultError: Two videos would have the same name.
    """
    names: dict[int, str] = {}
    for video in annotations.videos:
        name = re.sub(r'[^\w.-]+', '-', video.name)
        if name in names.values():
            raise ResultError(f'{annotations.path}: the file name {name} of video {video.id} '
                              f'({video.name}) is taken by another; give the videos distinct names')
        names[video.id] = name
    return names


def write_json_list(path: Path, records: Iterable[Any]) -> None:
    """Write records one by one, a line each; the file appears only when it is complete."""
    with replace_when_done(path) as file:
        separator = '[\n'
        for record in records:
            file.write(separator + json.dumps(record, allow_nan=False))
            separator = ',\n'
        file.write('[]\n' if separator == '[\n' else '\n]\n')


@contextmanager
def result_file(path: str | Path) -> Iterator[Path]:
    """Where to write a JSON: ``path``, or ``results.json`` of the archive if that ends in .zip."""
    if not is_zip(path):
        yield Path(path)
        return
    with result_folder(path) as folder:
        yield folder / 'results.json'


@contextmanager
def result_folder(path: str | Path) -> Iterator[Path]:
    """A new folder that becomes ``path`` (an archive, if that ends in .zip) when all is written.

    Raises:
        ResultError: ``path`` is a folder with something in it.
        OutputError: It cannot be written.
    """
    path = Path(path)
    if path.is_dir() and any(path.iterdir()):
        raise ResultError(f'{path}: this folder is not empty; choose another or remove it')
    make_folder(path.parent)
    with output_errors(path), tempfile.TemporaryDirectory(
            dir=path.parent, prefix=f'.{path.name}.') as temporary:
        folder = Path(temporary) / 'content'
        folder.mkdir()
        yield folder
        if is_zip(path):
            archive = shutil.make_archive(str(Path(temporary) / 'archive'), 'zip', folder)
            Path(archive).replace(path)
        else:
            folder.replace(path)


@contextmanager
def source_folder(path: Path) -> Iterator[Path]:
    """The folder with the files to import; an archive is unpacked for the time being.

    Raises:
        ResultError: Neither a folder nor an intact zip archive.
    """
    if path.is_dir():
        yield path
        return
    if not is_zip(path) or not path.is_file():
        raise ResultError(f'{path}: no such folder or zip archive; give the folder that holds a '
                          'file or folder per video')
    with tempfile.TemporaryDirectory() as folder:
        try:
            with archive_errors(path), zipfile.ZipFile(path) as archive:
                archive.extractall(folder)
        except (OSError, ValueError) as error:
            if isinstance(error, ResultError):
                raise
            raise ResultError(f'{path}: cannot be unpacked ({error}); copy or make it '
                              'again') from error
        yield Path(folder)


def sequence_paths(folder: Path, annotations: AnnotationFile,
                   suffix: str) -> Iterator[tuple[Video, Path]]:
    """The videos with their files (or folders, ``suffix`` '') in a folder, one for each.

    Raises:
        ResultError: A video has none, or something belongs to no video.
    """
    names = sequence_names(annotations)
    known = {name + suffix for name in names.values()}
    found = {path.name for path in folder.iterdir()
             if path.suffix == suffix and path.is_dir() == (not suffix)
             and (path.name in known or not is_bystander(path.name))}
    strange = sorted(found - known)
    if strange:
        raise ResultError(f'{folder / strange[0]}: {annotations.path} has no such video; import '
                          'with the annotation file that the results were made for')
    for video in annotations.videos:
        name = names[video.id] + suffix
        if name not in found:
            raise ResultError(f'{folder / name} is missing: results of video {video.id} '
                              f'({video.name}); an empty one says that nothing was found')
        yield video, folder / name
