from __future__ import annotations

import os
import signal

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from vatrack.apis.errors import USER_ERRORS
from vatrack.apis.loader_errors import LoaderError, loader_errors


class Faulty(Dataset):
    """Items of which the second ends its process, in some way."""

    def __init__(self, fault: str) -> None:
        self.fault = fault

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> int:
        if index:
            if self.fault == 'killed':
                os.kill(os.getpid(), signal.SIGKILL)
            if self.fault == 'ended':
                os._exit(1)
            if self.fault == 'memory':
                raise MemoryError
            if self.fault == 'tensor':
                torch.empty(1 << 58)
            raise RuntimeError('a fault of the code')
        return index


@pytest.mark.parametrize(('fault', 'cause'), [
    ('killed', 'it was killed'), ('ended', 'it was killed'), ('memory', 'memory ran out'),
    ('tensor', 'memory ran out')])
def test_the_end_of_a_worker_is_one_line_with_a_remedy(fault, cause):
    with pytest.raises(LoaderError, match=f'{cause}.*num_workers.*--resume') as caught, \
            loader_errors():
        list(DataLoader(Faulty(fault), num_workers=1))
    assert isinstance(caught.value, USER_ERRORS) and '\n' not in str(caught.value)


@pytest.mark.parametrize('num_workers', [0, 1])
def test_faults_of_the_code_stay_what_they_are(num_workers):
    with pytest.raises(RuntimeError, match='a fault of the code') as caught, loader_errors():
        list(DataLoader(Faulty('other'), num_workers=num_workers))
    assert not isinstance(caught.value, LoaderError)
