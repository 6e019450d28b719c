from __future__ import annotations

import sys

import pytest
import torch

import vatrack  # noqa: F401  (puts the extension in place before mmcv.ops is imported)


@pytest.fixture(autouse=True)
def stand_in() -> None:
    if sys.modules['mmcv._ext'].__name__ != 'vatrack.ops.mmcv_ext':
        pytest.skip("mmcv is compiled: mmdet runs on mmcv's own operators")


@pytest.fixture(params=['cpu', pytest.param('cuda', marks=[
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason='no CUDA device')])])
def device(request: pytest.FixtureRequest) -> torch.device:
    return torch.device(request.param)


@pytest.fixture
def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)
