"""The Talos's URDF for PyBullet, generated from `example-robot-data` and cached.

What is changed, and why:
- links without inertia get 1e-4 kg, because PyBullet would give each 1 kg and 1 kg m²;
- the root's products of inertia are dropped: PyBullet would take its principal axes for its frame;
- collision is primitive (boxes and capsules fitted to the meshes), because mesh collision is slow and self-collides;
- the feet are boxes of 21 x 13 cm, as in the manufacturer's own `talos_full_v2_box`;
- visuals keep a part of their triangles; those of the right side are mirrored here rather than by a scale of -1;
- its own grippers, linkages of seven joints each, give way to parallel grippers in the same place and direction.
"""

from __future__ import annotations

import hashlib
import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from robots import gripper, urdf_parts
from robots.cache import cached_folder
from robots.gripper import ParallelGripper
from robots.talos import model
from robots.talos.model import GRIPPER, HANDS, PALM_BELOW_WRIST
from robots.urdf_parts import example_robot_data, inertial, primitive, strip
from vla_sim.errors import ConfigError, nearest
from vla_sim.types import Array

SOURCE, FILE = "talos_data", "robots/talos_full_v2.urdf"
DESIGNS = {"gripper": GRIPPER}
PACKAGE = "package:///?example-robot-data/robots/talos_data/"
OWN_GRIPPER = "gripper_"  # what the names of its links and joints begin with
KEEP_TRIANGLES, LEAST_TRIANGLES = 0.25, 1500  # of meshes that are coarse as delivered
SHRINK = 0.85  # of a collision primitive against its mesh's bounding box, so that neighbours do not touch
BOX_LINKS = ("torso_2", "base_link", "head_2")
BARE_LINKS = (  # small links inside their neighbours: no collision of their own
    ("torso_1", "head_1", "rgbd", "arm_left_1", "arm_right_1", "_6_link", "_7_link")
    + ("leg_left_1", "leg_right_1", "leg_left_2", "leg_right_2", "leg_left_5", "leg_right_5")
)
FOOT_CENTRE, FOOT_SIZE = np.array([0.0, 0.0, -0.097]), np.array([0.21, 0.13, 0.02])
PALM_RPY = "0 1.570796327 0"  # its x axis along the forearm, away from the elbow


@dataclass(frozen=True)
class TalosFiles:
    """Generated models: `full` with looks and collision, `kinematics` with links, joints and inertia alone."""

    full: Path
    kinematics: Path


def hand_design(hand: str) -> ParallelGripper:
    """The hand of that name; ConfigError when there is none."""
    if hand not in DESIGNS:
        raise ConfigError("hand", f"the Talos has no hand {hand!r}", nearest(hand, DESIGNS))
    return DESIGNS[hand]


def talos_files(hand: str = "gripper") -> TalosFiles:
    """The generated URDFs with a hand of that name; ConfigError when there is none."""
    return hand_files(hand_design(hand))


@cache
def hand_files(hand: ParallelGripper) -> TalosFiles:
    """The generated URDFs with that hand; built on first use (a few seconds), then kept."""
    folder = example_robot_data(SOURCE, "talos")
    source = folder / FILE
    own = b"".join(Path(str(m.__file__)).read_bytes() for m in (gripper, urdf_parts, model))
    own += Path(__file__).read_bytes() + repr(hand).encode()
    digest = hashlib.sha256(source.read_bytes() + own).hexdigest()[:16]
    made = cached_folder(f"talos-{digest}", lambda scratch: build(source, hand, scratch))
    return TalosFiles(made / "talos.urdf", made / "talos_kinematics.urdf")


def build(source: Path, hand: ParallelGripper, folder: Path) -> None:
    """Write both models and the meshes into a folder."""
    robot = ET.fromstring(re.sub(r"<!--.*?-->", "", source.read_text(), flags=re.S))
    _keep(robot)
    (folder / "meshes").mkdir()
    for link in robot.findall("link"):
        _fix_link(link, source.parents[1], folder)
    for side in HANDS:
        hand.add_to(robot, side, f"arm_{side}_7_link", (0, 0, -PALM_BELOW_WRIST), PALM_RPY)
    ET.indent(robot)
    ET.ElementTree(robot).write(folder / "talos.urdf", encoding="utf-8", xml_declaration=True)
    strip(robot)
    ET.ElementTree(robot).write(folder / "talos_kinematics.urdf", encoding="utf-8", xml_declaration=True)


def _keep(robot: ET.Element) -> None:
    """Drop its own grippers and what speaks to other simulators."""
    for element in list(robot):
        if element.tag not in ("link", "joint", "material") or element.get("name", "").startswith(OWN_GRIPPER):
            robot.remove(element)


def _fix_link(link: ET.Element, source: Path, folder: Path) -> None:
    name = link.get("name", "")
    mass = link.find("inertial/mass")
    if mass is None or float(mass.get("value", "0")) == 0.0:
        for element in link.findall("inertial"):
            link.remove(element)
        link.append(inertial(np.zeros(3), 1e-4, np.full(3, 1e-7)))
    if name == model.ROOT_LINK:
        for moments in link.iter("inertia"):
            moments.attrib.update(ixy="0", ixz="0", iyz="0")
    for collision in link.findall("collision"):
        link.remove(collision)
    mesh = link.find("visual/geometry/mesh")
    if mesh is None:
        return
    vertices = _mesh(mesh, source, folder)
    if name in model.FOOT_LINKS:
        link.append(primitive("collision", FOOT_CENTRE, FOOT_SIZE, "box"))
    elif not any(part in name for part in BARE_LINKS):
        low, high = vertices.min(axis=0), vertices.max(axis=0)
        shape = "box" if any(part in name for part in BOX_LINKS) else "capsule"
        link.append(primitive("collision", (low + high) / 2, (high - low) * SHRINK, shape))


def _mesh(element: ET.Element, source: Path, folder: Path) -> Array:
    """Write a link's mesh with fewer triangles, mirrored where its scale says so; the full one's vertices [n, 3]."""
    import fast_simplification
    import trimesh

    mesh_file = source / re.sub(PACKAGE, "", element.get("filename", ""))
    scale = np.array([float(word) for word in element.get("scale", "1 1 1").split()])
    mesh: Any = trimesh.load(mesh_file, force="mesh")
    points, faces = np.asarray(mesh.vertices, dtype=np.float32), np.asarray(mesh.faces)
    target = max(LEAST_TRIANGLES, int(len(faces) * KEEP_TRIANGLES))
    if len(faces) > target:
        points, faces = fast_simplification.simplify(points, faces, target_count=target)
    mirrored = bool(np.prod(scale) < 0)
    if mirrored:
        faces = faces[:, ::-1]  # outwards stays outwards
    name = f"{mesh_file.stem}{'_mirrored' if mirrored else ''}.stl"
    trimesh.Trimesh(points * scale, faces).export(folder / "meshes" / name)
    # PyBullet and Pinocchio both resolve a relative path from the URDF's folder.
    element.set("filename", f"meshes/{name}")
    element.attrib.pop("scale", None)
    return np.asarray(mesh.vertices, dtype=np.float64) * scale
