"""The file of selected tracks: what is written is read; what is wrong is named."""
from __future__ import annotations

import json

import pytest

from vatrack.files import (
    AnnotationError,
    SelectedTrack,
    TrackSelection,
    read_selection,
    write_selection,
)
from vatrack.structures import AnnotationFile, Frame, Instance, Video

TRACK = {'video_id': 3, 'video': 'reef', 'instance_id': 0, 'first': 2, 'last': 5,
         'subsets': {'hard': [5, 3]}}


def save(path, *tracks):
    path.write_text(json.dumps({'tracks': tracks}))
    return path


def test_written_is_read(tmp_path):
    tracks = {3: {8: SelectedTrack('reef', 0, 0), 0: SelectedTrack('reef', 2, 5, {'hard': (3, 5)})},
              1: {0: SelectedTrack('sand', 4, 9)}}
    path = tmp_path / 'tracks.json'
    write_selection(path, TrackSelection('x', tracks), {'rule': 'mine'})
    found = read_selection(path)
    assert found == TrackSelection(str(path), tracks)
    assert [(video, instance) for video, instance, _ in found] == [(1, 0), (3, 0), (3, 8)]
    assert (found.num_tracks, found.num_frames) == (3, 11)
    assert json.loads(path.read_text())['rule'] == 'mine'
    assert found.run(3, 0) == range(2, 6) and list(found.run(3, 1)) == list(found.run(2, 0)) == []
    assert found.scored(3, 0) == range(2, 6)
    hard = read_selection(path, 'hard')
    assert (hard.scored(3, 0), hard.scored(3, 8), hard.run(3, 0)) == ((3, 5), (), range(2, 6))


@pytest.mark.parametrize(('change', 'message'), [
    ({'first': -1}, "'first' must be at least 0"), ({'last': 1}, "'last' must be at least 2"),
    ({'video': ''}, "'video' must be a non-empty string"), ({'video_id': '3'}, "'video_id' must"),
    ({'subsets': {'hard': [6]}}, "subset 'hard' must list frames from 2 to 5"),
    ({'subsets': []}, None), ({'subsets': 4}, "'subsets' must be an object, got a int")])
def test_wrong_entries_are_named(tmp_path, change, message):
    path = save(tmp_path / 'tracks.json', TRACK | change)
    if message is None:
        assert read_selection(path).num_tracks == 1
        return
    with pytest.raises(AnnotationError, match=rf'tracks.json: tracks\[0\]: {message}') as error:
        read_selection(path)
    assert '\n' not in str(error.value) and 'tools/select_tracks.py' in str(error.value)


def test_wrong_files_are_named(tmp_path):
    with pytest.raises(AnnotationError, match=r'tracks\[1\]: instance 0 occurs twice'):
        read_selection(save(tmp_path / 'twice.json', TRACK, TRACK))
    with pytest.raises(AnnotationError, match=r"has no subset 'easy', only \['hard'\]"):
        read_selection(save(tmp_path / 'subset.json', TRACK), 'easy')
    for content, message in {'{"tracks": [': 'not valid JSON', '[]': "no list 'tracks'",
                             '{"tracks": [1]}': 'must be an object, got a int'}.items():
        (tmp_path / 'bad.json').write_text(content)
        with pytest.raises(AnnotationError, match=rf'bad.json: .*{message}'):
            read_selection(tmp_path / 'bad.json')
    with pytest.raises(AnnotationError, match=r'none.json: no such'):
        read_selection(tmp_path / 'none.json')


def test_selection_must_be_of_the_annotations():
    frames = [Frame(t, t, f'{t}.png', [Instance(t, 0, 1, {}, {})] if t < 5 else [])
              for t in range(6)]
    annotations = AnnotationFile('ann.json', {1: 'fish'}, [Video(3, 'reef', 8, 8, frames)])

    def check(video_id=3, instance_id=0, **change):
        track = SelectedTrack(**{'video': 'reef', 'first': 2, 'last': 4} | change)
        TrackSelection('s.json', {video_id: {instance_id: track}}).check(annotations)

    check()
    for wrong, message in (({'video_id': 2}, 'no such video'), ({'video': 'sand'}, "called 'reef'"),
                           ({'instance_id': 1}, 'is not in frame 2'),
                           ({'last': 5}, 'is not in frame 5'), ({'last': 6}, 'is not in frame 6')):
        with pytest.raises(AnnotationError, match=rf's.json: video .*{message}.* ann.json; give'):
            check(**wrong)
