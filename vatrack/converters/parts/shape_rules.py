"""From the shapes that somebody drew in a frame to its objects: parts joined, rules applied."""
from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from vatrack.files import AnnotationError
from vatrack.structures import MASK_KINDS, Instance
from vatrack.structures.rle import RLE, overlap_area, separate, union

from ..common import ConversionError
from .segmentation import OUTSIDE, KindJoiner, add_outside

#: What becomes of visible masks of a frame that share pixels: an error, nothing, or the object that
#: was drawn later has them.
OVERLAP = ('refuse', 'keep', 'front')
#: What becomes of an object without an amodal mask: an error, or it is not covered.
MISSING_AMODAL = ('refuse', 'visible')

_FEW = 5


@dataclass(frozen=True, slots=True)
class Shape:
    """One drawn part of an object in a frame.

    Attributes:
        instance_id: The object, unique in the video.
        label: Its class.
        kind: Kind of the mask.
        mask: Its pixels, at the size of the frame.
        iscrowd: Whether it is a region to ignore.
    """

    instance_id: int
    label: str
    kind: str
    mask: RLE
    iscrowd: bool = False


@dataclass(frozen=True, slots=True)
class ShapeRules:
    """What becomes of masks that contradict each other.

    Attributes:
        overlap: One of :data:`OVERLAP`.
        outside: One of :data:`~vatrack.converters.parts.segmentation.OUTSIDE`.
        missing_amodal: One of :data:`MISSING_AMODAL`.
    """

    overlap: str = OVERLAP[0]
    outside: str = OUTSIDE[0]
    missing_amodal: str = MISSING_AMODAL[0]

    def __post_init__(self) -> None:
        for name, choices in (('overlap', OVERLAP), ('outside', OUTSIDE),
                              ('missing_amodal', MISSING_AMODAL)):
            if getattr(self, name) not in choices:
                raise ValueError(f'{name} must be one of {choices}, got {getattr(self, name)!r}')


def add_overlap_rule(parser: argparse.ArgumentParser) -> None:
    """Declare what becomes of visible masks that overlap."""
    parser.add_argument('--overlap', choices=OVERLAP, default=OVERLAP[0],
                        help='visible masks of a frame share pixels: an error, kept so, or the '
                             'pixels go to what was drawn later (default: %(default)s)')


def add_amodal_rules(parser: argparse.ArgumentParser) -> None:
    """Declare what becomes of amodal masks that contradict visible ones, or are missing."""
    add_outside(parser)
    parser.add_argument('--missing-amodal', choices=MISSING_AMODAL, default=MISSING_AMODAL[0],
                        help='an object has a visible and no amodal mask in a frame: an error, or '
                             'it is not covered (default: %(default)s)')


def rules_of(args: argparse.Namespace) -> ShapeRules:
    """The rules that the command line states; those that it has no option for refuse."""
    names = ('overlap', 'outside', 'missing_amodal')
    return ShapeRules(**{name: getattr(args, name) for name in names if hasattr(args, name)})


