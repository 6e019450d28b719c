"""What all converters share: an error, and running over many videos."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import AbstractContextManager
from typing import TypeVar

from tqdm import tqdm

from vatrack.stopping import process_pool

Job = TypeVar('Job')


class ConversionError(ValueError):
    """A raw dataset is incomplete or not as published; says where and how to mend it."""


def worker_pool(workers: int) -> AbstractContextManager[ProcessPoolExecutor]:
    """Processes for the parts of a dataset."""
    return process_pool(workers)


def run_parallel(function: Callable[[Job], None], jobs: Sequence[Job], workers: int,
                 description: str) -> None:
    """Call ``function`` on every job, in processes if ``workers`` > 1, with a progress bar.

    The first error stops the run and is raised here; jobs that are under way
    finish.
    """
    progress = {'desc': description, 'total': len(jobs), 'unit': 'video', 'disable': None}
    if workers <= 1:
        for job in tqdm(jobs, **progress):
            function(job)
        return
    with worker_pool(workers) as pool:
        futures = [pool.submit(function, job) for job in jobs]
        for future in tqdm(as_completed(futures), **progress):
            future.result()


