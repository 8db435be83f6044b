"""The G1's body as capsules for distances between its links, read from the collision primitives of its URDF.

A capsule of the URDF stays what it is. A box becomes parallel capsules along its longest side that touch its faces from
within: they hold all but its edges, which no part of the robot has. Small links of an arm without a primitive become
the bone to the next joint. Fingers on prismatic joints are taken as opened: there they reach furthest.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np

from vla_sim.spec import LinkCapsule
from vla_sim.types import Array

OUT_OF_REACH = ("ankle", "knee")  # no hand of a standing G1 comes to its shins and feet
SLIM_M = 0.03  # a box no wider than this gets one capsule as well
LEAST_SPREAD = 0.25  # of a radius: a box less wider than thick gets one capsule
BONES = {"shoulder_roll": 0.033, "elbow": 0.030, "wrist_roll": 0.024, "wrist_pitch": 0.024}  # radius m: the next part's


def body_capsules(urdf: Path) -> tuple[LinkCapsule, ...]:
    """Capsules of every link with a collision primitive except shins and feet, then the bones, in the file's order."""
    robot = ET.parse(urdf).getroot()
    opened = {
        joint.find("child").get("link"): _travel(joint)  # type: ignore[union-attr]
        for joint in robot.findall("joint")
        if joint.get("type") == "prismatic"
    }
    found: list[LinkCapsule] = []
    for link in robot.findall("link"):
        name = link.get("name", "")
        if not any(part in name for part in OUT_OF_REACH):
            shift = opened.get(name, np.zeros(3))
            for collision in link.findall("collision"):
                found += _capsules(name, collision, shift)
    return *found, *_bones(robot)


def _bones(robot: ET.Element) -> list[LinkCapsule]:
    found = []
    for joint in robot.findall("joint"):
        parent, origin = joint.find("parent"), joint.find("origin")
        link = "" if parent is None else parent.get("link", "")
        radius_m = next((radius for part, radius in BONES.items() if part in link), None)
        if radius_m is not None and origin is not None:
            half = _numbers(origin.get("xyz", "0 0 0")) / 2
            found.append(_capsule(link, half, half, radius_m))
    return found


def _travel(joint: ET.Element) -> Array:
    """[3] where a prismatic joint brings its link at the upper end, m (the joint's own frame is not turned)."""
    axis, limit = joint.find("axis"), joint.find("limit")
    assert axis is not None
    assert limit is not None
    return _numbers(axis.get("xyz", "1 0 0")) * float(limit.get("upper", "0"))


def _capsules(link: str, collision: ET.Element, shift: Array) -> list[LinkCapsule]:
    origin, box, capsule = (collision.find(tag) for tag in ("origin", "geometry/box", "geometry/capsule"))
    centre, turn = np.zeros(3), np.eye(3)
    if origin is not None:
        centre, turn = _numbers(origin.get("xyz", "0 0 0")), _rotation(_numbers(origin.get("rpy", "0 0 0")))
    if capsule is not None:
        half = np.array([0.0, 0.0, float(capsule.get("length", "0")) / 2])
        return [_capsule(link, centre + shift, turn @ half, float(capsule.get("radius", "0")))]
    if box is None:
        return []
    size = _numbers(box.get("size", "0 0 0"))
    thin, wide, long = np.argsort(size, kind="stable")
    radius = float(size[thin if size[wide] > SLIM_M else wide]) / 2
    half, reach = np.zeros(3), np.zeros(3)
    half[long], reach[wide] = float(size[long]) / 2 - radius, float(size[wide]) / 2 - radius
    n = 1 + math.ceil(2 * reach[wide] / radius - LEAST_SPREAD)  # no further apart than a radius: hardly a groove
    places = [centre + shift + turn @ (reach * at) for at in (np.linspace(-1, 1, n) if n > 1 else (0.0,))]
    return [_capsule(link, place, turn @ half, radius) for place in places]


def _capsule(link: str, centre: Array, half: Array, radius_m: float) -> LinkCapsule:
    start, end = (centre - half).tolist(), (centre + half).tolist()
    return LinkCapsule(link, (start[0], start[1], start[2]), (end[0], end[1], end[2]), radius_m)


def _numbers(text: str) -> Array:
    return np.array([float(word) for word in text.split()])


def _rotation(rpy: Array) -> Array:
    """[3, 3] of fixed angles about x, y, z, as URDF means them."""
    (cr, cp, cy), (sr, sp, sy) = np.cos(rpy), np.sin(rpy)
    return np.array([
        [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
        [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
        [-sp, cp * sr, cp * cr],
    ])  # fmt: skip
