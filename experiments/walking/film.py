"""A film of the G1 that is pushed while it walks: `python -m experiments.walking.film --impulse 15 --out push.mp4`."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pybullet as p

import envs
from envs.rendering.camera import look_at
from envs.task_env import TaskEnv
from robots.articulated import Articulated
from robots.body import Start
from vla_sim.harness.video import Mp4Writer
from vla_sim.types import Array, Command, Intrinsics

PUSH_S, FILM_HZ = 0.1, 20
VELOCITY = np.array([0.3, 0.0, 0.0])
SCENE = {
    "name": "floor",
    "rooms": [{"name": "floor", "rectangle": [-4.0, -4.0, 8.0, 4.0]}],
    "start": [0, 0, 0],
    "walls": [{"name": "back wall", "start": [8, 2.2], "end": [-4, 2.2]}],
    "furniture": [
        {"name": "shelf", "kind": "shelf", "at": [-1.2, 1.9], "yaw_deg": 90, "size_m": [0.4, 1.2]},
        {"name": "plant", "kind": "plant", "at": [1.2, 1.8], "size_m": [0.5, 0.5], "height_m": 1.3},
        {"name": "chair", "kind": "chair", "at": [2.6, 1.7], "yaw_deg": 90, "size_m": [0.45, 0.45]},
        {"name": "box", "kind": "box", "at": [4.0, 1.7], "size_m": [0.6, 0.4], "height_m": 0.5},
    ],
}
LENS = Intrinsics.from_fov(640, 480, np.radians(45))


def main() -> None:
    """Walk, be pushed from the side, walk on, stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--impulse", type=float, default=15.0, help="N s, at the torso")
    parser.add_argument("--direction", type=float, default=90.0, help="degrees, 0 ahead, 90 to the left")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("outputs/push.mp4"))
    arguments = parser.parse_args()
    env = envs.make("VlaSim/Navigate-v0", scene=SCENE, goal="floor", difficulty="easy")
    env.restart(arguments.seed)
    env.world.robot.reset(Start(seed=arguments.seed))
    env.capture("third_person")  # the first picture describes the world to the renderer
    angle = np.radians(arguments.direction)
    push = arguments.impulse / PUSH_S * np.array([np.cos(angle), np.sin(angle), 0.0])
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    film = Mp4Writer(arguments.out, FILM_HZ)
    _play(env, push, film)
    film.close()
    env.close()


def _play(env: TaskEnv, push: Array, film: Mp4Writer) -> None:
    body = env.world.robot
    assert isinstance(body, Articulated)
    upper = body.commanded_rad[env.robot_spec.upper_index].copy()
    torso = body.links["torso_link"]
    control = body.before_step

    def pushed() -> None:
        control()
        if 3.0 <= env.world.time_s < 3.0 + PUSH_S:
            place = p.getLinkState(body.id, torso, **body.on)[0]
            p.applyExternalForce(body.id, torso, push, place, p.WORLD_FRAME, **body.on)

    body.before_step = pushed  # type: ignore[method-assign]
    every = round(env.robot_spec.control_rate_hz / FILM_HZ)
    for tick in range(round(8.0 * env.robot_spec.control_rate_hz)):
        walks = 0.5 <= env.world.time_s < 6.0
        env.advance(Command(upper, np.ones(2), VELOCITY if walks else np.zeros(3)))
        if tick % every == 0:
            here = env.world.base_pose()
            view = look_at(np.array([here[0] + 0.5, here[1] - 2.9, 1.25]), np.array([here[0] + 0.2, here[1], 0.72]))
            film.add(env.cameras.renderer.render(LENS, view, env.cameras.part_poses()).rgb)


if __name__ == "__main__":
    main()
