from __future__ import annotations

import json

import pytest
from result_rows import measured_row, paper_row

from vatrack.leaderboard import ResultRowError, merge_rows, read_rows, write_rows


def test_rows_come_back_as_they_were_written(tmp_path):
    rows = [paper_row(), paper_row(variant='lambda-0.5-1.5', note='a ± b'),
            measured_row(options=('a=1',), values={'AP': None, '50': 1.5}, spread=None)]
    path = tmp_path / 'rows.jsonl'
    write_rows(path, rows)
    assert read_rows(path) == rows
    first, _, last = path.read_text(encoding='utf-8').splitlines()
    assert 'variant' not in json.loads(first) and 'seeds' not in json.loads(first)
    assert json.loads(last)['values'] == {'AP': None, '50': 1.5}


def test_new_rows_take_the_places_of_old_ones():
    old = [measured_row(), measured_row(level='image'), paper_row()]
    new = [measured_row(level='image', seeds=(0, 1, 2)), measured_row(kind='visible')]
    assert merge_rows(old, new) == [old[0], new[0], old[2], new[1]]


@pytest.mark.parametrize('change', [
    {'dataset': 'sailvos'}, {'variant': 'r50'}, {'protocol': 'ytvis'}, {'options': ('a=1',)},
    {'system': 'vatrack_mt'}, {'level': 'image'}, {'kind': 'visible'},
    {'data': 'other.json'}])
def test_rows_that_differ_in_what_was_measured_are_both_kept(change):
    assert len(merge_rows([measured_row()], [measured_row(**change)])) == 2


@pytest.mark.parametrize('change', [
    {'seeds': (7,)}, {'commit': 'f'}, {'date': '2027-01-01'}, {'command': 'x'},
    {'hardware': 'GPU'}, {'iterations': 1}])
def test_a_row_measured_again_replaces(change):
    assert merge_rows([measured_row()], [measured_row(**change)]) == [measured_row(**change)]


@pytest.fixture
def content(tmp_path):
    path = tmp_path / 'one.jsonl'
    write_rows(path, [measured_row()])
    return json.loads(path.read_text(encoding='utf-8'))


@pytest.mark.parametrize(('change', 'message'), [
    ({'source': 'rumour'}, "has 'source' 'rumour' instead of one of"),
    ({'level': 'clip'}, "has 'level' 'clip'"),
    ({'kind': 'modal'}, "has 'kind' 'modal'"),
    ({'table': 'Table 99'}, "has 'table' 'Table 99'"),
    ({'values': {'mAP': 1}}, "has 'values' that are no numbers"),
    ({'values': {'AP': '1'}}, "has 'values' that are no numbers"),
    ({'spread': [1]}, "has 'spread' that are no numbers"),
    ({'gpu': 'H200'}, "has an unknown key 'gpu'"),
    ({'command': None}, "lacks 'command'"),
    ({'system': None}, "lacks 'system'"),
])
def test_broken_rows_are_named(tmp_path, content, change, message):
    path = tmp_path / 'rows.jsonl'
    broken = {key: value for key, value in {**content, **change}.items() if value is not None}
    path.write_text(f'{json.dumps({**content, "kind": "visible"})}\n{json.dumps(broken)}\n')
    with pytest.raises(ResultRowError, match=message) as caught:
        read_rows(path)
    assert str(caught.value).startswith(f'{path}: line 2: ')


@pytest.mark.parametrize(('line', 'message'), [('{', 'not JSON'), ('[]', 'JSON object')])
def test_lines_that_are_no_rows(tmp_path, line, message):
    path = tmp_path / 'rows.jsonl'
    path.write_text(f'{line}\n')
    with pytest.raises(ResultRowError, match=f'line 1: .*{message}'):
        read_rows(path)


def test_a_row_must_not_stand_twice(tmp_path):
    path = tmp_path / 'rows.jsonl'
    write_rows(path, [paper_row(), paper_row()])
    with pytest.raises(ResultRowError, match='line 2: there is another paper row of VATrack'):
        read_rows(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ResultRowError, match=r'none\.jsonl: cannot be read'):
        read_rows(tmp_path / 'none.jsonl')
