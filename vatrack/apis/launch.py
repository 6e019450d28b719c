"""What a run needs of the machine that it is started on: folders, processes, ports, a compiler."""
from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from mmengine.config import Config

from .config import ConfigError

#: What launchers tell the processes that they start.
_TOLD = {
    'pytorch': (('RANK', 'LOCAL_RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT'),
                'torchrun --nproc_per_node N tools/...'),
    'slurm': (('SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_NODELIST'), 'srun'),
    'mpi': (('OMPI_COMM_WORLD_LOCAL_RANK', 'OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE'),
            'mpirun'),
}


def check_writable(folder: str | Path, option: str) -> None:
    """Make a folder, and make sure that files can be written to it.

    Args:
        folder: Where a run will write, perhaps hours later.
        option: What names another one.

    Raises:
        ConfigError: It is a file, read-only, full, or a link that leads nowhere.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b'\0')
    except OSError as error:
        reason = 'it is a file' if isinstance(error, FileExistsError) else error.strerror
        raise ConfigError(f'{folder}: nothing can be written to this folder ({reason}); name '
                          f'another with {option}') from error


def check_launcher(config: Config) -> None:
    """Make sure that the processes of a launcher can find one another, and a GPU each.

    Raises:
        ConfigError: The launcher has not started this process, or starts more processes than
            there are GPUs.
    """
    launcher = config.get('launcher', 'none')
    names, start = _TOLD.get(launcher, ((), ''))
    missing = [name for name in names if not os.environ.get(name)]
    if missing:
        raise ConfigError(f'--launcher {launcher}: {", ".join(missing)} not set, which it sets in '
                          f'the processes that it starts; start with {start}, or leave --launcher '
                          'out for one process')
    processes = int(os.environ.get('LOCAL_WORLD_SIZE') or 1)
    gpus = torch.cuda.device_count()
    if launcher == 'pytorch' and 0 < gpus < processes:
        raise ConfigError(f'--launcher pytorch: {processes} processes on a machine with {gpus} '
                          f'GPUs, each process needs one; give torchrun --nproc_per_node {gpus}')


@contextmanager
def launch_errors() -> Iterator[None]:
    """Around what connects processes.

    Raises:
        ConfigError: They cannot reach one another.
    """
    try:
        yield
    except torch.distributed.DistError as error:
        address = ':'.join(os.environ.get(name, '?') for name in ('MASTER_ADDR', 'MASTER_PORT'))
        raise ConfigError(f'the processes cannot meet at {address}: {str(error).splitlines()[0]}; '
                          'if another run has this port, give torchrun --master_port another'
                          ) from error
