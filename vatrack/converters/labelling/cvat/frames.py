"""The frames of a CVAT task: exported images, a folder of one's own, or the video file."""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from vatrack.files import write_image
from vatrack.video import VideoError, read_video

from ...common import ConversionError
from ...parts.image_files import image_files
from .export import CvatHead, number, pieces

_FILMS = ('.mp4', '.avi', '.mov', '.mkv', '.webm', '.m4v', '.mpg', '.mpeg')


@dataclass(slots=True)
class CvatTask:
    """An exported task with its frames, in time order.

    Attributes:
        name: Its name.
        path: Its XML file.
        head: What that says first.
        numbers: Number of each frame, as the shapes name it.
        paths: The images; of a video file, once they are extracted.
        film: The video file, or None.
    """

    name: str
    path: Path
    head: CvatHead
    numbers: list[int]
    paths: list[Path]
    film: Path | None = None

    def extract(self, folder: Path, image_format: str) -> None:
        """Write the frames of the video file to a folder, named by their numbers.

        Raises:
            ConversionError: The video cannot be read, or ends too early.
        """
        wanted = set(self.numbers)
        self.paths = [folder / f'{each:06d}.{image_format}' for each in self.numbers]
        paths = dict(zip(self.numbers, self.paths, strict=True))
        try:
            for index, image in enumerate(tqdm(read_video(self.film), self.name, unit='frame',
                                               disable=None)):
                if index in wanted:
                    write_image(paths[index], image)
                    wanted.remove(index)
                if not wanted:
                    return
        except VideoError as error:
            raise ConversionError(str(error)) from None
        raise ConversionError(f'{self.film}: ends before frame {min(wanted)}, which the task '
                              f"'{self.name}' has; give the video that was labelled")


def find_frames(name: str, path: Path, head: CvatHead, images: Path | None,
                single: bool) -> CvatTask:
    """Find the frames of a task.

    Args:
        name: The task.
        path: Its XML file.
        head: What that says first.
        images: Folder with a folder or a video file of the task's name; of a
            single task also that itself. None: beside the XML file.
        single: Whether there is but one task.

    Raises:
        ConversionError: There are none, or not as many as the task has.
    """
    found = _find(name, path, head, images, single)
    stated = _stated_images(path)
    if found.is_file():
        if stated:
            raise ConversionError(f'{path}: names images, but {found} is a video file; export the '
                                  'task as "CVAT for video 1.1"')
        return CvatTask(name, path, head, list(head.frames), [], film=found)
    if stated:
        return CvatTask(name, path, head, list(stated),
                        [found / file for file in stated.values()])
    paths = list(image_files(found).values())
    if len(paths) != len(head.frames):
        raise ConversionError(f"{found}: holds {len(paths)} images, but the task '{name}' has "
                              f'{len(head.frames)} frames ({path}); give the frames that were '
                              'labelled, all of them and no others')
    return CvatTask(name, path, head, list(head.frames), paths)


def _find(name: str, path: Path, head: CvatHead, images: Path | None, single: bool) -> Path:
    if images is None:
        places = [path.parent / 'images', path.parent / name, path.parent / (head.source or name)]
        if path.name != 'annotations.xml':
            places = places[1:]
    else:
        places = [images / name, images / (head.source or name), *_films(images, name)]
        places += [images] * single
    for place in places:
        if place.is_dir() or (place.is_file() and place.suffix.lower() in _FILMS):
            return place
    raise ConversionError(f"{path}: no frames of the task '{name}', neither "
                          f'{" nor ".join(str(place) for place in places)}; export the task with '
                          'images, or say where the frames or the video are (--images)')


def _films(folder: Path, name: str) -> Iterable[Path]:
    return (folder / f'{name}{suffix}' for suffix in _FILMS)


def _stated_images(path: Path) -> dict[int, str]:
    """File name by frame number of an export "for images"; empty of one "for video"."""
    names: dict[int, str] = {}
    for piece in pieces(path):
        if piece.tag == 'track':
            break
        if piece.tag == 'image':
            index, name = int(number(piece, 'id')), piece.get('name', '')
            if not name or index in names or (names and index < max(names)):
                raise ConversionError(f"{path}: image {index} ('{name}') has no name or stands at "
                                      'the wrong place; export the task again')
            names[index] = name
    return names
