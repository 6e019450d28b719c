"""Which objects count in a clip, where that depends on more than one frame of it.

A *record* is what :meth:`AmodalVideoDataset.get_data_info` gives of a frame;
its ``instances`` are changed in place.
"""
from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from vatrack.structures.rle import areas


def keep_from_first_sight(records: Sequence[dict], hidden: Sequence[Sequence[bool]]) -> None:
    """Leave hidden objects out of the frames before the first in which they are visible.

    As A2VIS has it, the amodal mask of an object is empty until it was seen.
    What counts is the first frame of the clip, not of the video: a model cannot
    know of frames that it is not given.

    Args:
        records: T records in time order.
        hidden: Of each, whether each of its instances has no visible pixel.
    """
    seen: set[int] = set()
    for record, are_hidden in zip(records, hidden, strict=True):
        kept = []
        for instance, is_hidden in zip(record['instances'], are_hidden, strict=True):
            if not is_hidden:
                seen.add(instance['instance_id'])
            if instance['instance_id'] in seen:
                kept.append(instance)
        record['instances'] = kept


def keep_largest(records: Sequence[dict], kind: str, max_objects: int) -> None:
    """Leave out objects beyond ``max_objects``, in all frames: those with the fewest pixels.

    Args:
        records: T records.
        kind: Kind of the masks whose pixels are counted, over all frames; of
            equal objects that with the lower id stays.
        max_objects: How many different objects a clip may have.
    """
    pixels: Counter[int] = Counter()
    for record in records:
        instances = record['instances']
        for instance, area in zip(instances, areas([i['masks'][kind] for i in instances]).tolist(),
                                  strict=True):
            pixels[instance['instance_id']] += area
    if len(pixels) > max_objects:
        kept = set(sorted(pixels, key=lambda id_: (-pixels[id_], id_))[:max_objects])
        for record in records:
            record['instances'] = [i for i in record['instances'] if i['instance_id'] in kept]


def has_common_instance(records: Sequence[dict], is_key: Sequence[bool]) -> bool:
    """Whether an object of a key frame is in a reference frame, or there are no references."""
    ids: dict[bool, set[int]] = {True: set(), False: set()}
    for record, flag in zip(records, is_key, strict=True):
        ids[flag] |= {instance['instance_id'] for instance in record['instances']}
    return all(is_key) or not ids[True].isdisjoint(ids[False])
