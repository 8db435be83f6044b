"""What counts as a similar frame, on frames as the project's cameras take them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pybullet as p
import pytest

import envs
from envs.task_env import TaskEnv
from vla_sim.deployment.cache import MISSING, CacheSpec, build
from vla_sim.deployment.cache_keys import Signature
from vla_sim.stages.perception import ColourShapeDetector
from vla_sim.types import Array, Command, Detections, Frame, Mode

SEEDS = range(6)


@pytest.fixture(scope="module")
def env() -> Iterator[TaskEnv]:
    world = envs.make("VlaSim/PickPlace-v0")
    yield world
    world.close()


def later(env: TaskEnv, ticks: int = 5) -> Frame:
    spec = env.robot_spec
    for _ in range(ticks):
        env.advance(Command(np.zeros(len(spec.upper_joints)), np.ones(len(spec.hands)), mode=Mode.HOLD))
    return env.capture("head")


def found(detections: Detections) -> dict[tuple[str, str], Array]:
    """Where each thing stands."""
    return {(item.shape, item.colour): item.position_in_base for item in detections.items}


def test_a_still_scene_is_similar_and_one_whose_object_moved_two_centimetres_is_not(env: TaskEnv) -> None:
    """The target stands about 0.6 m from the camera, whose noise has a sigma of 5 grey levels."""
    still, moved = [], []
    for seed in SEEDS:
        env.restart(seed)
        first = Signature.of(later(env))
        still += [first.distance(Signature.of(later(env))) for _ in range(3)]
        body = env.world.objects[0]
        (x, y, z), turn = p.getBasePositionAndOrientation(body, physicsClientId=env.world.client)
        for dx, dy in ((0.02, 0.0), (0.0, 0.02), (0.0, -0.02)):
            p.resetBasePositionAndOrientation(body, (x + dx, y + dy, z), turn, physicsClientId=env.world.client)
            moved.append(first.distance(Signature.of(env.capture("head"))))
    assert max(still) < 0.8
    assert min(moved) > 1.25


def test_a_detector_is_spared_while_nothing_moves(env: TaskEnv) -> None:
    env.restart(0)
    detect, cache = ColourShapeDetector(), build(CacheSpec("lru", 8, key="similar"), lambda: 0.0)
    exact = build(CacheSpec("lru", 8), lambda: 0.0)
    first = later(env)
    for frame in (first, *(later(env) for _ in range(5))):
        answer, computed = cache.recall(frame), detect(frame)
        if answer is MISSING:
            cache.remember(frame, computed)
        else:
            assert answer.time_s == frame.time_s
            recalled, seen = found(answer), found(computed)
            assert recalled.keys() == seen.keys()
            assert max(np.linalg.norm(recalled[what] - seen[what]) for what in seen) < 0.01
        if exact.recall(frame) is MISSING:
            exact.remember(frame, computed)
    assert (cache.hits, cache.misses) == (5, 1)
    assert exact.hits == 0  # no two noisy pictures are the same
