"""Environment steps a second beside two that people know, each alone on one core, in one run."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

import envs  # noqa: F401  registers the ids
from experiments.bench.timing import Row, timed

ROUNDS, STEPS = 5, 200
KNOWN = ("PandaPickAndPlace-v3", "Humanoid-v5")
OURS = ("VlaSim/PickPlace-v0", "VlaSim/Navigate-v0")


def environment_rows() -> list[Row]:
    """Steps a second. A step of ours is 10 ms of a robot of 29 joints, its sensors and its controller."""
    import panda_gym  # noqa: F401  registers its ids

    worlds = {name: gym.make(name) for name in (*KNOWN, *OURS)}
    took: dict[str, list[float]] = {name: [] for name in worlds}
    for _ in range(ROUNDS):  # in turn, so that a slow moment hits all alike
        for name, world in worlds.items():
            world.reset(seed=0)
            action = _still(world)
            took[name].append(timed(lambda world=world, action=action: _play(world, action)))  # type: ignore[misc]
    rows: list[Row] = []
    for name in OURS:
        rate = STEPS / float(np.median(took[name]))
        for other in KNOWN:
            theirs = STEPS / float(np.median(took[other]))
            rows.append(
                (f"{name} / {other}", f"{rate:.0f} steps/s", f"{theirs:.0f} steps/s", f"{rate / theirs:.2f}", "")
            )
    for world in worlds.values():
        world.close()
    return rows


def _still(world: gym.Env[Any, Any]) -> Any:
    """An action in the middle of everything."""
    if isinstance(world.action_space, gym.spaces.Dict):
        action: dict[str, Any] = {k: np.zeros(s.shape) for k, s in world.action_space.items() if s.shape}
        return {**action, "mode": np.int64(1)}
    assert world.action_space.shape is not None
    return np.zeros(world.action_space.shape, np.float32)


def _play(world: gym.Env[Any, Any], action: Any) -> None:
    for _ in range(STEPS):
        *_, ended, cut, _ = world.step(action)
        if ended or cut:
            world.reset()
