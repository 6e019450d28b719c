"""The versions of the OpenMMLab packages that vatrack works with."""
from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from packaging.version import Version

#: First version that works and first that is not known to, by distribution.
WINDOWS = {
    'onedl-mmengine': ('0.10.12', '0.11'),
    'onedl-mmcv': ('2.3.6', '2.4'),
    'onedl-mmdetection': ('3.5.1', '3.6'),
}


def check() -> None:
    """Refuse to run with other versions, or with the packages these are forks of.

    Raises:
        ImportError: Names what is installed, what is needed and the command.
    """
    for name, (first, end) in WINDOWS.items():
        try:
            found = version(name)
        except PackageNotFoundError:
            found = None
        if found is None or not Version(first) <= Version(found) < Version(end):
            raise ImportError(f'vatrack needs {name}>={first},<{end}, but '
                              f'{f"{found} is" if found else "it is not"} installed: '
                              'pip install -r requirements.txt')
