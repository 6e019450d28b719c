"""Curves of several runs side by side: smoothed, thinned for plots, and as a table."""
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .run_logs import Curve, RunLog, choose_keys
from .tables import markdown

#: More points than this do not show in a plot.
_MAX_POINTS = 600


@dataclass(frozen=True, slots=True)
class Comparison:
    """Runs and what of them is compared.

    Attributes:
        runs: The runs.
        train: Keys of training, curves over iterations.
        val: Keys of validation, curves over epochs.
        smoothing: Weight of the past in the smoothed curves of training, in [0, 1).
    """

    runs: Sequence[RunLog]
    train: Sequence[str]
    val: Sequence[str]
    smoothing: float = 0.0


@dataclass(frozen=True, slots=True)
class Summary:
    """A value of a run: the last one, the best one (NaN: no best) and when that was."""

    last: float
    best: float
    best_step: int


def compare(runs: Sequence[RunLog], keys: Sequence[str] | None = None,
            smoothing: float = 0.0) -> Comparison:
    """Choose what to compare; ``keys`` as :func:`~vatrack.analysis.run_logs.choose_keys`.

    Raises:
        LogError: A key fits nothing.
        ValueError: ``smoothing`` is outside of [0, 1).
    """
    if not 0 <= smoothing < 1:
        raise ValueError(f'--smooth must be at least 0 and below 1, got {smoothing}')
    return Comparison(runs, *choose_keys(runs, keys), smoothing)


@dataclass(frozen=True, slots=True)
class DrawnCurve:
    """A curve of a plot: of which run, by its position, and whether it stays in the background."""

    run: int
    curve: Curve
    faint: bool = False


def drawn_curves(comparison: Comparison, part: str, key: str) -> list[DrawnCurve]:
    """What a plot of ``key`` shows, few points each.

    Where curves are smoothed, those as logged are behind them. The learning
    rate and metrics never are.

    Args:
        comparison: What is compared.
        part: 'train' or 'val'.
        key: One of its keys.
    """
    logged = [(number, curve) for number, run in enumerate(comparison.runs)
              if (curve := getattr(run, part).get(key)) is not None]
    if part == 'val' or key == 'lr' or not comparison.smoothing:
        return [DrawnCurve(number, thinned(curve)) for number, curve in logged]
    return [DrawnCurve(number, thinned(curve), faint=True) for number, curve in logged] + [
        DrawnCurve(number, thinned(smoothed(curve, comparison.smoothing)))
        for number, curve in logged]


def smoothed(curve: Curve, weight: float) -> Curve:
    """Exponential moving average with ``weight`` on the past, unbiased at the start.

    Values that are not finite are left out of the average, and stay as they are.
    """
    mean, scale, values = 0.0, 0.0, []
    for value in curve.values:
        if math.isfinite(value):
            mean = weight * mean + (1 - weight) * value
            scale = weight * scale + 1 - weight
            value = mean / scale
        values.append(value)
    return Curve(curve.steps, values)


def thinned(curve: Curve, most: int = _MAX_POINTS) -> Curve:
    """At most ``most`` points: lowest and highest of each of equal parts, so that peaks stay."""
    if len(curve.steps) <= most:
        return curve
    values = np.array(curve.values)
    kept = set()
    for part in np.array_split(np.arange(len(values)), most // 2):
        finite = part[np.isfinite(values[part])]
        kept |= ({int(finite[values[finite].argmin()]), int(finite[values[finite].argmax()])}
                 if len(finite) else {int(part[0])})
    return Curve([curve.steps[i] for i in sorted(kept)], [curve.values[i] for i in sorted(kept)])


def summary(key: str, curve: Curve) -> Summary:
    """Last and best of a curve: losses are best when low, rates are never, all else when high."""
    known = [(value, step) for step, value in zip(curve.steps, curve.values, strict=True)
             if math.isfinite(value)]
    if not known or key in ('lr', 'grad_norm'):
        return Summary(curve.values[-1], math.nan, 0)
    choose = min if key.startswith('loss') else max
    best, step = choose(known, key=lambda point: point[0])
    return Summary(curve.values[-1], best, step)


def summary_rows(comparison: Comparison) -> list[list[str]]:
    """A table with a head: per key and run the last and the best value, and when that was."""
    rows = [['key', 'run', 'last', 'best', 'at']]
    for keys, part, unit in ((comparison.val, 'val', 'epoch'), (comparison.train, 'train', 'iter')):
        for key in keys:
            for run in comparison.runs:
                if key not in getattr(run, part):
                    continue
                found = summary(key, getattr(run, part)[key])
                best = ['-', '-'] if math.isnan(found.best) else [number(found.best),
                                                                 f'{unit} {found.best_step}']
                rows.append([key, run.name, number(found.last), *best])
    return rows


def format_summary(comparison: Comparison) -> str:
    """The table of :func:`summary_rows` as Markdown."""
    return '\n'.join(markdown(summary_rows(comparison)))


def number(value: float) -> str:
    """A value with four significant digits."""
    return 'n/a' if math.isnan(value) else f'{value:.4g}'
