"""Bar charts of metrics: systems beside each other, a colour per kind of mask or per system."""
from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise, zip_longest
from typing import NamedTuple

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from vatrack.evaluation.report_tables import is_count
from vatrack.structures import MASK_KINDS

from .palette import CHART_COLORS, KIND_COLORS
from .print_figure import COLUMN_WIDTH, new_figure
from .text import relative_width, wrap_text

_HATCHES = ('', '/////', '.....', '\\\\\\\\\\', 'xxxxx', '-----')
#: Share of white in the palest shade of a colour.
_PALEST = .62
_MUTED, _GREY = '#6b6f78', (90, 90, 96)
#: In units of the width of a bar: between kinds of mask, and between groups.
_KIND_GAP, _GROUP_GAP = .35, 1.3
_PERCENT = ' (%)'
_METRIC = re.compile(r'(v?A[PR]|HOTA|MOTA|IDF1)(\d\d)?(?:_([A-Z]+))?')


@dataclass(frozen=True, slots=True)
class System:
    """The numbers of one system.

    Attributes:
        name: For the legend; ``'GROUP: NAME'`` where systems form groups.
        numbers: Percent, or counts, by full name of the metric
            (``'amodal/video/vAP50_H'``); None where there is no truth.
        spread: Standard deviations of some of the numbers, in the same units.
    """

    name: str
    numbers: Mapping[str, float | None]
    spread: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChartLayout:
    """How large a chart is, and what it shows beside bars.

    Attributes:
        width: Inches.
        height: Inches; None fits it to the number of panels.
        columns: Panels beside each other.
        values: Whether the numbers stand over the bars.
    """

    width: float = COLUMN_WIDTH
    height: float | None = None
    columns: int = 1
    values: bool = False


class _Bar(NamedTuple):
    """A place for a bar: the system and the full name of the metric."""

    system: System
    metric: str


class _Series(NamedTuple):
    """Bars of one look: that of a kind of mask and of a name in the legend."""

    kind: str
    name: str


class _Panel(NamedTuple):
    """One pair of axes: titles of its groups, and in each of them the bars by series."""

    label: str
    groups: list[str]
    bars: list[dict[_Series, _Bar]]


def choose_metrics(systems: Sequence[System], names: Iterable[str]) -> list[str]:
    """Full names without the kind, ``'video/vAP'``, of metrics called ``'vAP'`` or so already.

    Raises:
        ValueError: No system has such a metric; says what there is.
    """
    held = list(dict.fromkeys(full.partition('/')[2] for system in systems
                              for full in system.numbers))
    chosen = []
    for name in names:
        found = [each for each in held if name in (each, each.partition('/')[2])]
        if not found:
            raise ValueError(f'no metric {name!r} in {", ".join(each.name for each in systems)}; '
                             f'{_what_is_there(name, held)}')
        chosen += found
    return list(dict.fromkeys(chosen))


def _what_is_there(name: str, held: Sequence[str]) -> str:
    """Similar metrics, and all but those of a part: ``vAP50_P`` of a stratum, ``vAP/fish``."""
    names = [each.partition('/')[2] for each in held]
    whole = [each for each in names if not set('_/') & set(each)]
    similar = difflib.get_close_matches(name, names, 3)
    hint = f'similar: {", ".join(similar)}; ' if similar else ''
    example = next((each for each in names if each not in whole), None)
    more = f', and {len(names) - len(whole)} such as {example}' if example else ''
    return f'{hint}there are {", ".join(whole)}{more}'


