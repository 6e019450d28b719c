from __future__ import annotations

from pathlib import Path

import pytest
from browse_data import make_dataset, make_results

from vatrack.browse import Source


@pytest.fixture(scope='session')
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with ``annotations.json``, ``results.json`` and pictures. Read only."""
    folder = tmp_path_factory.mktemp('made')
    make_results(folder / 'results.json', make_dataset(folder))
    return folder


@pytest.fixture(scope='session')
def source(made: Path) -> Source:
    return Source(made / 'annotations.json', made, made / 'results.json')
