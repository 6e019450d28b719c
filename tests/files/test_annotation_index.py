from __future__ import annotations

import copy
import json
import os
import pickle
import random
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from test_annotation_file import AMODAL, EMPTY, FAULTS, HEIGHT, VISIBLE, WIDTH, entry, tiny

from vatrack.files import AnnotationError, AnnotationIndex, annotation_index, load_annotations
from vatrack.structures import MASK_KINDS, AnnotationFile, Frame, Instance, Video

LISTS = ('categories', 'videos', 'images', 'annotations')


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv('VATRACK_CACHE', str(tmp_path / 'cache'))
    return tmp_path / 'cache'


def write(path: Path, raw: dict) -> Path:
    path.write_text(json.dumps(raw))
    return path


def unpacked(index: AnnotationIndex) -> AnnotationFile:
    """All that an index holds, as :func:`load_annotations` gives it."""
    videos = []
    for video, (start, stop) in enumerate(zip(index.video_starts, index.video_starts[1:],
                                              strict=False)):
        height, width = index.video_sizes[video].tolist()
        frames = [Frame(int(index.image_ids[frame]), int(index.frame_ids[frame]),
                        index.file_names[frame], instances_of(index, frame, (height, width)))
                  for frame in range(start, stop)]
        videos.append(Video(int(index.video_ids[video]), index.video_names[video], width, height,
                            frames))
    return AnnotationFile(index.path, index.categories, videos)


def instances_of(index: AnnotationIndex, frame: int, size: tuple[int, int]) -> list[Instance]:
    return [instance_of(index, each, size)
            for each in range(*index.frame_starts[frame:frame + 2].tolist())]


def instance_of(index: AnnotationIndex, row: int, size: tuple[int, int]) -> Instance:
    rate = index.occlusions[row]
    return Instance(
        int(index.ids[row]), int(index.instance_ids[row]),
        list(index.categories)[index.category_positions[row]],
        {kind: index.masks(kind, [row], size)[0] for kind in MASK_KINDS
         if index.has_mask(kind)[row]},
        {kind: tuple(boxes[row].tolist()) for kind, boxes in index.bboxes.items()
         if not np.isnan(boxes[row]).any()},
        None if np.isnan(rate) else float(rate), bool(index.iscrowd[row]))


def many(seed: int) -> dict:
    """A file of several videos with everything that an entry may have or lack."""
    rng = random.Random(seed)
    raw = dict(categories=[dict(id=id_, name=f'c{id_}') for id_ in (9, 3, 5)], videos=[], images=[],
               annotations=[])
    for video in rng.sample(range(50), 4):
        raw['videos'].append(dict(id=video, name=f'v{video}é', width=WIDTH, height=HEIGHT))
        for frame_id in rng.sample(range(9), rng.randrange(1, 6)):
            image = len(raw['images']) * 7 % 101
            raw['images'].append(dict(id=image, video_id=video, frame_id=frame_id,
                                      file_name=f'v{video}/{frame_id}.png'))
            raw['annotations'] += [any_entry(rng, image, instance)
                                   for instance in rng.sample(range(5), rng.randrange(5))]
    for number, each in enumerate(raw['annotations']):
        each['id'] = number * 13 % 1009
    return raw


def any_entry(rng: random.Random, image: int, instance: int) -> dict:
    changes = dict(
        image_id=image, instance_id=instance, category_id=rng.choice([9, 3, 5]),
        iscrowd=rng.choice([0, 1]), occlude_rate=rng.choice([None, 0, .3, 1]),
        bbox=rng.choice([None, [0.25, 1, 3, 2.5], [-9, 1, 30, 2]]))
    case = rng.randrange(4)
    if case == 0:
        changes |= dict(visible_mask=None, bbox_visible=None)
    elif case == 1:
        changes |= dict(amodal_mask=None, visible_mask=VISIBLE, bbox_visible=None)
    elif case == 2:
        changes |= dict(visible_mask=EMPTY)
    return entry(**changes)


