from __future__ import annotations

import copy
import json
import pickle
import random
from collections import defaultdict

import numpy as np
import pytest
from tiny_videos import dataset, thing, write

from vatrack.datasets import KeyReferenceSampler
from vatrack.files import AnnotationError, load_annotations


def key_frames(root, **options):
    """[(video, position)] of the key frames."""
    frames = dataset(root, **options)
    infos = [frames.get_data_info(int(i)) for i in frames.key_indices]
    return [(info['video_name'], info['frame_id']) for info in infos]


def objects(root, **options):
    """(instance id, label) of all objects in time order."""
    frames = dataset(root, **options)
    return [(i['instance_id'], i['bbox_label']) for t in range(frames.video_starts[-1])
            for i in frames.get_data_info(t)['instances']]


def test_key_frames_are_those_with_an_object(tmp_path):
    write(tmp_path, {'a': [[], [thing()], []], 'b': [[thing(), thing(4, at=(30, 20))], []]})
    assert key_frames(tmp_path) == [('a', 1), ('b', 0)]
    assert len(dataset(tmp_path)) == 2
    assert dataset(tmp_path).video_starts.tolist() == [0, 3, 5]


BOTH = dict(box_kinds=['amodal', 'visible'])
BOXES = {'amodal': (4., 6., 20., 14.)}
COUNTS = {
    'threshold is kept': (thing(hidden=.75), dict(max_occlusion=.75), True),
    'above it is dropped': (thing(hidden=13 / 16), dict(max_occlusion=.75), False),
    'no threshold': (thing(hidden=15 / 16), dict(max_occlusion=None), True),
    'unknown rate': (thing(kinds=['amodal']), dict(max_occlusion=.5, mask_kinds=['amodal']), True),
    'given rate': (thing(kinds=['amodal'], occlusion=.6),
                   dict(max_occlusion=.5, mask_kinds=['amodal']), False),
    'crowd': (thing(iscrowd=True), {}, False),
    'thin': (thing(bboxes={'amodal': (4., 6., 4.9, 14.)}), {}, False),
    'one pixel': (thing(bboxes={'amodal': (4., 6., 5., 7.)}), {}, True),
    'flat': (thing(bboxes={'amodal': (4., 6., 20., 6.5)}), {}, False),
    'right of the frame': (thing(bboxes={'amodal': (64., 6., 90., 14.)}), {}, False),
    'above the frame': (thing(bboxes={'amodal': (4., -9., 20., 0.)}), {}, False),
    'across the border': (thing(bboxes={'amodal': (-9., -9., 1., 1.)}), {}, True),
    'fully hidden': (thing(hidden=1), {}, False),
    'fully hidden, visible kind not asked': (thing(hidden=1), dict(mask_kinds=['amodal']), True),
    'fully hidden, visible box': (thing(hidden=1),
                                  dict(mask_kinds=['amodal'], box_kinds=['visible']), False),
    'fully hidden, visible box too': (thing(hidden=1), BOTH | dict(mask_kinds=['amodal']), False),
    'both boxes': (thing(hidden=.5), BOTH, True),
    'thin visible box': (thing(bboxes=BOXES | {'visible': (4., 6., 4.9, 14.)}), BOTH, False),
    'thin visible box not asked': (thing(bboxes=BOXES | {'visible': (4., 6., 4.9, 14.)}), {}, True),
    'visible box outside': (thing(bboxes=BOXES | {'visible': (-9., 6., 0., 14.)}), BOTH, False),
    'thin amodal box': (thing(bboxes={'amodal': (4., 6., 20., 6.9)}), BOTH, False),
    'no masks asked': (thing(hidden=1), dict(mask_kinds=()), True),
    'short side': (thing(), dict(min_size=40), True),
    'too small': (thing(), dict(min_size=41), None),
}


