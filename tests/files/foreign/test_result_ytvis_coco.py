from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest
from made_results import LENGTHS, SIZES, annotations, random_tracks
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from vatrack.files import ResultError
from vatrack.files.foreign.coco import export_coco, import_coco
from vatrack.files.foreign.mot import import_mot
from vatrack.files.foreign.ytvis import export_ytvis, import_ytvis
from vatrack.structures import TrackRecord
from vatrack.structures.rle import encode

KINDS = ('amodal', 'visible')


def only(tracks, kind, *names):
    """Tracks as a format keeps them: one kind, only the frames with a mask, some of the lists."""
    for track in tracks:
        keep = [i for i, mask in enumerate(track.masks[kind]) if mask is not None]
        track.frames = [track.frames[i] for i in keep]
        track.masks = {kind: [track.masks[kind][i] for i in keep]}
        for name in ('scores', 'bboxes', 'visible_bboxes', 'category_ids'):
            values = getattr(track, name)
            setattr(track, name, [values[i] for i in keep] if values and name in names else None)
    return tracks


def export_both(export, tmp_path, tracks, **options):
    paths = {kind: tmp_path / f'{kind}.json' for kind in KINDS}
    for kind, path in paths.items():
        export(tracks, annotations(), path, kind, **options)
    return paths


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('style', ['string', 'list'])
@pytest.mark.parametrize('name', ['results.json', 'results.zip'])
def test_ytvis_round_trip(tmp_path, kind, style, name):
    path = tmp_path / name
    export_ytvis(random_tracks(0), annotations(), path, kind, rle=style)
    assert import_ytvis({kind: path}, annotations()) == only(random_tracks(0), kind)
    assert list(tmp_path.iterdir()) == [path]


def test_ytvis_records_have_four_keys_and_a_value_per_frame(tmp_path):
    tracks = random_tracks(1)
    export_ytvis(tracks, annotations(), tmp_path / 'a.zip', 'visible', rle='list')
    with zipfile.ZipFile(tmp_path / 'a.zip') as archive:
        assert archive.namelist() == ['results.json']
        records = json.loads(archive.read('results.json'))
    for record, track in zip(records, tracks, strict=True):
        assert list(record) == ['video_id', 'category_id', 'score', 'segmentations']
        assert len(record['segmentations']) == LENGTHS[track.video_id]
        for t, value in enumerate(record['segmentations']):
            position = track.position(t)
            mask = None if position is None else track.masks['visible'][position]
            assert (value is None) == (mask is None)
            if mask is not None:
                assert isinstance(value['counts'], list)
                packed = coco_mask.frPyObjects(value, *SIZES[track.video_id])
                assert packed['counts'].decode() == mask['counts']


def test_ytvis_kinds_are_joined_by_record(tmp_path):
    paths = export_both(export_ytvis, tmp_path, random_tracks(2))
    expected = random_tracks(2)
    for track in expected:
        track.scores = track.bboxes = track.visible_bboxes = track.category_ids = None
    assert import_ytvis(paths, annotations()) == expected


def test_ytvis_track_ids_are_kept_where_a_file_has_them(tmp_path):
    records = [{'video_id': 7, 'track_id': n, 'category_id': 1, 'score': .5,
                'segmentations': [None] * 6} for n in (9, 4)]
    (tmp_path / 'a.json').write_text(json.dumps(records))
    assert [t.track_id for t in import_ytvis({'amodal': tmp_path / 'a.json'}, annotations())] == [
        9, 4]


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('name', ['results.json', 'results.zip'])
@pytest.mark.parametrize('style', ['string', 'list'])
def test_coco_round_trip(tmp_path, kind, name, style):
    path = tmp_path / name
    export_coco(random_tracks(3), annotations(), path, kind, rle=style)
    expected = only(random_tracks(3), kind, 'scores', 'category_ids')
    read = sorted(import_coco({kind: path}, annotations()), key=lambda track: track.track_id)
    for ours, theirs in zip(expected, read, strict=True):
        assert theirs.score == pytest.approx(np.mean(ours.scores), abs=1e-12)
        theirs.score = ours.score
        if theirs.category_ids is None and ours.category_ids is not None:
            assert set(ours.category_ids) == {theirs.category_id}  # one class in all frames left
            ours.category_ids = None
        if kind == 'visible':
            ours.category_id = theirs.category_id
    assert read == expected


def test_coco_kinds_are_joined_by_track_id(tmp_path):
    paths = export_both(export_coco, tmp_path, random_tracks(4))
    read = sorted(import_coco(paths, annotations()), key=lambda track: track.track_id)
    expected = random_tracks(4)
    for track in expected:
        track.bboxes = track.visible_bboxes = None
    assert read == expected


