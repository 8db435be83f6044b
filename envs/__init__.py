"""Gymnasium environments: `import envs` registers the ids of `ENTRY_POINTS`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gymnasium as gym

if TYPE_CHECKING:
    from envs.task_env import TaskEnv
    from robots.body import BodyKind

ENTRY_POINTS = {
    "VlaSim/Reach-v0": "envs.reach:ReachEnv",
    "VlaSim/PickPlace-v0": "envs.pick_place:PickPlaceEnv",
    "VlaSim/PickMoving-v0": "envs.pick_moving:PickMovingEnv",
    "VlaSim/Navigate-v0": "envs.navigate:NavigateEnv",
    "VlaSim/Fetch-v0": "envs.fetch:FetchEnv",
    "VlaSim/FollowPerson-v0": "envs.follow_person:FollowPersonEnv",
    "VlaSim/EmergencyStop-v0": "envs.emergency_stop:EmergencyStopEnv",
}

for _id, _entry in ENTRY_POINTS.items():
    if _id not in gym.registry:
        gym.register(_id, entry_point=_entry)


def make(id: str, body: BodyKind | None = None, **settings: Any) -> TaskEnv:
    """The bare environment of a registered id (its own time limit and checks included); without a body, with a G1."""
    env: Any = gym.make(id, disable_env_checker=True, body=body, **settings).unwrapped
    return env
