"""Training and testing that take no time, for tests of what calls them."""
from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch

from vatrack.evaluation.report import save_metrics

SUFFIXES = ('', '50', '50_P', '50_H', '50_L', '50_M', '50_S')
ITERATIONS = 6


class FakeCommands:
    """In place of ``run_logged``: keeps the commands and leaves what the tools would leave.

    Attributes:
        calls: ``'train a seed0'`` and the like, in order; with ``--resume`` 'resume', and 'score'
            for a test of a result file.
        commands: The commands.
        fail: Calls that write to their log and fail.
        interrupt: Calls that are interrupted, training after a first checkpoint.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.commands: list[list[str]] = []
        self.fail: set[str] = set()
        self.interrupt: set[str] = set()

    def __call__(self, command: Sequence[str], log: Path) -> int:
        folder = log.parent
        verb = Path(command[1]).stem
        if '--resume' in command:
            verb = 'resume'
        if command[3].endswith('results.json'):
            verb = 'score'
        call = f'{verb} {folder.parent.name} {folder.name}'
        self.calls.append(call)
        self.commands.append(list(command))
        if call in self.fail:
            log.write_text(''.join(f'line {n}\n' for n in range(40)) + 'error: no such thing\n')
            return 1
        if verb in ('train', 'resume'):
            self.save(folder, 3 if call in self.interrupt else ITERATIONS)
        if call in self.interrupt:
            raise KeyboardInterrupt
        if verb in ('test', 'score'):
            self.score(command, folder)
        return 0

    @staticmethod
    def save(folder: Path, iterations: int) -> None:
        checkpoint = folder / f'epoch_{iterations}.pth'
        torch.save({'meta': {'iter': iterations}}, checkpoint)
        (folder / 'last_checkpoint').write_text(str(checkpoint))

    @staticmethod
    def score(command: Sequence[str], folder: Path) -> None:
        asked = command[command.index('--eval') + 1:]
        seed = int(folder.name.removeprefix('seed'))
        values = {f'amodal/{level}/{name}{suffix}': (10 + 2 * seed + position) / 100
                  for level, name in [('image', 'AP'), ('video', 'vAP')] if name in asked
                  for position, suffix in enumerate(SUFFIXES)}
        if 'HOTA' in asked:
            values |= {f'amodal/video/{name}': .5 + seed / 100 for name in ('HOTA', 'AssA')}
        protocol = 'sailvos-full'
        if '--protocol' in command:
            protocol = command[command.index('--protocol') + 1]
        (folder / 'results.json').write_text('[]')
        save_metrics(folder / 'results.metrics.json', values, protocol, 'data/val.json')


def write_config(path: Path, tracker: str = 'QDTracker', epochs: int = 1) -> Path:
    """A config that is read, but not built."""
    path.parent.mkdir(parents=True, exist_ok=True)
    model = {'type': 'TrackedDetector', 'association': {'tracker': {'type': tracker}}}
    path.write_text(f'model = {json.dumps(model)}\ntrain_cfg = dict(max_epochs={epochs})\n'
                    'randomness = dict(seed=0)\n')
    return path
