"""What the labels of an annotation tool mean: class, kind of mask, or nothing of interest."""
from __future__ import annotations

import argparse
from dataclasses import dataclass

from vatrack.structures import MASK_KINDS

from ..common import ConversionError


@dataclass(frozen=True, slots=True)
class DrawnLabels:
    """What labels mean.

    Attributes:
        kind: Kind of shapes that do not say it.
        amodal_suffix: Ending of the labels of amodal shapes; the rest is the
            class. None: labels do not say the kind.
        leave_out: Labels of shapes that are no objects.
    """

    kind: str = 'visible'
    amodal_suffix: str | None = None
    leave_out: frozenset[str] = frozenset()

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that labels can say."""
        return MASK_KINDS if self.amodal_suffix else (self.kind,)

    def split(self, label: str) -> tuple[str, str]:
        """Class and kind of a shape.

        Raises:
            ConversionError: The label is nothing but the suffix.
        """
        if self.amodal_suffix and label.endswith(self.amodal_suffix):
            name = label.removesuffix(self.amodal_suffix)
            if not name:
                raise ConversionError(f"the label '{label}' has no class before the suffix; rename "
                                      'it')
            return name, 'amodal'
        return label, self.kind


def add_label_options(parser: argparse.ArgumentParser) -> argparse._MutuallyExclusiveGroup:
    """Declare what labels mean; returns the group of the options that tell amodal shapes."""
    parser.add_argument('--classes', nargs='+', metavar='NAME',
                        help='class names in label order (default: all that are found); name them '
                             'where a dataset has several splits')
    parser.add_argument('--leave-out', nargs='+', default=[], metavar='LABEL',
                        help='labels of shapes that are no objects')
    amodal = parser.add_mutually_exclusive_group()
    amodal.add_argument('--kind', choices=MASK_KINDS, default='visible',
                        help='kind of all masks (default: %(default)s)')
    amodal.add_argument('--amodal-suffix', metavar='SUFFIX',
                        help='amodal shapes have labels that end so, such as _amodal')
    return amodal


def label_options(args: argparse.Namespace) -> DrawnLabels:
    """What the command line says about labels."""
    return DrawnLabels(args.kind, args.amodal_suffix, frozenset(args.leave_out))
