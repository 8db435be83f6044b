"""Where the pelvis is and how it moves, from IMU, joints and foot force alone: never from the simulator's truth.

Attitude and velocity come from the IMU by integration. The legs of standing feet measure the pelvis' velocity and, with
the place where each foot landed, its position; they pull the integrated values towards themselves. A difference of the
velocities is also a sign of tilt, because tilt makes gravity look like acceleration.
"""

from __future__ import annotations

import math

import numpy as np

from robots.g1.walking.config import GRAVITY_M_S2, PERIOD_S
from robots.g1.walking.rotations import about_axis, about_z, clip, column, compiled, cross, rotate_by, row
from robots.g1.walking.state import Record
from robots.g1.walking.tree import forward, sole_velocity
from vla_sim.types import Array

LOAD_FOR_TRUST_N = 150.0
INNOVATION_MAX_M_S = 0.1


@compiled
def calibrate(
    tree: Record, c: Record, noise: Record, s: Record, e: Record, sensors: Record, draws: Array, work: Record
) -> None:
    """Biases and attitude of a robot that has stood still on flat feet for as many ticks as `draws` [k, 8].

    `draws` are standard normal. The soles define the vertical: gravity in their common plane's normal is what the
    accelerometer should have read; the rest is its bias. Yaw is the one the robot was told.
    """
    up, across, mean = np.zeros(3), np.empty(3), np.zeros(6)
    spin, com, com_v, level = np.zeros(3), np.empty(3), np.empty(3), np.eye(3)
    forward(tree, s.encoders, s.encoder_velocities, level, spin, work, com, com_v)
    left, right = tree.foot[0], tree.foot[1]
    length = 0.0
    for i in range(3):
        up[i] = 0.5 * (work.rotation[left, i, 2] + work.rotation[right, i, 2])
        across[i] = work.position[left, i] - work.position[right, i]
        length += across[i] ** 2
    along = (up[0] * across[0] + up[1] * across[1] + up[2] * across[2]) / length
    norm = 0.0
    for i in range(3):
        up[i] -= along * across[i]
        norm += up[i] ** 2
    norm = math.sqrt(norm)
    count = draws.shape[0]
    for k in range(count):
        for i in range(3):
            mean[i] += noise.gyro_rad_s * draws[k, i] / count
            mean[3 + i] += noise.acc_m_s2 * draws[k, 3 + i] / count
    for i in range(3):
        up[i] /= norm
        e.gyro_bias[i] = sensors.gyro_bias[i] + mean[i]
        gravity = column(sensors.rotation, i, np.array([0.0, 0.0, GRAVITY_M_S2]))
        e.acc_bias[i] = gravity + sensors.acc_bias[i] + mean[3 + i] - GRAVITY_M_S2 * up[i]
    first, second = np.empty((3, 3)), np.empty((3, 3))
    yaw = math.atan2(sensors.rotation[1, 0], sensors.rotation[0, 0])
    about_z(yaw, first)
    about_axis(first, 1, math.asin(clip(-up[0], -1.0, 1.0)), second)
    about_axis(second, 0, math.atan2(up[1], up[2]), e.rotation)


@compiled
def estimate(tree: Record, c: Record, s: Record, e: Record, work: Record) -> None:
    """One tick from the readings in `s` to the estimate `e`, with `work` filled by `forward`."""
    _integrate(c, s, e)
    forward(tree, s.encoders, s.encoder_velocities, e.rotation, e.omega, work, e.com, e.com_velocity)
    lever, velocity = np.empty(3), np.empty(3)
    for i in range(3):
        lever[i] = row(e.rotation, i, tree.imu)
    spin = cross(e.omega, lever)
    for i in range(3):
        velocity[i] = e.imu_velocity[i] - spin[i]
        e.position[i] += velocity[i] * PERIOD_S
    _correct_by_legs(tree, c, s, e, work, velocity)
    for i in range(3):
        e.velocity[i] = e.imu_velocity[i] - spin[i]
        e.com[i] += e.position[i]
        e.com_velocity[i] += e.velocity[i]
    R = e.rotation
    e.yaw, e.pitch = math.atan2(R[1, 0], R[0, 0]), math.asin(clip(-R[2, 0], -1.0, 1.0))
    e.roll = math.atan2(R[2, 1], R[2, 2])
    for f in range(2):
        X, P = work.rotation[tree.foot[f]], work.position[tree.foot[f]]
        e.sole_yaw[f] = math.atan2(X[1, 0], X[0, 0])
        e.sole_tilt[f, 0], e.sole_tilt[f, 1] = math.atan2(X[2, 1], X[2, 2]), math.asin(clip(-X[2, 0], -1.0, 1.0))
        for i in range(3):
            e.sole[f, i] = e.position[i] + P[i] + row(X, i, tree.sole)


