from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from vatrack.converters.common import run_parallel
from vatrack.files import AnnotationError, AnnotationWriter, check_annotations, load_annotations
from vatrack.structures import Instance
from vatrack.structures import rle as rle_ops

HEIGHT, WIDTH = 8, 12


def mask(x1: int, y1: int, x2: int, y2: int) -> dict:
    pixels = np.zeros((1, HEIGHT, WIDTH), bool)
    pixels[0, y1:y2, x1:x2] = True
    return rle_ops.encode(pixels)[0]


def instance(instance_id: int = 0, category_id: int = 1, occlusion=None, bboxes=None,
             **masks) -> Instance:
    return Instance(0, instance_id, category_id, masks, bboxes or {}, occlusion)


AMODAL, VISIBLE, EMPTY = mask(1, 2, 5, 6), mask(1, 2, 4, 6), mask(0, 0, 0, 0)


def write(path: Path, *frames: list[Instance]) -> dict:
    with AnnotationWriter(path, {1: 'square', 7: 'disc'}) as writer:
        writer.add_video('v', WIDTH, HEIGHT)
        for index, instances in enumerate(frames):
            writer.add_frame(f'v/{index}.jpg', instances)
    return json.loads(path.read_text())


def test_every_key_of_the_canonical_form(tmp_path):
    raw = write(tmp_path / 'sub' / 'a.json', [instance(5, 7, amodal=AMODAL, visible=VISIBLE)], [])
    assert raw == {
        'categories': [{'id': 1, 'name': 'square'}, {'id': 7, 'name': 'disc'}],
        'videos': [{'id': 1, 'name': 'v', 'width': 12, 'height': 8, 'num_frames': 2}],
        'images': [{'id': i + 1, 'video_id': 1, 'file_name': f'v/{i}.jpg', 'frame_id': i,
                    'width': 12, 'height': 8} for i in range(2)],
        'annotations': [{
            'id': 1, 'video_id': 1, 'image_id': 1, 'category_id': 7, 'instance_id': 5,
            'bbox': [1, 2, 4, 4], 'bbox_visible': [1, 2, 3, 4], 'amodal_mask': AMODAL,
            'visible_mask': VISIBLE, 'area_amodal': 16, 'area_visible': 12,
            'occlude_rate': 0.25, 'iscrowd': 0}]}
    assert [path.name for path in (tmp_path / 'sub').iterdir()] == ['a.json']


def test_fully_hidden_object_has_a_null_visible_box(tmp_path):
    entry = write(tmp_path / 'a.json', [instance(amodal=AMODAL, visible=EMPTY)])['annotations'][0]
    assert entry['bbox'] == [1, 2, 4, 4] and entry['bbox_visible'] is None
    assert entry['visible_mask'] == EMPTY and entry['area_visible'] == 0
    assert entry['occlude_rate'] == 1
    read = load_annotations(tmp_path / 'a.json').videos[0].frames[0].instances[0]
    assert read.masks['visible'] == EMPTY and list(read.bboxes) == ['amodal']


def test_visible_only(tmp_path):
    frames = [instance(visible=VISIBLE, occlusion=0.75), instance(1, visible=mask(6, 2, 8, 4))]
    entries = write(tmp_path / 'a.json', frames)['annotations']
    assert entries[0]['bbox'] == entries[0]['bbox_visible'] == [1, 2, 3, 4]
    assert not {'amodal_mask', 'area_amodal'} & entries[0].keys()
    assert entries[0]['occlude_rate'] == 0.75 and 'occlude_rate' not in entries[1]
    first, second = load_annotations(tmp_path / 'a.json').videos[0].frames[0].instances
    assert first.bboxes == {'visible': (1, 2, 4, 6)} and first.occlusion == 0.75
    assert second.occlusion is None


def test_amodal_only(tmp_path):
    entry = write(tmp_path / 'a.json', [instance(amodal=AMODAL)])['annotations'][0]
    assert not {'visible_mask', 'bbox_visible', 'area_visible', 'occlude_rate'} & entry.keys()


def test_given_boxes_win_over_tight_ones(tmp_path):
    wide = instance(amodal=AMODAL, visible=VISIBLE, bboxes={'amodal': (0, 1, 6, 7)})
    entry = write(tmp_path / 'a.json', [wide])['annotations'][0]
    assert entry['bbox'] == [0, 1, 6, 6] and entry['bbox_visible'] == [1, 2, 3, 4]


def test_uncompressed_masks_are_compressed(tmp_path):
    runs = {'size': [HEIGHT, WIDTH], 'counts': [10, 4, 4, 4, 4, 4, 4, 4, 58]}
    entry = write(tmp_path / 'a.json', [instance(amodal=runs)])['annotations'][0]
    assert entry['amodal_mask'] == AMODAL


