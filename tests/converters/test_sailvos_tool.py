from __future__ import annotations

from pathlib import Path

import pytest
from made_sailvos import Made, make_sailvos, make_structure

from vatrack.converters.sailvos.convert import SailvosOptions, convert_sailvos_cut
from vatrack.files import check_annotations, load_annotations

VIDEOS = {'train': {'ah_1_ext': [5, 9, 7], 'bs_2a_ext': [8]}, 'valid': {'one': [6, 7], 'x': [1]}}


@pytest.fixture(scope='module')
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Raw data. Read only."""
    return make_sailvos(tmp_path_factory.mktemp('sailvos') / 'raw', VIDEOS)


@pytest.fixture
def structure(tmp_path: Path) -> Path:
    return make_structure(tmp_path / 's.json', VIDEOS['train'] | VIDEOS['valid'])


def test_command_line(made, structure, tmp_path, run_tool, capsys):
    assert run_tool('convert', 'sailvos', made.root, '--out', tmp_path / 'data', '--boxes',
                    'amodal', 'both', '--max-occlusion', 0.75, '--no-check') == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert lines[0] == (
        f'{tmp_path}/data/sailvos_complete_json/joint/train.json: 2 videos, 29 frames, 58 '
        'annotations (left out: 29 occluded by more than 0.75, 29 of other classes)')
    assert lines[1].startswith(
        f'{tmp_path}/data/sailvos_complete_json/joint/train(bbox=both_bbox).json: 2 videos')
    assert run_tool('convert', 'sailvos-cut', made.root, '--out', tmp_path / 'data', '--structure',
                    structure) == 0
    assert run_tool('convert', 'sailvos-cut', made.root, '--out', tmp_path / 'd', '--detect',
                    '--legacy-channels', '--threshold', 255, '--workers', 2) == 0
    found = load_annotations(tmp_path / 'd/sailvos_cut_json/joint/valid(bbox=amdl_bbox).json')
    assert [video.name for video in found.videos] == ['one__12', 'x__0']
    for split in VIDEOS:
        path = tmp_path / f'data/sailvos_cut_json/joint/{split}(bbox=amdl_bbox).json'
        assert run_tool('convert', 'check', path, '--images',
                        tmp_path / 'data/sailvos_cut_png') == 0


def test_command_line_says_what_to_know(made, structure, tmp_path, run_tool, capsys):
    arguments = ['convert', 'sailvos-cut', tmp_path, '--valid', made.splits['valid'], '--out',
                 tmp_path / 'data', '--frames', 'reference', '--images', made.root]
    assert run_tool(*arguments, '--structure', structure) == 0
    out, err = capsys.readouterr()
    assert 'valid(bbox=amdl_bbox).json: 3 videos, 14 frames' in out
    assert 'valid(bbox=amdl_bbox).json: ok, 0 errors' in out
    missing, note = (line for line in err.splitlines() if line.startswith('note: '))
    assert missing == (f'note: there is no {tmp_path}/train.json, so there is no train split')
    assert f'test_dataloader.dataset.data_prefix.img_path={made.root.resolve()}/' in note
    assert not (tmp_path / 'data/sailvos_cut_png').exists()
    for wrong in ([], ['--detect', '--structure', structure]):
        with pytest.raises(SystemExit):
            run_tool(*arguments, *wrong)
    assert run_tool(*arguments, '--structure', tmp_path / 'nowhere') == 1
    assert 'error: ' in capsys.readouterr().err


def test_benchmark_makes_an_official_json(tmp_path, run_tool):
    assert run_tool('benchmark_sailvos', tmp_path, '--videos', 3, '--frames', 100, '--annotations',
                    700, '--only-make') == 0
    raw = tmp_path / 'raw'
    written, = convert_sailvos_cut({'train': raw / 'train.json'}, raw, tmp_path,
                                   raw / 'structure.json', SailvosOptions(frames='reference'))
    assert (written.videos, written.frames, written.annotations) == (6, 100, 700)
    assert check_annotations(written.path).ok