@pytest.mark.parametrize(('instance', 'options', 'counts'), COUNTS.values(), ids=COUNTS)
def test_what_counts_as_an_object(instance, options, counts, tmp_path):
    """Frame 1 always has an object, the one in frame 0 is the case."""
    always = thing(8, 5, size=(6, 6), kinds=list(instance.masks))
    write(tmp_path, {'v': [[instance], [always]]})
    if counts is None:
        with pytest.raises(AnnotationError, match='no frame has an object to train on'):
            dataset(tmp_path, **options)
        return
    assert key_frames(tmp_path, **options) == [('v', 0), ('v', 1)][not counts:]
    assert objects(tmp_path, **options) == [(0, 0), (8, 1)][not counts:]


def test_labels_follow_the_order_of_the_config(tmp_path):
    write(tmp_path, {'v': [[thing(0, 3), thing(1, 5), thing(2, 9)]]})
    assert objects(tmp_path) == [(0, 0), (1, 1), (2, 2)]
    assert dataset(tmp_path).metainfo['classes'] == ('fish', 'turtle', 'leaf')
    assert objects(tmp_path, metainfo=dict(classes=('leaf', 'fish'))) == [(0, 1), (2, 0)]


@pytest.mark.parametrize('kinds', [('amodal',), ('visible',), ('visible', 'amodal')])
def test_boxes_of_the_kinds_asked_for(kinds, tmp_path):
    write(tmp_path, {'v': [[thing(hidden=.5)]]})
    record = dataset(tmp_path, box_kinds=list(kinds)).get_data_info(0)
    boxes = {'amodal': (4, 6, 20, 14), 'visible': (4, 6, 12, 14)}
    assert record['instances'][0]['bboxes'] == {kind: boxes[kind] for kind in kinds}
    assert record['box_kinds'] == kinds == tuple(record['instances'][0]['bboxes'])


@pytest.mark.parametrize(('present', 'options', 'missing'), [
    ('visible', dict(mask_kinds=['visible']), 'no amodal box'),
    ('visible', dict(box_kinds=['visible']), 'no amodal mask'),
    ('amodal', {}, 'no visible mask'),
    ('amodal', BOTH | dict(mask_kinds=['amodal']), 'no visible box'),
    ('amodal', dict(mask_kinds=['amodal'], box_kinds=['visible']), 'no visible box')])
def test_kinds_that_the_file_lacks(present, options, missing, tmp_path):
    write(tmp_path, {'v': [[], [thing(kinds=[present])]]})
    with pytest.raises(AnnotationError, match=rf"train\.json: annotation 1 \(video 'v', frame 1\) "
                                              rf'has {missing}.*box_kinds or mask_kinds'):
        dataset(tmp_path, **options)


def test_class_that_the_file_lacks(tmp_path):
    write(tmp_path, {'v': [[thing()]]})
    for test_mode in (False, True):
        with pytest.raises(AnnotationError, match=r"asks for classes \['shark'\].*\['fish', "
                                                  r"'turtle', 'leaf'\].*metainfo.classes"):
            dataset(tmp_path, metainfo=dict(classes=('fish', 'shark')), test_mode=test_mode)


@pytest.mark.parametrize(('frames', 'options'), [
    ([[], []], {}), ([[thing()]], dict(metainfo=dict(classes=('leaf',)))),
    ([[thing(hidden=.5)]], dict(max_occlusion=.4))])
def test_nothing_to_train_on(frames, options, tmp_path):
    write(tmp_path, {'v': frames})
    with pytest.raises(AnnotationError, match=r'train\.json: no frame has an object to train on'):
        dataset(tmp_path, **options)


def drawn_references(root, rounds=60, **options):
    """{key position: set of drawn reference positions} in video 'v'."""
    frames = dataset(root, **options)
    drawn = defaultdict(set)
    for _ in range(rounds):
        for index in range(len(frames)):
            clip = frames.prepare_data(index)
            if clip is None:
                continue
            positions, flags = clip['frame_id'], clip['key_frame_flags']
            assert positions == sorted(positions) and flags.count(True) == 1
            assert len(set(clip['video_id'])) == 1
            if clip['video_name'][0] == 'v':
                drawn[positions.pop(flags.index(True))].update(positions)
    return dict(drawn)


