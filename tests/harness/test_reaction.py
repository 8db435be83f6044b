"""How soon the walking robot reacts to something that was not there a moment ago, from the lidar to the legs."""

from dataclasses import replace
from typing import Any

import numpy as np
import pybullet as p

from vla_sim import configuration as conf
from vla_sim.harness.episode import Episode
from vla_sim.telemetry.recorder import Recorder
from vla_sim.types import Command, Verdict

WORDS = ["env=navigate", "env.difficulty=easy", "env.goal=kitchen", "delay_ms=0", "seed=3"]
SETS_OUT_S, AHEAD_M = 2.0, 0.75


class Intruder:
    """A robot before which a box drops from the sky once it walks at full speed. It remembers what it was sent."""

    def __init__(self, robot: Any) -> None:
        self._robot = robot
        self.speeds: list[float] = []
        self.appeared: int | None = None  # tick

    def __getattr__(self, name: str) -> Any:
        return getattr(self._robot, name)

    def act(self, command: Command, late_s: float = 0.0) -> Command:
        self.speeds.append(float(command.base_velocity[0]))
        sent: Command = self._robot.act(command)
        if self.appeared is None and len(self.speeds) > 100 * SETS_OUT_S and min(self.speeds[-50:]) > 0.25:
            self._drop()
        return sent

    def _drop(self) -> None:
        world = self._robot.env.world
        x, y, yaw = world.base_pose()
        place = [x + AHEAD_M * np.cos(yaw), y + AHEAD_M * np.sin(yaw), 0.6]
        shape = p.createCollisionShape(p.GEOM_BOX, halfExtents=[0.1, 0.3, 0.6], **world.on)
        p.createMultiBody(0, shape, -1, place, [0, 0, np.sin(yaw / 2), np.cos(yaw / 2)], **world.on)
        self.appeared = len(self.speeds)

    def verdict(self) -> Verdict | None:
        over = self.appeared is not None and len(self.speeds) > self.appeared + 100
        return Verdict(True, "watched") if over else self._robot.verdict()


def test_a_new_obstacle_slows_it_within_fifty_milliseconds() -> None:
    config = conf.compose(WORDS)
    robot = Intruder(conf.build_robot(config))
    settings = conf.settings_of(config, WORDS)
    stack = conf.build_stack(config, robot.spec)
    recorder = Recorder(robot.spec.upper_joints, robot.spec.hands)
    row = Episode(robot, stack, replace(settings.episode), recorder, 0).run()
    robot.close()
    assert row.reason == "watched", row
    assert robot.appeared is not None
    before = min(robot.speeds[robot.appeared - 10 : robot.appeared])
    after = robot.speeds[robot.appeared :]
    reacted = next(i for i, speed in enumerate(after) if speed < 0.8 * before)
    assert reacted * 10 <= 50, f"{reacted * 10} ms"
    assert not any(after[-30:])
