"""The three plots of a mask kind: precision-recall, scores, AP against occlusion."""
from __future__ import annotations

from .collector import KindErrors, recall_points
from .svg import Axis, Line, count_axis, line_chart, percent_axis, stacked_bars
from .tables import percent


def plots(kind: str, errors: KindErrors) -> str:
    """All plots of a kind as HTML figures in a grid."""
    figures = {'Precision and recall, mean over classes': _precision_recall(kind, errors),
               'Scores of tracks': _scores(kind, errors),
               'vAP50 and recall by occlusion of the object': _occlusion(kind, errors)}
    return '<div class="plots">{}</div>'.format(''.join(
        f'<figure class="plot"><figcaption>{title}</figcaption>{svg}</figure>'
        for title, svg in figures.items()))


def _precision_recall(kind: str, errors: KindErrors) -> str:
    recall = recall_points()
    lines = [Line(f'vIoU {name}', recall, values) for name, values in errors.precision.items()
             if values is not None]
    words = '; '.join(f'{line.name}: precision {percent(line.ys[20])} at recall 20, '
                      f'{percent(line.ys[50])} at recall 50' for line in lines)
    return line_chart(f'Precision-recall curves of {kind} masks', words or 'no truth', lines,
                      percent_axis('recall in percent'), percent_axis('precision in percent'))


def _scores(kind: str, errors: KindErrors) -> str:
    edges = errors.score_edges
    highest = max(a + b for a, b in zip(errors.found_scores, errors.false_scores, strict=True))
    ticks = [(edges[0] + (edges[-1] - edges[0]) * i / 5) for i in range(6)]
    words = (f'{sum(errors.found_scores)} tracks find an object, '
             f'{sum(errors.false_scores)} are false positives')
    return stacked_bars(
        f'Histogram of the scores of tracks, {kind} masks', words, edges,
        {'find an object': errors.found_scores, 'false positives': errors.false_scores},
        Axis('score', edges[0], edges[-1], [(tick, f'{tick:.1f}') for tick in ticks]),
        count_axis('tracks', highest))


def _occlusion(kind: str, errors: KindErrors) -> str:
    bins = errors.occlusion_bins
    centres = [(row['low'] + row['high']) / 2 for row in bins]
    lines = [Line('vAP50', centres, [row['vAP50'] for row in bins], dots=True),
             Line('recall at vIoU 0.5', centres, [row['recall50'] for row in bins], dots=True)]
    words = '; '.join(f"{100 * row['low']:.0f} to {100 * row['high']:.0f}: {row['truths']} "
                      f"objects, vAP50 {percent(row['vAP50'])}" for row in bins)
    return line_chart(f'vAP50 of {kind} masks by occlusion in percent', words, lines,
                      percent_axis('occlusion of the true track in percent (above: objects)'),
                      percent_axis('percent'),
                      [(x, str(row['truths'])) for x, row in zip(centres, bins, strict=True)])
