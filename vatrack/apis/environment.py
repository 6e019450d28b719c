"""What a number was measured with: state of the code, torch, device."""
from __future__ import annotations

import datetime
import os
import platform
import subprocess
from pathlib import Path

import torch

_ROOT = Path(__file__).resolve().parents[2]


def environment() -> dict[str, str | None]:
    """Facts to keep beside a measured number.

    Returns:
        ``commit`` (None outside of git; a trailing ``+`` means changed files),
        ``torch``, ``hardware`` and ``date`` (ISO 8601).
    """
    return {'commit': commit(), 'torch': torch.__version__, 'hardware': hardware(),
            'date': datetime.date.today().isoformat()}


def commit(root: Path = _ROOT) -> str | None:
    """Short hash of the commit that a checkout is at; ``'4df9a5d+'`` if tracked files differ.

    None where there is no git, or ``root`` is not the top of a checkout.
    """
    if not (root / '.git').exists():
        return None
    try:
        short = _git(root, 'rev-parse', '--short', 'HEAD')
        changes = _git(root, 'status', '--porcelain', '--untracked-files=no')
    except (OSError, subprocess.CalledProcessError):  # git is missing, or refuses the folder
        return None
    return f'{short}+' if changes else short


def hardware() -> str:
    """Name of the GPU that torch would use, or of the CPU and its number of cores."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f'{_cpu_name()}, {os.cpu_count()} cores'


def _git(root: Path, *args: str) -> str:
    done = subprocess.run(['git', '-C', str(root), *args], capture_output=True, text=True,
                          check=True)
    return done.stdout.strip()


def _cpu_name() -> str:
    info = Path('/proc/cpuinfo')
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith('model name'):
                return line.partition(':')[2].strip()
    return platform.processor() or platform.machine()
