"""What all converters share: an error, and running over many videos."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TypeVar

from tqdm import tqdm

Job = TypeVar('Job')


class ConversionError(ValueError):
    """A raw dataset is incomplete or not as published; says where and how to mend it."""


def worker_pool(workers: int) -> ProcessPoolExecutor:
    """Processes for the parts of a dataset."""
    return ProcessPoolExecutor(workers)


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
        try:
            for future in tqdm(as_completed(futures), **progress):
                future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


