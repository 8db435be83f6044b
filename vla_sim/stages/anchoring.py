"""Keeps what was seen in place while the robot walks: detections into odometry's frame, estimates back into base.

Only the place on the floor and the heading are carried over. Heights stay what the camera measured above the floor the
robot stood on: the tilt of an estimated pose would cost a centimetre at a metre.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vla_sim.stages import planar
from vla_sim.stages.tracking import Estimate
from vla_sim.types import Array, Detection, Detections


def detections_in_odom(detections: Detections, base_in_odom: Array) -> Detections:
    """What one image showed, moved from base into odom; `base_in_odom` [3] is where the robot was at that moment."""
    return replace(detections, items=tuple(_moved(item, base_in_odom) for item in detections.items))


def detections_in_base(detections: Detections, base_in_odom: Array) -> Detections:
    """The way back, for where the robot is now."""
    return detections_in_odom(detections, planar.inverse(base_in_odom))


def estimate_in_base(estimate: Estimate, base_in_odom: Array) -> Estimate:
    """An estimate in odom, as seen from where the robot is now."""
    back = planar.inverse(base_in_odom)
    velocity = estimate.velocity_in_base.copy()
    velocity[:2] = planar.rotate(back[2], velocity[:2])
    return replace(
        estimate, detection=_moved(estimate.detection, back), position_in_base=_point(estimate.position_in_base, back),
        velocity_in_base=velocity,
    )  # fmt: skip


def _moved(item: Detection, by: Array) -> Detection:
    yaw = item.yaw_rad
    if item.shape == "cube":
        yaw = float((yaw + by[2] + np.pi / 4) % (np.pi / 2) - np.pi / 4)  # four faces alike
    elif yaw:
        yaw = planar.wrap(yaw + float(by[2]))
    return replace(item, position_in_base=_point(item.position_in_base, by), yaw_rad=yaw)


def _point(position: Array, by: Array) -> Array:
    return np.array([*planar.apply(by, position[:2]), position[2]])
