from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from mmengine.registry import DefaultScope


@pytest.fixture(autouse=True)
def vatrack_scope() -> Iterator[None]:
    with DefaultScope.overwrite_default_scope('vatrack'):
        yield


@pytest.fixture(autouse=True)
def fixed_seed() -> None:
    np.random.seed(0)
