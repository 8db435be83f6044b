"""Random streams: one generator a purpose, so that one more draw here shifts nothing there."""

from __future__ import annotations

import zlib

import numpy as np


def stream(seed: int, episode: int, name: str) -> np.random.Generator:
    """The generator of `(seed, episode, name)`: the same on every machine and in every variant."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, episode, zlib.crc32(name.encode())])))


def episode_seed(seed: int, episode: int) -> int:
    """Seed of the world in one episode, 0 <= seed < 2**31; paired over variants because it knows none."""
    return int(stream(seed, episode, "world").integers(2**31))
