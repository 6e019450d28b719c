"""The report for a terminal: narrow tables that are Markdown too."""
from __future__ import annotations

from collections.abc import Sequence

from .causes import CAUSES
from .collector import CauseLoss, KindErrors
from .errors import ErrorReport


def format_errors(report: ErrorReport) -> str:
    """Losses by cause, then by stratum, per mask kind; in percent points of vAP."""
    lines = [f'data      {report.data}', f'results   {report.results}',
             f'protocol  {report.protocol}: {report.source}']
    for kind, errors in report.kinds.items():
        lines += ['', f'## {kind}: vAP {percent(errors.vAP)}, vAP50 {percent(errors.vAP50)}', '',
                  f'{errors.num_tracks} tracks, {errors.num_found} of them find one of '
                  f"{errors.strata['all']['truths']} objects.", '', *_cause_table(errors), '',
                  'dvAP50 by stratum of the truth: occlusion, then length in frames', '',
                  *_strata_table(errors)]
    return '\n'.join(lines)


def percent(value: float | None, sign: bool = False) -> str:
    """A fraction in percent with one decimal, 'n/a' for None; with ``sign``, as a change."""
    if value is None:
        return 'n/a'
    text = f'{100 * value:{"+" if sign else ""}.1f}'
    return '0.0' if float(text) == 0 else text


def rows(errors: KindErrors) -> list[CauseLoss]:
    """Causes in order of appearance, those that are totals last."""
    return sorted(errors.causes, key=lambda loss: CAUSES[loss.cause].is_total)


def _cause_table(errors: KindErrors) -> list[str]:
    table = [['cause', 'n', 'dvAP50', 'dvAP']]
    table += [[CAUSES[loss.cause].title, str(loss.count), percent(loss.dvAP50, True),
               percent(loss.dvAP, True)] for loss in rows(errors)]
    return markdown(table)


def _strata_table(errors: KindErrors) -> list[str]:
    names = list(errors.strata)
    table = [['', *names], ['objects', *(str(row['truths']) for row in errors.strata.values())],
             ['vAP50', *(percent(row['vAP50']) for row in errors.strata.values())]]
    table += [[CAUSES[loss.cause].title, *(percent(loss.strata[name], True) for name in names)]
              for loss in rows(errors)]
    return markdown(table)


def markdown(table: Sequence[Sequence[str]]) -> list[str]:
    """A table, first row its head, first column to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [' | '.join(cell.ljust(width) if i == 0 else cell.rjust(width)
                        for i, (cell, width) in enumerate(zip(row, widths, strict=True)))
             for row in table]
    rule = ' | '.join('-' * widths[i] if i == 0 else '-' * (widths[i] - 1) + ':'
                      for i in range(len(widths)))
    return [f'| {line} |' for line in (lines[0], rule, *lines[1:])]
