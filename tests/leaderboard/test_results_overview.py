from __future__ import annotations

from result_rows import measured_row, paper_row

from vatrack.leaderboard import fill_overviews, overview

MARK, END = '<!-- overview of fishbowl, made by tools/tabulate_results.py -->', \
    '<!-- end of overview -->'


def test_systems_are_rows_and_kinds_and_levels_columns():
    rows = [paper_row(),
            measured_row(name='A', dataset='fishbowl', values={'AP': 12.34}, spread={'AP': .56}),
            measured_row(name='A', dataset='fishbowl', level='image', values={'AP': 20.},
                         spread=None),
            measured_row(name='B', dataset='fishbowl', kind='visible', values={'AP': None}),
            measured_row(name='C', dataset='synthetic'),
            measured_row(name='D', dataset='fishbowl', values={'HOTA': 50.})]
    assert overview(rows, 'fishbowl').splitlines() == [
        '| system | amodal AP | amodal vAP | visible AP | visible vAP |',
        '| --- | ---: | ---: | ---: | ---: |',
        '| A | 20.0 | 12.3 ± 0.6 | - | - |',
        '| B | - | - | - | n/a |']


def test_only_what_is_between_the_marks_changes():
    rows = [measured_row(name='A', dataset='fishbowl', values={'AP': 1.}, spread=None)]
    text = f'before\n{MARK}\nold\n{END}\nbetween\n{END}\n'
    filled = fill_overviews(text, rows)
    assert filled.startswith(f'before\n{MARK}\n\n| system')
    assert filled.endswith(f'|\n\n{END}\nbetween\n{END}\n')
    assert 'old' not in filled and '| A | - | 1.0 | - | - |' in filled
    assert fill_overviews(filled, rows) == filled
