"""The error report as one HTML page that needs nothing else: no script, no request."""
from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path

from vatrack.files.whole_file import replace_when_done

from .causes import CAUSES, MASK_PARTS
from .collector import CauseLoss, KindErrors
from .errors import ErrorReport
from .html_page import html_page, scrolling
from .pictures import Painter
from .plots import plots
from .tables import percent, rows
from .worst import worst_cases


def save_page(path: str | Path, report: ErrorReport, painter: Painter) -> None:
    """Write the page of a report; the file appears only when it is complete.

    Raises:
        AnnotationError: A frame that is to be shown is missing.
        ValueError: It cannot be decoded, or its size is not that of the video.
    """
    page = error_page(report, painter)
    with replace_when_done(path) as file:
        file.write(page)


def error_page(report: ErrorReport, painter: Painter) -> str:
    """The page as text; see :func:`save_page`."""
    sections = [_section(kind, errors, painter) for kind, errors in report.kinds.items()]
    return html_page('What vAP is lost to', _header(report), sections, _footer())


def _header(report: ErrorReport) -> str:
    facts = {'results': report.results, 'data': report.data,
             'protocol': f'{report.protocol}: {report.source}'}
    items = ''.join(f'<dt>{name}</dt><dd>{escape(text)}</dd>' for name, text in facts.items())
    links = ''.join(f'<a href="#{kind}">{kind} masks</a>' for kind in report.kinds)
    return (f'<header><h1>What vAP is lost to</h1><dl class="facts">{items}</dl>'
            f'<nav aria-label="mask kinds">{links}</nav></header>')


def _section(kind: str, errors: KindErrors, painter: Painter) -> str:
    return '\n'.join([
        f'<section id="{kind}" aria-labelledby="{kind}-title">',
        f'<h2 id="{kind}-title">{kind.capitalize()} masks</h2>', _cards(errors), _lead(errors),
        '<h3>Loss by cause</h3>', _cause_table(kind, errors), '<h3>Plots</h3>',
        plots(kind, errors), '<h3>Loss by stratum</h3>', _strata_table(kind, errors),
        '<h3>Worst cases</h3>', worst_cases(kind, errors, painter), '</section>'])


def _cards(errors: KindErrors) -> str:
    cards = [f'<div class="card"><b>{value}</b>{name}</div>' for value, name in (
        (percent(errors.vAP50), 'vAP50'), (percent(errors.vAP), 'vAP'),
        (f"{errors.num_found} of {errors.strata['all']['truths']}", 'objects found (vIoU 0.5)'),
        (str(sum(errors.false_scores)), f'of {errors.num_tracks} tracks are false'))]
    return f'<div class="cards">{"".join(cards)}</div>'


def _lead(errors: KindErrors) -> str:
    """The largest causes in a sentence; parts of a cause and totals are not among them."""
    causes = [loss for loss in errors.causes
              if not CAUSES[loss.cause].is_total and loss.cause not in MASK_PARTS
              and loss.dvAP50 and loss.dvAP50 >= .0005]
    if not causes:
        return '<p>No single repair gains vAP50.</p>'
    largest = sorted(causes, key=lambda loss: -loss.dvAP50)[:3]
    text = ', '.join(f'{CAUSES[loss.cause].title} ({percent(loss.dvAP50, True)})'
                     for loss in largest)
    return f'<p>Most vAP50 is lost to: {text}.</p>'


def _cause_table(kind: str, errors: KindErrors) -> str:
    largest = max([abs(value) for loss in errors.causes for value in (loss.dvAP50, loss.dvAP)
                   if value is not None], default=0) or 1
    parts = {False: [], True: []}
    for loss in rows(errors):
        parts[CAUSES[loss.cause].is_total].append(_cause_row(loss, largest))
    return scrolling(
        f'losses of {kind} masks by cause',
        '<table><caption><span>Percent points that vAP50 and vAP gain if an oracle repairs this '
        'cause alone. Gains do not add up. n: objects or tracks with the error; of frames and '
        'masks: tracks that then find their object. Below the line: several causes together.'
        '</span></caption><thead><tr><th scope="col">cause and repair</th><th scope="col">n</th>'
        '<th scope="col">dvAP50</th><th scope="col">dvAP</th></tr></thead>'
        f'<tbody>{"".join(parts[False])}</tbody>'
        f'<tbody class="totals">{"".join(parts[True])}</tbody></table>')


def _cause_row(loss: CauseLoss, largest: float) -> str:
    cause = CAUSES[loss.cause]
    css = ' class="part"' if loss.cause in MASK_PARTS else ''
    return (f'<tr{css}><th scope="row">{cause.title}<small>{escape(cause.repair)}</small></th>'
            f'<td>{loss.count}</td>{_meter(loss.dvAP50, largest)}{_meter(loss.dvAP, largest)}</tr>')


def _meter(value: float | None, largest: float) -> str:
    width = 100 * abs(value or 0) / largest
    css = ' class="loss"' if (value or 0) < 0 else ''
    bar = f'<span class="bar"><i{css} style="width:{width:.1f}%"></i></span>'
    return f'<td class="meter">{percent(value, True)}{bar}</td>'


def _strata_table(kind: str, errors: KindErrors) -> str:
    strata = errors.strata
    num_lengths = len(strata) - 1 - len(errors.occlusion_strata)
    head = (f'<tr><td></td><td></td><th scope="colgroup" colspan="{len(errors.occlusion_strata)}">'
            f'occlusion</th><th scope="colgroup" colspan="{num_lengths}">length in frames</th></tr>'
            f'<tr><td></td>{_names(errors)}</tr>')
    body = [_row('objects', {name: str(row['truths']) for name, row in strata.items()}),
            _row('vAP50', {name: percent(row['vAP50']) for name, row in strata.items()})]
    body += [_row(CAUSES[loss.cause].title, {name: percent(value, True)
                                             for name, value in loss.strata.items()},
                  loss.cause in MASK_PARTS) for loss in rows(errors)]
    return scrolling(
        f'losses of {kind} masks by stratum',
        '<table class="strata"><caption><span>dvAP50 by occlusion and by length of the true '
        'track. Objects outside a stratum are ignored there; false positives count in all.'
        '</span></caption>'
        f'<thead>{head}</thead><tbody>{"".join(body)}</tbody></table>')


def _row(title: str, cells: Mapping[str, str], is_part: bool = False) -> str:
    css = ' class="part"' if is_part else ''
    values = ''.join(f'<td>{text}</td>' for text in cells.values())
    return f'<tr{css}><th scope="row">{title}</th>{values}</tr>'


def _names(errors: KindErrors) -> str:
    """Heads of the strata; those of occlusion with their bounds in percent."""
    heads = []
    for name in errors.strata:
        low, high = errors.occlusion_strata.get(name, (None, None))
        bounds = '' if low is None else f'<small>{100 * low:.0f}-{100 * high:.0f} %</small>'
        heads.append(f'<th scope="col">{escape(name)}{bounds}</th>')
    return ''.join(heads)


def _footer() -> str:
    return ('<footer><p class="muted">A track finds an object if it takes it at vIoU 0.5, as '
            'vAP50 does. docs/error-analysis.md defines every repair.</p></footer>')