def test_references_are_near_and_never_the_key(tmp_path):
    write(tmp_path, {'u': [[thing()]] * 4, 'v': [[thing()]] * 9, 'w': [[thing()]] * 3})
    drawn = drawn_references(tmp_path)
    assert drawn == {key: {t for t in range(9) if t != key and abs(t - key) <= 3}
                     for key in range(9)}
    assert drawn_references(tmp_path, clip_sampler=KeyReferenceSampler(scope=1))[4] == {3, 5}


def test_video_of_one_frame_is_its_own_reference(tmp_path):
    write(tmp_path, {'u': [[thing()]] * 2, 'v': [[thing()]]})
    assert drawn_references(tmp_path, rounds=3) == {0: {0}}


def test_frames_without_objects_remain_references(tmp_path):
    write(tmp_path, {'v': [[thing()], [], [thing()]]})
    assert drawn_references(tmp_path, require_common_instance=False) == {0: {1, 2}, 2: {0, 1}}
    assert drawn_references(tmp_path) == {0: {2}, 2: {0}}


def test_pairs_without_a_common_object_are_drawn_again(tmp_path):
    lone = [[thing(1)], [thing(2)], [thing(3)]]
    write(tmp_path, {'u': lone, 'v': [[thing(0)], [thing(0)]]})
    frames = dataset(tmp_path)
    assert [frames.prepare_data(i) is None for i in range(5)] == [True] * 3 + [False] * 2
    assert {frames[i]['video_name'][0] for i in range(5) for _ in range(5)} == {'v'}
    accepting = dataset(tmp_path, require_common_instance=False)
    assert accepting[0]['video_name'] == ['u', 'u']


def test_objects_that_do_not_count_are_no_common_objects(tmp_path):
    write(tmp_path, {'v': [[thing(0), thing(1)], [thing(0, hidden=.9), thing(2)]]})
    assert dataset(tmp_path).prepare_data(0) is not None
    assert dataset(tmp_path, max_occlusion=.5).prepare_data(0) is None


def test_without_a_sampler_a_clip_is_the_key_frame(tmp_path):
    write(tmp_path, {'v': [[thing()], [thing()]]})
    clip = dataset(tmp_path, clip_sampler=None)[1]
    assert (clip['frame_id'], clip['key_frame_flags']) == ([1], [True])


def test_objects_that_are_in_one_frame_only(tmp_path):
    """One annotated frame in each video: there is nothing to learn identities from."""
    write(tmp_path, {'u': [[thing()], []], 'v': [[], [thing()]]})
    with pytest.raises(AnnotationError, match=r'train\.json: 21 clips in a row .*instance_id.*'
                       r'require_common_instance=False'):
        dataset(tmp_path, max_refetch=20)[0]
    assert dataset(tmp_path, require_common_instance=False)[0] is not None


def test_sampler_from_a_config(tmp_path):
    write(tmp_path, {'v': [[thing()]] * 3})
    frames = dataset(tmp_path, clip_sampler=dict(type='KeyReferenceSampler', scope=2, num_refs=2))
    clip = frames[1]
    assert (clip['frame_id'], clip['key_frame_flags']) == ([0, 1, 2], [False, True, False])


def with_gaps(root):
    """Number the frames 5, 8, 11, ... and list them backwards."""
    path = root / 'train.json'
    raw = json.loads(path.read_text())
    for image in raw['images']:
        image['frame_id'] = 5 + 3 * image['frame_id']
    raw['images'].reverse()
    path.write_text(json.dumps(raw))


