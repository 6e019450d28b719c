"""Curves of training runs: reading logs, choosing, smoothing, the table, page and image."""
from __future__ import annotations

import json
import math
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from vatrack.analysis.log_curves import compare, number, smoothed, summary, summary_rows, thinned
from vatrack.analysis.log_image import save_log_image
from vatrack.analysis.log_page import log_page, save_log_page
from vatrack.analysis.run_logs import Curve, LogError, choose_keys, read_run, read_runs
from vatrack.analysis.svg import value_axis


def train_row(step: int, loss: float, epoch: int = 1, **more: float) -> dict:
    return {'lr': 0.1, 'loss': loss, 'time': 0.5, 'epoch': epoch, 'iter': step, 'step': step,
            **more}


def val_row(epoch: int, vap: float, **more: float) -> dict:
    return {'amodal/video/vAP': vap, 'amodal/video/vAP50_H': -1.0, 'time': 0.5, 'step': epoch,
            **more}


def write_log(run: Path, start: str, rows: list[dict], tail: str = '',
              name: str = 'scalars.json') -> Path:
    path = run / start / 'vis_data' / name
    path.parent.mkdir(parents=True)
    path.write_text(''.join(json.dumps(row) + '\n' for row in rows) + tail)
    return path


@pytest.fixture
def two_runs(tmp_path) -> list[Path]:
    for name, offset in (('slow', 1.0), ('fast', 0.0)):
        rows = [train_row(step, 5 / step + offset) for step in range(1, 31)]
        rows += [val_row(1, 0.25 - offset / 10), val_row(2, 0.375), val_row(3, 0.3125)]
        write_log(tmp_path / name, '20260101_000000', rows)
    return [tmp_path / 'slow', tmp_path / 'fast']


def test_the_log_of_a_real_run_is_read(trained_run):
    run = read_run(trained_run)
    assert run.name == trained_run.name and run.warnings == []
    assert run.val['amodal/video/vAP'].steps == [1, 2]
    losses = run.train['loss']
    assert len(losses.steps) >= 2 and all(map(math.isfinite, losses.values))
    parts = [key for key in run.train if key.startswith('loss_')]
    total = sum(run.train[key].values[-1] for key in parts)
    assert total == pytest.approx(losses.values[-1], rel=1e-4)
    assert not {'time', 'data_time', 'iter', 'step', 'epoch', 'memory'} & {*run.train, *run.val}


@pytest.mark.parametrize('part', ['', '20260101_000000', '20260101_000000/vis_data/scalars.json'])
def test_a_run_a_start_or_a_file_can_be_named(two_runs, part):
    assert read_run(two_runs[0] / part).train['loss'].steps == list(range(1, 31))


def test_the_log_of_a_start_stands_in_for_scalars(tmp_path):
    write_log(tmp_path, '20260101_000000', [train_row(1, 2.0)], name='20260101_000000.json')
    assert read_run(tmp_path).train['loss'] == Curve([1], [2.0])


def test_a_resumed_run_is_joined_and_later_starts_win(tmp_path):
    """The first start breaks off in epoch 3; the second resumes after epoch 1."""
    write_log(tmp_path, '20260102_000000', [
        train_row(15, 0.5, epoch=2), train_row(25, 0.25, epoch=2), val_row(2, 0.75)])
    write_log(tmp_path, '20260101_000000', [
        train_row(10, 1.0), val_row(1, 0.5), train_row(20, 9.0, epoch=2), val_row(2, 0.1),
        train_row(30, 9.0, epoch=3)])
    run = read_run(tmp_path)
    assert run.train['loss'] == Curve([10, 15, 25], [1.0, 0.5, 0.25])
    assert run.val['amodal/video/vAP'] == Curve([1, 2], [0.5, 0.75])


def test_validations_after_the_point_of_resuming_are_dropped_at_once(tmp_path):
    write_log(tmp_path, '1', [train_row(10, 1.0), val_row(1, 0.5), val_row(2, 0.1)])
    write_log(tmp_path, '2', [train_row(15, 0.5, epoch=2)])
    write_log(tmp_path, '3', [])
    assert read_run(tmp_path).val['amodal/video/vAP'] == Curve([1], [0.5])