class ObjectMaker:
    """Makes objects of the shapes of frames.

    Args:
        classes: Class names; the first is category 1.
        kinds: The kinds that the shapes are drawn in.
        rules: What becomes of contradictions.
    """

    def __init__(self, classes: Sequence[str], kinds: Sequence[str], rules: ShapeRules) -> None:
        self._categories = {name: index for index, name in enumerate(classes, start=1)}
        self._joint = len(kinds) == len(MASK_KINDS)
        self._rules = rules
        self._joiner = KindJoiner(rules.outside)
        self._changes: Counter[str] = Counter()
        self._labels: dict[int, tuple[str, str]] = {}

    @property
    def left_out(self) -> Counter[str]:
        """How many objects were left out, by reason."""
        return self._joiner.left_out

    def notes(self) -> list[str]:
        """What the rules changed."""
        changes = self._changes | Counter({
            'objects had visible pixels outside of the amodal mask': self._joiner.changed})
        return [f'{count} {what}' for what, count in (+changes).items()]

    def begin_video(self) -> None:
        """Forget the objects of the video before: ids count anew."""
        self._labels.clear()

    def instances(self, where: str, frame: str, size: tuple[int, int],
                  shapes: Sequence[Shape]) -> list[Instance]:
        """The objects of a frame, by instance id; shapes of one object and kind are joined.

        An object keeps its class throughout the video. One without a pixel in
        the frame is left out, and counted.

        Args:
            where: The video, for messages.
            frame: Name of the frame.
            size: Its (H, W).
            shapes: What is drawn in it, in the order of drawing.

        Raises:
            ConversionError: The shapes contradict each other, and the rules do
                not say what to do; or a label is unknown.
        """
        where = f'{where}, frame {frame}'
        for shape in shapes:
            self._check_label(where, frame, shape)
        crowds = {shape.instance_id for shape in shapes if shape.iscrowd}
        objects = _joined(shapes)
        self._settle_overlap(where, [masks for instance_id, masks in objects.items()
                                     if 'visible' in masks and instance_id not in crowds])
        complete = {instance_id: self._complete(f'{where}, object {instance_id}', masks, size)
                    for instance_id, masks in sorted(objects.items())}
        return [Instance(0, instance_id, self._categories[self._labels[instance_id][0]], masks, {},
                         iscrowd=instance_id in crowds)
                for instance_id, masks in complete.items() if masks]

    def _check_label(self, where: str, frame: str, shape: Shape) -> None:
        if shape.label not in self._categories:
            known = ', '.join([*self._categories][:_FEW])
            raise ConversionError(f"{where}: the label '{shape.label}' is none of the classes "
                                  f'({known}{", ..." if len(self._categories) > _FEW else ""}); '
                                  'correct it, add it to the classes (--classes), or leave its '
                                  'shapes out (--leave-out)')
        label, first = self._labels.setdefault(shape.instance_id, (shape.label, frame))
        if label != shape.label:
            raise ConversionError(f"{where}: object {shape.instance_id} is a '{shape.label}', but "
                                  f"a '{label}' in frame {first}; an object keeps its class: "
                                  'correct the label, or give another object another id')

    def _settle_overlap(self, where: str, owners: list[dict[str, RLE | None]]) -> None:
        """Give each pixel to one visible mask of ``owners``, which are in order of drawing."""
        visible = [masks['visible'] for masks in owners]
        pixels = overlap_area(visible) if self._rules.overlap != 'keep' else 0
        if not pixels:
            return
        if self._rules.overlap == 'refuse':
            raise ConversionError(
                f'{where}: visible masks overlap in {pixels} pixels, but a pixel shows one object '
                'only; correct the masks, or choose with --overlap front (the object that was '
                'drawn later has them) or --overlap keep')
        self._changes['pixels of overlapping visible masks went to what was drawn later'] += pixels
        for masks, mask in zip(owners[::-1], separate(visible[::-1]), strict=True):
            masks['visible'] = mask

    def _complete(self, where: str, masks: dict[str, RLE | None],
                  size: tuple[int, int]) -> dict[str, RLE] | None:
        """Masks of all kinds that fit together; None without a pixel."""
        if self._joint and 'amodal' not in masks:
            if self._rules.missing_amodal == 'refuse':
                raise ConversionError(
                    f'{where}: has a visible mask and no amodal one; draw it, or choose '
                    '--missing-amodal visible if objects without one are not covered')
            self._changes['amodal masks were missing: they are the visible ones'] += 1
            masks = {'amodal': masks['visible'], **masks}
        if self._joint:
            masks.setdefault('visible', None)
        try:
            return self._joiner.join(masks, list(size))
        except AnnotationError as error:
            raise ConversionError(f'{where}: {error}') from None


def _joined(shapes: Sequence[Shape]) -> dict[int, dict[str, RLE | None]]:
    """{instance id: {kind: mask}} in the order in which objects were drawn last."""
    parts: dict[int, dict[str, list[RLE]]] = {}
    for shape in shapes:
        own = parts.pop(shape.instance_id, {})
        own.setdefault(shape.kind, []).append(shape.mask)
        parts[shape.instance_id] = own
    return {instance_id: {kind: union(own[kind]) for kind in MASK_KINDS if kind in own}
            for instance_id, own in parts.items()}
