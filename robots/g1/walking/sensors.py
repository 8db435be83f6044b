"""The walker's sensors: from the simulator's truth to readings with noise. An IMU in the pelvis, joints, foot force."""

from __future__ import annotations

import numpy as np

from robots.g1.walking.config import GRAVITY_M_S2, PERIOD_S
from robots.g1.walking.rotations import column, compiled, from_quaternion, row
from robots.g1.walking.state import Record
from vla_sim.types import Array


def draws_per_tick(joints: int) -> int:
    """Standard normal numbers that one `sense` uses up."""
    return 8 + 2 * joints


def draw_biases(noise: Record, random: np.random.Generator, sensors: Record) -> None:
    """The constants of one episode, for a robot at rest."""
    for name, sigma in (("gyro_bias", "gyro_bias_rad_s"), ("gyro_scale", "gyro_scale"), ("acc_bias", "acc_bias_m_s2")):
        sensors[name] = noise[sigma] * random.standard_normal(3)


@compiled
def _imu_position(tree: Record, s: Record, rotation: Array, i: int) -> float:
    return s.position[i] + row(rotation, i, tree.imu)


@compiled
def start_sensors(tree: Record, s: Record, sensors: Record) -> None:
    """Remember the truth of the first instant, at rest: sensors speak of the change since the last tick."""
    from_quaternion(s.quaternion, sensors.rotation)
    for i in range(3):
        sensors.position[i] = _imu_position(tree, s, sensors.rotation, i)
        sensors.velocity[i] = 0.0
    for j in range(s.joints.shape[0]):
        sensors.joints[j] = s.joints[j]


@compiled
def sense(tree: Record, noise: Record, s: Record, sensors: Record, draws: Array) -> None:
    """Readings of this tick into `s`.

    All rates are means over the tick, as integrating IMUs and counting encoders give them. Velocities sampled from the
    simulation would be those of the last physics step alone, and motors whose targets change once a tick run slower
    there than in the first one: the legs would measure 5 % too little speed.
    """
    now, middle, a = np.empty((3, 3)), np.empty((3, 3)), np.empty(3)
    from_quaternion(s.quaternion, now)
    was = sensors.rotation
    for i in range(3):
        place = _imu_position(tree, s, now, i)
        v = (place - sensors.position[i]) / PERIOD_S
        a[i] = (v - sensors.velocity[i]) / PERIOD_S + (GRAVITY_M_S2 if i == 2 else 0.0)
        sensors.position[i], sensors.velocity[i] = place, v
        for j in range(3):
            middle[i, j] = 0.5 * (was[i, j] + now[i, j])
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        turned_kj = was[0, k] * now[0, j] + was[1, k] * now[1, j] + was[2, k] * now[2, j]
        turned_jk = was[0, j] * now[0, k] + was[1, j] * now[1, k] + was[2, j] * now[2, k]
        spin = (turned_kj - turned_jk) * 0.5 / PERIOD_S
        s.gyro[i] = spin * (1.0 + sensors.gyro_scale[i]) + sensors.gyro_bias[i] + noise.gyro_rad_s * draws[i]
        s.acc[i] = column(middle, i, a) + sensors.acc_bias[i] + noise.acc_m_s2 * draws[3 + i]
    for f in range(2):
        s.feet[f] = s.load[f] + noise.foot_force_n * draws[6 + f]
    n = s.joints.shape[0]
    for j in range(n):
        s.encoders[j] = s.joints[j] + noise.encoder_rad * draws[8 + j]
        speed = (s.joints[j] - sensors.joints[j]) / PERIOD_S
        s.encoder_velocities[j] = speed + noise.joint_velocity_rad_s * draws[8 + n + j]
        sensors.joints[j] = s.joints[j]
    for i in range(3):
        for j in range(3):
            sensors.rotation[i, j] = now[i, j]
