from __future__ import annotations

import pytest
from result_rows import measured_row, paper_row, values

from vatrack.leaderboard import results_page, save_results, study_page


def table_lines(page: str, title: str) -> list[str]:
    """Rows of the table under a title."""
    block = page.split(f'### {title}\n')[1].split('\n#')[0]
    return [line for line in block.splitlines() if line.startswith('|')][2:]


def test_study_shows_mean_and_spread_beside_the_paper():
    page = study_page([measured_row()], [paper_row()])
    assert table_lines(page, 'amodal masks, video level') == [
        '| VATrack (QD) | vatrack_qd_synthetic | measured, sailvos-full, 2 seeds [1] | 20.0 ± 0.0 '
        '| 21.0 ± 1.0 | 22.0 ± 2.0 | 23.0 ± 3.0 | 24.0 ± 4.0 | 25.0 ± 5.0 | 26.0 ± 6.0 |',
        '| VATrack (QD) | vatrack_qd_sailvos-cut | paper: SAIL-VOS-cut, README | 10.0 | 11.0 | '
        '12.0 | 13.0 | 14.0 | 15.0 | 16.0 |']
    assert ('- [1] `python tools/ablate.py configs/vatrack_qd_synthetic.py`<br>\n'
            '  protocol sailvos-full; data data/synthetic/val.json; seeds 0, 1; 2250 iterations; '
            'torch 2.11.0; CPU, 2 cores; commit abc1234; 2026-11-20\n') in page


@pytest.mark.parametrize(('dataset', 'shown'), [
    ('sailvos', ['SAIL-VOS (uncut), Table 8']), ('sailvos-cut', ['SAIL-VOS-cut, README']),
    ('synthetic', ['SAIL-VOS-cut, README'])])
def test_the_paper_is_quoted_for_the_dataset_itself_or_named_otherwise(dataset, shown):
    paper = [paper_row(dataset='sailvos', table='Table 8', values=values(3)), paper_row()]
    lines = table_lines(study_page([measured_row(dataset=dataset)], paper),
                        'amodal masks, video level')
    assert [line.split(' | ')[2].removeprefix('paper: ') for line in lines[1:]] == shown


@pytest.mark.parametrize('change', [
    {'system': 'vatrack_mt'}, {'variant': 'lambda-0.5-1.5'}, {'level': 'image'},
    {'kind': 'visible'}])
def test_the_paper_is_not_quoted_for_anything_else(change):
    page = study_page([measured_row()], [paper_row(**change)])
    assert len(table_lines(page, 'amodal masks, video level')) == 1


def test_equal_published_numbers_are_one_row_and_contradictions_are_two():
    paper = [paper_row(table='Table 5', note='28.8 here, 28.9 there'), paper_row(table='Table 6'),
             paper_row(values=values(10.1), note='28.9 here')]
    page = study_page([measured_row()], paper)
    sources = [line.split(' | ')[2] for line in table_lines(page, 'amodal masks, video level')]
    assert sources[1:] == ['paper: SAIL-VOS-cut, Table 5, Table 6', 'paper: SAIL-VOS-cut, README']
    assert '- VATrack (QD): 28.8 here, 28.9 there\n- VATrack (QD): 28.9 here\n' in page


def test_numbers_that_there_are_not():
    row = measured_row(values={'AP': 1, '50': None}, spread={'AP': 0.5, '50': None})
    (line,) = table_lines(study_page([row], []), 'amodal masks, video level')
    assert line.endswith('| 1.0 ± 0.5 | n/a | - | - | - | - | - |')


