"""Entries of a released checkpoint -> entries of vatrack's model, every one accounted for."""
from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from .errors import CheckpointError
from .layout import BOX_HEADS, KINDS, ROI_HEADS, Part, Shape, join, model_shapes, released_parts
from .savos_layout import PREFIX as SAVOS_PREFIX
from .savos_layout import SAVOS_ADVICE, savos_parts

#: What the model of a config must have for a kind to fit.
_NEEDS = {
    'qdtrack': 'one box head and mask_heads=dict(visible=...)',
    'amodaltrack': 'one box head and mask_heads=dict(amodal=...)',
    'vatrack': 'one box head and mask_heads=dict(visible=..., amodal=...)',
    'vatrack-2box': 'visible_bbox_head=... and mask_heads=dict(visible=..., amodal=...)',
    'coco': 'mask_heads=dict(visible=...), with amodal=... for --copy-amodal and '
            'visible_bbox_head=... for --box-head visible or both',
}
_SAVOS_NEEDS = 'a TrackCompleter whose completer is SaVos with its default sizes'


@dataclass(frozen=True)
class Move:
    """What became of the entries of a part.

    Attributes:
        action: 'mapped' if only ``detector.`` was put before, 'renamed',
            'swapped', 'copied' if another target has the same, or 'dropped'.
        source: Module in the release; '' for entries of no module.
        target: Module in vatrack; '' if dropped.
        names: Entries, by their name within the module.
        note: Why, or what it is.
    """

    action: str
    source: str
    target: str
    names: tuple[str, ...]
    note: str


@dataclass(frozen=True)
class Conversion:
    """Converted entries, and the account of them.

    Attributes:
        kind: One of :data:`~vatrack.checkpoints.layout.KINDS`.
        state_dict: Entries by vatrack's names.
        moves: What became of every part of the release.
        left: Entries of the model that it has nothing for: they are left to
            be initialised. Empty but for ``'coco'``.
    """

    kind: str
    state_dict: OrderedDict[str, Tensor]
    moves: tuple[Move, ...]
    left: tuple[str, ...]

    def report(self) -> str:
        """One line per part, the sums, an example of each change, and what is left."""
        rows = [(move.source or f'{move.names[0]} ... {move.names[-1]}', str(len(move.names)),
                 move.action, f'{move.target}  {f"({move.note})" if move.note else ""}'.strip())
                for move in self.moves]
        name, count, action = (max(len(row[i]) for row in rows) for i in range(3))
        lines = [f'  {row[0]:<{name}}  {row[1]:>{count}}  {row[2]:<{action}}  {row[3]}'
                 for row in rows]
        advice = [SAVOS_ADVICE] if self.kind == 'savos' else []
        return '\n'.join([*lines, self._sums(), *self._examples(), *self._left(), *advice])

    def _sums(self) -> str:
        sums: dict[str, int] = {}
        for move in self.moves:
            sums[move.action] = sums.get(move.action, 0) + len(move.names)
        parts = ', '.join(f'{count} {action}' for action, count in sums.items())
        return f'{self.kind}: {parts}; {len(self.state_dict)} entries written'

    def _examples(self) -> list[str]:
        """The first entry of the first part of every action."""
        first: dict[str, Move] = {}
        for move in self.moves:
            first.setdefault(move.action, move)
        return [f'  {action}: {join(move.source, move.names[0])}'
                + (f' -> {join(move.target, move.names[0])}' if move.target else '')
                for action, move in first.items()]

    def _left(self) -> list[str]:
        if not self.left:
            return []
        modules = _by_module(self.left)
        return [f'left to be initialised: {len(self.left)} entries of the model',
                *(f'  {name}  {len(names)}' for name, names in modules.items())]


def convert_state_dict(state: Mapping[str, Tensor], kind: str | None = None,
                       box_head: str = 'main', copy_amodal: bool = False,
                       where: str = 'the checkpoint') -> Conversion:
    """Give the entries of a released checkpoint the names that they have in vatrack.

    Args:
        state: Entries by their released names. Tensors are shared with the
            result, but for copies.
        kind: What it is, one of ``KINDS``; None to tell by the names.
        box_head: Of COCO weights only: box head that gets theirs, ``'main'``,
            ``'visible'`` (as the released code starts the two-box model) or
            ``'both'``.
        copy_amodal: Of COCO weights only: start the amodal mask head from the
            mask head too.
        where: Name of the checkpoint in errors.

    Raises:
        CheckpointError: The kind cannot be told or is another one, or an entry
            is missing, unknown or of another shape.
    """
    kind = _checked_kind(state, kind, where)
    if kind != 'coco' and (copy_amodal or box_head != 'main'):
        raise CheckpointError(f'{where}: --copy-amodal and --box-head choose where COCO weights '
                              f'go; a {kind} checkpoint has weights for all heads: leave them out')
    parts = (savos_parts() if kind == 'savos' else
             released_parts(kind, box_head, copy_amodal))
    _check_entries(state, parts, kind, where)
    converted: OrderedDict[str, Tensor] = OrderedDict()
    moves = []
    for part in parts:
        names = tuple(part.shapes)
        if not part.targets:
            moves.append(Move('dropped', part.source, '', names, part.note))
        for i, target in enumerate(part.targets):
            moves.append(Move(_action(part, i), part.source, target, names, part.note))
            for name in names:
                value = state[join(part.source, name)].detach()
                converted[join(target, name)] = value.clone() if i else value
    left = ()
    if kind == 'coco':
        left = tuple(model_shapes('visible_bbox_head' in BOX_HEADS[box_head]).keys()
                     - converted.keys())
    return Conversion(kind, converted, tuple(moves), tuple(sorted(left)))


