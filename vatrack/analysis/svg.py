"""Small plots as inline SVG: lines and stacked bars, coloured by the style sheet of the page.

Classes ``s0``, ``s1`` ... are the series; the page says how they look.
"""
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 360, 256
_LEFT, _RIGHT, _TOP, _BOTTOM = 42, 16, 42, 40


@dataclass(frozen=True)
class Axis:
    """An axis from ``low`` to ``high``; ticks are (value, text)."""

    label: str
    low: float
    high: float
    ticks: Sequence[tuple[float, str]]


@dataclass(frozen=True)
class Line:
    """A line through (x, y); None for y leaves a gap.

    Attributes:
        name: For legend and tips.
        xs: P positions.
        ys: P heights.
        dots: Whether there are dots at the points, which tell their height.
        tip: Format of that height.
        series: Number of its class; None counts the lines of the chart.
        faint: Whether it stays in the background.
    """

    name: str
    xs: Sequence[float]
    ys: Sequence[float | None]
    dots: bool = False
    tip: str = '{:.1%}'
    series: int | None = None
    faint: bool = False


def line_chart(title: str, description: str, lines: Sequence[Line], x: Axis, y: Axis,
               notes: Sequence[tuple[float, str]] = (), legend: bool = True) -> str:
    """A plot of lines.

    Args:
        title: What it shows; the accessible name.
        description: The same in words and numbers, for those who do not see it.
        lines: At most as many as the page has series.
        x: Horizontal axis.
        y: Vertical axis.
        notes: Small texts (x, text) above the upper edge.
        legend: Whether the names of the lines stand above.
    """
    body = [_line(line, number if line.series is None else line.series, x, y)
            for number, line in enumerate(lines)]
    body += [_text(_x(value, x), _TOP - 8, text, 'middle', 'note') for value, text in notes]
    names = [line.name for line in lines] if legend else []
    return _chart(title, description, names, x, y, body)


def stacked_bars(title: str, description: str, edges: Sequence[float],
                 layers: dict[str, Sequence[int]], x: Axis, y: Axis) -> str:
    """A histogram; layers stand on one another, the first at the bottom.

    Args:
        title: What it shows; the accessible name.
        description: The same in words and numbers.
        edges: B + 1 edges of the bins.
        layers: B counts by name.
        x: Horizontal axis.
        y: Vertical axis.
    """
    body, floor = [], [0] * (len(edges) - 1)
    for number, (name, counts) in enumerate(layers.items()):
        for i, count in enumerate(counts):
            if not count:
                continue
            left, right = _x(edges[i], x), _x(edges[i + 1], x)
            top, bottom = _y(floor[i] + count, y), _y(floor[i], y)
            tip = escape(f'{name}, {edges[i]:.2f} to {edges[i + 1]:.2f}: {count}')
            body.append(f'<rect class="s{number}" x="{left + .5:.1f}" y="{top:.1f}" '
                        f'width="{right - left - 1:.1f}" height="{bottom - top:.1f}">'
                        f'<title>{tip}</title></rect>')
            floor[i] += count
    return _chart(title, description, list(layers), x, y, body)


