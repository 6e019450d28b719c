from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from browse_data import FRAMES, SCRIPT

from vatrack.browse import Source, export_page
from vatrack.video import VideoError


@pytest.fixture(scope='module')
def exported(source, tmp_path_factory) -> Path:
    return export_page(source, tmp_path_factory.mktemp('out') / 'page').parent


def document(folder: Path, name: str) -> Any:
    """Read a document back from its script."""
    text = (folder / 'data' / f'{name}.js').read_text()
    match = re.fullmatch(r'deliver\("([^"]+)",(.*)\);\n', text, re.DOTALL)
    assert match[1] == name
    return json.loads(match[2])


def test_every_document_and_picture_is_there(exported, source):
    expected = {'index.html', 'vatrack-browse.txt', 'data/index.js'}
    for number in range(len(document(exported, 'index')['videos'])):
        video = document(exported, f'video-{number}')
        expected |= {f'data/video-{number}.js', f'data/frames-{number}-0.js'}
        expected |= {link for link in video['images'] if link}
        assert len(document(exported, f'frames-{number}-0')) == FRAMES
    found = {str(path.relative_to(exported)) for path in exported.rglob('*') if path.is_file()}
    assert found == expected
    assert document(exported, 'video-0')['images'][3] is None
    assert document(exported, 'video-2')['images'][0] == 'frames/2/000000.jpg'


def test_pictures_are_copies(exported, made):
    assert (exported / 'frames/0/000001.png').read_bytes() == (made / 'v0/1.png').read_bytes()


def test_the_page_holds_its_own_style_and_scripts(exported):
    page = (exported / 'index.html').read_text()
    assert 'data-source="files"' in page
    assert '<link rel="stylesheet"' not in page
    assert 'src=' not in page
    assert page.count('<script>') == page.count('</script>') == 12
    assert "default-src 'none'" in page


def test_names_cannot_end_a_script(exported):
    assert SCRIPT in [row[1] for row in document(exported, 'index')['videos']]
    for path in exported.rglob('*.js'):
        assert '<' not in path.read_text()


def test_low_tracks_are_left_out(exported):
    assert [each['id'] for each in document(exported, 'video-0')['layers']['prediction']] == [4, 5]


def test_an_export_may_be_replaced_but_nothing_else(exported, source, made, tmp_path):
    folder = shutil.copytree(exported, tmp_path / 'page')
    few = Source(made / 'annotations.json', made, max_videos=1, every=2)
    assert export_page(few, folder) == folder / 'index.html'
    assert len(document(folder, 'index')['videos']) == 1
    assert len(list((folder / 'frames/0').iterdir())) == 3
    assert not (folder / 'data/video-1.js').exists()
    for foreign in (made, made / 'annotations.json'):
        with pytest.raises(FileExistsError, match='no earlier export'):
            export_page(few, foreign)
    assert (made / 'annotations.json').is_file()


def test_a_broken_picture_leaves_nothing_behind(made, tmp_path):
    folder = shutil.copytree(made, tmp_path / 'data')
    (folder / 'v2/4.bmp').write_text('no picture')
    source = Source(folder / 'annotations.json', folder)
    with pytest.raises(VideoError, match=r'4\.bmp: not an image'):
        export_page(source, tmp_path / 'page')
    assert [path.name for path in tmp_path.iterdir()] == ['data']