@compiled
def _integrate(c: Record, s: Record, e: Record) -> None:
    """Attitude from the gyro, lightly pulled towards the accelerometer's up; velocity from the accelerometer."""
    R, w, a, scratch = e.rotation, np.empty(3), np.empty(3), np.empty((3, 3))
    norm = 1e-9
    for i in range(3):
        w[i], a[i] = s.gyro[i] - e.gyro_bias[i], s.acc[i] - e.acc_bias[i]
        norm += a[i] * a[i]
    norm = math.sqrt(norm)
    # An accelerometer that reads more or less than gravity does not show up.
    gain = c.gravity_gain * max(0.0, 1.0 - abs(norm / GRAVITY_M_S2 - 1.0) * 5.0) / norm * PERIOD_S
    x = w[0] * PERIOD_S + gain * (a[1] * R[2, 2] - a[2] * R[2, 1])
    y = w[1] * PERIOD_S + gain * (a[2] * R[2, 0] - a[0] * R[2, 2])
    z = w[2] * PERIOD_S + gain * (a[0] * R[2, 1] - a[1] * R[2, 0])
    rotate_by(R, x, y, z, scratch)
    for i in range(3):
        e.omega[i] = row(R, i, w)
        e.imu_velocity[i] += (row(R, i, a) - (GRAVITY_M_S2 if i == 2 else 0.0)) * PERIOD_S


@compiled
def _correct_by_legs(tree: Record, c: Record, s: Record, e: Record, work: Record, velocity: Array) -> None:
    """Pull position, velocity, tilt and gyro bias towards what the standing legs measure, by their load."""
    place, speed, weights = np.zeros(3), np.zeros(3), 0.0
    sole = np.empty(3)
    for f in range(2):
        X, P = work.rotation[tree.foot[f]], work.position[tree.foot[f]]
        for i in range(3):
            sole[i] = P[i] + row(X, i, tree.sole)
        stood = e.stands[f] > 0
        stands = s.feet[f] > (0.5 * c.contact_n if stood else c.contact_n)
        e.stands[f] = 1.0 if stands else 0.0
        if not stands:
            continue
        if not stood:
            e.age[f] = 0.0
        e.age[f] += PERIOD_S
        if e.age[f] < c.contact_age_s:  # still settling: it has not landed yet
            _drop_anchor(c, e, f, sole)
        v = sole_velocity(tree, work, f)
        trust = min(1.0, e.age[f] / c.contact_age_s)
        slip = (v[0] + velocity[0]) ** 2 + (v[1] + velocity[1]) ** 2 + (v[2] + velocity[2]) ** 2
        holds = 1.0 / (1.0 + slip / c.slip_m_s**2)
        weight = max(s.feet[f] - 0.5 * c.contact_n, 0.0) * trust * trust * holds
        for i in range(2):  # a foot that slides takes its anchor along
            e.anchor[f, i] += (1.0 - holds) * (v[i] + velocity[i]) * PERIOD_S
        weights += weight
        for i in range(3):
            place[i] += weight * (e.anchor[f, i] - sole[i])
            speed[i] -= weight * v[i]
    if weights <= 0:
        return
    trust = min(1.0, weights / LOAD_FOR_TRUST_N)
    _correct_tilt(c, e, (speed[0] / weights - velocity[0]) * trust, (speed[1] / weights - velocity[1]) * trust)
    by_velocity = 1.0 - math.exp(-c.velocity_rate_per_s * PERIOD_S * trust)
    by_place = 1.0 - math.exp(-c.position_rate_per_s * PERIOD_S * trust)
    for i in range(3):
        e.imu_velocity[i] += by_velocity * (speed[i] / weights - velocity[i])
        e.position[i] += by_place * (place[i] / weights - e.position[i])


@compiled
def _drop_anchor(c: Record, e: Record, f: int, sole: Array) -> None:
    """A foot lands where the estimate says; its height is held to the floor by a small part, against drift."""
    e.anchor[f, 0], e.anchor[f, 1] = e.position[0] + sole[0], e.position[1] + sole[1]
    e.anchor[f, 2] = (1.0 - c.floor_pull) * (e.position[2] + sole[2])


@compiled
def _correct_tilt(c: Record, e: Record, dx: float, dy: float) -> None:
    """A velocity difference (m/s, world) turns the attitude about the horizontal axis across it."""
    size = math.sqrt(dx * dx + dy * dy)
    if size > INNOVATION_MAX_M_S:
        dx, dy = dx * INNOVATION_MAX_M_S / size, dy * INNOVATION_MAX_M_S / size
    R, turn, scratch = e.rotation, np.empty(3), np.empty((3, 3))
    for i in range(3):
        turn[i] = c.tilt_gain * (R[1, i] * dx - R[0, i] * dy) * PERIOD_S
        e.gyro_bias[i] -= c.gyro_bias_gain * turn[i]
    rotate_by(R, turn[0], turn[1], turn[2], scratch)
