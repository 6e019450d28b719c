"""Where runs are kept: work_dirs/<config name>/."""
from __future__ import annotations

from pathlib import Path


def default_work_dir(config: str | Path, root: str | Path = 'work_dirs') -> Path:
    """Folder of the run of a config: ``work_dirs/vatrack_qd_sailvos``."""
    return Path(root) / Path(config).stem


def last_checkpoint(work_dir: str | Path) -> Path | None:
    """The checkpoint that a run wrote last, or None."""
    pointer = Path(work_dir) / 'last_checkpoint'
    if not pointer.is_file():
        return None
    path = Path(pointer.read_text().strip())
    # A run that was moved still finds the file beside its pointer.
    return path if path.is_file() else pointer.parent / path.name


def newest_run(root: str | Path = 'work_dirs') -> tuple[Path, Path]:
    """Config and last checkpoint of the run that saved a checkpoint last.

    Raises:
        FileNotFoundError: There is no run yet; says how to make one.
    """
    pointers = sorted(Path(root).glob('*/last_checkpoint'), key=lambda p: p.stat().st_mtime)
    for pointer in reversed(pointers):
        configs = sorted(pointer.parent.glob('*.py'), key=lambda p: p.stat().st_mtime)
        if configs:
            return configs[-1], last_checkpoint(pointer.parent)
    raise FileNotFoundError(
        f'no finished run in {Path(root).resolve()}: train one first, for example with '
        'python tools/train.py configs/vatrack_qd_synthetic.py, or name CONFIG and CHECKPOINT')
