"""Looking around in the nested dicts of a config."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mmengine.config import ConfigDict


def dicts_of(node: Any, key: str) -> Iterator[tuple[str, ConfigDict]]:
    """All dicts inside a config value and their dotted keys, depth first.

    Args:
        node: Value; a dict is itself the first.
        key: Dotted key of ``node``.
    """
    if isinstance(node, dict):
        yield key, node
        children = node.items()
    else:
        children = enumerate(node) if isinstance(node, list | tuple) else ()
    for name, child in list(children):
        yield from dicts_of(child, f'{key}.{name}')


def did_you_mean(near: list[str]) -> str:
    """End of a message that names the first of some similar names, if there is one."""
    return f'; did you mean {near[0]!r}?' if near else ''
