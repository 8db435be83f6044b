"""Gymnasium environments: `import envs` registers `VlaSim/PickPlace-v0` and `VlaSim/PickMoving-v0`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gymnasium as gym

if TYPE_CHECKING:
    from envs.tabletop import TabletopEnv

ENTRY_POINTS = {
    "VlaSim/PickPlace-v0": "envs.pick_place:PickPlaceEnv",
    "VlaSim/PickMoving-v0": "envs.pick_moving:PickMovingEnv",
}

for _id, _entry in ENTRY_POINTS.items():
    if _id not in gym.registry:
        gym.register(_id, entry_point=_entry)


def make(id: str, **settings: Any) -> TabletopEnv:
    """The bare environment of a registered id (its own time limit and checks included)."""
    env: Any = gym.make(id, disable_env_checker=True, **settings).unwrapped
    return env