@pytest.mark.parametrize('seed', range(6))
def test_everything_is_as_load_annotations_reads_it(seed, tmp_path):
    path = write(tmp_path / 'a.json', many(seed))
    expected = load_annotations(path)
    assert sum(len(frame.instances) for _, frame in expected.frames) > 5
    assert unpacked(AnnotationIndex.open(path)) == expected


def test_published_sample(sailvos_sample):
    assert unpacked(AnnotationIndex.open(sailvos_sample)) == load_annotations(sailvos_sample)


@pytest.mark.parametrize(
    'order', [LISTS[::-1], *random.Random(0).sample([*permutations(LISTS)], 5)])
def test_lists_and_entries_in_any_order(order, tmp_path):
    raw = many(3) | {'info': {'year': 2020}, 'licenses': []}
    rng = random.Random(1)
    for name in ('images', 'annotations'):
        rng.shuffle(raw[name])
    path = write(tmp_path / 'a.json', {key: raw[key] for key in ('info', *order, 'licenses')})
    index = AnnotationIndex.open(path)
    assert unpacked(index) == load_annotations(path)
    straight = load_annotations(write(tmp_path / 'b.json', raw))
    assert unpacked(index).videos == straight.videos


@pytest.mark.parametrize('lists', [LISTS, LISTS[::-1]])
@pytest.mark.parametrize('empty', [('annotations',), LISTS[1:], LISTS])
def test_empty_lists(empty, lists, tmp_path):
    raw = {key: [] if key in empty else tiny()[key] for key in lists}
    path = write(tmp_path / 'a.json', raw)
    index = AnnotationIndex.open(path)
    assert unpacked(index) == load_annotations(path)
    assert len(index.ids) == 0 and len(index.video_starts) == len(index.video_ids) + 1
    assert not index.has_mask('amodal').any()


def test_masks_of_several_objects(tmp_path):
    path = write(tmp_path / 'a.json', tiny(entry(), entry(id=1, instance_id=1, visible_mask=EMPTY,
                                                         bbox_visible=None)))
    index = AnnotationIndex.open(path)
    size = (HEIGHT, WIDTH)
    assert index.masks('visible', np.array([1, 0]), size) == [EMPTY, VISIBLE]
    assert index.masks('amodal', slice(0, 2), size) == [AMODAL, AMODAL]
    first, second = index.masks('amodal', [0, 0], size)
    assert first['size'] is not second['size']
    assert index.has_mask('visible', slice(1, 2)).tolist() == [True]
    assert index.video_of(1) == 0


@pytest.mark.parametrize(('fault', 'where', 'parts'), FAULTS)
def test_faults_are_those_of_load_annotations(fault, where, parts, tmp_path, cache):
    raw = tiny(entry())
    fault(raw)
    path = write(tmp_path / 'annotations.json', raw)
    messages = []
    for read in (load_annotations, AnnotationIndex.open):
        with pytest.raises(AnnotationError) as caught:
            read(path)
        messages.append(str(caught.value))
    assert messages[0] == messages[1] and messages[0].startswith(f'{path}: {where}')
    assert not [folder for folder in cache.glob('*/*') if folder.is_dir()]


@pytest.mark.parametrize('content', [
    None, '', '[1]', '{"categories": []}', json.dumps(tiny() | {'images': {}}),
    json.dumps(tiny(entry()))[:-9], json.dumps({'videos': 1, **tiny(entry())}, indent=1)[:300]])
def test_unreadable_files_are_refused_as_by_load_annotations(content, tmp_path):
    path = tmp_path / 'a.json'
    if content is not None:
        path.write_text(content)
    messages = []
    for read in (load_annotations, AnnotationIndex.open):
        with pytest.raises(AnnotationError) as caught:
            read(path)
        messages.append(str(caught.value))
    assert messages[0] == messages[1] and messages[0].startswith(f'{path}: ')


@pytest.mark.parametrize(('name', 'key'), [('annotations', 'id'), ('annotations', 'instance_id'),
                                           ('images', 'frame_id'), ('videos', 'width')])