@pytest.mark.parametrize('gaps', [False, True])
def test_testing_takes_all_frames_in_order(gaps, tmp_path):
    write(tmp_path, {'a': [[], [thing()], []], 'b': [[thing(kinds=['visible'])], []]})
    if gaps:
        with_gaps(tmp_path)
    frames = dataset(tmp_path, test_mode=True)
    clips = [frames[i] for i in range(len(frames))]
    assert [c['video_name'] + c['frame_id'] for c in clips] == [['a', 0], ['a', 1], ['a', 2],
                                                               ['b', 0], ['b', 1]]
    assert [c['video_length'][0] for c in clips] == [3, 3, 3, 2, 2]
    assert [c['img_path'][0][-9:] for c in clips] == ['a/000.png', 'a/001.png', 'a/002.png',
                                                      'b/000.png', 'b/001.png']
    assert not any(c['instances'][0] for c in clips)


def test_training_numbers_frames_by_position_too(tmp_path):
    write(tmp_path, {'v': [[], [thing()], [thing()]]})
    with_gaps(tmp_path)
    assert key_frames(tmp_path) == [('v', 1), ('v', 2)]


def test_testing_needs_no_annotations(tmp_path):
    write(tmp_path, {'v': [[], []]})
    assert len(dataset(tmp_path, test_mode=True)) == 2


@pytest.mark.parametrize('options', [dict(lazy_init=True), dict(serialize_data=False)])
def test_loading_options_change_nothing(options, tmp_path):
    write(tmp_path, {'u': [[], [thing()]], 'v': [[thing()]]})
    assert len(dataset(tmp_path, **options)) == 2
    assert dataset(tmp_path, **options).key_indices.tolist() == [1, 2]
    np.testing.assert_array_equal(dataset(tmp_path, **options).video_starts, [0, 2, 3])


def test_indices_are_refused(tmp_path):
    write(tmp_path, {'v': [[thing()]] * 3})
    with pytest.raises(ValueError, match='takes no indices'):
        dataset(tmp_path, indices=2)


@pytest.mark.parametrize('method', ['get_subset', 'get_subset_'])
def test_subsets_are_refused(method, tmp_path):
    write(tmp_path, {'v': [[thing()]] * 3})
    with pytest.raises(ValueError, match='takes no indices'):
        getattr(dataset(tmp_path), method)(2)


@pytest.mark.parametrize('options', [
    dict(box_kinds='visible'), dict(box_kinds=[]), dict(box_kinds=['modal']),
    dict(box_kinds=['visible', 'visible']), dict(mask_kinds=['amodal', 'box']),
    dict(mask_kinds='amodal')])
def test_wrong_kinds_are_refused(options, tmp_path):
    with pytest.raises(ValueError, match=f'{next(iter(options))} must'):
        dataset(tmp_path, **options)


def random_videos(root, seed):
    """Videos of all kinds of things, in a file whose entries and lists are in no order."""
    rng = random.Random(seed)
    videos = {f'v{n}': [[random_thing(rng, instance) for instance in rng.sample(range(6), 3)]
                        for _ in range(rng.randrange(1, 6))] for n in range(4)}
    videos['empty'] = [[], []]
    path = write(root, videos) / 'train.json'
    raw = json.loads(path.read_text())
    for entries in (raw['images'], raw['annotations']):
        rng.shuffle(entries)
    path.write_text(json.dumps(dict(reversed(raw.items()))))
    return path


def random_thing(rng, instance_id):
    boxes = {'amodal': rng.choice([(4.5, 6., 20., 14.), (60., 30., 99., 99.), (4., 6., 4.5, 9.)])}
    if rng.random() < .5:
        boxes['visible'] = rng.choice([(4.5, 6., 12., 14.), (-9., 0., 0., 9.)])
    return thing(instance_id, rng.choice([3, 5, 9]), hidden=rng.choice([0, 0, .5, 1]), bboxes=boxes,
                 iscrowd=rng.random() < .2, occlusion=rng.choice([None, .3, .9]))


