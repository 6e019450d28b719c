"""Splits on disk: layout, truth, determinism and care for what is there."""
from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from vatrack.files import load_annotations
from vatrack.structures.rle import decode
from vatrack.synthetic import OutputExistsError, SceneConfig, generate
from vatrack.synthetic.writer import STAMP, draw_video

CONFIG = SceneConfig(num_frames=5, width=96, height=64, occlusion=0.9, seed=11)


def frames_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob('*.png'))}


@pytest.fixture(scope='module')
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp('synthetic')
    report = generate(out, 'train', 4, CONFIG)
    assert report.made and report.videos == 4 and report.frames == 20
    return out


@pytest.fixture(scope='module')
def content(dataset: Path) -> dict[str, Any]:
    return json.loads((dataset / 'train.json').read_text())


def test_layout(dataset: Path, content: dict[str, Any]) -> None:
    assert [c['id'] for c in content['categories']] == [1, 2, 3, 4, 5]
    assert [c['name'] for c in content['categories']] == list(CONFIG.classes)
    assert [v['id'] for v in content['videos']] == [1, 2, 3, 4]
    assert [i['frame_id'] for i in content['images']] == [0, 1, 2, 3, 4] * 4
    first = content['images'][0]
    assert first['file_name'] == f"{content['videos'][0]['name']}/images/000000.png"
    for image in content['images']:
        picture = cv2.imread(str(dataset / 'train' / image['file_name']))
        assert picture.shape == (64, 96, 3) == (image['height'], image['width'], 3)
    assert [a['id'] for a in content['annotations']] == list(
        range(1, len(content['annotations']) + 1))


def test_annotations_agree_with_their_masks(content: dict[str, Any]) -> None:
    seen: dict[int, np.ndarray] = {}
    for entry in content['annotations']:
        amodal, visible = decode([entry['amodal_mask'], entry['visible_mask']], (64, 96))
        assert not (visible & ~amodal).any()
        assert entry['area_amodal'] == amodal.sum() >= 16
        assert entry['area_visible'] == visible.sum()
        assert entry['occlude_rate'] == 1 - visible.sum() / amodal.sum()
        assert entry['bbox'] == tight_xywh(amodal)
        assert entry['bbox_visible'] == tight_xywh(visible)
        assert entry['iscrowd'] == 0
        others = seen.setdefault(entry['image_id'], np.zeros((64, 96), dtype=np.uint8))
        assert not (others & visible).any()
        others |= visible


def tight_xywh(mask: np.ndarray) -> list[float] | None:
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return None
    return [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]


def test_hidden_objects_keep_their_entry(content: dict[str, Any]) -> None:
    hidden = [entry for entry in content['annotations'] if entry['occlude_rate'] == 1]
    assert hidden
    for entry in hidden:
        assert entry['bbox_visible'] is None and entry['area_visible'] == 0
        assert entry['area_amodal'] >= 16


def test_instances_keep_their_category_and_start_at_zero(content: dict[str, Any]) -> None:
    category: dict[tuple[int, int], int] = {}
    for entry in content['annotations']:
        key = (entry['video_id'], entry['instance_id'])
        assert category.setdefault(key, entry['category_id']) == entry['category_id']
    assert {video_id for video_id, instance_id in category if instance_id == 0} == {1, 2, 3, 4}
    per_frame = [(e['image_id'], e['instance_id']) for e in content['annotations']]
    assert len(per_frame) == len(set(per_frame))


def test_loads_as_a_vatrack_annotation_file(dataset: Path, content: dict[str, Any]) -> None:
    loaded = load_annotations(dataset / 'train.json')
    assert loaded.categories == dict(enumerate(CONFIG.classes, start=1))
    assert [len(video.frames) for video in loaded.videos] == [5] * 4
    instances = [i for _, frame in loaded.frames for i in frame.instances]
    assert len(instances) == len(content['annotations'])
    assert all({'amodal', 'visible'} == set(i.masks) for i in instances)
    assert 0 in {i.instance_id for i in instances}


def test_same_options_give_the_same_bytes(dataset: Path, tmp_path: Path) -> None:
    generate(tmp_path, 'train', 4, CONFIG)
    assert frames_of(tmp_path) == frames_of(dataset)
    assert (tmp_path / 'train.json').read_bytes() == (dataset / 'train.json').read_bytes()