def bar_chart(systems: Sequence[System], metrics: Sequence[str],
              kinds: Sequence[str] | None = None, layout: ChartLayout | None = None) -> Figure:
    """Draw metrics of systems as bars.

    Along x stand the metrics, with a panel for image and one for video level.
    If the names of systems begin with a group (``'SipMask: Add'``), the groups
    stand along x, and there is a panel for every metric. With two kinds of mask
    each kind has a colour, and each system a shade of it; with one, each system
    has a colour.

    A number that a system lacks is no bar: where there is no truth to score,
    'n/a' stands in its place, and a dash where it was not predicted or not
    measured. Bars that are lacking everywhere take no place.

    Args:
        systems: In the order of the legend.
        metrics: Full names without the kind, see :func:`choose_metrics`.
        kinds: Kinds of mask; None: those that the systems have.
        layout: Sizes.

    Returns:
        The figure, to be saved in the same block of
        :func:`~vatrack.visualization.print_figure.print_settings`.

    Raises:
        ValueError: No number to draw, a kind that no system has, groups for some
            systems only, two systems of one name, or counts beside percent.
    """
    layout = layout or ChartLayout()
    panels = list(_panels(systems, metrics, _kinds(systems, metrics, kinds)))
    design = _Design.of(panels)
    columns = min(layout.columns, len(panels))
    rows = -(-len(panels) // columns)
    figure = new_figure(layout.width, layout.height or .35 + 1.3 * rows, layout='constrained')
    figure.get_layout_engine().set(w_pad=.02, h_pad=.03)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax in axes[len(panels):]:
        ax.set_axis_off()
    for ax, panel in zip(axes, panels, strict=False):
        # Roughly: axes are narrower than their share of the figure by the numbers on their left.
        _draw_panel(ax, panel, design, 72 * (layout.width / columns - .5), layout.values)
    figure.align_ylabels()
    _draw_legend(figure, design)
    return figure


def _kinds(systems: Sequence[System], metrics: Sequence[str],
           kinds: Sequence[str] | None) -> list[str]:
    held = {kind for kind in MASK_KINDS for system in systems
            if any(f'{kind}/{metric}' in system.numbers for metric in metrics)}
    wrong = [kind for kind in kinds or () if kind not in held]
    if wrong or not held:
        raise ValueError(f'no {" or ".join(wrong) or "number"} of {", ".join(metrics)} to draw; '
                         f'the files hold {", ".join(sorted(held)) or "none"}')
    return [kind for kind in MASK_KINDS if kind in (kinds or held)]


def _panels(systems: Sequence[System], metrics: Sequence[str],
            kinds: Sequence[str]) -> Iterator[_Panel]:
    groups = [_split_name(system.name) for system in systems]
    if any(group for group, _ in groups):
        yield from _grouped_panels(systems, metrics, kinds, groups)
        return
    _check_unique([system.name for system in systems])
    for level in dict.fromkeys(metric.partition('/')[0] for metric in metrics):
        here = [metric for metric in metrics if metric.partition('/')[0] == level]
        yield _Panel(f'{level} level{_unit(here)}',
                     [metric_label(metric) for metric in here],
                     [{_Series(kind, system.name): _Bar(system, f'{kind}/{metric}')
                       for kind in kinds for system in systems} for metric in here])


def _grouped_panels(systems: Sequence[System], metrics: Sequence[str], kinds: Sequence[str],
                    names: Sequence[tuple[str, str]]) -> Iterator[_Panel]:
    alone = [name for group, name in names if not group]
    if alone:
        raise ValueError(f'{", ".join(alone)}: in no group, while others are; name all systems '
                         "'GROUP: NAME', or none")
    _check_unique([f'{group}: {name}' for group, name in names])
    groups = list(dict.fromkeys(group for group, _ in names))
    for metric in metrics:
        yield _Panel(f'{metric_label(metric)}{_unit([metric])}', groups,
                     [{_Series(kind, name): _Bar(system, f'{kind}/{metric}')
                       for kind in kinds
                       for system, (of, name) in zip(systems, names, strict=True) if of == group}
                      for group in groups])


def _split_name(name: str) -> tuple[str, str]:
    group, separator, rest = name.partition(': ')
    return (group, rest) if separator else ('', name)


def _check_unique(names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f'several systems are called {", ".join(twice)}; give each its name')


def _unit(metrics: Sequence[str]) -> str:
    counted = [metric for metric in metrics if is_count(f'{MASK_KINDS[0]}/{metric}')]
    if counted and counted != list(metrics):
        raise ValueError(f'{", ".join(map(metric_label, counted))}: counts, which share no axis '
                         'with percent; draw them in a chart of their own')
    return '' if counted else _PERCENT


def metric_label(metric: str) -> str:
    """``'video/vAP50_H'`` -> vAP, 50 below, H above; as text that matplotlib sets."""
    name = metric.partition('/')[2]
    found = _METRIC.fullmatch(name)
    if not found or not (found[2] or found[3]):
        return name.replace('_', ' ').replace('/', ' ')
    scripts = ''.join(rf'{sign}{{\mathrm{{{part}}}}}'
                      for sign, part in zip('_^', found.groups()[1:], strict=True) if part)
    return f'{found[1]}${scripts}$'


class _Design(NamedTuple):
    """What all panels share: the order of bars in a group, and how they look."""

    names: list[str]
    kinds: list[str]
    series: list[_Series]

    @classmethod
    def of(cls, panels: Sequence[_Panel]) -> _Design:
        """Series are there if one place has a number, or n/a; those of a kind stand together."""
        places = [place for panel in panels for group in panel.bars for place in group.items()]
        found = {series for series, bar in places if bar.metric in bar.system.numbers}
        order = dict.fromkeys(series.name for series, _ in places)
        names = [name for name in order if any(each.name == name for each in found)]
        kinds = [kind for kind in MASK_KINDS if any(each.kind == kind for each in found)]
        return cls(names, kinds, [each for kind in kinds for name in names
                                  if (each := _Series(kind, name)) in found])

    def look(self, series: _Series) -> dict[str, str]:
        """Face, edge and hatch of the bars of a series."""
        rank = self.names.index(series.name)
        if len(self.kinds) > 1:
            return _shade(KIND_COLORS[series.kind], rank, len(self.names))
        cycle, rank = divmod(rank, len(CHART_COLORS))
        return _shade(CHART_COLORS[rank], 0, 1) | {'hatch': _HATCHES[cycle % len(_HATCHES)]}

    def places(self) -> list[float]:
        """Centres of the bars of a group around 0, in units of their width."""
        gaps = [1 + _KIND_GAP * (before.kind != after.kind)
                for before, after in pairwise(self.series)]
        places = list(accumulate(gaps, initial=0.))
        return [place - places[-1] / 2 for place in places]

    def group_width(self) -> float:
        """Distance of groups, in units of the width of a bar."""
        places = self.places()
        return places[-1] - places[0] + 1 + _GROUP_GAP


def _shade(color: Sequence[int], rank: int, count: int) -> dict[str, str]:
    """The ``rank``-th of ``count`` shades from pale to full; many have hatches too."""
    color = np.array(color) / 255
    white = _PALEST * (1 - rank / (count - 1)) if count > 1 else 0
    return {'facecolor': to_hex(color + white * (1 - color)), 'edgecolor': to_hex(.6 * color),
            'hatch': _HATCHES[rank % len(_HATCHES)] if count > 2 else ''}


def _draw_panel(ax: Axes, panel: _Panel, design: _Design, across: float, values: bool) -> None:
    """Draw into axes that are about ``across`` points wide."""
    width = design.group_width()
    points = across / (width * len(panel.groups))
    for number, group in enumerate(panel.bars):
        for series, place in zip(design.series, design.places(), strict=True):
            if series in group:
                _draw_bar(ax, number * width + place, group[series], design.look(series),
                          points if values else None)
            else:
                _mark(ax, number * width + place, '-')
    size = rcParams['xtick.labelsize']
    ax.set_xticks([number * width for number in range(len(panel.groups))],
                  ['\n'.join(wrap_text(group, size, points * width)) for group in panel.groups])
    ax.tick_params(axis='x', length=0)
    ax.set_xlim(-width / 2, (len(panel.groups) - .5) * width)
    ax.set_ylabel(panel.label)
    ax.yaxis.grid(True, color='#dcdee4', linewidth=.5)
    ax.set_axisbelow(True)
    ax.margins(y=.25 if values else .05)
    low, high = ax.get_ylim()
    if panel.label.endswith(_PERCENT):
        # Room for texts may reach above 100; ticks beyond the limits would widen them.
        ax.set_yticks([tick for tick in ax.get_yticks() if low <= tick <= min(high, 100)])
    if low < 0:
        ax.axhline(0, color='black', linewidth=.6)


def _draw_bar(ax: Axes, x: float, bar: _Bar, look: dict, points: float | None) -> None:
    """A bar, its spread and, in ``points`` of width, its number; or a mark that it is lacking."""
    value = bar.system.numbers.get(bar.metric)
    if value is None:
        _mark(ax, x, 'n/a' if bar.metric in bar.system.numbers else '-')
        return
    ax.bar(x, value, 1, linewidth=.5, **look)
    spread = bar.system.spread.get(bar.metric)
    if spread is not None:
        ax.errorbar(x, value, spread, ecolor='black', elinewidth=.6, capsize=1.2, capthick=.6)
    if points is not None:
        text = f'{value:g}' if is_count(bar.metric) else f'{value:.1f}'
        size = .75 * rcParams['font.size']
        turned = relative_width(text) * size > points
        ax.annotate(text, (x, max(value, 0) + (spread or 0)), (0, 1.5), ha='center', va='bottom',
                    textcoords='offset points', rotation=90 if turned else 0,
                    fontsize=min(size, max(points / 1.1, 4)) if turned else size)


def _mark(ax: Axes, x: float, text: str) -> None:
    ax.annotate(text, (x, 0), (0, 1.5), textcoords='offset points', ha='center', va='bottom',
                color=_MUTED, fontsize=.7 * rcParams['font.size'],
                rotation=90 if len(text) > 1 else 0)


def _draw_legend(figure: Figure, design: _Design) -> None:
    """Colours of kinds and, in grey, shades of systems; or colours of systems."""
    names = design.names
    if len(design.kinds) == 1:
        parts = [[Patch(label=each.name, **design.look(each)) for each in design.series]]
    else:
        parts = [[Patch(label=kind, **_shade(KIND_COLORS[kind], 0, 1)) for kind in design.kinds],
                 [Patch(label=name, **_shade(_GREY, rank, len(names)))
                  for rank, name in enumerate(names) if len(names) > 1]]
    rows = _legend_rows(parts, 72 * figure.get_figwidth() / rcParams['legend.fontsize'])
    # Legends are filled by columns.
    columns = zip_longest(*rows, fillvalue=Patch(visible=False, label=''))
    figure.legend(handles=[handle for column in columns for handle in column],
                  loc='outside upper center', ncols=max(map(len, rows)), handlelength=1.3,
                  handleheight=.9, columnspacing=1.1, handletextpad=.45, borderpad=.1,
                  labelspacing=.3)


def _legend_rows(parts: Sequence[Sequence[Patch]], width: float) -> list[list[Patch]]:
    """All in one row if they fit into ``width``, in units of their font size; else by part."""

    def space(rows: Sequence[Sequence[Patch]]) -> float:
        return sum(max(relative_width(handle.get_label()) for handle in column if handle) + 2.9
                   for column in zip_longest(*rows))

    together = [[handle for part in parts for handle in part]]
    if space(together) <= width:
        return together
    for columns in range(max(map(len, parts)), 0, -1):
        rows = [list(part[start:start + columns]) for part in parts
                for start in range(0, len(part), columns)]
        if space(rows) <= width:
            break
    return rows
