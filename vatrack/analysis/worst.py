"""The worst cases of every cause as figures with captions."""
from __future__ import annotations

from base64 import b64encode
from html import escape

from .causes import CAUSES
from .collector import CauseLoss, Example, KindErrors
from .pictures import TRACK_COLORS, TRUTH_COLORS, Painter

_ORDER = {
    'missed': 'largest first', 'duplicate': 'highest score first', 'class': 'highest score first',
    'switch': 'most frames on other objects first', 'background': 'highest score first',
    'other': 'highest score first'}


def worst_cases(kind: str, errors: KindErrors, painter: Painter) -> str:
    """Figures of a kind, grouped by cause; causes without a case are left out."""
    groups = [_group(kind, loss, painter) for loss in errors.causes
              if loss.worst and not CAUSES[loss.cause].is_total
              # The parts show what is wrong with a mask; where there are none, the whole does.
              and (loss.cause != 'mask' or not _has_parts(errors))]
    if not groups:
        return '<p>There is none.</p>'
    ground = ('' if painter.image_root else ' No image folder was given (--images), so masks are '
              'drawn on plain ground.')
    legend = (f'<p class="muted">{_swatch(TRUTH_COLORS[0], True)}outline: the object, dashed where '
              f'it is hidden ({_swatch(TRUTH_COLORS[1], True)}a second one). '
              f'{_swatch(TRACK_COLORS[0])}filled: the track ({_swatch(TRACK_COLORS[1])}a second '
              f'one). Pictures are cut out of the frame.{ground}</p>')
    return legend + ''.join(groups)


def _has_parts(errors: KindErrors) -> bool:
    return any(loss.cause == 'mask-visible' for loss in errors.causes)


def _group(kind: str, loss: CauseLoss, painter: Painter) -> str:
    figures = ''.join(_figure(kind, loss.cause, example, painter) for example in loss.worst)
    order = _ORDER.get(loss.cause, 'largest gain of vIoU first')
    return (f'<h4>{CAUSES[loss.cause].title} <small>{order}</small></h4>'
            f'<div class="cases">{figures}</div>')


def _figure(kind: str, cause: str, example: Example, painter: Painter) -> str:
    picture = painter.paint(kind, example)
    data = b64encode(picture.jpeg).decode('ascii')
    wide = ' class="wide"' if len(example.case.frames) > 1 else ''
    caption = _caption(example, painter)
    alt = escape(f'{CAUSES[cause].title}: {_place(example, painter)}. '
                 f'{len(example.track_ids)} tracks filled, '
                 f'{len(example.instance_ids)} objects outlined.', quote=True)
    return (f'<figure{wide}><img alt="{alt}" width="{picture.width}" height="{picture.height}" '
            f'src="data:image/jpeg;base64,{data}"><figcaption>{caption}</figcaption></figure>')


def _place(example: Example, painter: Painter) -> str:
    video = painter.videos[example.video_id]
    frames = [str(video.frames[t].frame_id) for t in example.case.frames]
    return f'{video.name}, frame{"s" if len(frames) > 1 else ""} {" and ".join(frames)}'


def _caption(example: Example, painter: Painter) -> str:
    names, case = painter.annotations.categories, example.case
    lines = [f'<b>{escape(_place(example, painter))}</b>']
    tracks = zip(example.track_ids, example.track_categories, example.scores, TRACK_COLORS,
                 strict=False)
    lines += [f'{_swatch(color)}track {id_}, {escape(names[category])}, score {score:.2f}'
              f'{"" if painter.shows(id_, case.frames) else ", absent here"}'
              for id_, category, score, color in tracks]
    truths = zip(example.instance_ids, example.truth_categories, TRUTH_COLORS, strict=False)
    lines += [f'{_swatch(color, True)}object {id_}, {escape(names[category])}'
              for id_, category, color in truths]
    if case.iou is not None:
        after = '' if case.repaired is None else f', repaired {case.repaired:.2f}'
        lines.append(f'vIoU {case.iou:.2f}{after}')
    return '<br>'.join(lines)


def _swatch(color: tuple[int, int, int], hollow: bool = False) -> str:
    rgb = f'rgb({color[0]},{color[1]},{color[2]})'
    if hollow:
        return f'<span class="swatch hollow" style="border-color:{rgb}"></span>'
    return f'<span class="swatch" style="background:{rgb}"></span>'
