"""``tools/convert.py`` itself: its table of formats, and the way to it from the other tools."""
from __future__ import annotations

import json
import sys
from io import BytesIO, TextIOWrapper

import pytest
from made_foreign import coco_video, written, ytvis

from vatrack.converters.commands import COMMANDS
from vatrack.files import AnnotationError, AnnotationIndex, load_annotations
from vatrack.pipes import quiet_pipes


def _single_images() -> dict:
    content = coco_video()
    del content['videos']
    return content


def test_every_format_has_a_name_of_its_own_and_examples():
    names = [command.name for command in COMMANDS]
    assert len(set(names)) == len(names) and 'check' not in names
    for command in COMMANDS:
        assert f'python tools/convert.py {command.name} ' in command.description


@pytest.mark.parametrize('name', [command.name for command in COMMANDS])
def test_help_and_common_options(name, run_tool, capsys):
    with pytest.raises(SystemExit) as ended:
        run_tool('convert', name, '--help')
    assert ended.value.code == 0
    out = capsys.readouterr().out
    assert '--no-check' in out and '--max-errors' in out and 'Example' in out


def test_usage_errors_end_with_2(run_tool, capsys):
    for arguments in ([], ['no-such-format'], ['ytvis', 'a.json', '--out', 'x']):
        with pytest.raises(SystemExit) as ended:
            run_tool('convert', *arguments)
        assert ended.value.code == 2
    assert '--images --no-images' in capsys.readouterr().err


def test_check_names_a_missing_file(tmp_path, run_tool, capsys):
    assert run_tool('convert', 'check', tmp_path / 'gone.json') == 1
    assert 'gone.json: no such annotation file' in capsys.readouterr().out


def test_names_that_are_no_text_are_printed(tmp_path, run_tool, monkeypatch):
    """As on a terminal, where printing one would end the program."""
    path = written(tmp_path, dict(
        categories=[dict(id=1, name='caf\udce9')], annotations=[], images=[
            dict(id=1, video_id=1, frame_id=0, file_name='a.png')],
        videos=[dict(id=1, name='v', width=4, height=4)]))
    terminal = TextIOWrapper(BytesIO(), 'utf-8', 'strict')
    monkeypatch.setattr(sys, 'stdout', terminal)
    quiet_pipes()  # as every tool does first of all
    assert run_tool('convert', 'check', path) == 0
    sys.stdout.seek(0)
    assert r'caf\udce9' in sys.stdout.read()


@pytest.mark.parametrize('name', ['ytvis', 'coco-video', 'kins'])
def test_a_link_to_itself_cannot_be_read(tmp_path, run_tool, capsys, name):
    (tmp_path / 'loop.json').symlink_to('loop.json')
    assert run_tool('convert', name, tmp_path / 'loop.json', '--no-images', '--out',
                    tmp_path / 'out') == 1
    assert 'loop.json' in capsys.readouterr().err


@pytest.mark.parametrize(('content', 'advice'), [
    (ytvis(), "key 'images' is missing; the file looks like YouTube-VIS or OVIS: convert it with "
     'tools/convert.py ytvis'),
    (_single_images(), "key 'videos' is missing; the file looks like plain COCO: convert it with "
     'tools/convert.py kins (single images: KINS, COCOA) or coco-video (frames of videos)')])
def test_a_file_of_a_known_format_is_sent_to_its_converter(tmp_path, run_tool, capsys, content,
                                                           advice):
    path = written(tmp_path, content)
    for read in (load_annotations, AnnotationIndex.open):
        with pytest.raises(AnnotationError) as error:
            read(path)
        assert advice in str(error.value)
    results = tmp_path / 'results.json'
    results.write_text(json.dumps([]))
    assert run_tool('evaluate', results, '--ann', path) == 1
    assert capsys.readouterr().err == f'error: {path}: the top-level {advice}\n'
