"""The G1's URDF for PyBullet, generated from `example-robot-data` and cached.

What is changed, and why:
- links without inertia get 1e-4 kg, because PyBullet would give each 1 kg and 1 kg m²;
- collision is primitive (boxes and capsules fitted to the meshes), because mesh collision is slow and self-collides;
- the feet are boxes of 18 x 6.2 cm, a flat sole;
- visuals keep about 5 % of their triangles;
- the rubber hands give way to parallel grippers, or to the manufacturer's Dex3 with a frame at its grasp point.
"""

from __future__ import annotations

import hashlib
import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from robots import gripper, urdf_parts
from robots.cache import cached_folder
from robots.g1 import dex3, model
from robots.g1.dex3 import Dex3
from robots.g1.model import GRIPPER, HANDS, PALM_AT_WRIST
from robots.gripper import ParallelGripper
from robots.urdf_parts import decimate, example_robot_data, inertial, primitive, strip
from vla_sim.errors import ConfigError, nearest

SOURCE = "g1_description"
DESIGNS: dict[str, ParallelGripper | Dex3] = {"gripper": GRIPPER, "dex3": Dex3()}
PACKAGE = "package://example-robot-data/robots/g1_description/"
UNSEEN_LINKS = ("logo_link",)  # decoration
SHRINK = 0.85  # of a collision primitive against its mesh's bounding box, so that neighbours do not touch
BOX_LINKS = ("torso", "pelvis", "head", "palm")
BARE_LINKS = (  # small links inside their neighbours: no collision of their own
    ("logo", "pelvis_contour", "waist_", "ankle_pitch", "hip_roll", "hip_pitch")
    + ("shoulder_pitch", "shoulder_roll", "wrist_pitch", "wrist_roll")
)
FOOT_CENTRE, FOOT_SIZE = np.array([0.035, 0.0, -0.0275]), np.array([0.18, 0.062, 0.015])


@dataclass(frozen=True)
class G1Files:
    """Generated models: `full` with looks and collision, `kinematics` with links, joints and inertia alone."""

    full: Path
    kinematics: Path


def hand_design(hand: str) -> ParallelGripper | Dex3:
    """The hand of that name; ConfigError when there is none."""
    if hand not in DESIGNS:
        raise ConfigError("hand", f"the G1 has no hand {hand!r}", nearest(hand, DESIGNS))
    return DESIGNS[hand]


def g1_files(hand: str = "gripper") -> G1Files:
    """The generated URDFs with a hand of that name; ConfigError when there is none."""
    return hand_files(hand_design(hand))


@cache
def hand_files(hand: ParallelGripper | Dex3) -> G1Files:
    """The generated URDFs with that hand; built on first use (a few seconds), then kept."""
    folder = example_robot_data(SOURCE, "g1")
    source = (
        folder / "urdf" / ("g1_29dof_with_hand_rev_1_0.urdf" if isinstance(hand, Dex3) else "g1_29dof_rev_1_0.urdf")
    )
    own = b"".join(Path(str(m.__file__)).read_bytes() for m in (gripper, dex3, urdf_parts, model))
    own += Path(__file__).read_bytes() + repr(hand).encode()
    digest = hashlib.sha256(source.read_bytes() + own).hexdigest()[:16]
    made = cached_folder(f"g1-{digest}", lambda scratch: _build(source, hand, scratch))
    return G1Files(made / "g1.urdf", made / "g1_kinematics.urdf")


def _build(source: Path, hand: ParallelGripper | Dex3, folder: Path) -> None:
    robot = ET.fromstring(re.sub(r"<!--.*?-->", "", source.read_text(), flags=re.S))
    if isinstance(hand, ParallelGripper):
        _drop_rubber_hands(robot)
    (folder / "meshes").mkdir()
    for link in robot.findall("link"):
        _fix_link(link, source.parents[1], folder, hand)
    for side in HANDS:
        if isinstance(hand, ParallelGripper):
            hand.add_to(robot, side, f"{side}_wrist_yaw_link", (PALM_AT_WRIST, 0, 0), "0 0 0")
        else:
            hand.add_tool(robot, side)
    ET.indent(robot)
    ET.ElementTree(robot).write(folder / "g1.urdf", encoding="utf-8", xml_declaration=True)
    strip(robot)
    ET.ElementTree(robot).write(folder / "g1_kinematics.urdf", encoding="utf-8", xml_declaration=True)


def _drop_rubber_hands(robot: ET.Element) -> None:
    for hand in HANDS:
        for tag, name in (("link", f"{hand}_rubber_hand"), ("joint", f"{hand}_hand_palm_joint")):
            for element in [e for e in robot.findall(tag) if e.get("name") == name]:
                robot.remove(element)


def _fix_link(link: ET.Element, source: Path, folder: Path, hand: ParallelGripper | Dex3) -> None:
    name = link.get("name", "")
    if link.find("inertial") is None:
        link.append(inertial(np.zeros(3), 1e-4, np.full(3, 1e-7)))
    for collision in link.findall("collision"):
        link.remove(collision)
    mesh = link.find("visual/geometry/mesh")
    if mesh is None:
        return
    if name in UNSEEN_LINKS:
        link.remove(link.findall("visual")[0])
        return
    mesh_file = source / mesh.get("filename", "").removeprefix(PACKAGE)
    vertices = decimate(mesh_file, folder / "meshes" / mesh_file.name)
    # PyBullet and Pinocchio both resolve a relative path from the URDF's folder.
    mesh.set("filename", f"meshes/{mesh_file.name}")
    if "ankle_roll" in name:
        link.append(primitive("collision", FOOT_CENTRE, FOOT_SIZE, "box"))
    elif "_hand_" in name and isinstance(hand, Dex3):
        link.extend(hand.collisions(name, vertices))
    elif not any(part in name for part in BARE_LINKS):
        low, high = vertices.min(axis=0), vertices.max(axis=0)
        shape = "box" if any(part in name for part in BOX_LINKS) else "capsule"
        link.append(primitive("collision", (low + high) / 2, (high - low) * SHRINK, shape))
