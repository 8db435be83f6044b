"""The expert drives every registered environment through gymnasium alone."""

from typing import Any

import gymnasium as gym
import pytest

import envs
from envs.actions import action_of
from vla_sim.expert import Expert

SEEDS = {"VlaSim/PickMoving-v0": (0, 1, 2), "VlaSim/PickPlace-v0": (0, 2, 5)}
REASON = {"VlaSim/PickMoving-v0": "lifted", "VlaSim/PickPlace-v0": "placed"}


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


def test_every_registered_task_is_tried() -> None:
    assert SEEDS.keys() == envs.ENTRY_POINTS.keys()


@pytest.mark.parametrize("env_id", sorted(envs.ENTRY_POINTS))
def test_it_succeeds(env_id: str) -> None:
    env = gym.make(env_id, obs_mode="state", disable_env_checker=True)
    expert = Expert(env.unwrapped.robot_spec)  # type: ignore[attr-defined]
    for seed in SEEDS[env_id]:
        total, info = play(env, expert, seed)
        assert (total, info["success"], info["reason"]) == (1.0, True, REASON[env_id]), seed
    env.close()
