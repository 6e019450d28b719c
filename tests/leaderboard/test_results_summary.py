from __future__ import annotations

import pytest

from vatrack.evaluation.evaluate import METRICS, evaluate
from vatrack.leaderboard import COLUMNS, summarise
from vatrack.synthetic.made_tracks import SetSize, made_set

NAMES = ('', '50', '50_P', '50_H', '50_L', '50_M', '50_S')


def metrics(start: float, level: str = 'video', kind: str = 'amodal') -> dict[str, float]:
    ap = 'vAP' if level == 'video' else 'AP'
    return {f'{kind}/{level}/{ap}{name}': start + k / 100 for k, name in enumerate(NAMES)}


def test_one_run_has_no_spread():
    (summary,) = summarise([metrics(0.1)])
    assert (summary.level, summary.kind, summary.spread) == ('video', 'amodal', None)
    assert list(summary.mean) == list(COLUMNS)
    assert summary.mean['AP'] == 10 and summary.mean['S'] == 16


def test_spread_is_the_sample_standard_deviation():
    (summary,) = summarise([metrics(value) for value in (0.1, 0.2, 0.6)])
    assert summary.mean['AP'] == 30
    # Deviations -20, -10 and 30: sqrt((400 + 100 + 900) / 2).
    assert summary.spread['AP'] == pytest.approx(26.458)
    assert summary.mean['H'] == 33 and summary.spread['H'] == pytest.approx(26.458)


def test_levels_and_kinds_come_in_the_order_of_the_paper():
    run = {**metrics(0, 'video', 'visible'), **metrics(0, 'image', 'visible'), **metrics(0),
           **metrics(0, 'image')}
    assert [(each.level, each.kind) for each in summarise([run])] == [
        ('image', 'amodal'), ('image', 'visible'), ('video', 'amodal'), ('video', 'visible')]


def test_where_there_is_no_truth_there_is_no_number():
    (summary,) = summarise([{**metrics(0.1), 'amodal/video/vAP50_L': -1.0}] * 2)
    assert summary.mean['L'] is None and summary.spread['L'] is None
    assert summary.mean['M'] == 15


def test_a_kind_that_only_some_runs_have_is_left_out():
    assert [each.kind for each in summarise([
        {**metrics(0), **metrics(0, kind='visible')}, metrics(0)])] == ['amodal']


def test_columns_that_a_protocol_lacks_are_left_out():
    values = {f'amodal/video/vAP{name}': 0.5 for name in ('', '50', '_L', '_M', '_S')}
    (summary,) = summarise([values], strata_at_50=False)
    assert list(summary.mean) == ['AP', '50', 'L', 'M', 'S']


@pytest.mark.parametrize(('metric', 'columns'), [
    ('AP', COLUMNS), ('AR', ('AR@1', 'AR@10', 'AR@100')), ('vAP', COLUMNS),
    ('vAR', ('AR@1', 'AR@10', 'AR@100')), ('HOTA', ('HOTA', 'DetA', 'AssA')),
    ('CLEAR', ('MOTA', 'IDSW')), ('IDF1', ('IDF1',)), ('mIoU', ('mIoU', 'occluded'))])
def test_every_metric_has_columns(metric, columns):
    made = made_set(SetSize(1, 4, 3, 2, height=60, width=90, kinds=('amodal', 'visible')))
    numbers = evaluate(*made, [metric], 'sailvos', kinds=['amodal'])
    (summary,) = summarise([numbers])
    assert (summary.level, tuple(summary.mean)) == (METRICS[metric].level, columns)
    shown = {str(round(100 * value, 3)) for value in numbers.values()} | {'None'}
    assert {str(value) for column, value in summary.mean.items() if column != 'IDSW'} <= shown


def test_counts_and_numbers_below_0():
    clear = {'MOTA': -0.5, 'IDSW': 3, 'TP': 4, 'FN': 0}
    runs = [{f'visible/video/{name}': value for name, value in (clear | change).items()}
            for change in ({}, {'IDSW': 6, 'MOTA': -1})]
    (summary,) = summarise(runs)
    assert summary.mean == {'MOTA': -75, 'IDSW': 4.5}
    assert summary.spread == {'MOTA': 35.355, 'IDSW': 2.121}
    (summary,) = summarise([runs[0] | {'visible/video/TP': 0}])
    assert summary.mean == {'MOTA': None, 'IDSW': None}
