"""The walker under a body: reads the truth its sensors need, ticks at its own rate, hands over the legs' targets."""

from __future__ import annotations

import numpy as np
import pinocchio as pin

from robots.articulated import Articulated, Stance, check_physics_rate
from robots.body import Start
from robots.g1.model import FOOT_LINKS, FOOT_MIDDLE_M, JOINT_NAMES
from robots.g1.walking import SensorNoise, Walker, WalkerConfig
from robots.g1.walking.truth import TruthReader
from vla_sim.types import Array

LEGS = 12


class WalkingLegs:
    """`robots.articulated.Legs` of the G1. The walker speaks of the soles' middle, the body of the ankles'."""

    drives = True

    def __init__(self, config: WalkerConfig, noise: SensorNoise) -> None:
        self._config, self._noise = config, noise
        self._walker: Walker | None = None

    def reset(self, body: Articulated, start: Start) -> None:
        """Stand at `start`, sensors calibrated, soles on the floor."""
        if self._walker is None:
            assert body.spec.kinematics is not None
            self._walker = Walker(body.spec.kinematics.urdf, JOINT_NAMES, self._config, self._noise)
            self._every = check_physics_rate(body.physics_rate_hz, self._walker.rate_hz)
        feet = (body.links[FOOT_LINKS[0]], body.links[FOOT_LINKS[1]])
        self._reader = TruthReader(body.client, body.id, body.motors[: len(JOINT_NAMES)], feet, body.root_offset)
        ahead = FOOT_MIDDLE_M * np.array([np.cos(start.yaw_rad), np.sin(start.yaw_rad)])
        targets, position, quat = self._walker.reset(
            body.commanded_rad, start.seed, start.x + ahead[0], start.y + ahead[1], start.yaw_rad
        )
        body.commanded_rad[:LEGS] = targets[:LEGS]
        body.place_root(position, _rotation(quat))
        self._velocity, self._halt, self._steps = np.zeros(3), False, 0

    def command(self, body: Articulated, velocity: Array, halt: bool) -> None:
        """Remember what is asked until the next tick."""
        self._velocity, self._halt = velocity, halt

    def before_step(self, body: Articulated) -> None:
        """Every few physics steps one tick of the walker."""
        if self._steps % self._every == 0:
            walker = self.walker
            self._reader.read(walker.truth)
            targets = walker.tick(body.commanded_rad[LEGS:], self._velocity, self._halt)
            body.commanded_rad[:LEGS] = targets[:LEGS]
            body.send()
        else:
            self._reader.add_load()
        self._steps += 1

    @property
    def walker(self) -> Walker:
        """The controller itself; there is one after the first `reset`."""
        assert self._walker is not None
        return self._walker

    def stance(self) -> Stance:
        """What the walker estimates."""
        walker = self.walker
        x, y, yaw = walker.heading_in_odom
        heading = np.array([x - FOOT_MIDDLE_M * np.cos(yaw), y - FOOT_MIDDLE_M * np.sin(yaw), yaw])
        vx, vy, _ = walker.velocity_of_pelvis
        velocity = np.array([vx, vy, walker.yaw_rate])
        planted = walker.phase in ("stand", "balance")
        return Stance(walker.pose_pelvis_in_odom, heading, velocity, planted, walker.support_margin_m)

    @property
    def fallen(self) -> bool:
        """Whether the walker has given up."""
        return self.walker.fallen


def _rotation(quat_xyzw: Array) -> Array:
    return np.asarray(pin.Quaternion(*np.roll(quat_xyzw, 1)).matrix())
