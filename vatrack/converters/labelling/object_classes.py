"""Classes of objects that are only numbered: a small JSON file, or one class for all."""
from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from vatrack.files.json_stream import load_json

from ..common import ConversionError

# Many datasets mark pixels that belong to nothing with the largest value of 8 bits.
_OFTEN_VOID = 255


@dataclass(frozen=True, slots=True)
class VideoClasses:
    """Classes of the objects of one video.

    Attributes:
        where: Where they are stated, for messages.
        labels: Class by object id.
        only: The class of all objects, if there is but one.
    """

    where: str
    labels: dict[int, str] = field(default_factory=dict)
    only: str | None = None

    def __getitem__(self, instance_id: int) -> str:
        if instance_id in self.labels:
            return self.labels[instance_id]
        if self.only is None:
            raise ConversionError(f'object {instance_id} has no class in {self.where}; add '
                                  f'"{instance_id}": "<class>" there, or state --void '
                                  f'{instance_id} if it is no object')
        if instance_id == _OFTEN_VOID:
            raise ConversionError(f'the value {_OFTEN_VOID} means "no label" in many datasets; '
                                  f'state --void {_OFTEN_VOID}, or list the objects in '
                                  'classes.json if it is one')
        return self.only


@dataclass(frozen=True, slots=True)
class ObjectClasses:
    """Classes of the objects of a dataset.

    Attributes:
        names: Class names in label order.
        path: File that states them; None: all objects are of the one class.
        videos: {video: {object id: class}}.
    """

    names: tuple[str, ...]
    path: Path | None = None
    videos: dict[str, dict[int, str]] = field(default_factory=dict)

    def of_video(self, name: str) -> VideoClasses:
        """Classes of a video.

        Raises:
            ConversionError: The file does not name the video.
        """
        if self.path is None:
            return VideoClasses('', only=self.names[0])
        if name not in self.videos:
            raise ConversionError(f"{self.path}: 'videos' has no '{name}'; add the classes of its "
                                  'objects (an empty object if it has none)')
        return VideoClasses(f"{self.path}, video '{name}'", self.videos[name])


def read_classes(path: Path) -> ObjectClasses:
    """Read ``{"classes": [name, ...], "videos": {video: {object id: name}}}``.

    Raises:
        ConversionError: The file is missing, broken, or names an unknown class.
    """
    try:
        content = load_json(path)
        names = tuple(content['classes'])
        videos = {video: {int(key): label for key, label in objects.items()}
                  for video, objects in content['videos'].items()}
    except FileNotFoundError:
        raise ConversionError(f'{path}: missing; write it, say where it is (--classes FILE), or '
                              'state --class NAME if all objects are of one class') from None
    except (ValueError, TypeError, KeyError, AttributeError) as err:
        raise ConversionError(f'{path}: must be {{"classes": [names], "videos": {{video: {{object '
                              f'id: name}}}}}} ({type(err).__name__}: {err}); mend it') from None
    for video, objects in videos.items():
        for instance_id, label in objects.items():
            if label not in names:
                raise ConversionError(f"{path}: video '{video}', object {instance_id}: '{label}' "
                                      f'is none of the classes {list(names)}; correct it or add '
                                      "it to 'classes'")
    if not names or len(set(names)) < len(names) or not all(type(n) is str and n for n in names):
        raise ConversionError(f"{path}: 'classes' must be different names, got {list(names)}; mend "
                              'it')
    return ObjectClasses(names, path, videos)
