"""Values that settings may have, whatever class reads them: checked before anything is built.

OpenMMLab's names of settings mean one thing everywhere. What only one class knows, its constructor
checks, and :mod:`.build_errors` names the key.
"""
from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from .config_tree import dicts_of


@dataclass(frozen=True)
class Rule:
    """What a value must be.

    Attributes:
        wanted: In words, after 'must be'.
        holds: Whether a value is so.
    """

    wanted: str
    holds: Callable[[Any], bool]

    def or_none(self) -> Rule:
        """The same for a setting that may be absent."""
        return Rule(f'{self.wanted}, or None', lambda value: value is None or self.holds(value))

    def each(self) -> Rule:
        """The same for a value, or every one of a list of values; a part may be left out."""
        def holds(value: Any) -> bool:
            if isinstance(value, list | tuple):
                return all(map(holds, value))
            return value is None or isinstance(value, dict) or self.holds(value)
        return Rule(self.wanted, holds)


def _number(value: Any) -> bool:
    return (isinstance(value, int | float) and not isinstance(value, bool)
            and math.isfinite(value))


def _whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _names(value: Any) -> bool:
    return (isinstance(value, list | tuple) and bool(value)
            and all(isinstance(name, str) and name for name in value)
            and len(set(value)) == len(value))


_COUNT = Rule('a whole number of at least 1', lambda value: _whole(value, 1))
_COUNT_OR_0 = Rule('a whole number of at least 0', lambda value: _whole(value, 0))
_COUNT_OR_OFF = Rule('a whole number of at least 1, or -1 for no limit',
                     lambda value: _whole(value, 1) or value == -1)
_INTERVAL = Rule('a whole number of at least 1, or -1 for never',
                 lambda value: _whole(value, 1) or value == -1)
_POSITIVE = Rule('a number above 0', lambda value: _number(value) and value > 0)
_NOT_NEGATIVE = Rule('a number of at least 0', lambda value: _number(value) and value >= 0)
_NUMBER = Rule('a number', _number)
_RATE = Rule('a number from 0 to 1', lambda value: _number(value) and 0 <= value <= 1)
_RATE_OR_OFF = Rule('a number from 0 to 1, or -1 for none',
                    lambda value: _RATE.holds(value) or value == -1)
_PATH = Rule('a path or an address', lambda value: isinstance(value, str))
_SWITCH = Rule('True or False', lambda value: isinstance(value, bool))

#: Rules by the names that they are of, as regular expressions; the first that fits holds.
RULES: dict[str, Rule] = {
    # Data.
    'batch_size|base_batch_size': _COUNT,
    'num_workers': _COUNT_OR_0,
    'prefetch_factor|num_batch_per_epoch|max_objects': _COUNT.or_none(),
    'timeout|min_size': _NOT_NEGATIVE,
    'persistent_workers|drop_last|pin_memory': _SWITCH,
    'max_refetch': _COUNT_OR_0,
    'ann_file': _PATH,
    'load_from': _PATH.or_none(),
    'scope|num_refs|num_frames': _COUNT,
    'max_occlusion': _RATE.or_none(),
    'scale': _POSITIVE.each(),
    'classes': Rule('a list of different names, at least one', _names).or_none(),
    'prob': _RATE.each(),
    # Training.
    'max_epochs|max_iters|val_interval|accumulative_counts': _COUNT,
    'val_begin': _COUNT_OR_0,
    'lr|max_norm': _POSITIVE,
    'weight_decay|momentum': _NOT_NEGATIVE,
    'gamma|start_factor|end_factor': _NOT_NEGATIVE,
    'milestones': Rule('a list of whole numbers of at least 0',
                       lambda value: isinstance(value, list | tuple)
                       and all(_whole(each, 0) for each in value)),
    'seed': Rule('a whole number from 0 to 2**32 - 1',
                 lambda value: _whole(value, 0) and value < 2 ** 32).or_none(),
    'interval': _INTERVAL,
    'max_keep_ckpts': _COUNT_OR_OFF,
    'window_size': _COUNT,
    'log_level': Rule('one of DEBUG, INFO, WARNING, ERROR',
                      lambda value: value in ('DEBUG', 'INFO', 'WARNING', 'ERROR')),
    # Models.
    'loss_weight|(score|iou|label)_weight': _NOT_NEGATIVE.each(),
    'num': _COUNT,  # of samples
    'pos_weight': _NUMBER,
    'pos_fraction|floor_fraction|memo_momentum': _RATE,
    r'match_score_thr': _NUMBER.or_none(),  # a distance in some trackers
    'mask_thr_binary|ignore_iof_thr|floor_thr': _RATE_OR_OFF,
    r'(\w+_)?(score|iou|conf)_(thr|threshold)|min_pos_iou': _RATE.or_none().each(),
    'memo_frames': _COUNT.or_none(),
    'memo_tracklet_frames': _COUNT,
    'memo_backdrop_frames|num_(shared_)?(convs|fcs)': _COUNT_OR_0,
    r'(\w+_)?channels|num_outs|num_groups|output_size|roi_feat_size|mask_size': _COUNT.each(),
    'strides|featmap_strides|scales|ratios': _POSITIVE.each(),
    'max_per_img': _COUNT_OR_OFF,
    'pad_size_divisor': _COUNT,
    'mean': _NUMBER.each(),
    'std': _POSITIVE.each(),
}


def setting_faults(config: Any, key: str = '') -> Iterator[tuple[str, str]]:
    """Settings that no class can make sense of.

    Args:
        config: A config, or a part of it.
        key: Dotted key of the part.

    Yields:
        Dotted key, and what is wrong: ``'must be a number above 0, got -1'``.
    """
    for where, part in dicts_of(config, key):
        for name, value in part.items():
            rule = next((rule for names, rule in RULES.items()
                         if re.fullmatch(names, str(name))), None)
            # A dict is one setting for each of several parts, or the config of a class.
            if rule and not isinstance(value, dict) and not rule.holds(value):
                yield (f'{where}.{name}'.removeprefix('.'),
                       f'must be {rule.wanted}, got {value!r}{_hint(value)}')
        for name, fault in _contradictions(part):
            yield f'{where}.{name}'.removeprefix('.'), fault


def _hint(value: Any) -> str:
    """What a text was probably meant to be."""
    if not isinstance(value, str):
        return ''
    try:
        number = float(value.replace(',', '.'))
    except ValueError:
        return ', a text'
    return f', a text; write {number:g}' if math.isfinite(number) else ', a text'


def _contradictions(node: dict) -> Iterator[tuple[str, str]]:
    """Settings of one class that do not go together."""
    if 'batch_size' in node and not node.get('num_workers'):
        for name in ('persistent_workers', 'prefetch_factor'):
            if node.get(name):
                yield name, (f'is {node[name]!r}, but num_workers is 0: there is no worker that '
                             'it could concern; set num_workers, or leave it out')
    stages = node.get('frozen_stages')
    if stages is not None:
        most = node.get('num_stages', 4)
        if not _whole(stages, -1) or stages > most:
            yield 'frozen_stages', (f'must be a whole number from -1 (none) to {most}, the stages '
                                    f'of the backbone, got {stages!r}{_hint(stages)}')
