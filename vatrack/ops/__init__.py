"""mmcv's compiled extension, supplied from torchvision where mmcv has none.

A pure-Python mmcv cannot import ``mmcv.ops``: every module there asks the compiled ``mmcv._ext``
for its functions. mmdet imports ``mmcv.ops`` wherever it suppresses or pools boxes, so that no
detector of it could be built. :func:`install` puts :mod:`vatrack.ops.mmcv_ext` in that place.
mmcv's Python side (layers, autograd functions, checks of arguments) stays as it is; what is
supplied is only what it calls, so that configs and checkpoints do not know the difference.
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
    # A compiled extension goes first: it has all operators.
    spec = find_spec(_EXTENSION)
    if spec is not None:
        _load_compiled(spec.origin)
        return
    # The modules of mmcv.ops keep what they were given at import: too late for another.
    if 'mmcv.ops' in sys.modules:
        raise ImportError('mmcv.ops was imported before vatrack, without a compiled extension: '
                          'import vatrack first.')
    # In the table of modules, not in mmcv's folder: the installation stays untouched.
    sys.modules[_EXTENSION] = import_module('.mmcv_ext', __name__)


def _load_compiled(origin: str | None) -> None:
    try:
        import_module(_EXTENSION)
    except ImportError as error:
        raise ImportError(
            f"mmcv's compiled extension {origin} does not load: {error}. It was probably built for "
            'another torch: build mmcv again for this one, or install mmcv without compiled ops, '
            'which vatrack then supplies from torchvision.') from error
