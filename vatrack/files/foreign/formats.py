"""All formats of results by name, for the command lines."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vatrack.structures import TrackRecord

from .coco import export_coco, import_coco
from .mot import export_mot, import_mot
from .mots import export_mots_png, export_mots_txt, import_mots_png, import_mots_txt
from .ytvis import export_ytvis, import_ytvis


@dataclass(frozen=True)
class ResultFormat:
    """A format of result files.

    Attributes:
        about: What it holds, in a few words.
        export: Called with (tracks, annotations, path, kind) and options.
        read: Called with (sources, annotations, note) and options.
        export_options: Keywords that ``export`` takes.
        read_options: Keywords that ``read`` takes.
    """

    about: str
    export: Callable[..., None]
    read: Callable[..., list[TrackRecord]]
    export_options: tuple[str, ...] = ()
    read_options: tuple[str, ...] = ()


FORMATS = {
    'ytvis': ResultFormat('YouTube-VIS: a JSON of tracks, or a zip archive of it',
                          export_ytvis, import_ytvis, ('rle',)),
    'coco': ResultFormat('COCO: a JSON of the objects of single frames', export_coco, import_coco,
                         ('rle',)),
    'mot': ResultFormat('MOTChallenge: <video>.txt with boxes', export_mot, import_mot,
                        (), ('category', 'fill')),
    'mots-txt': ResultFormat('MOTS: <video>.txt with masks', export_mots_txt, import_mots_txt,
                             ('first_frame', 'note'), ('first_frame',)),
    'mots-png': ResultFormat('MOTS: <video>/000000.png with numbers of objects', export_mots_png,
                             import_mots_png, ('first_frame', 'note'), ('first_frame',)),
}
