"""What a study consists of, and what is still to be done of it."""
from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mmengine.config import Config

from vatrack.evaluation.evaluate import METRICS
from vatrack.files.whole_file import replace_when_done

from ..config import check_config_file, load_config, parse_options, tracks
from ..runs import last_checkpoint


class AblationError(ValueError):
    """A study cannot be run as it is asked for; says why and what to do."""


@dataclass(frozen=True)
class Study:
    """What all runs of a study share.

    Attributes:
        out: Folder of the runs.
        metrics: What is tested, names of ``tools/test.py --eval``.
        protocol: Evaluation protocol; None: that of each config.
        options: ``KEY=VALUE`` changes to every config.
    """

    out: Path
    metrics: tuple[str, ...] = ('AP', 'vAP')
    protocol: str | None = None
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Run:
    """One config with one seed.

    Attributes:
        study: What it shares with the others.
        path: Config.
        seed: ``randomness.seed``.
    """

    study: Study
    path: Path
    seed: int

    @property
    def name(self) -> str:
        """What to call it: ``'vatrack_qd_synthetic seed 0'``."""
        return f'{self.path.stem} seed {self.seed}'

    @property
    def folder(self) -> Path:
        """Where everything of it goes."""
        return self.study.out / self.path.stem / f'seed{self.seed}'

    @property
    def options(self) -> list[str]:
        """``--cfg-options`` of its training and test."""
        return [*self.study.options, f'randomness.seed={self.seed}']

    @property
    def metrics_file(self) -> Path:
        """Where its numbers are, once it was tested."""
        return self.folder / 'results.metrics.json'

    @cached_property
    def config(self) -> Config:
        """The config with all options."""
        return load_config(self.path, parse_options(self.options))

    @cached_property
    def resolved(self) -> dict[str, Any]:
        """The config with all options, as JSON gives it back."""
        return json.loads(json.dumps(self.config.to_dict(), default=repr))

    @property
    def tested_as(self) -> dict[str, Any]:
        """What its numbers depend on besides its config."""
        metrics = self.study.metrics
        if not tracks(self.config):
            metrics = [name for name in metrics if METRICS[name].level == 'image']
        return {'eval': list(metrics), 'protocol': self.study.protocol}


def find_configs(paths: Iterable[str | Path]) -> list[Path]:
    """Configs in the order given; of a folder all in it, by name, without ``_base_``.

    Raises:
        ConfigError: A file is no config.
        AblationError: A folder has no config, or two configs would share a folder of runs.
    """
    found: dict[Path, Path] = {}
    for path in map(Path, paths):
        inside = [path]
        if path.is_dir():
            inside = sorted(p for p in path.rglob('*.py') if '_base_' not in p.parts)
            if not inside:
                raise AblationError(f'{path}: no config in this folder')
        for config in inside:
            check_config_file(config)
            found.setdefault(config.resolve(), config)
    by_stem: dict[str, Path] = {}
    for config in found.values():
        other = by_stem.setdefault(config.stem, config)
        if other is not config:
            raise AblationError(f'{other} and {config} have one name, and would share a folder of '
                                'runs: rename one, or run them with different --out')
    return list(found.values())


def plan(study: Study, configs: Sequence[Path], seeds: Sequence[int],
         redo: bool = False) -> list[Run]:
    """All runs of a study, all configs of the first seed first; checks every one of them.

    Args:
        study: What they share.
        configs: As :func:`find_configs` gives them.
        seeds: Seeds.
        redo: Allow for runs whose config has changed: :func:`next_step` is 'redo'.

    Raises:
        ConfigError: A config or an option is wrong.
        AblationError: A run has no metric to test, or its folder holds another run.
    """
    runs = [Run(study, config, seed) for seed in dict.fromkeys(seeds) for config in configs]
    for run in runs:
        if not run.tested_as['eval']:
            raise AblationError(f'{run.path}: associates nothing over time, so that it has metrics '
                                'of single images only; add AP to --eval, or leave it out')
        if next_step(run) == 'redo' and not redo:
            raise AblationError(f'{run.folder}: holds a run of another config, {_changes(run)}; '
                                'undo the change, choose another --out, or train anew with '
                                '--redo, which deletes what the folder holds')
    return runs


def next_step(run: Run) -> str:
    """What is to be done next of a run.

    Returns:
        'train', 'resume', 'test' (a checkpoint), 'score' (results that are
        there, under other metrics or another protocol), 'done', or 'redo': the
        folder holds a run of another config.

    Raises:
        AblationError: The folder holds something else.
    """
    state = read_state(run)
    if state is None:
        if run.folder.is_dir() and any(run.folder.iterdir()):
            raise AblationError(f'{run.folder}: has no run.json, so it holds no run of this '
                                'command; move it away, or choose another --out')
        return 'train'
    if state['resolved'] != run.resolved:
        return 'redo'
    checkpoint = last_checkpoint(run.folder)
    if 'trained' not in state:
        return 'train' if checkpoint is None else 'resume'
    if 'tested' in state:
        same = state['tested'] == run.tested_as and run.metrics_file.is_file()
        if same or (run.folder / 'results.json').is_file():
            return 'done' if same else 'score'
    return 'train' if checkpoint is None else 'test'


def read_state(run: Run) -> dict[str, Any] | None:
    """Content of ``run.json``; None if there is none.

    ``config``, ``seed`` and ``resolved`` say what the run is; ``trained``
    (iterations and environment) and ``tested`` (metrics and protocol) are there
    when that is done.

    Raises:
        AblationError: The file is damaged.
    """
    path = run.folder / 'run.json'
    if not path.is_file():
        return None
    try:
        return json.loads(path.read_text(encoding='utf-8'))
    except ValueError as error:
        raise AblationError(f'{path}: damaged ({error}); delete {run.folder} to run it '
                            'anew') from error


def write_state(run: Run, state: dict[str, Any]) -> None:
    """Replace ``run.json``."""
    with replace_when_done(run.folder / 'run.json') as file:
        json.dump(state, file)


def _changes(run: Run) -> str:
    """Which values of a config have changed since it ran: the first three."""
    state = read_state(run)
    before, now = ({key: repr(value) for key, value in _leaves(config)}
                   for config in (state['resolved'], run.resolved))
    keys = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    shown = [f'{key} {before.get(key, "absent")} instead of {now.get(key, "absent")}'
             for key in keys[:3]]
    more = f' and {len(keys) - 3} more' if len(keys) > 3 else ''
    return f'{state["config"]} with {", ".join(shown)}{more}'


def _leaves(node: Any, key: str = '') -> Iterator[tuple[str, Any]]:
    """All values of nested dicts and lists by dotted key."""
    if isinstance(node, dict | list) and node:
        for name, child in node.items() if isinstance(node, dict) else enumerate(node):
            yield from _leaves(child, f'{key}.{name}' if key else str(name))
    else:
        yield key, node
