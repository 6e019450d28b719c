"""Files that lie beside those of people, and that no reader looks at."""
from __future__ import annotations

from pathlib import PurePath

_SYSTEM = ('__macosx', 'thumbs.db', 'desktop.ini')


def is_bystander(path: str | PurePath) -> bool:
    """Whether a system put it there (``._a.json``, ``__MACOSX``, ``Thumbs.db``), or it is a README.

    Args:
        path: Name, or path relative to the folder that is read.
    """
    parts = [part.lower() for part in PurePath(path).parts]
    return PurePath(path).stem.lower() == 'readme' or any(
        part[0] == '.' or part in _SYSTEM for part in parts)