def test_missing_truth_is_no_value_and_nan_is_a_gap(tmp_path):
    write_log(tmp_path, '1', [train_row(1, math.nan), train_row(2, 1.0, acc=-1.0),
                              val_row(1, -1.0), val_row(2, 0.5)])
    run = read_run(tmp_path)
    assert np.array_equal(run.train['loss'].values, [math.nan, 1.0], equal_nan=True)
    assert run.train['acc'].values == [-1.0]
    assert np.array_equal(run.val['amodal/video/vAP'].values, [math.nan, 0.5], equal_nan=True)
    assert 'amodal/video/vAP50_H' not in run.val


@pytest.mark.parametrize('tail', ['{"loss": 0.1, "it', '{"loss": 0.1, "iter": 3, "step"', '[1'])
def test_a_cut_last_line_is_a_warning(tmp_path, tail):
    file = write_log(tmp_path, '1', [train_row(1, 2.0), train_row(2, 1.0)], tail)
    run = read_run(tmp_path)
    assert run.train['loss'].values == [2.0, 1.0]
    assert len(run.warnings) == 1
    assert run.warnings[0].startswith(f'{file}: the last line is cut off')


@pytest.mark.parametrize('line', ['{"loss": 0.1, "it', '[]', '{"loss": 1}', '{"step": "1"}'])
def test_damage_elsewhere_names_the_line(tmp_path, line):
    file = write_log(tmp_path, '1', [train_row(1, 2.0)], f'{line}\n{json.dumps(train_row(3, 1))}\n')
    with pytest.raises(LogError, match=r'scalars\.json: line 2 is damaged .*remove the line') as e:
        read_run(tmp_path)
    assert str(file) in str(e.value)


def test_missing_logs_are_named(tmp_path):
    with pytest.raises(LogError, match='none: no such run'):
        read_run(tmp_path / 'none')
    with pytest.raises(LogError, match='no log of training'):
        read_run(tmp_path)
    write_log(tmp_path / 'new', '1', [])
    with pytest.raises(LogError, match='nothing is logged yet'):
        read_run(tmp_path / 'new')


def test_runs_of_one_name_go_by_their_paths(tmp_path):
    for folder in ('a', 'b'):
        write_log(tmp_path / folder / 'run', '1', [train_row(1, 2.0)])
    write_log(tmp_path / 'other', '1', [train_row(1, 2.0)])
    paths = [tmp_path / 'a/run', tmp_path / 'b/run', tmp_path / 'other']
    assert [run.name for run in read_runs(paths)] == [str(paths[0]), str(paths[1]), 'other']


def test_keys_are_chosen_by_name_or_pattern(tmp_path):
    write_log(tmp_path, '1', [train_row(1, 2.0, loss_cls=1.0, acc=50.0, grad_norm=3.0),
                              val_row(1, 0.5, **{'amodal/video/vAP50_P': 0.1, 'visible/x': 0.2})])
    runs = [read_run(tmp_path)]
    assert choose_keys(runs, None) == (['lr', 'loss', 'loss_cls', 'grad_norm'],
                                       ['amodal/video/vAP', 'visible/x'])
    assert choose_keys(runs, ['acc', 'amodal/*']) == (
        ['acc'], ['amodal/video/vAP', 'amodal/video/vAP50_P'])
    with pytest.raises(LogError, match=r'--keys los: nothing .* there are lr, loss, loss_cls'):
        choose_keys(runs, ['acc', 'los'])


def test_smoothing_is_the_unbiased_moving_average():
    values = [4.0, 2.0, math.nan, 8.0, 1.0]
    found = smoothed(Curve([1, 2, 3, 4, 5], values), 0.5).values
    weights = [[1], [1, 2], None, [1, 2, 4], [1, 2, 4, 8]]
    finite = [4.0, 2.0, 8.0, 1.0]
    expected = [math.nan if w is None else np.average(finite[:len(w)], weights=w) for w in weights]
    assert np.allclose(found, expected, equal_nan=True)
    constant = smoothed(Curve([1, 2, 3], [7.0] * 3), 0.99).values
    assert constant == pytest.approx([7.0] * 3)
    assert smoothed(Curve([1, 2], [3.0, 4.0]), 0).values == [3.0, 4.0]


