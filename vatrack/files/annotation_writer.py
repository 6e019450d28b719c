"""Writing an annotation file, frame by frame."""
from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from vatrack.structures import MASK_KINDS, Instance
from vatrack.structures import rle as rle_ops
from vatrack.structures.rle import RLE

from .annotation_entry import occlusion_rate, read_rle, to_xywh
from .errors import AnnotationError
from .whole_file import make_folder, output_errors, replace_when_done


class AnnotationWriter:
    """Writes one annotation file in the canonical form of ``docs/annotations.md``.

    Frames are given video by video, in time order. Images and annotations go
    to disk at once, so memory does not grow with the dataset. The file appears
    under its name only when all is written; after an error nothing is left.

    Example::

        with AnnotationWriter('train.json', {1: 'fish'}) as writer:
            writer.add_video('00000', width=480, height=320)
            writer.add_frame('00000/images/000000.jpg', [Instance(
                id=0, instance_id=7, category_id=1, masks={'visible': rle}, bboxes={})])

    Args:
        path: The file; missing folders are made.
        categories: Class name by category id.

    Raises:
        AnnotationError: Two categories have the same name.
    """

    def __init__(self, path: str | Path, categories: Mapping[int, str]) -> None:
        self.path = Path(path)
        self.num_frames = 0
        self.num_annotations = 0
        self._categories = dict(categories)
        twice = [name for name, count in Counter(categories.values()).items() if count > 1]
        if twice:
            raise AnnotationError(f"{path}: two categories are called '{twice[0]}'; name each "
                                  'class once')
        self._videos: list[dict[str, Any]] = []
        self._parts: list[IO[str]] = []

    def __enter__(self) -> AnnotationWriter:
        with output_errors(self.path):
            make_folder(self.path.parent)
            self._parts = [open(self._part(name), 'w+', encoding='utf-8')  # noqa: SIM115
                           for name in ('annotations', 'images')]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            for part in self._parts:
                with suppress(OSError):  # an error that is on its way says more
                    part.close()
                Path(part.name).unlink(missing_ok=True)

    @property
    def num_videos(self) -> int:
        """Videos begun so far."""
        return len(self._videos)

    def add_video(self, name: str, width: int, height: int, video_id: int | None = None) -> int:
        """Begin a video; the frames that follow belong to it.

        Returns:
            Its id, counted from 1 unless it is given. Give all ids or none.
        """
        video_id = len(self._videos) + 1 if video_id is None else video_id
        self._videos.append({'id': video_id, 'name': name, 'width': width, 'height': height,
                             'num_frames': 0})
        return video_id

    def add_frame(self, file_name: str, instances: Sequence[Instance],
                  image_id: int | None = None) -> int:
        """Add the next frame of the current video.

        Args:
            file_name: Name of the image, relative to the image folder.
            instances: Its objects, with masks of any kinds at the size of the
                video. ``id`` is assigned anew; a box that is missing is the
                tight box of its mask; ``occlusion`` is computed from the masks
                where both kinds are given.
            image_id: Id of the image, if all are given.

        Returns:
            The image id, counted from 1 unless it is given.

        Raises:
            AnnotationError: A mask has another size than the video or no pixel
                at all, a category is unknown, or an instance occurs twice.
        """
        video = self._videos[-1]
        where = f"{self.path}: video '{video['name']}', frame '{file_name}'"
        records = self._records(where, [video['height'], video['width']], instances)
        self.num_frames += 1
        image_id = self.num_frames if image_id is None else image_id
        image = {'id': image_id, 'video_id': video['id'], 'file_name': file_name,
                 'frame_id': video['num_frames'], 'width': video['width'],
                 'height': video['height']}
        video['num_frames'] += 1
        with output_errors(self.path):
            self._write(self._parts[1], image, first=self.num_frames == 1)
            for record in records:
                self.num_annotations += 1
                head = {'id': self.num_annotations, 'video_id': video['id'],
                        'image_id': image_id}
                self._write(self._parts[0], head | record, first=self.num_annotations == 1)
        return image_id

    def _records(self, where: str, size: list[int],
                 instances: Sequence[Instance]) -> list[dict[str, Any]]:
        """Entries of one frame; area and box of all its masks are measured in one call."""
        seen: set[int] = set()
        checked = rle_ops.are_whole([mask for each in instances for mask in each.masks.values()])
        read = [self._read(f'{where}, instance {instance.instance_id}', size, instance, seen,
                           checked) for instance in instances]
        flat = [rle for masks in read for rle in masks.values()]
        measures = iter(zip(rle_ops.areas(flat).tolist(), rle_ops.bboxes(flat).tolist(),
                            strict=True))
        records = []
        for instance, masks in zip(instances, read, strict=True):
            measured = {kind: next(measures) for kind in masks}
            if not measured or not next(iter(measured.values()))[0]:
                raise AnnotationError(f'{where}, instance {instance.instance_id}: has no pixel; '
                                      'leave it out of this frame')
            records.append(_record(instance, masks, measured))
        return records

    def _read(self, where: str, size: list[int], instance: Instance,
              seen: set[int], checked: bool) -> dict[str, RLE]:
        """Masks of an instance in the order of the kinds, checked now if they are not."""
        if instance.category_id not in self._categories:
            raise AnnotationError(f'{where}: category {instance.category_id} is not one of '
                                  f'{sorted(self._categories)}; add it to the categories')
        if instance.instance_id in seen:
            raise AnnotationError(f'{where}: occurs twice in the frame; make instance ids unique')
        seen.add(instance.instance_id)
        try:
            return {kind: read_rle(instance.masks[kind], f'{kind}_mask', size, checked)
                    for kind in MASK_KINDS if kind in instance.masks}
        except AnnotationError as error:
            raise AnnotationError(f'{where}: {error}') from None

    def _finish(self) -> None:
        """Put the file together; annotations come last, so that readers need one pass."""
        empty = [video['name'] for video in self._videos if not video['num_frames']]
        if empty:
            raise AnnotationError(f'{self.path}: videos without a frame: {empty[:5]}; leave them '
                                  'out')
        categories = [{'id': id_, 'name': name} for id_, name in self._categories.items()]
        annotations, images = self._parts
        with replace_when_done(self.path) as file:
            file.write(f'{{"categories": {json.dumps(categories)},\n'
                       f'"videos": {json.dumps(self._videos)}')
            for name, part in (('images', images), ('annotations', annotations)):
                file.write(f',\n"{name}": [')
                part.seek(0)
                shutil.copyfileobj(part, file)
                file.write(']')
            file.write('}\n')

    def _part(self, name: str) -> Path:
        return self.path.with_name(f'{self.path.name}.{name}.part')

    @staticmethod
    def _write(part: IO[str], record: dict[str, Any], first: bool) -> None:
        part.write(('\n' if first else ',\n') + json.dumps(record, separators=(',', ':')))


def _record(instance: Instance, masks: dict[str, RLE],
            measured: dict[str, tuple[int, list[float]]]) -> dict[str, Any]:
    """Entry of ``annotations`` without the ids that the writer counts."""
    areas = {kind: area for kind, (area, _) in measured.items()}
    boxes = {kind: to_xywh(instance.bboxes.get(kind, box)) if area else None
             for kind, (area, box) in measured.items()}
    record = {'category_id': instance.category_id, 'instance_id': instance.instance_id,
              'bbox': next(iter(boxes.values()))}
    if 'visible' in boxes:
        record['bbox_visible'] = boxes['visible']
    record |= {f'{kind}_mask': rle for kind, rle in masks.items()}
    record |= {f'area_{kind}': area for kind, area in areas.items()}
    occlusion = instance.occlusion
    if len(areas) == len(MASK_KINDS):
        occlusion = occlusion_rate(areas['visible'], areas['amodal'])
    if occlusion is not None:
        record['occlude_rate'] = occlusion
    record['iscrowd'] = int(instance.iscrowd)
    return record