def test_coco_keeps_detections_without_a_pixel(tmp_path):
    """They are false positives; a frame where a track has no mask is none."""
    mask = encode(np.zeros((1, *SIZES[7]), np.uint8))[0]
    track = TrackRecord(7, 1, 1, .5, [0, 3], {'amodal': [mask, None]}, scores=[.5, .5])
    export_coco([track], annotations(), tmp_path / 'a.json')
    read, = import_coco({'amodal': tmp_path / 'a.json'}, annotations())
    assert (read.frames, read.masks) == ([0], {'amodal': [mask]})


def test_coco_results_suit_pycocotools(tmp_path):
    export_coco(random_tracks(5), annotations(), tmp_path / 'a.json', 'amodal')
    records = json.loads((tmp_path / 'a.json').read_text())
    assert all(set(r) == {'image_id', 'category_id', 'score', 'segmentation', 'track_id'}
               for r in records)
    truth = COCO()
    truth.dataset = {'images': [{'id': frame.id} for _, frame in annotations().frames],
                     'categories': [{'id': c} for c in annotations().categories],
                     'annotations': []}
    truth.createIndex()
    loaded = truth.loadRes(str(tmp_path / 'a.json'))
    for entry, record in zip(loaded.dataset['annotations'], records, strict=True):
        assert entry['area'] == coco_mask.area(record['segmentation'])


def test_coco_without_track_ids_gives_a_track_per_object_and_says_so(tmp_path):
    export_coco(random_tracks(6), annotations(), tmp_path / 'a.json', 'amodal')
    records = json.loads((tmp_path / 'a.json').read_text())
    for record in records:
        del record['track_id']
    (tmp_path / 'a.json').write_text(json.dumps(records))
    notes = []
    tracks = import_coco({'amodal': tmp_path / 'a.json'}, annotations(), notes.append)
    assert len(tracks) == len(records) and {len(track.frames) for track in tracks} == {1}
    assert 'only image-level metrics (AP) make sense' in notes[0]
    with pytest.raises(ResultError, match='without track ids the kinds cannot be joined'):
        import_coco(dict.fromkeys(KINDS, tmp_path / 'a.json'), annotations())


@pytest.mark.parametrize(('ids', 'kept', 'said'), [
    ([4, 9], [4, 9], None), ([0, 9], [1, 10], 'all ids are one higher')])
def test_coco_track_id_0_is_shifted_with_a_message(tmp_path, ids, kept, said):
    tracks = random_tracks(7, classes=False)[:2]
    for track, track_id in zip(tracks, ids, strict=True):
        track.track_id = track_id
    export_coco(tracks, annotations(), tmp_path / 'a.json', 'amodal')
    notes = []
    read = import_coco({'amodal': tmp_path / 'a.json'}, annotations(), notes.append)
    assert [track.track_id for track in read] == kept
    assert [said in note for note in notes] == ([True] if said else [])


def test_nothing_found(tmp_path):
    for export, read in ((export_ytvis, import_ytvis), (export_coco, import_coco)):
        export([], annotations(), tmp_path / 'a.json', 'amodal')
        assert json.loads((tmp_path / 'a.json').read_text()) == []
        assert read({'amodal': tmp_path / 'a.json'}, annotations()) == []


@pytest.mark.parametrize('export', [export_ytvis, export_coco])
def test_a_kind_that_was_not_predicted_is_refused(tmp_path, export):
    tracks = only(random_tracks(8), 'visible')
    with pytest.raises(ResultError, match=r"track 1 of video 7 has no amodal masks, only "
                                          r"\['visible'\]; export one of these"):
        export(tracks, annotations(), tmp_path / 'a.json', 'amodal')
    with pytest.raises(ValueError, match="got 'modal'"):
        export(tracks, annotations(), tmp_path / 'a.json', 'modal')
    assert not list(tmp_path.iterdir())


YTVIS = {'video_id': 7, 'category_id': 1, 'score': .5, 'segmentations': [None] * 6}
COCO_RECORD = {'image_id': 0, 'category_id': 1, 'score': .5, 'track_id': 1,
               'segmentation': {'size': [12, 17], 'counts': [5, 199]}}


@pytest.mark.parametrize(('change', 'message'), [
    ({'video_id': 99}, 'truth.json has no such video'),
    ({'category_id': 2}, r'unknown category_id 2; use the ids of truth.json: \[1, 3, 12\]'),
    ({'score': float('nan')}, 'score must be a finite number, got nan'),
    ({'track_id': 1}, 'track_id 1 is taken'),
    ({'track_id': 0}, 'track_id must be an integer >= 1, got 0'),
    ({'segmentations': [None] * 5}, 'has 5 amodal masks for a video of 6 frames'),
    ({'segmentations': [None, {'size': [17, 12], 'counts': [204]}] + [None] * 4},
     r"frame 1: 'segmentation' has size \[17, 12\]"),
    ({'segmentations': [{'size': [12, 17], 'counts': [3]}] + [None] * 5},
     r"frame 0: .* do not add up"),
    ({'segmentations': [[[1, 2, 3, 4]]] + [None] * 5}, 'frame 0: .*polygons')])
