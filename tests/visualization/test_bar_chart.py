from __future__ import annotations

import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from vatrack.visualization.bar_chart import (
    ChartLayout,
    System,
    bar_chart,
    choose_metrics,
    metric_label,
)
from vatrack.visualization.palette import CHART_COLORS, KIND_COLORS
from vatrack.visualization.print_figure import print_settings

METRICS = ['image/AP', 'image/AP50', 'video/vAP']
ONE = System('one', {'amodal/image/AP': 20., 'amodal/image/AP50': 40., 'amodal/video/vAP': 0.,
                     'visible/image/AP': 25., 'visible/image/AP50': None})
TWO = System('two', {'amodal/image/AP': 30., 'amodal/image/AP50': 50.},
             {'amodal/image/AP': 2.})


def chart(systems: list[System], metrics: list[str], *args, **kwargs) -> Figure:
    with print_settings():
        figure = bar_chart(systems, metrics, *args, **kwargs)
        figure.draw_without_rendering()
    return figure


def heights(figure: Figure) -> list[list[float]]:
    """Heights of the bars by panel, from left to right."""
    return [[bar.get_height() for bar in sorted(ax.patches, key=lambda each: each.get_x())]
            for ax in figure.axes]


def marks(figure: Figure) -> list[list[str]]:
    """Texts in the panels, from left to right."""
    return [[text.get_text() for text in sorted(ax.texts, key=lambda each: each.xy[0])]
            for ax in figure.axes]


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_missing_numbers_are_no_bars_and_zero_is_one():
    figure = chart([ONE, TWO], METRICS)
    assert [ax.get_ylabel() for ax in figure.axes] == ['image level (%)', 'video level (%)']
    assert heights(figure) == [[20, 30, 25, 40, 50], [0]]
    # Not there at all; and no truth.
    assert marks(figure) == [['n/a'], ['-', '-']]
    assert legend(figure) == ['amodal', 'visible', 'one', 'two']


def test_kinds_are_colours_and_systems_are_shades():
    figure = chart([ONE, System('two', ONE.numbers)], ['image/AP'])
    pale, full, visible_pale, visible_full = (
        bar.get_facecolor()[:3] for bar in figure.axes[0].patches)
    assert full == pytest.approx(to_rgb([part / 255 for part in KIND_COLORS['amodal']]), abs=.01)
    assert visible_full == pytest.approx([part / 255 for part in KIND_COLORS['visible']], abs=.01)
    assert all(a > b for a, b in zip(pale, full, strict=True) if b < 1)
    assert all(a > b for a, b in zip(visible_pale, visible_full, strict=True) if b < 1)


def test_of_one_kind_every_system_has_a_colour_even_many():
    systems = [System(f's{k}', {'amodal/image/AP': k + 1}) for k in range(9)]
    figure = chart(systems, ['image/AP'], ['amodal'])
    looks = [(bar.get_facecolor(), bar.get_hatch()) for bar in figure.axes[0].patches]
    assert len(set(looks)) == 9
    assert looks[0][0][:3] == pytest.approx([part / 255 for part in CHART_COLORS[0]], abs=.01)


def test_groups_stand_along_x():
    systems = [System('A: Add', {'visible/video/vAP': 1.}),
               System('A: Calibration', {'visible/video/vAP': 2.}),
               System('B: Calibration', {'visible/video/vAP': 3.})]
    figure = chart(systems, ['video/vAP'])
    ax, = figure.axes
    assert [label.get_text() for label in ax.get_xticklabels()] == ['A', 'B']
    assert ax.get_ylabel() == 'vAP (%)'
    assert (heights(figure), marks(figure)) == ([[1, 2, 3]], [['-']])
    assert legend(figure) == ['Add', 'Calibration']


def test_spread_and_values():
    figure = chart([TWO], ['image/AP', 'image/AP50'], layout=ChartLayout(values=True))
    ax, = figure.axes
    assert marks(figure) == [['30.0', '50.0']]
    bars = [container.lines[2][0].get_segments()[0][:, 1].tolist() for container in ax.containers
            if hasattr(container, 'has_yerr')]
    assert bars == [[28, 32]]
    full = chart([System('s', {'amodal/image/AP': 100.})], ['image/AP'],
                 layout=ChartLayout(values=True)).axes[0]
    assert max(full.get_yticks()) == 100 < full.get_ylim()[1]


