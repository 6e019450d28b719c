"""The benchmark compares numbers before it prints times; what it times is not tested."""
from __future__ import annotations

import subprocess
from dataclasses import replace

import pytest
from scripts import load_tool

from vatrack.synthetic.made_tracks import SetSize


@pytest.fixture
def tool(monkeypatch):
    tool = load_tool('benchmark_evaluation')
    monkeypatch.setattr(tool, 'GROUPS', {'tiny': [SetSize(3, 4, 6, 3, 2, 60, 90)]})
    return tool


def test_numbers_equal_those_of_mmdet_and_pycocotools(tool, capsys):
    assert tool.main(['--only', 'tiny', '--repeats', '1']) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [each for each in lines if ': ' in each] == [f'tiny: {name}' for name in tool.RIVALS]
    rows = [each.split() for each in lines if '90x60' in each]
    assert len(rows) == 3
    for row in rows:
        value, apart = map(float, row[-2:])
        assert .05 < value < .95
        assert apart < 1e-9


@pytest.mark.parametrize('level', ['image', 'video'])
def test_other_numbers_are_refused(tool, monkeypatch, level):
    def shifted(*args):
        values = evaluate(*args)
        name = next(name for name, value in values.items() if level in name and 0 < value < 1)
        return values | {name: values[name] + 1e-6}

    evaluate = tool.evaluate
    monkeypatch.setattr(tool, 'evaluate', shifted)
    with pytest.raises(AssertionError, match='differ from'):
        tool.compare(list(tool.RIVALS)[-1], tool.GROUPS['tiny'][0], 1)


def test_the_full_set_goes_through_files(tool, monkeypatch, tmp_path, capsys):
    def run(command, check):
        assert check
        assert command[1].name == 'evaluate.py'
        return load_tool('evaluate').main([str(word) for word in command[2:]])

    monkeypatch.setattr(subprocess, 'run', run)
    monkeypatch.setattr(tool, 'SAILVOS_VALID', replace(
        tool.SAILVOS_VALID, videos=4, height=60, width=90, tracks=6))
    monkeypatch.setattr(tool, 'SAILVOS_FRAMES', 20)
    assert tool.main(['--full', str(tmp_path), '--videos', '2', '--workers', '1']) == 0
    out = capsys.readouterr().out
    assert 'writing 2 videos' in out
    assert 'read and scored in' in out
    assert (tmp_path / 'results.metrics.json').is_file()