def test_broken_ytvis_records_are_named(tmp_path, change, message):
    path = tmp_path / 'a.json'
    path.write_text(json.dumps([YTVIS, YTVIS | change]))
    with pytest.raises(ResultError, match=rf'a\.json: record 1 \(video .*{message}'):
        import_ytvis({'amodal': path}, annotations())


@pytest.mark.parametrize(('change', 'message'), [
    ({'image_id': 99}, 'record 1: truth.json has no image 99'),
    ({'image_id': 0}, 'record 1: track 1 of video 7 .* stands twice in frame 0'),
    ({'category_id': 2, 'track_id': 2}, r'record 1 \(video 7, track 2\): unknown category_id 2'),
    ({'score': float('inf')}, 'record 1: score must be a finite number, got inf'),
    ({'score': None}, 'record 1: score must be a finite number, got None'),
    ({'score': 10**400}, 'record 1: score must be a finite number, got 1000'),
    ({'track_id': '4'}, "record 1: track_id '4'"),
    ({'track_id': -4}, 'record 1: track id -4 is'),
    ({'segmentation': {'size': [17, 12], 'counts': [204]}}, r'record 1: .* has size \[17, 12\]'),
    ({'track_id': ...}, 'record 1: all records must have a track_id, or none'),
    ({'segmentation': ...}, r"record 1: lacks \['segmentation'\]")])
def test_broken_coco_records_are_named(tmp_path, change, message):
    path = tmp_path / 'a.json'
    record = COCO_RECORD | {'image_id': 1} | change
    path.write_text(json.dumps([COCO_RECORD, {k: v for k, v in record.items() if v is not ...}]))
    with pytest.raises(ResultError, match=rf'a\.json: {message}'):
        import_coco({'amodal': path}, annotations())


@pytest.mark.parametrize('read', [import_ytvis, import_coco])
@pytest.mark.parametrize(('content', 'message'), [
    (b'[{"video_id": 7, ', 'damaged or cut off'), (b'{}', 'must hold one JSON list'),
    (None, 'cannot read this result file')])
def test_broken_files_are_named(tmp_path, read, content, message):
    path = tmp_path / 'a.json'
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ResultError, match=rf'a\.json: .*{message}'):
        read({'amodal': path}, annotations())


def _head(whole: bytes, offset: int, value: int) -> bytes:
    """Change a byte in both heads of the only member of an archive."""
    content = bytearray(whole)
    content[offset] = content[whole.index(b'PK\1\2') + offset + 2] = value
    return bytes(content)


UNPACKABLE = {
    lambda whole: whole[:len(whole) // 2]: 'damaged archive',
    lambda whole: whole[:60] + bytes(40) + whole[100:]: 'damaged archive',
    lambda whole: _head(whole, 6, 1): 'cannot be unpacked .*password',
    lambda whole: _head(whole, 8, 77): 'cannot be unpacked .*compression',
}


def test_broken_archives_are_named(tmp_path):
    path = tmp_path / 'a.zip'
    export_ytvis(random_tracks(0), annotations(), path)
    whole = path.read_bytes()
    for content, message in UNPACKABLE.items():
        path.write_bytes(content(whole))
        for read in (import_ytvis, import_mot):
            with pytest.raises(ResultError, match=rf'a\.zip: {message}'):
                read({'amodal': path}, annotations())
    with zipfile.ZipFile(path, 'w') as archive:
        for name in ('a.json', 'b.json'):
            archive.writestr(name, '[]')
    with pytest.raises(ResultError, match=r"must hold one JSON file, holds \['a.json', 'b.json'\]"):
        import_ytvis({'amodal': path}, annotations())


@pytest.mark.parametrize(('change', 'message'), [
    ({'score': .25}, 'and score 0.5 in the amodal file, class 1 and score 0.25 in the visible'),
    ({'category_id': 3}, 'join files of the same tracks only'),
    ({'track_id': 8}, 'track 8 of video 7 has a visible part and no amodal one')])
def test_files_of_different_tracks_are_not_joined(tmp_path, change, message):
    paths = {kind: tmp_path / f'{kind}.json' for kind in KINDS}
    paths['amodal'].write_text(json.dumps([YTVIS]))
    paths['visible'].write_text(json.dumps([YTVIS | change]))
    with pytest.raises(ResultError, match=message):
        import_ytvis(paths, annotations())
