"""The site builds without a warning, and all its links lead somewhere."""
from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest
from page_commands import read_blocks
from scripts import REPO
from site_links import faults

PAGES = sorted([*REPO.glob('docs/**/*.md'), *REPO.glob('*.md'), *REPO.glob('data/*.md'),
                *REPO.glob('work_dirs/*.md')])
_LINK = re.compile(r'\[[^]]*\]\((?!\w+:)([^()#\s]*)(#[^()\s]*)?\)')


@pytest.fixture(scope='module')
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Folder of the built site, and the warnings of the build."""
    pytest.importorskip('mkdocs', reason='the site needs mkdocs: pip install -r requirements.txt')
    from mkdocs.commands.build import build
    from mkdocs.config import load_config
    site = tmp_path_factory.mktemp('site').resolve()
    warnings: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: warnings.append(record.getMessage())
    logging.getLogger('mkdocs').addHandler(handler)
    try:
        config = load_config(str(REPO / 'mkdocs.yml'), site_dir=str(site), strict=False)
        config.plugins.on_startup(command='build', dirty=False)
        build(config)
        config.plugins.on_shutdown()
    finally:
        logging.getLogger('mkdocs').removeHandler(handler)
    return site, warnings


def test_builds_without_a_warning(built):
    assert built[1] == []


def test_links_anchors_and_assets(built):
    assert list(faults(built[0])) == []


def test_every_page_is_in_the_navigation(built):
    from mkdocs.config import load_config
    listed = str(load_config(str(REPO / 'mkdocs.yml')).nav)
    names = [page.relative_to(REPO / 'docs').as_posix() for page in REPO.glob('docs/**/*.md')]
    assert [name for name in names if f"'{name}'" not in listed] == []


def test_api_pages_hold_what_the_packages_export(built):
    for name in ('files/#vatrack.files.annotation_file.load_annotations',
                 'evaluation/#vatrack.evaluation.protocols.Protocol',
                 'models/#vatrack.models.tracked_detector.TrackedDetector'):
        page, _, anchor = name.partition('#')
        html = (built[0] / 'api' / page / 'index.html').read_text()
        assert f'id="{anchor}"' in html and f'href="#{anchor}"' in html


@pytest.mark.parametrize('page', PAGES, ids=lambda page: str(page.relative_to(REPO)))
def test_relative_links_of_the_files_lead_to_files(page):
    text = page.read_text(encoding='utf-8')
    for block in read_blocks(page):
        text = text.replace(block.text, '')
    dead = [link for link, _ in _LINK.findall(text) if link and not (page.parent / link).exists()]
    assert dead == []


BROKEN = {
    'index.html': '<h1 id="top">x</h1><a href="a/#there">1</a><a href="#top">2</a>'
                  '<a href="https://example.org/x#y">3</a><img src="a/p.png">',
    'a/index.html': '<p id="there"><a href="../#gone">1</a><a href="../b/">2</a>'
                    '<a href="https://nowhere">3</a><img src="https://example.org/p.png">'
                    '<link rel="stylesheet" href="//example.org/x.css">',
}


def test_the_checker_finds_faults(tmp_path):
    for name, html in BROKEN.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(html)
    (tmp_path / 'a/p.png').touch()
    (tmp_path / 'x.css').write_text('p { background: url("https://example.org/p.png") }')
    found = '\n'.join(faults(tmp_path.resolve()))
    assert [line.split(': ', 1)[0] for line in found.splitlines()] == ['a/index.html'] * 5 + [
        'x.css'], found
    for fault in ('../#gone: no such anchor', '../b/: no such file', 'https://nowhere: no address',
                  'loads https://example.org/p.png', 'loads //example.org/x.css'):
        assert fault in found
