from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_sailvos import make_json, make_structure

from vatrack.converters import ConversionError
from vatrack.converters.sailvos.convert import SailvosOptions, convert_sailvos_cut
from vatrack.converters.sailvos.shots import (
    check_structure,
    read_structure,
    shots_between,
    shots_listed,
)
from vatrack.converters.sailvos.source import SourceFrame, SourceVideo, read_source
from vatrack.files import load_annotations

RELEASED = (Path(__file__).resolve().parents[3] / 'shared' / 'data' / 'sailvos_sample' /
            'sailvos_cut_structure.json')
VIDEOS = {'ah_1_ext': [5, 7, 6], 'bs_2a_ext': [9]}


def video(length: int, name: str = 'v') -> SourceVideo:
    frames = [SourceFrame(10 + t, t, f'{name}/images/{t + 3:06d}.bmp', f'{t + 3:06d}')
              for t in range(length)]
    return SourceVideo(name, (48, 32), frames)


@pytest.mark.parametrize(('length', 'cuts', 'names'), [
    (12, [5], {'v__5': (0, 5), 'v__11': (5, 12)}),
    (20, [5, 13], {'v__5': (0, 5), 'v__13': (5, 13), 'v__19': (13, 20)}),
    (7, [], {'v__6': (0, 7)}),
    (1, [], {'v__0': (0, 1)}),
])
def test_names_of_shots(length, cuts, names):
    shots = shots_between(video(length), cuts)
    assert {shot.name: (shot.frames[0].frame_id, shot.frames[-1].frame_id + 1)
            for shot in shots} == names
    assert [shot.name for shot in shots] == list(names)
    assert sum(len(shot.frames) for shot in shots) == length


def test_shots_listed(tmp_path):
    structure = read_structure(make_structure(tmp_path / 's.json', {'v': [5, 7, 6], 'w': [9]}))
    assert structure.leftovers.keys() == structure.shots.keys() == {'v', 'w'}
    assert 'v__0' not in structure.shots['v']
    shots = shots_listed(video(18), structure)
    assert shots == shots_between(video(18), [5, 12])


def test_shots_come_in_time_order_whatever_the_order_of_the_file(tmp_path):
    path = make_structure(tmp_path / 's.json', {'v': [5, 7, 6]})
    raw = json.loads(path.read_text())
    path.write_text(json.dumps({name: raw[name][::-1] for name in sorted(raw, reverse=True)}))
    assert shots_listed(video(18), read_structure(path)) == shots_between(video(18), [5, 12])


FAULTS = {
    'frame unknown': (lambda s: s['ah_1_ext__12'].append('000077.bmp'),
                      r"'ah_1_ext__12' has the frame 000077, but .*a\.json has no such frame of "
                      r"video 'ah_1_ext'; give"),
    'video unknown': (lambda s: s.update(xx__4=['000003.bmp']),
                      r"'xx__4' has the frame 000003, .*no such frame of video 'xx'"),
    'frame missing': (lambda s: s['ah_1_ext__5'].remove('000004.bmp'),
                      r"no shot has the frame 000004 of video 'ah_1_ext'"),
    'video missing': (lambda s: s.pop('bs_2a_ext__8'),
                      r"no shot has the frame 000003 of video 'bs_2a_ext'"),
    'twice': (lambda s: s['ah_1_ext__5'].append('000010.bmp'),
              r"'ah_1_ext__12' has the frame 000010 of video 'ah_1_ext' once more"),
}


@pytest.mark.parametrize('name', FAULTS)
def test_a_structure_file_that_does_not_fit(name, tmp_path):
    spoil, message = FAULTS[name]
    (tmp_path / 'a.json').write_text(json.dumps(make_json(VIDEOS)))
    source = read_source(tmp_path / 'a.json')
    path = make_structure(tmp_path / 's.json', VIDEOS)
    check_structure(read_structure(path), [source], complete=True)
    raw = json.loads(path.read_text())
    spoil(raw)
    path.write_text(json.dumps(raw))
    with pytest.raises(ConversionError, match=rf's\.json: {message}'):
        check_structure(read_structure(path), [source], complete=True)