def test_further_metrics_stand_beside_those_of_the_paper():
    row = measured_row(values={'AP': 1, 'HOTA': 52.25, 'IDSW': 3, 'MOTA': None}, spread=None)
    page = study_page([row, measured_row(level='image')], [paper_row()])
    assert '| vAP | 50 | P | H | L | M | S | HOTA | MOTA | IDSW |\n' in page
    lines = table_lines(page, 'amodal masks, video level')
    assert lines[0].endswith('| 1.0 | - | - | - | - | - | - | 52.2 | n/a | 3.0 |')
    assert lines[1].endswith('| 16.0 | - | - | - |')
    assert '| source | AP | 50 | P | H | L | M | S |\n' in page and 'IDSW (a count)' in page
    assert 'HOTA' not in study_page([measured_row()], [])
    alone = study_page([measured_row(values={'IDF1': 7}, spread=None)], [])
    assert '| system | config | source | IDF1 |\n' in alone


def test_a_system_without_association_has_dashes_at_video_level():
    joint = {'system': 'maskjoint_none', 'name': 'MaskJoint', 'config': 'maskjoint_none_synthetic'}
    rows = [measured_row(level='image', **joint), measured_row(level='image'), measured_row(),
            measured_row(level='image', kind='visible', **joint)]
    page = study_page(rows, [])
    first, second = table_lines(page, 'amodal masks, video level')
    assert first.startswith('| MaskJoint |') and first.endswith(' |' + ' - |' * 7)
    assert '20.0' in second
    # Nobody has visible masks at video level: no table.
    assert '### visible masks, image level' in page and '### visible masks, video' not in page


def test_datasets_and_protocols_are_never_in_one_table():
    page = study_page([measured_row(), measured_row(dataset='fishbowl', data='f.json'),
                       measured_row(protocol='ytvis'),
                       measured_row(protocol='ytvis', data='other.json')], [])
    assert [line for line in page.splitlines() if line.startswith('## ')] == [
        '## synthetic videos, data/synthetic/val.json, protocol sailvos-full',
        '## FISHBOWL, f.json, protocol sailvos-full',
        '## synthetic videos, data/synthetic/val.json, protocol ytvis',
        '## synthetic videos, other.json, protocol ytvis']
    assert page.count('### amodal masks, video level') == 4
    assert all(f'seeds [{number}]' in page for number in (1, 2, 3, 4))


def test_options_are_shown_in_the_command_alone():
    page = study_page([measured_row(options=('a.b=1',), command='ablate --cfg-options a.b=1')], [])
    assert '| vatrack_qd_synthetic |' in page
    assert page.count('a.b=1') == 1


def test_configs_that_were_trained_for_different_times_are_told_apart():
    other = measured_row(level='image', config='b', iterations=10, commit=None)
    page = study_page([measured_row(), other], [])
    assert 'iterations: 2250 (vatrack_qd_synthetic), 10 (b)' in page
    assert 'commit abc1234, unknown;' in page


def test_measured_rows_stand_beneath_those_of_the_paper():
    here = measured_row(dataset='sailvos-cut', config='vatrack_qd_sailvos-cut', seeds=(0,),
                        spread=None, data='data/valid.json')
    page = results_page([paper_row(), paper_row(system='qdtrack_qd', name='QDTrack'), here,
                         measured_row()])
    table = page.index('## README: QD-based systems')
    measured = page.index('## Measured: synthetic videos, data/synthetic/val.json, protocol')
    assert table < measured < page.index('## How the measured rows were made')
    names = [line.split(' | ')[:3] for line in table_lines(page[table:measured],
                                                           'amodal masks, video level')]
    assert [(name, source) for name, _, source in names] == [
        ('| VATrack (QD)', 'paper'),
        ('| VATrack (QD)', 'measured, sailvos-full, 1 seed [1]'), ('| QDTrack', 'paper')]
    assert page.count('measured, sailvos-full, 1 seed [1]') == 1
    assert '| measured, sailvos-full, 2 seeds [2] | 20.0 ± 0.0 |' in page[measured:]


def test_rows_and_page_are_written_together(tmp_path):
    rows = [paper_row(), measured_row()]
    page = save_results(tmp_path / 'new' / 'results.jsonl', rows)
    assert page == tmp_path / 'new' / 'results.md'
    assert page.read_text(encoding='utf-8') == results_page(rows)
