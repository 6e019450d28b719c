"""The page as a folder of files that needs no server."""
from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from tqdm import tqdm

from vatrack.files.whole_file import output_errors

from .documents import CHUNK, Documents
from .images import CONTENT_TYPES, browser_image
from .pages import page_in_one
from .source import Source

#: A page that is a file has no origin of its own; whatever it loads are files beside it.
POLICY = ("default-src 'none'; script-src 'unsafe-inline' 'self' file:; style-src 'unsafe-inline'; "
          "img-src 'self' file: data:; base-uri 'none'; form-action 'none'")
_START = 'index.html'
# Tells an export, which may be replaced, from any other folder.
_MARK = 'vatrack-browse.txt'


def export_page(source: Source, folder: str | Path, score_thr: float = .3) -> Path:
    """Write the page with all its videos and pictures into a folder.

    Frames are copied as they are on disk, or as JPEG if browsers lack their
    format. Predictions below ``score_thr`` are left out. The folder appears
    only when it is complete; an earlier export in its place is replaced.

    Returns:
        The file to open.

    Raises:
        FileExistsError: The folder holds something else than an export.
        ValueError: The data of a video is wrong, or a picture is broken.
        OSError: A file cannot be written.
    """
    folder = Path(folder)
    _refuse_foreign(folder)
    unfinished = folder.with_name(f'{folder.name}.{os.getpid()}.part')
    try:
        with output_errors(folder):
            (unfinished / 'data').mkdir(parents=True)
            _write(source, unfinished, score_thr)
            if folder.exists():
                shutil.rmtree(folder)
            unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder / _START


def _refuse_foreign(folder: Path) -> None:
    if folder.is_dir() and (not any(folder.iterdir()) or (folder / _MARK).is_file()):
        return
    if folder.exists() or folder.is_symlink():
        raise FileExistsError(f'{folder}: exists and is no earlier export; name a new folder for '
                              '--html')


def _write(source: Source, folder: Path, score_thr: float) -> None:
    documents = Documents(source, _link, score_thr, only_from=score_thr)
    _deliver(folder, 'index', documents.index())
    for number in tqdm(range(len(source.positions)), desc='exporting', unit=' videos',
                       disable=None):
        document = documents.video(number)
        _deliver(folder, f'video-{number}', document)
        length = len(document['images'])
        for chunk in range(-(-length // CHUNK)):
            _deliver(folder, f'frames-{number}-{chunk}', documents.frames(number, chunk))
        _copy_pictures(documents, number, document['images'], folder)
    (folder / _START).write_text(page_in_one(POLICY), encoding='utf-8')
    (folder / _MARK).write_text('Made by tools/browse.py --html; open index.html.\n')


def _link(number: int, position: int, path: Path) -> str:
    suffix = path.suffix.lower()
    return f'frames/{number}/{position:06d}{suffix if suffix in CONTENT_TYPES else ".jpg"}'


def _copy_pictures(documents: Documents, number: int, links: list[str | None],
                   folder: Path) -> None:
    (folder / 'frames' / str(number)).mkdir(parents=True)
    for position, link in enumerate(links):
        if link is not None:
            content, _ = browser_image(documents.source.image_path(number, position))
            (folder / link).write_bytes(content)


def _deliver(folder: Path, name: str, document: Any) -> None:
    """Write a document as a script, because a page that is a file may read nothing else."""
    text = json.dumps(document, separators=(',', ':'), allow_nan=False).replace('<', '\\u003c')
    (folder / 'data' / f'{name}.js').write_text(f'deliver("{name}",{text});\n', encoding='utf-8')