def test_thinning_keeps_peaks_ends_and_order():
    values = np.sin(np.arange(10_000) / 500)
    values[[17, 5001]] = 50.0, -50.0
    values[200:260] = math.nan
    curve = thinned(Curve(list(range(10_000)), values.tolist()), 400)
    assert len(curve.steps) <= 400 and curve.steps == sorted(set(curve.steps))
    assert {17, 5001} <= set(curve.steps)
    assert all(np.array_equal(value, values[step], equal_nan=True)
               for step, value in zip(curve.steps, curve.values, strict=True))
    assert any(map(math.isnan, curve.values))
    short = Curve([1, 2], [0.0, 1.0])
    assert thinned(short) is short


@pytest.mark.parametrize(('key', 'best', 'step'), [
    ('loss_cls', 1.0, 2), ('amodal/video/vAP', 3.0, 1), ('acc', 3.0, 1), ('lr', math.nan, 0)])
def test_best_is_lowest_of_losses_and_highest_of_metrics(key, best, step):
    found = summary(key, Curve([1, 2, 3, 4], [3.0, 1.0, 2.0, math.nan]))
    assert math.isnan(found.last)
    assert np.array_equal(found.best, best, equal_nan=True) and found.best_step == step


def test_the_table_has_a_row_per_key_and_run(two_runs):
    rows = summary_rows(compare(read_runs(two_runs), ['loss', 'amodal/video/vAP']))
    assert rows == [
        ['key', 'run', 'last', 'best', 'at'],
        ['amodal/video/vAP', 'slow', '0.3125', '0.375', 'epoch 2'],
        ['amodal/video/vAP', 'fast', '0.3125', '0.375', 'epoch 2'],
        ['loss', 'slow', '1.167', '1.167', 'iter 30'],
        ['loss', 'fast', '0.1667', '0.1667', 'iter 30']]
    assert number(math.nan) == 'n/a'


