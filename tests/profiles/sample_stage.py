"""Stages to measure: they live in a module of their own, so that a fresh process can import them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from vla_sim.profiles.bench import THREAD_VARIABLES


class Counter:
    """Counts since it was last reset; refuses to count without."""

    def __init__(self) -> None:
        self.ballast = np.ones(20_000_000 // 8)  # 20 MB
        self.count: int | None = None

    def reset(self) -> None:
        self.count = 0

    def tick(self, expected: int, *, spin: int = 0) -> None:
        if self.count != expected:
            raise ValueError(f"counted {self.count}, should be {expected}")
        self.count += 1
        sum(range(spin))

    def command(self) -> None:
        np.ones(40_000_000 // 8)  # 40 MB, and gone again


def prepare(threads: int | None) -> Callable[[], Counter]:
    return Counter


def dies(threads: int | None) -> Callable[[], Any]:
    os._exit(3)


def told(threads: int | None) -> Callable[[], Callable[[], None]]:
    """A stage that fails with what its libraries were told of threads."""

    def load() -> Callable[[], None]:
        def stage() -> None:
            raise RuntimeError(",".join(os.environ.get(name, "-") for name in THREAD_VARIABLES))

        return stage

    return load