def test_videos_do_not_depend_on_their_number_or_on_workers(dataset: Path, tmp_path: Path) -> None:
    done: list[int] = []
    generate(tmp_path, 'train', 2, CONFIG, workers=2, on_frame=done.append)
    assert sum(done) == 10
    expected = frames_of(dataset)
    assert frames_of(tmp_path) == {name: expected[name] for name in frames_of(tmp_path)}
    few, many = (json.loads((out / 'train.json').read_text()) for out in (tmp_path, dataset))
    assert few['annotations'] == many['annotations'][:len(few['annotations'])]
    assert {a['video_id'] for a in few['annotations']} == {1, 2}


def test_frames_are_handed_over_one_by_one(tmp_path: Path) -> None:
    frames = draw_video(tmp_path, 'long', replace(CONFIG, num_frames=3000), 0)
    for count in (1, 2):
        name, instances = next(frames)
        assert name == f'long_0000/images/{count - 1:06d}.png' and instances
        assert len(frames_of(tmp_path)) == count


def test_seed_and_split_change_the_pictures(dataset: Path, tmp_path: Path) -> None:
    generate(tmp_path / 'seed', 'train', 1, replace(CONFIG, seed=12))
    generate(tmp_path / 'split', 'val', 1, CONFIG)
    pictures = [next(iter(frames_of(out).values()))
                for out in (dataset, tmp_path / 'seed', tmp_path / 'split')]
    assert len(set(pictures)) == 3


def test_report_counts_the_annotations(dataset: Path, content: dict[str, Any]) -> None:
    report = generate(dataset, 'train', 4, CONFIG)
    rates = np.array([a['occlude_rate'] for a in content['annotations']])
    assert report.annotations == len(rates) == sum(report.histogram.values())
    assert report.histogram['0'] == (rates == 0).sum()
    assert report.histogram['0.5-0.75'] == ((rates > 0.5) & (rates <= 0.75)).sum()
    assert report.histogram['1'] == (rates == 1).sum()
    tracks = {(a['video_id'], a['instance_id']) for a in content['annotations']}
    assert report.objects == len(tracks)


def test_same_options_again_change_nothing(dataset: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in dataset.rglob('*')}
    report = generate(dataset, 'train', 4, replace(CONFIG, objects=CONFIG.object_range))
    assert not report.made
    assert {path: path.stat().st_mtime_ns for path in dataset.rglob('*')} == before


def test_other_options_are_refused_unless_told(tmp_path: Path) -> None:
    generate(tmp_path, 'train', 2, CONFIG)
    before = frames_of(tmp_path)
    with pytest.raises(OutputExistsError, match=r'train is there already.*--overwrite'):
        generate(tmp_path, 'train', 1, CONFIG)
    assert frames_of(tmp_path) == before
    report = generate(tmp_path, 'train', 1, CONFIG, overwrite=True)
    assert report.made and len(frames_of(tmp_path)) == 5


def test_foreign_data_is_never_removed(tmp_path: Path) -> None:
    (tmp_path / 'train').mkdir()
    (tmp_path / 'train' / 'thesis.txt').write_text('do not lose me')
    with pytest.raises(OutputExistsError, match='something else'):
        generate(tmp_path, 'train', 1, CONFIG)
    with pytest.raises(OutputExistsError, match='not written by this generator'):
        generate(tmp_path, 'train', 1, CONFIG, overwrite=True)
    assert [path.name for path in tmp_path.rglob('*')] == ['train', 'thesis.txt']


def test_lone_annotation_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / 'train.json').write_text('{}')
    with pytest.raises(OutputExistsError, match=r'train\.json'):
        generate(tmp_path, 'train', 1, CONFIG)


def test_broken_off_run_is_made_again(dataset: Path, tmp_path: Path) -> None:
    class Interrupt(Exception):
        pass

    def stop(_: int) -> None:
        raise Interrupt

    with pytest.raises(Interrupt):
        generate(tmp_path, 'train', 4, CONFIG, on_frame=stop)
    assert (tmp_path / 'train' / STAMP).exists() and not (tmp_path / 'train.json').exists()
    assert generate(tmp_path, 'train', 4, CONFIG).made
    assert frames_of(tmp_path) == frames_of(dataset)


@pytest.mark.parametrize('wrong', [{'num_videos': 0}, {'num_videos': 1, 'workers': 0}])
def test_counts_must_be_positive(tmp_path: Path, wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match='at least 1'):
        generate(tmp_path, 'train', config=CONFIG, **wrong)
    assert not list(tmp_path.iterdir())
