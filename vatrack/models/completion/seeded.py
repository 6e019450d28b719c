"""Random numbers that are the same each time, beside those of the program."""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Draw from a seed for as long as the context lasts; afterwards as if nothing had been drawn.

    Args:
        seed: Of torch's generators.
        device: Whose generator is used beside that of the CPU.
    """
    with torch.random.fork_rng([device] if device.type == 'cuda' else []):
        torch.manual_seed(seed)
        yield