def load_strictly(model: nn.Module, conversion: Conversion, where: str) -> tuple[str, ...]:
    """Load converted entries into the model of a config, as acceptance test.

    Args:
        model: It may be on the meta device; its parameters become those of
            ``conversion``.
        conversion: The entries.
        where: Name of the config in errors.

    Returns:
        Entries of the model that are left to be initialised; only COCO weights
        may leave any.

    Raises:
        CheckpointError: The entries are not those of the model.
    """
    own, state = model.state_dict(), conversion.state_dict
    missing = [] if conversion.kind == 'coco' else [key for key in own if key not in state]
    faults = _faults(missing, [key for key in state if key not in own],
                     _resized(state, {key: tuple(value.shape) for key, value in own.items()}))
    if faults:
        needs = (_SAVOS_NEEDS if conversion.kind == 'savos' else 'ResNeXt-101 64x4d whose '
                 f'roi_head has {_NEEDS[conversion.kind]}, and QDTrackHead for 24 classes')
        raise CheckpointError(f'{where}: its model is not that of a {conversion.kind} checkpoint: '
                              f'{faults}. Give a config of {needs}')
    model.load_state_dict(state, strict=conversion.kind != 'coco', assign=True)
    return tuple(key for key in own if key not in state)


def _action(part: Part, position: int) -> str:
    if position:
        return 'copied'
    if part.swapped:
        return 'swapped'
    return 'mapped' if part.targets[0] == f'detector.{part.source}' else 'renamed'


def _kinds_of(state: Mapping[str, Tensor]) -> tuple[str, ...]:
    """Kinds that have such heads; more than one where the names are the same."""
    if any(key.startswith('st_encoder.') for key in state):
        return ('savos',)
    heads = {key.split('.')[1] for key in state if key.startswith('roi_head.') and '.' in key}
    if heads == {'bbox_head', 'mask_head'}:
        return ('coco',)
    return tuple(kind for kind in ROI_HEADS if heads == {*ROI_HEADS[kind], 'track_head'})


def _checked_kind(state: Mapping[str, Tensor], kind: str | None, where: str) -> str:
    ours = ('detector.roi_head.mask_heads.', f'{SAVOS_PREFIX}.')
    if any(key.startswith(ours) for key in state):
        raise CheckpointError(f"{where}: has vatrack's names already; there is nothing to convert")
    found = _kinds_of(state)
    if kind is None:
        if len(found) == 1:
            return found[0]
        if found:
            raise CheckpointError(f'{where}: {" and ".join(found)} checkpoints have the same '
                                  'names; say which it is with --from '
                                  f'{" or --from ".join(found)}')
        raise CheckpointError(f'{where}: is no checkpoint that is known here, by the names of its '
                              f'entries (the first: {", ".join(list(state)[:3])}). Say what it is '
                              f'with --from {{{",".join(KINDS)}}} to see what differs')
    if found and kind not in found:
        raise CheckpointError(f'{where}: this looks like a {" or ".join(found)} checkpoint: use '
                              f'--from {" or --from ".join(found)}, not {kind}')
    return kind


def _check_entries(state: Mapping[str, Tensor], parts: Collection[Part], kind: str,
                   where: str) -> None:
    expected = {join(part.source, name): shape for part in parts
                for name, shape in part.shapes.items()}
    faults = _faults([key for key in expected if key not in state],
                     [key for key in state if key not in expected], _resized(state, expected))
    if faults:
        known = ('SaVos for patches of 64 x 128' if kind == 'savos' else
                 f'ResNeXt-101 64x4d with {"80" if kind == "coco" else "24"} classes')
        raise CheckpointError(
            f'{where}: is not as released for {kind}: of {len(expected)} entries {faults}. Only '
            f'{known} is converted; check --from, and that the file is the released one and '
            'complete')


def _resized(state: Mapping[str, Tensor], expected: Mapping[str, Shape]) -> list[str]:
    return [f'{key} {tuple(value.shape)} instead of {expected[key]}'
            for key, value in state.items() if key in expected
            and tuple(value.shape) != expected[key]]


def _faults(missing: list[str], surplus: list[str], resized: list[str]) -> str:
    kinds = [('missing', missing), ('unknown', surplus), ('of another shape', resized)]
    return '; '.join(f'{len(names)} {what} ({", ".join(names[:3])}{", ..." * (len(names) > 3)})'
                     for what, names in kinds if names)


def _by_module(names: Collection[str]) -> dict[str, list[str]]:
    """Names by the head, or the layer of a head, that they belong to."""
    modules: dict[str, list[str]] = {}
    for name in names:
        depth = 4 if 'roi_head' in name else 2
        modules.setdefault('.'.join(name.split('.')[:depth]), []).append(name)
    return modules
