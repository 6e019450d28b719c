"""docs/results.jsonl holds what was published, and docs/results.md is made from it."""
from __future__ import annotations

import re
import shutil

import pytest
from scripts import REPO, load_tool

from vatrack.evaluation.protocols import PROTOCOLS
from vatrack.leaderboard import (
    COLUMNS,
    SYSTEMS,
    ResultRow,
    fill_overviews,
    name_config,
    read_rows,
    results_page,
)

RESULTS = REPO / 'docs' / 'results.jsonl'
COLLECTED = REPO.parent / 'shared/specs/vatrack.md'
KINDS = {'A': 'amodal', 'V': 'visible'}
README_SYSTEMS = {'AmodalTrack': 'amodaltrack_qd', 'QDTrack': 'qdtrack_qd',
                  'VATrack': 'vatrack_qd', 'VATrack two-box': 'vatrack-2box_qd'}
METHODS = {**{name: (system, None) for system, name in SYSTEMS.items()},
           'MaskAmodal (re-simulated)': ('maskamodal_none', None),
           'MaskJoint (re-simulated)': ('maskjoint_none', None),
           'MaskAmodal (Hu et al.)': ('maskamodal_none', 'hu-et-al'),
           'MaskJoint (Hu et al.)': ('maskjoint_none', 'hu-et-al')}


@pytest.fixture(scope='module')
def rows() -> list[ResultRow]:
    return read_rows(RESULTS)


@pytest.fixture(scope='module')
def paper(rows) -> list[ResultRow]:
    return [row for row in rows if row.source == 'paper']


def test_the_page_is_what_the_rows_give(rows):
    page = RESULTS.with_suffix('.md').read_text(encoding='utf-8')
    assert page == results_page(rows), 'run python tools/tabulate_results.py'


def test_the_readme_is_what_the_rows_give(rows):
    readme = (REPO / 'README.md').read_text(encoding='utf-8')
    assert '| VATrack (QD) | 32.8' in readme
    assert readme == fill_overviews(readme, rows), 'run python tools/tabulate_results.py'


def test_the_tool_makes_the_page(tmp_path, capsys):
    shutil.copy(RESULTS, tmp_path)
    copy = tmp_path / RESULTS.name
    assert load_tool('tabulate_results').main(['--results', str(copy)]) == 0
    page = copy.with_suffix('.md')
    assert page.read_bytes() == RESULTS.with_suffix('.md').read_bytes()
    assert capsys.readouterr().out == f'{page}\n'
    copy.write_text('{}\n')
    assert load_tool('tabulate_results').main(['--results', str(copy)]) == 1
    assert 'line 1: lacks' in capsys.readouterr().err


def test_every_published_row_is_there(paper):
    counts = {table: sum(row.table == table for row in paper)
              for table in ('Table 5', 'Table 6', 'Table 7', 'Table 8', 'Table 9', 'README')}
    assert counts == {'Table 5': 16, 'Table 6': 12, 'Table 7': 8, 'Table 8': 4, 'Table 9': 4,
                      'README': 12}
    assert all(tuple(row.values) == COLUMNS for row in paper)
    assert {row.protocol for row in paper} <= PROTOCOLS.keys()


def test_configs_of_published_rows_exist(paper):
    missing = {row.config for row in paper if row.config
               and not (REPO / 'configs' / f'{row.config}.py').is_file()}
    assert not missing


def test_configs_say_what_their_rows_say(rows):
    for row in rows:
        if row.config is None:
            assert row.variant == 'hu-et-al'  # older numbers, which the paper quotes
        elif row.system in SYSTEMS:
            name = name_config(f'configs/{row.config}.py')
            assert (name.system, name.dataset, name.variant) == (
                row.system, row.dataset, row.variant)


@pytest.mark.parametrize(('table', 'column', 'value', 'words'), [
    ('Table 5', 'M', 28.8, '28.9 in the README'), ('Table 6', 'M', 28.8, '28.9 in the README'),
    ('README', 'M', 28.9, '28.8 in Tables 5 and 6'), ('Table 5', 'L', 34.4, '34.3 in the text'),
    ('README', 'S', 11.3, 'with one box 12.7')])
def test_contradictions_are_noted(paper, table, column, value, words):
    (row,) = [row for row in paper if row.table == table and words in (row.note or '')]
    assert row.level == 'image' and row.values[column] == value


def tables(section: str) -> list[list[str]]:
    """Cells of the table in a section of the collected tables."""
    if not COLLECTED.is_file():
        pytest.skip(f'needs the collected tables {COLLECTED}')
    text = COLLECTED.read_text(encoding='utf-8')
    block = re.search(rf'^### {re.escape(section)} (.*?)(?=^###|^---)', text, re.M | re.S)[1]
    lines = [line for line in block.splitlines() if line.startswith('|')]
    return [[cell.strip() for cell in line.strip('|').split('|')] for line in lines[2:]]


def numbers(cells: list[str]) -> tuple[float, ...]:
    return tuple(map(float, cells[-len(COLUMNS):]))


def lambda_row(level, kind, visible, amodal, *cells):
    variant = None if visible == amodal else f'lambda-{visible}-{amodal}'
    return 'Table 5', 'vatrack_qd', variant, 'sailvos-cut', level, KINDS[kind]


def resolution_row(level, kind, resolution, *cells):
    variant = None if resolution == '1280x800' else resolution
    return 'Table 6', 'vatrack_qd', variant, 'sailvos-cut', level, KINDS[kind]


def image_row(method, *cells):
    return 'Table 7', *METHODS[method], 'sailvos', 'image', 'amodal'


def video_row(table, kind, method, *cells):
    return f'Table {table}', *METHODS[method], 'sailvos', 'video', KINDS[kind]


def readme_row(level, kind, method, *cells):
    return 'README', README_SYSTEMS[method], None, 'sailvos-cut', level, KINDS[kind]


@pytest.mark.parametrize(('section', 'key', 'names'), [
    ('8.1', lambda_row, {'Table 5'}), ('8.2', resolution_row, {'Table 6'}),
    ('8.3', image_row, {'Table 7'}), ('8.4', video_row, {'Table 8', 'Table 9'}),
    ('8.5', readme_row, {'README'})])
def test_every_number_is_the_published_one(paper, section, key, names):
    expected = {key(*cells): numbers(cells) for cells in tables(section)}
    assert expected == {
        (row.table, row.system, row.variant, row.dataset, row.level, row.kind):
            tuple(row.values[column] for column in COLUMNS)
        for row in paper if row.table in names}