def test_videos_of_a_split_that_is_not_there_are_no_fault(tmp_path):
    (tmp_path / 'a.json').write_text(json.dumps(make_json({'bs_2a_ext': [9]})))
    structure = read_structure(make_structure(tmp_path / 's.json', VIDEOS))
    check_structure(structure, [read_source(tmp_path / 'a.json')], complete=False)
    with pytest.raises(ConversionError, match="'ah_1_ext__5' has the frame 000003"):
        check_structure(structure, [read_source(tmp_path / 'a.json')], complete=True)


def test_frames_in_the_json_that_are_leftovers_are_no_fault(tmp_path):
    (tmp_path / 'a.json').write_text(json.dumps(make_json({'bs_2a_ext': [15]})))
    source = read_source(tmp_path / 'a.json')
    structure = read_structure(make_structure(tmp_path / 's.json', {'bs_2a_ext': [9]}))
    check_structure(structure, [source], complete=True)
    assert [len(shot.frames) for shot in shots_listed(source.videos[0], structure)] == [9]


@pytest.mark.parametrize('content', ['[]', '{"a": 3}', '{"a": [3]}', '{"a": '])
def test_no_structure_file(content, tmp_path):
    (tmp_path / 's.json').write_text(content)
    with pytest.raises(ConversionError, match=r's\.json: .*give the sailvos_cut_structure\.json'):
        read_structure(tmp_path / 's.json')
    with pytest.raises(ConversionError, match=r'gone: .*No such file'):
        read_structure(tmp_path / 'gone')


@pytest.fixture(scope='module')
def released() -> dict[str, list[str]]:
    if not RELEASED.is_file():
        pytest.skip(f'needs the released structure file {RELEASED}')
    return json.loads(RELEASED.read_text())


def released_frames(released: dict[str, list[str]]) -> dict[str, list[str]]:
    """Names of the annotated files, sorted, by video."""
    files: dict[str, list[str]] = {}
    for name, of_shot in released.items():
        if '__' in name:
            files.setdefault(name.rpartition('__')[0], []).extend(of_shot)
    return {name: sorted(of_video) for name, of_video in sorted(files.items())}


def test_released_structure_converts_completely(released, tmp_path):
    splits = {'train': {'images': []}, 'valid': {'images': []}}
    for number, (name, files) in enumerate(released_frames(released).items()):
        images = splits['valid' if number % 4 == 0 else 'train']['images']
        images += [{'id': len(images) + t, 'file_name': f'{name}/images/{file}', 'frame_id': t,
                    'width': 1280, 'height': 800} for t, file in enumerate(files)]
    for split, content in splits.items():
        names = dict.fromkeys(image['file_name'].partition('/')[0] for image in content['images'])
        content |= {'categories': [{'id': 1, 'name': 'person'}], 'annotations': [],
                    'videos': [{'id': 0, 'vid_name': name} for name in names]}
        (tmp_path / f'{split}.json').write_text(json.dumps(content))
    written = convert_sailvos_cut(
        {split: tmp_path / f'{split}.json' for split in splits}, tmp_path, tmp_path / 'out',
        RELEASED, SailvosOptions(frames='reference'))
    assert sum(each.videos for each in written) == 3661
    assert sum(each.frames for each in written) == 111_654
    found = {}
    for each in written:
        for shot in load_annotations(each.path).videos:
            assert [frame.frame_id for frame in shot.frames] == list(range(len(shot.frames)))
            found[shot.name] = [frame.file_name for frame in shot.frames]
    expected = {name: [f"{name.rpartition('__')[0]}/images/{file}" for file in files]
                for name, files in released.items() if '__' in name and files}
    assert found == expected


def test_naming_rule_reproduces_the_released_names(released):
    shots = {name: [int(file.partition('.')[0]) - 3 for file in files]
             for name, files in released.items() if '__' in name and files}
    starts: dict[str, list[int]] = {}
    for name, positions in shots.items():
        starts.setdefault(name.rpartition('__')[0], []).append(positions[0])
    made = {}
    for name, files in released_frames(released).items():
        for shot in shots_between(video(len(files), name), sorted(starts[name])[1:]):
            made[shot.name] = [frame.frame_id for frame in shot.frames]
    assert made == shots
