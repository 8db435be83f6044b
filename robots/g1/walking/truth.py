"""The simulation's truth about a body, read from PyBullet with as few calls as it takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pybullet as p

from vla_sim.types import Array


@dataclass(frozen=True)
class Truth:
    """Arrays that a `TruthReader` fills and a `Walker` reads, in the world frame."""

    position: Array  # [3] pelvis frame, m
    quaternion: Array  # [4] x y z w
    joints: Array  # [n] rad
    load: Array  # [2] vertical force on the left and the right foot, N, mean over the tick


class TruthReader:
    """Reads one body. `motors` are the PyBullet indices of the walker's joints in its order, `feet` of the foot links,
    `offset` [3] the pelvis' centre of mass in its frame (PyBullet's base pose is that of the centre of mass)."""

    def __init__(self, client: int, body: int, motors: list[int], feet: tuple[int, int], offset: Array) -> None:
        self._on = {"physicsClientId": client}
        self._body, self._motors, self._feet, self._offset = body, list(motors), feet, np.asarray(offset)
        self._sum, self._samples = [0.0, 0.0], 0

    def add_load(self) -> None:
        """Call after each physics step between two `read`s: the feet's load is then the mean over the tick.

        Motors whose targets change once a tick kick in its first physics step: sampled once a tick, the load would be
        that of a fixed phase of the kick, off by as much as itself.
        """
        for side, foot in enumerate(self._feet):
            self._sum[side] += self._load(foot)
        self._samples += 1

    def read(self, into: Truth) -> None:
        """Fill the arrays with the state after the last physics step."""
        position, quaternion = p.getBasePositionAndOrientation(self._body, **self._on)
        m, o = p.getMatrixFromQuaternion(quaternion), self._offset.tolist()
        rx = m[0] * o[0] + m[1] * o[1] + m[2] * o[2]
        ry = m[3] * o[0] + m[4] * o[1] + m[5] * o[2]
        rz = m[6] * o[0] + m[7] * o[1] + m[8] * o[2]
        into.position[:] = position[0] - rx, position[1] - ry, position[2] - rz
        into.quaternion[:] = quaternion
        states = p.getJointStates(self._body, self._motors, **self._on)
        into.joints[:] = [state[0] for state in states]
        self.add_load()
        into.load[:] = self._sum[0] / self._samples, self._sum[1] / self._samples
        self._sum, self._samples = [0.0, 0.0], 0

    def _load(self, foot: int) -> float:
        """Upward force on a foot from whatever is not the robot itself."""
        contacts = p.getContactPoints(bodyA=self._body, linkIndexA=foot, **self._on)
        return sum(abs(contact[7][2]) * contact[9] for contact in contacts if contact[2] != self._body)
