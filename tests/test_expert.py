"""The expert drives every task at a table through gymnasium alone."""

import importlib
from typing import Any

import gymnasium as gym
import pytest

import envs
from envs.actions import action_of
from envs.tabletop import TabletopEnv
from vla_sim.expert import Expert

SEEDS = {"VlaSim/PickMoving-v0": (0, 1, 2), "VlaSim/PickPlace-v0": (0, 2, 5), "VlaSim/Reach-v0": (0, 1, 2)}
REASON = {"VlaSim/PickMoving-v0": "lifted", "VlaSim/PickPlace-v0": "placed", "VlaSim/Reach-v0": "reached"}


def play(env: Any, expert: Expert, seed: int) -> tuple[float, dict[str, Any]]:
    """One episode; the sum of the rewards and the last info."""
    obs, info = env.reset(seed=seed)
    expert.reset(obs, info)
    total, over = 0.0, False
    while not over:
        action = action_of(expert.act(obs, info), env.unwrapped.robot_spec)
        assert env.action_space.contains(action)
        obs, reward, ended, timed_out, info = env.step(action)
        assert not timed_out
        total, over = total + float(reward), ended
    return total, info


def test_every_task_at_a_table_is_tried() -> None:
    """What its observations name as a target in reach is a task for the expert; walking is not."""
    reachable = {id for id in envs.ENTRY_POINTS if issubclass(_class_of(id), TabletopEnv)}
    assert SEEDS.keys() == reachable - {"VlaSim/EmergencyStop-v0"}


def _class_of(env_id: str) -> type:
    module, name = envs.ENTRY_POINTS[env_id].split(":")
    found: type = getattr(importlib.import_module(module), name)
    return found


@pytest.mark.parametrize("env_id", sorted(SEEDS))
def test_it_succeeds(env_id: str) -> None:
    env = gym.make(env_id, obs_mode="state", disable_env_checker=True)
    expert = Expert(env.unwrapped.robot_spec)  # type: ignore[attr-defined]
    for seed in SEEDS[env_id]:
        total, info = play(env, expert, seed)
        assert (total, info["success"], info["reason"]) == (1.0, True, REASON[env_id]), seed
    env.close()
