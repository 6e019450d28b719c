"""Where runs are kept: work_dirs/<config name>/."""
from __future__ import annotations

from pathlib import Path

from .config import check_config_file, is_rule, load_config


class RunError(FileNotFoundError):
    """There is no run or checkpoint to take; says how to make one."""


def default_work_dir(config: str | Path, root: str | Path = 'work_dirs') -> Path:
    """Folder of the run of a config: ``work_dirs/vatrack_qd_sailvos``."""
    return Path(root) / Path(config).stem


def last_checkpoint(work_dir: str | Path) -> Path | None:
    """The checkpoint that a run wrote last, or None."""
    pointer = Path(work_dir) / 'last_checkpoint'
    name = pointer.read_text(errors='replace').strip('\0 \n') if pointer.is_file() else ''
    if not name:
        return None
    # A run that was moved or copied has the file beside its pointer.
    return next((p for p in (pointer.parent / Path(name).name, Path(name)) if p.is_file()), None)


def checkpoints_of(work_dir: str | Path) -> list[Path]:
    """Checkpoints that a run can go on from: that written last, then the others, newest first."""
    last = last_checkpoint(work_dir)
    # Not the best ones, which are weights alone, nor the last before a NaN.
    others = [path for path in Path(work_dir).glob('*.pth')
              if not path.name.startswith(('best_', 'last_good')) and path != last]
    others.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    return others if last is None else [last, *others]


def find_run(config: str | Path | None = None, weights: str | Path | None = None,
             root: str | Path = 'work_dirs') -> tuple[Path, Path | None]:
    """Fill in what a user left out: the newest run, or the last checkpoint of a config's run.

    Args:
        config: Config, or None for the run that saved a checkpoint last.
        weights: Checkpoint or result file, or None for the run's last checkpoint.
        root: Folder of the runs.

    Returns:
        Config and checkpoint or result file; no file for a config of a rule,
        which has no weights.

    Raises:
        ConfigError: The config is missing or no config.
        RunError: There is no such run.
    """
    if config is not None:
        check_config_file(config)
    if config is None:
        run = _newest_run(Path(root))
    elif weights is None and is_rule(load_config(config)):
        return Path(config), None
    elif weights is None:
        folder = default_work_dir(config, root)
        run = Path(config), last_checkpoint(folder)
        if run[1] is None:
            raise RunError(f'{folder}: no checkpoint yet; train with python tools/train.py '
                           f'{config}, or name the checkpoint')
    else:
        return Path(config), Path(weights)
    print(f'testing {run[1]} with {run[0]}')
    return run


def _newest_run(root: Path) -> tuple[Path, Path]:
    pointers = sorted(root.glob('**/last_checkpoint'), key=lambda p: p.stat().st_mtime)
    for pointer in reversed(pointers):
        configs = sorted(pointer.parent.glob('*.py'), key=lambda p: p.stat().st_mtime)
        checkpoint = last_checkpoint(pointer.parent)
        if configs and checkpoint is not None:
            return configs[-1], checkpoint
    raise RunError(f'no run in {root.resolve()} yet; train one, for example with '
                   'python tools/train.py configs/vatrack_qd_synthetic.py, or name CONFIG and '
                   'CHECKPOINT')
