"""Objects of a COCO-style JSON: one entry per object and image, or per image (COCOA).

The key of a mask tells its kind, see :data:`MASK_KEYS`; ``segmentation`` is of the kind that has no
key of its own.
"""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from vatrack.files import AnnotationError
from vatrack.files.annotation_entry import Entry, flag, integer
from vatrack.structures import MASK_KINDS, Instance
from vatrack.structures.rle import RLE

from ..parts.json_source import EntriesOnDisk, check_box, located
from ..parts.json_video import JsonVideo
from ..parts.segmentation import KindJoiner, by_kind, read_segmentation, subtract
from .source import ONLY_CLASS

#: Keys of masks by kind. Visible: COCOA, D2SA and ours; KINS (two releases).
MASK_KEYS = {'amodal': ('amodal_mask', 'amodal_segmentation', 'a_segm'),
             'visible': ('visible_mask', 'visible_segmentation', 'inmodal_seg', 'i_segm')}
#: Key of what is covered: the visible mask is the rest of the amodal one (COCOA, D2SA).
INVISIBLE_KEY = 'invisible_mask'
#: Keys of the identity of an object, the first that is there counts: CocoVID, TAO.
IDENTITY_KEYS = ('instance_id', 'track_id')


@dataclass
class CocoObjects:
    """Reads the objects of a file, video by video.

    Attributes:
        path: The file.
        entries: Its annotations by image id.
        categories: Class name by category id.
        kind: Kind of ``segmentation`` where it stands alone.
        identified: Whether objects must say who they are; else every object of
            an image is another one.
        stuff: Whether regions of stuff are kept (COCOA).
    """

    path: str | Path
    entries: EntriesOnDisk
    categories: dict[int, str]
    kind: str
    identified: bool
    stuff: bool = False
    _ids: set[int] = field(default_factory=set)

    def __call__(self, video: JsonVideo, joiner: KindJoiner) -> Iterator[list[Instance]]:
        """Objects of each frame of a video."""
        classes: dict[int, int] = {}
        for frame in video.frames:
            taken: set[int] = set()
            where = f"video '{video.name}', frame '{frame.file_name}'"
            instances = []
            for index, entry in self.entries.take(frame.id):
                with located(self.path, 'annotations', index, entry, where):
                    self._check_id(entry)
                    for part in self._parts(entry, joiner):
                        instance = self._instance(part, video, joiner)
                        if instance is not None:
                            _check_identity(instance, taken, classes)
                            instances.append(instance)
            yield instances

    def _check_id(self, entry: Entry) -> None:
        id_ = integer(entry, 'id')
        if id_ in self._ids:
            raise AnnotationError(f"'id' {id_} occurs twice; number the entries anew")
        self._ids.add(id_)

    def _parts(self, entry: Entry, joiner: KindJoiner) -> Iterator[Entry]:
        """The entry, or each of its regions as an entry, numbered from 1 (COCOA)."""
        if 'regions' not in entry:
            yield entry
            return
        if not (isinstance(entry['regions'], list)
                and all(isinstance(region, dict) for region in entry['regions'])):
            raise AnnotationError("'regions' must be a list of objects; download the file again")
        for number, region in enumerate(entry['regions'], start=1):
            if flag(region, 'isStuff') and not self.stuff:
                joiner.left_out['regions of stuff'] += 1
            else:
                yield {'category_id': ONLY_CLASS[0]} | region | {'id': number}

    def _instance(self, entry: Entry, video: JsonVideo, joiner: KindJoiner) -> Instance | None:
        category_id = integer(entry, 'category_id')
        if category_id not in self.categories:
            raise AnnotationError(f"'category_id' {category_id} is unknown: no entry of "
                                  "'categories' has this id; add the category or remove this entry")
        for key in entry:
            if key.endswith('bbox'):
                check_box(entry[key], key)
        masks = joiner.join(self._masks(entry, video.size), video.size)
        if masks is None:
            return None
        return Instance(0, self._identity(entry), category_id, masks, {},
                        iscrowd=flag(entry, 'iscrowd'))

    def _masks(self, entry: Entry, size: list[int]) -> dict[str, RLE | None]:
        keys = {kind: next((key for key in MASK_KEYS[kind] if entry.get(key) is not None), None)
                for kind in MASK_KINDS}
        invisible = read_segmentation(entry.get(INVISIBLE_KEY), INVISIBLE_KEY, size)
        uncovered = keys['visible'] is None and entry.get('occlude_rate') == 0
        lone_kind = 'amodal' if invisible or uncovered else self.kind
        given = by_kind({kind: key and entry[key] for kind, key in keys.items()},
                        entry.get('segmentation'), lone_kind)
        masks = {kind: read_segmentation(value, keys[kind] or 'segmentation', size)
                 for kind, value in given.items()}
        if not any(masks.values()):
            raise AnnotationError("has no mask, neither 'segmentation' nor one of "
                                  f'{[key for keys in MASK_KEYS.values() for key in keys]}; the '
                                  'converter needs masks: add one or remove the entry')
        if 'visible' not in masks and (invisible or uncovered):
            masks['visible'] = (subtract(masks['amodal'], invisible) if invisible
                                else masks['amodal'])
        return masks

    def _identity(self, entry: Entry) -> int:
        key = next((key for key in IDENTITY_KEYS if entry.get(key) is not None), None)
        if key is None and self.identified:
            raise AnnotationError(f'has none of {list(IDENTITY_KEYS)}, so nothing says which '
                                  'objects of a video are the same; add one')
        return integer(entry, key or 'id')


def _check_identity(instance: Instance, taken: set[int], classes: dict[int, int]) -> None:
    """Refuse an object that occurs twice in a frame, or changes its class in a video."""
    if instance.instance_id in taken:
        raise AnnotationError(f'object {instance.instance_id} has two entries in this frame; '
                              'remove one, or give them different ids')
    taken.add(instance.instance_id)
    first = classes.setdefault(instance.instance_id, instance.category_id)
    if first != instance.category_id:
        raise AnnotationError(f"'category_id' is {instance.category_id}, but object "
                              f'{instance.instance_id} was {first} before; an object keeps its '
                              'class: correct one')
