from __future__ import annotations

import pytest
from scripts import load_tool

from vatrack.browse import BrowseServer

CONFIG = '''
test_dataloader = dict(dataset=dict(
    data_root={root!r}, ann_file='annotations.json', data_prefix=dict(img_path='')))
'''


@pytest.fixture
def interrupted(monkeypatch) -> list[BrowseServer]:
    """Servers that were started, each stopped at once by Ctrl-C."""
    servers = []

    def serve_forever(server: BrowseServer) -> None:
        servers.append(server)
        raise KeyboardInterrupt

    monkeypatch.setattr(BrowseServer, 'serve_forever', serve_forever)
    return servers


def test_serves_until_interrupted(made, run_tool, capsys, interrupted):
    assert run_tool('browse', made / 'annotations.json', made, '--pred', made / 'results.json',
                    '--score-thr', .5, '--port', 0, '--every', 2) == 0
    server, = interrupted
    assert capsys.readouterr().out.split()[0] == server.url
    assert server.url.startswith('http://127.0.0.1:')
    assert server.documents.score_thr == .5
    assert len(server.documents.get('video-0')['images']) == 3


def test_opens_the_browser_if_asked(made, run_tool, monkeypatch, interrupted):
    opened = []
    monkeypatch.setattr(load_tool('browse').webbrowser, 'open', opened.append)
    assert run_tool('browse', made / 'annotations.json', '--port', 0, '--open') == 0
    assert opened == [interrupted[0].url]
    assert interrupted[0].documents.get('video-0')['images'] == [None] * 5


def test_a_config_says_where_the_data_is(made, tmp_path, run_tool, interrupted):
    config = tmp_path / 'config.py'
    config.write_text(CONFIG.format(root=str(made)))
    assert run_tool('browse', config, '--port', 0) == 0
    source = interrupted[0].documents.source
    assert (source.index.path, source.image_root) == (str(made / 'annotations.json'), made)
    assert run_tool('browse', config, tmp_path, '--port', 0) == 0
    assert interrupted[1].documents.source.image_root == tmp_path


def test_writes_the_page(made, tmp_path, run_tool, capsys):
    assert run_tool('browse', made / 'annotations.json', made, '--html', tmp_path / 'page',
                    '--videos', 'reef') == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / 'page' / 'index.html')
    assert (tmp_path / 'page' / 'data' / 'video-0.js').is_file()


def test_user_errors_are_one_line(made, tmp_path, run_tool, capsys):
    (tmp_path / 'cut.json').write_text('[{"video_id": 10,')
    (tmp_path / 'empty.py').write_text('a = 1')
    annotations = made / 'annotations.json'
    for arguments, message in (
            ([tmp_path / 'none.json'], 'none.json: no such annotation file'),
            ([tmp_path / 'none.py'], 'none.py: no such config'),
            ([tmp_path / 'empty.py'], 'test_dataloader.dataset.ann_file is not set'),
            ([tmp_path / 'none.json', tmp_path / 'none'], 'none.json: no such annotation file'),
            ([annotations, tmp_path / 'none'], 'no such folder of images'),
            ([annotations, '--pred', tmp_path / 'cut.json'], 'cut.json: not valid JSON'),
            ([annotations, '--videos', 'nope'], "no video named ['nope']"),
            ([annotations, '--films', tmp_path / 'films'], 'give IMAGE_ROOT'),
            ([annotations, made, '--html', made], 'no earlier export')):
        assert run_tool('browse', *arguments) == 2, arguments
        error = capsys.readouterr().err
        assert (error.startswith('error: '), error.count('\n'), message in error) == (
            True, 1, True), error


def test_films_and_pages_are_one_or_the_other(made, tmp_path, run_tool, capsys):
    with pytest.raises(SystemExit):
        run_tool('browse', made / 'annotations.json', '--films', tmp_path, '--html', tmp_path)
    assert 'not allowed with' in capsys.readouterr().err