def count_axis(label: str, highest: int) -> Axis:
    """An axis of whole numbers from 0 with three to six round ticks."""
    step = next(base * 10**power for power in range(16) for base in (1, 2, 5)
                if base * 10**power * 5 >= max(highest, 1))
    count = -(-max(highest, 1) // step)
    return Axis(label, 0, step * count, [(step * i, f'{step * i}') for i in range(count + 1)])


def value_axis(label: str, low: float, high: float, whole: bool = False) -> Axis:
    """An axis around values from ``low`` to ``high`` with round ticks, ``whole`` numbers or not."""
    room = (high - low) or abs(high) or 1.0
    power = math.floor(math.log10(room / 5))
    base, power = next((base, power + up) for base, up in ((1, 0), (2, 0), (5, 0), (1, 1))
                       if room / (base * 10.0**(power + up)) <= 5)
    if whole and power < 0:
        base, power = 1, 0
    step = base * 10.0**power
    first = math.floor(low / step)
    last = max(math.ceil(high / step), first + 1)
    return Axis(label, first * step, last * step,
                [(i * step, _tick(i * base, power)) for i in range(first, last + 1)])


def _tick(count: int, power: int) -> str:
    """``count`` times ten to the ``power``, in few letters."""
    if power >= 3:
        return f'{count * 10**(power - 3)}k' if count else '0'
    if power >= 0:
        return str(count * 10**power)
    if power >= -3:
        return f'{count / 10**-power:.{-power}f}'
    return f'{count}e{power}' if count else '0'


def percent_axis(label: str) -> Axis:
    """An axis from 0 to 100 percent of a fraction."""
    return Axis(label, 0, 1, [(i / 5, f'{20 * i}') for i in range(6)])


def _chart(title: str, description: str, names: Sequence[str], x: Axis, y: Axis,
           body: Sequence[str]) -> str:
    return '\n'.join([
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(title)}. {escape(description)}">', *_grid(x, y), *body,
        *_legend(names), '</svg>'])


def _grid(x: Axis, y: Axis) -> list[str]:
    right, bottom = WIDTH - _RIGHT, HEIGHT - _BOTTOM
    parts = []
    for value, text in y.ticks:
        at = _y(value, y)
        parts += [f'<path class="grid" d="M{_LEFT} {at:.1f}H{right}"/>',
                  _text(_LEFT - 6, at + 4, text, 'end')]
    for value, text in x.ticks:
        at = _x(value, x)
        parts += [f'<path class="axis" d="M{at:.1f} {bottom}v4"/>',
                  _text(at, bottom + 16, text, 'middle')]
    middle = (_TOP + bottom) / 2
    return [*parts, f'<path class="axis" d="M{_LEFT} {bottom}H{right}"/>',
            _text((_LEFT + right) / 2, HEIGHT - 6, x.label, 'middle'),
            f'<text transform="translate(11 {middle}) rotate(-90)" text-anchor="middle">'
            f'{escape(y.label)}</text>']


def _line(line: Line, number: int, x: Axis, y: Axis) -> str:
    runs: list[list[str]] = [[]]
    for across, up in zip(line.xs, line.ys, strict=True):
        if up is None:
            runs.append([])
        else:
            runs[-1].append(f'{_x(across, x):.1f} {_y(up, y):.1f}')
    css = f'line s{number} faint' if line.faint else f'line s{number}'
    parts = [f'<path class="{css}" d="M{"L".join(run)}"/>' for run in runs if run]
    if line.dots:
        parts += [f'<circle class="s{number}" cx="{_x(across, x):.1f}" cy="{_y(up, y):.1f}" '
                  f'r="3.2"><title>{escape(line.name)}: {line.tip.format(up)}</title></circle>'
                  for across, up in zip(line.xs, line.ys, strict=True) if up is not None]
    return ''.join(parts)


def _legend(names: Sequence[str]) -> list[str]:
    parts, left = [], _LEFT
    for number, name in enumerate(names):
        parts += [f'<rect class="s{number} key" x="{left}" y="9" width="14" height="8" rx="2"/>',
                  _text(left + 19, 17, name, 'start')]
        left += 34 + round(6.4 * len(name))
    return parts


def _text(x: float, y: float, text: str, anchor: str, css: str = '') -> str:
    attribute = f' class="{css}"' if css else ''
    return (f'<text{attribute} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
            f'{escape(text)}</text>')


def _x(value: float, axis: Axis) -> float:
    return _LEFT + (value - axis.low) / (axis.high - axis.low) * (WIDTH - _LEFT - _RIGHT)


def _y(value: float, axis: Axis) -> float:
    height = HEIGHT - _TOP - _BOTTOM
    return _TOP + height - (value - axis.low) / (axis.high - axis.low) * height