@pytest.mark.parametrize('value', [2**63, 10**400])
def test_integers_beyond_64_bits_are_refused(name, key, value, tmp_path):
    raw = tiny(entry())
    raw[name][0][key] = value
    with pytest.raises(AnnotationError, match=rf"{name}\[0\].*'{key}' must be an integer.*64 bits"):
        AnnotationIndex.open(write(tmp_path / 'a.json', raw))


def must_not_build(self) -> None:
    raise AssertionError('built again')


def test_the_index_is_built_once(tmp_path, monkeypatch):
    path = write(tmp_path / 'a.json', tiny(entry()))
    first = unpacked(AnnotationIndex.open(path))
    monkeypatch.setattr(annotation_index._IndexBuilder, 'build', must_not_build)
    os.utime(path, (1, 1))  # a copy or a download has another date
    assert unpacked(AnnotationIndex.open(path)) == first
    assert unpacked(AnnotationIndex.open(str(path))) == first


def test_changed_content_is_noticed_whatever_size_and_date_say(tmp_path, cache):
    path = write(tmp_path / 'a.json', tiny(entry(occlude_rate=.25)))
    assert AnnotationIndex.open(path).occlusions.tolist() == [.25]
    before = path.stat()
    write(path, tiny(entry(occlude_rate=.75)))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert AnnotationIndex.open(path).occlusions.tolist() == [.75]
    assert len([*cache.glob('*/*/columns.bin')]) == 1


def test_another_format_is_built_anew(tmp_path, cache, monkeypatch):
    path = write(tmp_path / 'a.json', tiny(entry()))
    AnnotationIndex.open(path)
    monkeypatch.setattr(annotation_index, '_VERSION', annotation_index._VERSION + 1)
    AnnotationIndex.open(path)
    folder, = cache.glob('*/*/')
    assert folder.name.endswith(f'-v{annotation_index._VERSION}')


@pytest.mark.parametrize('name', ['columns.bin', 'columns.json'])
@pytest.mark.parametrize('content', [None, b'', b'garbage'])
def test_a_damaged_index_is_built_anew(name, content, tmp_path, cache):
    path = write(tmp_path / 'a.json', many(0))
    expected = unpacked(AnnotationIndex.open(path))
    damaged, = cache.glob(f'*/*/{name}')
    if content is None:
        damaged.unlink()
    else:
        damaged.write_bytes(content)
    assert unpacked(AnnotationIndex.open(path)) == expected


def test_a_file_that_changes_while_it_is_read(tmp_path, cache, monkeypatch):
    path = write(tmp_path / 'a.json', tiny(entry()))
    real = annotation_index.content_hash

    def hash_then_change(path):
        found = real(path)
        path.write_text(path.read_text() + ' ')
        return found

    monkeypatch.setattr(annotation_index, 'content_hash', hash_then_change)
    with pytest.raises(AnnotationError, match=r'a\.json: changed while it was being read'):
        AnnotationIndex.open(path)
    assert not [*cache.glob('*/*/')]


@pytest.mark.parametrize('duplicate', [copy.deepcopy, lambda i: pickle.loads(pickle.dumps(i))])
def test_copies_map_the_same_file(duplicate, tmp_path):
    path = write(tmp_path / 'a.json', many(0))
    index = AnnotationIndex.open(path)
    assert len(pickle.dumps(index)) < 1000
    assert unpacked(duplicate(index)) == unpacked(index)


def test_a_removed_index_is_named(tmp_path, cache):
    path = write(tmp_path / 'a.json', tiny(entry()))
    index = AnnotationIndex.open(path)
    pickled = pickle.dumps(index)
    write(path, tiny())
    AnnotationIndex.open(path)
    assert index.ids.tolist() == [0]  # what is mapped stays
    with pytest.raises(AnnotationError, match=r'a\.json: its index .* was removed while in use'):
        pickle.loads(pickled)