class Page(HTMLParser):
    """Tags and texts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.text = ''
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def lines(self) -> list[str]:
        return [attrs['class'] for tag, attrs in self.tags
                if tag == 'path' and 'line' in attrs.get('class', '').split()]


def test_the_page_overlays_the_runs_and_needs_no_other_file(two_runs):
    text = log_page(compare(read_runs(two_runs), ['loss', 'lr', 'amodal/video/vAP'],
                            smoothing=0.6))
    page = Page(text)
    plain, faint = ['line s0', 'line s1'], ['line s0 faint', 'line s1 faint']
    assert page.lines() == [*plain, *plain, *plain, *faint, *plain]  # legend, vAP, lr, loss
    assert not {'script', 'img'} & {tag for tag, _ in page.tags}
    assert 'http' not in text.replace('http-equiv', '')
    charts = {attrs['aria-label'] for tag, attrs in page.tags if attrs.get('class') == 'chart'}
    assert charts == {
        'amodal/video/vAP. slow: last 0.3125, best 0.375; fast: last 0.3125, best 0.375',
        'lr. slow: last 0.1; fast: last 0.1',
        'loss. slow: last 1.167, best 1.167; fast: last 0.1667, best 0.1667'}
    assert 'smoothed with 0.6' in page.text and 'epoch' in page.text


def test_names_are_escaped_and_warnings_shown(tmp_path):
    write_log(tmp_path / '<b>&', '1', [train_row(1, 2.0, **{'loss<i>': 1.0})], '{"cut')
    page = Page(log_page(compare([read_run(tmp_path / '<b>&')])))
    assert not {'b', 'i'} & {tag for tag, _ in page.tags}
    assert '<b>&' in page.text and 'loss<i>' in page.text and 'is cut off' in page.text


def test_a_key_that_one_run_lacks_keeps_the_color_of_the_other(two_runs):
    write_log(two_runs[1], '30260101_000000', [train_row(step, 1.0, loss_new=step)
                                               for step in (31, 32)])
    page = Page(log_page(compare(read_runs(two_runs), ['loss_new'])))
    assert page.lines() == ['line s0', 'line s1', 'line s1']


def test_curves_without_a_finite_value_or_of_one_point_are_drawn(tmp_path):
    write_log(tmp_path, '1', [train_row(1, math.inf, loss_cls=3.0)])
    comparison = compare([read_run(tmp_path)])
    assert 'nan' not in log_page(comparison).lower().replace('n/a', '')
    save_log_image(tmp_path / 'x.png', comparison)


def test_the_image_shows_the_runs(two_runs, tmp_path):
    comparison = compare(read_runs(two_runs), ['loss', 'lr', 'amodal/*'], smoothing=0.5)
    save_log_image(tmp_path / 'deep/curves.png', comparison)
    image = cv2.imread(str(tmp_path / 'deep/curves.png'))
    for color in ((0xb8, 0x62, 0x0b), (0x0c, 0x41, 0xc2)):
        assert (np.abs(image.astype(int) - color).max(axis=2) < 8).sum() > 100
    assert [path.name for path in (tmp_path / 'deep').iterdir()] == ['curves.png']
    with pytest.raises(LogError, match=r'end the name in \.png'):
        save_log_image(tmp_path / 'curves.jpg', comparison)


def test_too_many_runs_are_refused_before_anything_is_written(two_runs, tmp_path):
    comparison = compare(read_runs([two_runs[0]] * 9))
    for save, name in ((save_log_page, 'x.html'), (save_log_image, 'x.png')):
        with pytest.raises(LogError, match=r'9 runs are too many .* at most 8'):
            save(tmp_path / name, comparison)
        assert not (tmp_path / name).exists()


def test_ticks_are_short():
    def texts(low: float, high: float, whole: bool = False) -> list[str]:
        return [text for _, text in value_axis('x', low, high, whole).ticks]

    assert texts(0, 0.001) == ['0', '2e-4', '4e-4', '6e-4', '8e-4', '10e-4']
    assert texts(-0.25, 0.6) == ['-0.4', '-0.2', '0.0', '0.2', '0.4', '0.6']
    assert texts(0, 90_000) == ['0', '20k', '40k', '60k', '80k', '100k']
    assert texts(1, 3, whole=True) == ['1', '2', '3']
    assert texts(3, 3, whole=True) == ['3', '4']


@pytest.mark.parametrize(('low', 'high'), [(0, 1), (0.1, 0.1), (-3, 7), (0, 0), (1e-6, 3e-6),
                                           (12, 13_000), (-5, -5), (0.9999, 1.0001)])
def test_axes_have_few_round_ticks_around_the_values(low, high):
    axis = value_axis('x', low, high)
    ticks = [tick for tick, _ in axis.ticks]
    assert 2 <= len(ticks) <= 8
    assert axis.low <= low + 1e-12 and high - 1e-12 <= axis.high and axis.low < axis.high
    assert len({text for _, text in axis.ticks}) == len(ticks)


def test_the_tool(run_tool, two_runs, tmp_path, capsys):
    write_log(two_runs[0], '3', [], '{"loss"')
    assert run_tool('analyze', 'logs', *two_runs, '--keys', 'loss', '--smooth', '0.9', '--html',
                    tmp_path / 'x.html', '--out', tmp_path / 'x.png') == 0
    printed = capsys.readouterr()
    assert '| loss | slow |  1.167 |  1.167 | iter 30 |' in printed.out
    assert f"page: {tmp_path / 'x.html'}" in printed.out
    assert printed.err.startswith('warning: ') and printed.err.count('\n') == 1
    assert (tmp_path / 'x.html').read_text().startswith('<!DOCTYPE html>')
    assert cv2.imread(str(tmp_path / 'x.png')) is not None


@pytest.mark.parametrize(('arguments', 'message'), [
    (['--keys', 'los'], 'nothing of that name'), (['--smooth', '1'], 'below 1'),
    (['--out', 'x.pdf'], 'end the name in .png')])
def test_errors_of_the_user_are_one_line(run_tool, two_runs, capsys, arguments, message):
    assert run_tool('analyze', 'logs', two_runs[0], *arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith('error: ') and message in error and error.count('\n') == 1
