from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from made_sailvos import HEIGHT, WIDTH, Made, make_sailvos, make_structure
from mmengine.config import Config
from scripts import REPO

from vatrack.converters import ConversionError
from vatrack.converters.sailvos import write as sailvos_write
from vatrack.converters.sailvos.convert import (
    SailvosOptions,
    convert_sailvos,
    convert_sailvos_cut,
    find_splits,
)
from vatrack.converters.sailvos.detection import DetectionOptions
from vatrack.files import check_annotations, load_annotations, resolve_image
from vatrack.structures import Instance

VIDEOS = {'train': {'ah_1_ext': [5, 9, 7], 'bs_2a_ext': [8]}, 'valid': {'one': [6, 7], 'x': [1]}}
SHOTS = {'train': {'ah_1_ext__5': 5, 'ah_1_ext__14': 9, 'ah_1_ext__20': 7, 'bs_2a_ext__7': 8},
         'valid': {'one__6': 6, 'one__12': 7, 'x__0': 1}}
SUFFIX = {'amodal': 'bbox=amdl_bbox', 'visible': 'bbox=visb_bbox', 'both': 'bbox=both_bbox'}
SHARED = {'id', 'video_id', 'image_id', 'category_id', 'instance_id', 'obj_id', 'model_id',
          'iscrowd', 'occlu_depth', 'occlude_rate', 'bbox', 'bbox_visible', 'segmentation',
          'amodal_mask', 'visible_mask', 'area_amodal', 'area_visible'}


