"""Names and random numbers of the videos of a split."""
from __future__ import annotations

import zlib

import numpy as np


def video_name(split: str, index: int) -> str:
    """Name of a video, and of its folder."""
    return f'{split}_{index:04d}'


def video_rng(seed: int, split: str, index: int) -> np.random.Generator:
    """Random numbers of a video: they come from (seed, split, index) alone."""
    return np.random.default_rng(np.random.SeedSequence([seed, zlib.crc32(split.encode()), index]))