def expected_records(path, root, labels, max_occlusion, box_kinds, mask_kinds, test_mode):
    """What the documentation says of the records, object by object."""
    for video in load_annotations(path).videos:
        for position, frame in enumerate(video.frames):
            yield dict(
                img_path=str(root / 'frames' / frame.file_name), img_id=frame.id,
                video_id=video.id, video_name=video.name, frame_id=position,
                video_length=len(video.frames), height=video.height, width=video.width,
                box_kinds=box_kinds, mask_kinds=mask_kinds, instances=[
                    dict(bboxes={kind: i.bboxes[kind] for kind in box_kinds},
                         bbox_label=labels[i.category_id], instance_id=i.instance_id,
                         masks={kind: i.masks[kind] for kind in mask_kinds})
                    for i in frame.instances if not test_mode and i.category_id in labels
                    and not i.iscrowd and not (max_occlusion and i.occlusion > max_occlusion)
                    and all(kind in i.bboxes for kind in (*box_kinds, *mask_kinds))
                    and all(fills_a_pixel(i.bboxes[kind], video) for kind in box_kinds)])


def fills_a_pixel(box, video):
    x1, y1, x2, y2 = box
    return (x2 - x1 >= 1 and y2 - y1 >= 1 and x1 < video.width and y1 < video.height and x2 > 0
            and y2 > 0)


@pytest.mark.parametrize('seed', range(3))
@pytest.mark.parametrize('test_mode', [False, True])
@pytest.mark.parametrize(('box_kinds', 'mask_kinds', 'max_occlusion'), [
    (('amodal',), ('amodal', 'visible'), None), (('visible',), (), .5),
    (('amodal', 'visible'), ('visible',), .5), (('amodal',), ('amodal',), .5)])
def test_records_are_those_of_the_annotation_file(box_kinds, mask_kinds, max_occlusion, test_mode,
                                                  seed, tmp_path):
    path = random_videos(tmp_path, seed)
    options = dict(box_kinds=box_kinds, mask_kinds=mask_kinds, max_occlusion=max_occlusion,
                   test_mode=test_mode)
    frames = dataset(tmp_path, metainfo=dict(classes=('leaf', 'fish')), **options)
    expected = list(expected_records(path, tmp_path, {9: 0, 3: 1}, **options))
    for index, record in enumerate(expected):
        assert frames.get_data_info(index) == record | {'sample_idx': index}
    assert frames.video_starts[-1] == len(expected)
    assert frames.key_indices.tolist() == [index for index, record in enumerate(expected)
                                           if record['instances']]
    assert len(frames) == (len(expected) if test_mode else len(frames.key_indices))


@pytest.mark.parametrize('duplicate', [copy.deepcopy, lambda d: pickle.loads(pickle.dumps(d))])
def test_copies_for_other_processes(duplicate, tmp_path):
    random_videos(tmp_path, 0)
    frames = dataset(tmp_path)
    twin = duplicate(frames)
    for index in range(frames.video_starts[-1]):
        assert twin.get_data_info(index) == frames.get_data_info(index)
    assert twin.metainfo == frames.metainfo and len(twin) == len(frames)
    masks = frames._index._mask_counts.tobytes()
    assert len(masks) > 50 and masks not in pickle.dumps(frames)


def test_records_are_made_anew_and_frames_counted_from_both_ends(tmp_path):
    write(tmp_path, {'v': [[], [thing()]]})
    frames = dataset(tmp_path)
    frames.get_data_info(1)['instances'].clear()
    assert len(frames.get_data_info(-1)['instances']) == 1
    assert frames.get_data_info(-1) == frames.get_data_info(1)
    with pytest.raises(IndexError):
        frames.get_data_info(2)


def test_lazy_datasets_read_nothing_until_asked(tmp_path):
    frames = dataset(tmp_path, lazy_init=True)
    assert frames.metainfo == {}
    write(tmp_path, {'v': [[thing()]]})
    assert frames.get_data_info(0)['video_name'] == 'v'
    assert frames.metainfo['classes'] == ('fish', 'turtle', 'leaf')