def test_counts_have_no_percent_and_negative_numbers_go_down():
    figure = chart([System('s', {'amodal/video/IDSW': 7, 'amodal/video/MOTA': -40.})],
                   ['video/IDSW'], layout=ChartLayout(values=True))
    assert (figure.axes[0].get_ylabel(), marks(figure)) == ('video level', [['7']])
    figure = chart([System('s', {'amodal/video/MOTA': -40.})], ['video/MOTA'])
    assert heights(figure) == [[-40]] and figure.axes[0].get_ylim()[0] < -40


@pytest.mark.parametrize(('width', 'rows'), [(7., 1), (2.2, 2), (1.5, 4)])
def test_the_legend_fits_the_width(width, rows):
    figure = chart([ONE, System('another system', ONE.numbers)], METRICS,
                   layout=ChartLayout(width))
    box = figure.legends[0].get_window_extent()
    assert box.x0 >= 0 and box.x1 <= figure.bbox.x1
    bottoms = {round(text.get_window_extent().y1) for text in figure.legends[0].get_texts()
               if text.get_text()}
    assert len(bottoms) == rows


def test_panels_stand_beside_each_other():
    figure = chart([ONE], METRICS, layout=ChartLayout(7, 1.7, 2))
    first, second = (ax.get_position() for ax in figure.axes)
    assert first.y0 == pytest.approx(second.y0) and first.x1 < second.x0
    assert figure.get_size_inches().tolist() == [7, 1.7]


def test_without_any_truth_there_are_marks_alone():
    figure = chart([System('s', {'amodal/video/vAP': None})], ['video/vAP'])
    assert (heights(figure), marks(figure)) == ([[]], [['n/a']])


@pytest.mark.parametrize(('systems', 'metrics', 'kinds', 'message'), [
    ([TWO], METRICS, ['visible'], 'no visible of .*; the files hold amodal'),
    ([TWO], ['video/vAP'], None, 'no number of video/vAP to draw; the files hold none'),
    ([ONE, System('A: x', ONE.numbers)], METRICS, None, 'one: in no group'),
    ([ONE, ONE], METRICS, None, 'several systems are called one'),
    ([System('s', {'amodal/video/IDSW': 7, 'amodal/video/vAP': 1.})], ['video/vAP', 'video/IDSW'],
     None, 'IDSW: counts'),
])
def test_what_cannot_be_drawn_is_refused(systems, metrics, kinds, message):
    with pytest.raises(ValueError, match=message):
        chart(systems, metrics, kinds)


def test_metrics_are_chosen_by_name():
    systems = [ONE, System('tracks', {'amodal/video/HOTA': 1., 'amodal/video/box/HOTA': 2.,
                                      'amodal/video/HOTA_P': 3., 'visible/video/vAP/fish': 4.})]
    assert choose_metrics(systems, ['box/HOTA', 'image/AP', 'AP', 'vAP/fish']) == [
        'video/box/HOTA', 'image/AP', 'video/vAP/fish']
    with pytest.raises(ValueError, match=r"no metric 'HOTAS' in one, tracks; similar: HOTA.*; "
                                         r'there are AP, AP50, vAP, HOTA, and 3 such as box/HOTA'):
        choose_metrics(systems, ['HOTAS'])


@pytest.mark.parametrize(('metric', 'label'), [
    ('image/AP', 'AP'), ('video/vAP50', 'vAP$_{\\mathrm{50}}$'),
    ('video/vAP50_H', 'vAP$_{\\mathrm{50}}^{\\mathrm{H}}$'),
    ('image/AP_S', 'AP$^{\\mathrm{S}}$'), ('video/box/HOTA', 'box HOTA'),
    ('image/mIoU_full_object', 'mIoU full object'), ('video/vAR@10', 'vAR@10')])
def test_labels(metric, label):
    assert metric_label(metric) == label
