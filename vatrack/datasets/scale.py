"""The size of frames in the network, said once and read by the transforms of a pipeline."""
from __future__ import annotations

import copy
import logging
from collections.abc import Iterator, Sequence
from typing import Any

from mmengine.logging import print_log


def with_scale(pipeline: Sequence[Any], scale: Sequence[int] | None) -> list[Any]:
    """A pipeline whose ``Resize`` transforms have a size.

    Those without ``scale`` (and without ``scale_factor``) get the given one; a
    ``Resize`` that states its own keeps it. Pipelines within transforms, as in
    a ``TransformBroadcaster``, count too.

    Args:
        pipeline: Configs of transforms, which stay as they are, or transforms.
        scale: (width, height) that frames are scaled to, as ``Resize`` takes it.

    Returns:
        A copy of the pipeline.

    Raises:
        ValueError: A ``Resize`` has no size and there is none to give, or
            ``scale`` is no pair.
    """
    if scale is not None:
        if isinstance(scale, str) or not isinstance(scale, Sequence) or len(scale) != 2:
            raise ValueError(f'scale must be (width, height), got {scale!r}')
        scale = tuple(scale)
    pipeline = copy.deepcopy(list(pipeline))
    resizes = list(_resizes(pipeline))
    for resize in resizes:
        if resize.get('scale') is None and resize.get('scale_factor') is None:
            if scale is None:
                raise ValueError('a Resize of the pipeline has no scale; give the dataset one: '
                                 'dataset=dict(scale=(width, height))')
            resize['scale'] = scale
    own = [resize.get('scale') for resize in resizes]
    if scale is not None and scale not in [tuple(each) for each in own if each is not None]:
        print_log(f'scale={scale} of the dataset is read by nothing in its pipeline, where Resize '
                  f'transforms have these scales of their own: {own}; take those out, or set '
                  'scale=None', 'current', logging.WARNING)
    return pipeline


def _resizes(pipeline: Any) -> Iterator[dict]:
    """The configs of all ``Resize`` transforms, nested ones included."""
    if isinstance(pipeline, list | tuple):
        for transform in pipeline:
            yield from _resizes(transform)
    elif isinstance(pipeline, dict):
        kind = pipeline.get('type', '')
        name = kind if isinstance(kind, str) else kind.__name__
        if name.rpartition('.')[2] == 'Resize':
            yield pipeline
        yield from _resizes(pipeline.get('transforms', ()))