def test_ids_count_over_videos(tmp_path):
    with AnnotationWriter(tmp_path / 'a.json', {1: 'square'}) as writer:
        for name in 'vw':
            writer.add_video(name, WIDTH, HEIGHT)
            for index in range(3):
                writer.add_frame(f'{name}/{index}.png', [instance(i, amodal=AMODAL)
                                                         for i in range(index)])
    annotations = load_annotations(tmp_path / 'a.json')
    assert [video.id for video in annotations.videos] == [1, 2]
    frames = [frame for _, frame in annotations.frames]
    assert [frame.id for frame in frames] == [1, 2, 3, 4, 5, 6]
    assert [frame.frame_id for frame in frames] == [0, 1, 2, 0, 1, 2]
    ids = [i.id for frame in frames for i in frame.instances]
    assert ids == [1, 2, 3, 4, 5, 6]


def test_sailvos_sample_survives_writing(sailvos_sample, tmp_path):
    source = load_annotations(sailvos_sample)
    with AnnotationWriter(tmp_path / 'a.json', source.categories) as writer:
        for video in source.videos:
            writer.add_video(video.name, video.width, video.height)
            for frame in video.frames:
                writer.add_frame(frame.file_name, frame.instances)
    copy = load_annotations(tmp_path / 'a.json')
    assert copy.categories == source.categories
    for (_, old), (_, new) in zip(source.frames, copy.frames, strict=True):
        assert (old.file_name, old.frame_id) == (new.file_name, new.frame_id)
        for before, after in zip(old.instances, new.instances, strict=True):
            after.id = before.id
            assert after.occlusion == pytest.approx(before.occlusion, abs=1e-12)
            after.occlusion = before.occlusion
            assert before == after
    assert check_annotations(tmp_path / 'a.json').ok


def test_annotations_reach_the_disk_while_writing(tmp_path):
    with AnnotationWriter(tmp_path / 'a.json', {1: 'square'}) as writer:
        writer.add_video('v', WIDTH, HEIGHT)
        for index in range(300):
            writer.add_frame(f'v/{index}.png', [instance(amodal=AMODAL)])
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) > 50_000
        assert not (tmp_path / 'a.json').exists()
    assert len(load_annotations(tmp_path / 'a.json').videos[0].frames) == 300


FAULTS = {
    'size': ([instance(3, amodal={'size': [12, 8], 'counts': AMODAL['counts']})],
             "'amodal_mask' has size"),
    'category': ([instance(3, 2, amodal=AMODAL)], r'category 2 is not one of \[1, 7\]'),
    'twice': ([instance(3, amodal=AMODAL), instance(3, amodal=AMODAL)], 'occurs twice'),
    'empty': ([instance(3, amodal=EMPTY, visible=EMPTY)], 'has no pixel'),
    'hidden': ([instance(3, visible=EMPTY)], 'has no pixel'),
    'no masks': ([instance(3)], 'has no pixel'),
    'polygon': ([instance(3, visible=[[1, 1, 3, 1, 3, 3]])], 'holds polygons'),
}


@pytest.mark.parametrize('name', FAULTS)
def test_wrong_instances_are_named_and_nothing_is_left(name, tmp_path):
    instances, message = FAULTS[name]
    (tmp_path / 'a.json').write_text('the file of an earlier run')
    where = "a.json: video 'v', frame 'v/0.jpg', instance 3: "
    with pytest.raises(AnnotationError, match=f'{where}.*{message}'):
        write(tmp_path / 'a.json', instances)
    assert [path.name for path in tmp_path.iterdir()] == ['a.json']
    assert (tmp_path / 'a.json').read_text() == 'the file of an earlier run'


def test_two_categories_of_one_name_are_refused(tmp_path):
    with pytest.raises(AnnotationError, match=r"a\.json: two categories are called 'square'"):
        AnnotationWriter(tmp_path / 'a.json', {1: 'square', 2: 'disc', 7: 'square'})


def test_videos_need_frames(tmp_path):
    with pytest.raises(AnnotationError, match=r"videos without a frame: \['v'\]"):
        write(tmp_path / 'a.json')
    assert not list(tmp_path.iterdir())


def touch(path: Path) -> None:
    if path.name == 'bad':
        raise ValueError('bad job')
    path.touch()


@pytest.mark.parametrize('workers', [1, 2])
def test_run_parallel_does_every_job_and_raises_the_first_error(workers, tmp_path):
    jobs = [tmp_path / str(index) for index in range(5)]
    run_parallel(touch, jobs, workers, 'test')
    assert all(job.exists() for job in jobs)
    with pytest.raises(ValueError, match='bad job'):
        run_parallel(touch, [tmp_path / 'bad', *jobs], workers, 'test')
