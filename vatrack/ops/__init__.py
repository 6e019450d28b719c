"""mmcv's compiled extension, supplied from torchvision where mmcv has none.

A pure-Python mmcv cannot import ``mmcv.ops``: every module there asks the compiled ``mmcv._ext``
for its functions. :func:`install` puts :mod:`vatrack.ops.mmcv_ext` in that place.
"""
from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec

__all__ = ['install']

_EXTENSION = 'mmcv._ext'


def install() -> None:
    """Put a ``mmcv._ext`` in place unless mmcv was compiled; a second call changes nothing.

    To be called before ``mmcv.ops`` is first imported, which importing ``vatrack`` does.

    Raises:
        ImportError: mmcv's compiled extension is there but does not load (it was built for another
            torch, say), or ``mmcv.ops`` was imported without an extension.
    """
    if _EXTENSION in sys.modules:
        return
    spec = find_spec(_EXTENSION)
    if spec is not None:
        _load_compiled(spec.origin)
        return
    if 'mmcv.ops' in sys.modules:
        raise ImportError('mmcv.ops was imported before vatrack, without a compiled extension: '
                          'import vatrack first.')
    sys.modules[_EXTENSION] = import_module('.mmcv_ext', __name__)


def _load_compiled(origin: str | None) -> None:
    try:
        import_module(_EXTENSION)
    except ImportError as error:
        raise ImportError(
            f"mmcv's compiled extension {origin} does not load: {error}. It was probably built for "
            'another torch: build mmcv again for this one, or install mmcv without compiled ops, '
            'which vatrack then supplies from torchvision.') from error