@pytest.fixture(scope='module')
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Raw data. Read only."""
    return make_sailvos(tmp_path_factory.mktemp('sailvos') / 'raw', VIDEOS)


@pytest.fixture
def structure(tmp_path: Path) -> Path:
    return make_structure(tmp_path / 's.json', VIDEOS['train'] | VIDEOS['valid'])


def cut(made: Made, out: Path, cuts: Path | DetectionOptions, **options) -> Path:
    """Convert; returns the folder of the annotation files."""
    convert_sailvos_cut(made.splits, made.root, out, cuts, SailvosOptions(**options))
    return out / 'sailvos_cut_json/joint'


def whole(made: Made, out: Path, **options) -> Path:
    convert_sailvos(made.splits, made.root, out, SailvosOptions(**options))
    return out / 'sailvos_complete_json/joint'


def originals(made: Made, split: str) -> dict[tuple[int, int], dict]:
    """Entries that must survive by (image id, obj_id)."""
    return {(entry['image_id'], entry['obj_id']): entry
            for entry in made.json[split]['annotations'] if entry['category_id'] != 8}


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob('*')) if path.is_file()}


def corners(box: list[float]) -> tuple[float, ...]:
    return box[0], box[1], box[0] + box[2], box[1] + box[3]


def object_ids(path: Path) -> dict[int, int]:
    """``obj_id`` by annotation id; the loader does not give it."""
    return {entry['id']: entry['obj_id'] for entry in json.loads(path.read_text())['annotations']}


def check_instance(instance: Instance, entry: dict) -> None:
    """Everything that the loader gives is what the official entry says."""
    assert instance.masks == {'amodal': entry['segmentation'], 'visible': entry['visible_mask']}
    assert instance.occlusion == entry['occlude_rate'] and not instance.iscrowd
    assert instance.category_id == {3: 1, 40: 2}[entry['category_id']]
    boxes = {'amodal': corners(entry['bbox'])}
    if entry['area_visible']:
        boxes['visible'] = corners(entry['bbox_visible'])
    assert instance.bboxes == boxes


@pytest.mark.parametrize('boxes', SUFFIX)
@pytest.mark.parametrize('split', SHOTS)
@pytest.mark.parametrize('detect', [False, True])
def test_cut_round_trip(boxes, split, detect, made, structure, tmp_path):
    cuts = DetectionOptions() if detect else structure
    path = cut(made, tmp_path / 'data', cuts, boxes=(boxes,)) / f'{split}({SUFFIX[boxes]}).json'
    annotations = load_annotations(path)
    assert annotations.categories == {1: 'person', 2: 'stick'}
    assert {v.name: len(v.frames) for v in annotations.videos} == SHOTS[split]
    assert [v.name for v in annotations.videos] == list(SHOTS[split])
    assert [v.id for v in annotations.videos] == list(range(1, len(annotations.videos) + 1))
    images = {image['id']: image for image in made.json[split]['images']}
    expected, handles, identities, order = originals(made, split), object_ids(path), {}, []
    for video in annotations.videos:
        assert (video.width, video.height) == (WIDTH, HEIGHT)
        assert [frame.frame_id for frame in video.frames] == list(range(len(video.frames)))
        objects = {}
        for frame in video.frames:
            name = images.pop(frame.id)['file_name'].replace('.bmp', '.png')
            assert frame.file_name == f"{video.name}/{name.partition('/')[2]}"
            for instance in frame.instances:
                handle = handles[instance.id]
                check_instance(instance, expected.pop((frame.id, handle)))
                assert objects.setdefault(instance.instance_id, handle) == handle
                order.append(instance.id)
        assert len(set(objects.values())) == len(objects) == 3
        assert not objects.keys() & identities.keys()
        identities |= objects
    assert not expected and not images
    assert sorted(identities) == list(range(1, len(identities) + 1))
    assert order == list(range(1, len(order) + 1))
    report = check_annotations(path, tmp_path / 'data' / 'sailvos_cut_png')
    assert report.ok and not report.warnings, report.errors + report.warnings


def test_uncut_round_trip(made, tmp_path):
    folder = whole(made, tmp_path / 'data')
    assert sorted(path.name for path in folder.iterdir()) == ['train.json', 'valid.json']
    for split, by_video in VIDEOS.items():
        annotations = load_annotations(folder / f'{split}.json')
        assert {v.name: len(v.frames) for v in annotations.videos} == {
            name: sum(lengths) for name, lengths in by_video.items()}
        expected, handles = originals(made, split), object_ids(folder / f'{split}.json')
        for video, frame in annotations.frames:
            position = frame.frame_id + 3
            assert frame.file_name == f'{video.name}/images/{position:06d}.png'
            for instance in frame.instances:
                check_instance(instance, expected.pop((frame.id, handles[instance.id])))
        assert not expected
        ids = {(v.id, i.instance_id) for v, frame in annotations.frames for i in frame.instances}
        assert sorted(number for _, number in ids) == list(range(1, len(ids) + 1))
        report = check_annotations(folder / f'{split}.json', tmp_path / 'data/sailvos_complete_png')
        assert report.ok and not report.warnings, report.errors + report.warnings


@pytest.mark.parametrize(('boxes', 'more'), [
    ('amodal', set()), ('both', {'bbox_amodal'}), ('visible', {'bbox_amodal', 'invisible_mask'})])
def test_keys_of_the_variants(boxes, more, made, structure, tmp_path):
    folder = cut(made, tmp_path / 'data', structure, boxes=tuple(SUFFIX), frames='reference')
    raw = json.loads((folder / f'train({SUFFIX[boxes]}).json').read_text())
    assert list(raw) == ['categories', 'models', 'videos', 'images', 'annotations']
    assert raw['models'] == [{'id': 1, 'category_id': 2, 'name': 'branch'}]
    assert raw['videos'][1] == {'id': 2, 'name': 'ah_1_ext__14', 'width': 48, 'height': 32,
                                'num_frames': 9}
    assert raw['images'][5] == {'id': 5, 'video_id': 2, 'file_name': 'ah_1_ext/images/000008.bmp',
                                'frame_id': 0, 'width': 48, 'height': 32}
    expected = originals(made, 'train')
    for entry in raw['annotations']:
        assert entry.keys() == SHARED | more
        source = expected[entry['image_id'], entry['obj_id']]
        amodal, visible = source['bbox'], source['bbox_visible']
        assert entry['bbox'] == {'amodal': amodal, 'both': [amodal, visible],
                                 'visible': visible}[boxes]
        assert entry['segmentation'] == [source['segmentation'], source['visible_mask']]
        assert (entry['area_amodal'], entry['area_visible']) == (32, source['area_visible'])
        assert entry['model_id'] == source['model_id']
        assert entry.get('bbox_amodal', amodal) == amodal
        assert entry.get('invisible_mask', source['invisible_mask']) == source['invisible_mask']


@pytest.mark.parametrize(('limit', 'hidden'), [(0.5, {0, 1, 2, 3, 4}), (0.375, {0, 1, 2, 3}),
                                               (0, {0}), (1, {0, 1, 2, 3, 4, 8})])
def test_max_occlusion(limit, hidden, made, structure, tmp_path):
    written = convert_sailvos_cut(made.splits, made.root, tmp_path, structure,
                                  SailvosOptions(max_occlusion=limit, frames='reference'))
    kept = json.loads(written[0].path.read_text())['annotations']
    assert {entry['occlude_rate'] for entry in kept} == {each / 8 for each in hidden}
    everything = cut(made, tmp_path / 'all', structure, frames='reference') / written[0].path.name
    everything = json.loads(everything.read_text())['annotations']
    assert kept == [entry for entry in everything if entry['occlude_rate'] <= limit]
    assert written[0].annotations == len(kept)
    assert written[0].left_out[f'occluded by more than {limit}'] == len(everything) - len(kept)
    assert written[0].left_out['of other classes'] == 29
    assert f'{len(kept)} annotations (left out: ' in str(written[0])


def test_all_classes(made, tmp_path):
    path = whole(made, tmp_path, all_classes=True, frames='reference') / 'train.json'
    annotations = load_annotations(path)
    assert annotations.categories == {1: 'person', 2: 'aquarium', 3: 'stick'}
    assert {len(frame.instances) for _, frame in annotations.frames} == {4}


def test_limit_counts_videos_of_each_split(made, structure, tmp_path):
    for cuts in (structure, DetectionOptions()):
        folder = cut(made, tmp_path / 'data', cuts, limit=1)
        names = [video.name for split in SHOTS
                 for video in load_annotations(folder / f'{split}(bbox=amdl_bbox).json').videos]
        assert names == ['ah_1_ext__5', 'ah_1_ext__14', 'ah_1_ext__20', 'one__6', 'one__12']
    written = convert_sailvos(made.splits, made.root, tmp_path, SailvosOptions(limit=1))
    assert [(each.videos, each.frames) for each in written] == [(1, 21), (1, 13)]
    assert written[0].left_out['in frames of no video'] == 8 * 4


def test_images_belong_to_the_split_whose_json_has_them(made, tmp_path):
    split = copy.deepcopy(made.json['train'])
    half = {key: list(entries) for key, entries in split.items()}
    for content, wanted in ((split, range(7)), (half, range(7, 21))):
        content['images'] = [image for image in content['images'] if image['id'] in wanted]
        content['annotations'] = [entry for entry in content['annotations']
                                  if entry['image_id'] in wanted]
    both = Made(tmp_path, {name: tmp_path / f'{name}.json' for name in ('train', 'valid')},
                {'train': split, 'valid': half})
    both.write()
    path = make_structure(tmp_path / 's.json', {'ah_1_ext': [5, 9, 7]})
    folder = cut(both, tmp_path, path, frames='reference')
    found = {name: {video.name: [frame.id for frame in video.frames]
                    for video in load_annotations(folder / f'{name}(bbox=amdl_bbox).json').videos}
             for name in ('train', 'valid')}
    assert found == {'train': {'ah_1_ext__5': [0, 1, 2, 3, 4], 'ah_1_ext__14': [5, 6]},
                     'valid': {'ah_1_ext__14': list(range(7, 14)),
                               'ah_1_ext__20': list(range(14, 21))}}


@pytest.mark.parametrize('detect', [False, True])
def test_workers_write_the_same(detect, made, structure, tmp_path):
    cuts = DetectionOptions() if detect else structure
    for workers in (1, 2):
        cut(made, tmp_path / str(workers), cuts, workers=workers, boxes=tuple(SUFFIX))
    assert tree(tmp_path / '1') == tree(tmp_path / '2')
    assert len(tree(tmp_path / '1')) == 6 + 43 + 4 * detect


def test_an_interrupted_run_goes_on(made, tmp_path, monkeypatch):
    cut(made, tmp_path / 'whole', DetectionOptions())
    real = sailvos_write.read_masks
    calls = []

    def fail_late(*arguments):
        calls.append(1)
        if len(calls) == 100:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(sailvos_write, 'read_masks', fail_late)
    with pytest.raises(KeyboardInterrupt):
        cut(made, tmp_path / 'data', DetectionOptions())
    left = tree(tmp_path / 'data')
    assert not any(name.endswith('.part') for name in left)
    # The training split was complete, the other one was under way.
    assert [name for name in left if 'joint' in name] == [
        'sailvos_cut_json/joint/train(bbox=amdl_bbox).json']
    monkeypatch.undo()
    monkeypatch.setattr('vatrack.converters.sailvos.detection.content_score', None)
    cut(made, tmp_path / 'data', DetectionOptions())
    assert tree(tmp_path / 'data') == tree(tmp_path / 'whole')


def test_raw_data_is_only_read(made, structure, tmp_path):
    before = tree(made.root)
    cut(made, tmp_path, structure)
    whole(made, tmp_path, frames='copy')
    assert tree(made.root) == before


@pytest.mark.parametrize('options', [dict(boxes=()), dict(boxes=('modal',)), dict(frames='move')])
def test_options_are_checked(options):
    with pytest.raises(ValueError, match='must be'):
        SailvosOptions(**options)


def test_shots_of_no_split_are_refused_where_both_are_given(made, tmp_path):
    path = make_structure(tmp_path / 's.json', VIDEOS['train'] | VIDEOS['valid'] | {'lost': [5]})
    with pytest.raises(ConversionError, match=r"'lost__4' has .* 000003, but .*train\.json and"):
        cut(made, tmp_path / 'data', path)
    assert not (tmp_path / 'data').exists()
    written = convert_sailvos_cut({'valid': made.splits['valid']}, made.root, tmp_path, path)
    assert [each.videos for each in written] == [3]


@pytest.mark.parametrize('name', ['sailvos-cut', 'sailvos'])
def test_configs_find_what_is_written(name, made, structure, tmp_path):
    cut(made, tmp_path / 'data', structure)
    whole(made, tmp_path / 'data')
    config = Config.fromfile(REPO / f'configs/_base_/datasets/{name}.py')
    for part in ('train', 'val', 'test'):
        dataset = config[f'{part}_dataloader'].dataset
        root = tmp_path / dataset.data_root
        annotations = load_annotations(root / dataset.ann_file)
        for _, frame in annotations.frames:
            assert resolve_image(root / dataset.data_prefix.img_path, frame.file_name).is_file()
    assert (tmp_path / config.test_evaluator.ann_file).is_file()


def test_find_splits(tmp_path):
    with pytest.raises(ConversionError, match=r'neither train\.json nor valid\.json.*--train'):
        find_splits(tmp_path)
    (tmp_path / 'valid.json').touch()
    assert find_splits(tmp_path) == {'valid': tmp_path / 'valid.json'}
    assert find_splits(tmp_path, train='elsewhere.json') == {
        'train': Path('elsewhere.json'), 'valid': tmp_path / 'valid.json'}
