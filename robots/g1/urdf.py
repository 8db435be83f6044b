"""The G1's URDF for PyBullet, generated from `example-robot-data` and cached.

What is changed, and why:
- links without inertia get 1e-4 kg, because PyBullet would give each 1 kg and 1 kg m²;
- collision is primitive (boxes and capsules fitted to the meshes), because mesh collision is slow and self-collides;
- the feet are boxes of 18 x 6.2 cm, a flat sole;
- visuals keep about 5 % of their triangles;
- the rubber hands give way to parallel grippers.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from robots.cache import cached_folder
from robots.g1.model import HANDS, Gripper, finger_joints
from vla_sim.errors import ConfigError
from vla_sim.types import Array

SOURCE = "cmeel.prefix/share/example-robot-data/robots/g1_description"
PACKAGE = "package://example-robot-data/robots/g1_description/"
KEEP_TRIANGLES, LEAST_TRIANGLES, WELD_M = 0.05, 300, 0.001
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


@cache
def g1_files() -> G1Files:
    """The generated URDFs; built on first use (a few seconds), then kept."""
    source = _source_folder()
    own = Path(__file__).read_bytes() + Path(__file__).with_name("model.py").read_bytes()
    digest = hashlib.sha256((source / "urdf/g1_29dof_rev_1_0.urdf").read_bytes() + own).hexdigest()[:16]
    folder = cached_folder(f"g1-{digest}", lambda scratch: _build(source, scratch))
    return G1Files(folder / "g1.urdf", folder / "g1_kinematics.urdf")


def _source_folder() -> Path:
    hint = "pip install example-robot-data==6.0.0"
    try:
        files = importlib.metadata.distribution("example-robot-data")
    except importlib.metadata.PackageNotFoundError:
        raise ConfigError("robot=g1", "the model of the G1 is not installed", hint) from None
    folder = Path(str(files.locate_file(SOURCE)))
    if not folder.is_dir():
        raise ConfigError("robot=g1", "the installed example-robot-data has no G1", hint)
    return folder


def _build(source: Path, folder: Path) -> None:
    text = (source / "urdf/g1_29dof_rev_1_0.urdf").read_text()
    text = re.sub(r"<!--.*?-->", "", text, flags=re.S)
    robot = ET.fromstring(text)
    _drop_rubber_hands(robot)
    (folder / "meshes").mkdir()
    for link in robot.findall("link"):
        _fix_link(link, source, folder)
    for hand in HANDS:
        _add_gripper(robot, hand)
    ET.indent(robot)
    ET.ElementTree(robot).write(folder / "g1.urdf", encoding="utf-8", xml_declaration=True)
    for link in robot.findall("link"):  # Pinocchio knows no capsules and needs no looks
        for tag in ("visual", "collision"):
            for element in link.findall(tag):
                link.remove(element)
    ET.ElementTree(robot).write(folder / "g1_kinematics.urdf", encoding="utf-8", xml_declaration=True)


def _drop_rubber_hands(robot: ET.Element) -> None:
    for hand in HANDS:
        for tag, name in (("link", f"{hand}_rubber_hand"), ("joint", f"{hand}_hand_palm_joint")):
            for element in [e for e in robot.findall(tag) if e.get("name") == name]:
                robot.remove(element)


def _fix_link(link: ET.Element, source: Path, folder: Path) -> None:
    name = link.get("name", "")
    if link.find("inertial") is None:
        link.append(_inertial(np.zeros(3), 1e-4, np.full(3, 1e-7)))
    for collision in link.findall("collision"):
        link.remove(collision)
    mesh = link.find("visual/geometry/mesh")
    if mesh is None:
        return
    if name in UNSEEN_LINKS:
        link.remove(link.findall("visual")[0])
        return
    vertices = _decimate(source / mesh.get("filename", "").removeprefix(PACKAGE), folder / "meshes")
    # PyBullet and Pinocchio both resolve a relative path from the URDF's folder.
    mesh.set("filename", "meshes/" + Path(mesh.get("filename", "")).name)
    if "ankle_roll" in name:
        link.append(_primitive("collision", FOOT_CENTRE, FOOT_SIZE, "box"))
    elif not any(part in name for part in BARE_LINKS):
        low, high = vertices.min(axis=0), vertices.max(axis=0)
        shape = "box" if any(part in name for part in BOX_LINKS) else "capsule"
        link.append(_primitive("collision", (low + high) / 2, (high - low) * SHRINK, shape))


def _decimate(mesh_file: Path, folder: Path) -> Array:
    """Write the mesh with few triangles; returns the vertices of the full one."""
    import trimesh

    mesh: Any = trimesh.load(mesh_file)
    vertices = np.asarray(mesh.vertices, dtype=np.float64)
    target = max(LEAST_TRIANGLES, int(len(mesh.faces) * KEEP_TRIANGLES))
    mesh = _simplify(mesh, target)
    if len(mesh.faces) > target:  # loose shells do not collapse: weld what lies closer than the eye can tell
        mesh.vertices = np.round(mesh.vertices / WELD_M) * WELD_M
        mesh.merge_vertices()
        mesh.update_faces(mesh.nondegenerate_faces())
        mesh = _simplify(mesh, target)
    mesh.export(folder / mesh_file.name)
    return vertices


def _simplify(mesh: Any, target: int) -> Any:
    import fast_simplification
    import trimesh

    if len(mesh.faces) <= target:
        return mesh
    points, faces = fast_simplification.simplify(mesh.vertices.astype(np.float32), mesh.faces, target_count=target)
    return trimesh.Trimesh(points, faces)


def _inertial(centre: Array, mass_kg: float, moments: Array) -> ET.Element:
    inertial = ET.Element("inertial")
    ET.SubElement(inertial, "origin", xyz=_numbers(centre), rpy="0 0 0")
    ET.SubElement(inertial, "mass", value=f"{mass_kg:g}")
    names = zip(("ixx", "iyy", "izz"), moments, strict=True)
    ET.SubElement(inertial, "inertia", {**{k: f"{v:g}" for k, v in names}, "ixy": "0", "ixz": "0", "iyz": "0"})
    return inertial


def _primitive(tag: str, centre: Array, size: Array, shape: str) -> ET.Element:
    element = ET.Element(tag)
    if shape == "box":
        ET.SubElement(element, "origin", xyz=_numbers(centre), rpy="0 0 0")
        ET.SubElement(ET.SubElement(element, "geometry"), "box", size=_numbers(size))
        return element
    axis = int(np.argmax(size))
    across = [size[i] for i in range(3) if i != axis]
    radius = 0.5 * float(np.sqrt(across[0] * across[1]))
    turn = {0: "0 1.570796 0", 1: "1.570796 0 0", 2: "0 0 0"}[axis]
    ET.SubElement(element, "origin", xyz=_numbers(centre), rpy=turn)
    length = max(float(size[axis]) - 2 * radius, 0.005)
    ET.SubElement(ET.SubElement(element, "geometry"), "capsule", radius=f"{radius:g}", length=f"{length:g}")
    return element


def _add_gripper(robot: ET.Element, hand: str) -> None:
    grip = Gripper
    palm = f"{hand}_palm"
    _add_box_link(
        robot, palm, np.array([grip.PALM_OFFSET, 0, 0]), grip.PALM_SIZE, grip.PALM_MASS_KG, "0.25 0.25 0.27 1"
    )
    _add_joint(robot, f"{palm}_joint", "fixed", f"{hand}_wrist_yaw_link", palm, grip.PALM_AT_WRIST)
    tool = ET.SubElement(robot, "link", name=f"{hand}_tool")
    tool.append(_inertial(np.zeros(3), 1e-4, np.full(3, 1e-7)))
    _add_joint(robot, f"{hand}_tool_joint", "fixed", palm, f"{hand}_tool", grip.TOOL_X)
    for joint_name, axis in zip(finger_joints(hand), ("0 1 0", "0 -1 0"), strict=True):
        link = joint_name.removesuffix("_joint")
        centre = np.array([grip.FINGER_X, 0, 0])
        _add_box_link(robot, link, centre, grip.FINGER_SIZE, grip.FINGER_MASS_KG, "0.2 0.2 0.22 1")
        joint = _add_joint(robot, joint_name, "prismatic", palm, link, 0.0)
        ET.SubElement(joint, "axis", xyz=axis)
        limits = {"lower": "0.001", "upper": f"{grip.TRAVEL_OPEN + 0.002:g}", "effort": "60", "velocity": "1"}
        ET.SubElement(joint, "limit", limits)


def _add_joint(robot: ET.Element, name: str, kind: str, parent: str, child: str, x: float) -> ET.Element:
    joint = ET.SubElement(robot, "joint", name=name, type=kind)
    ET.SubElement(joint, "origin", xyz=f"{x:g} 0 0", rpy="0 0 0")
    ET.SubElement(joint, "parent", link=parent)
    ET.SubElement(joint, "child", link=child)
    return joint


def _add_box_link(
    robot: ET.Element, name: str, centre: Array, size: tuple[float, float, float], mass_kg: float, rgba: str
) -> None:
    link = ET.SubElement(robot, "link", name=name)
    link.append(_inertial(centre, mass_kg, np.full(3, mass_kg / 12 * 1e-2)))
    visual = _primitive("visual", centre, np.array(size), "box")
    material = ET.SubElement(visual, "material", name=f"{name}_paint")
    ET.SubElement(material, "color", rgba=rgba)
    link.append(visual)
    link.append(_primitive("collision", centre, np.array(size), "box"))


def _numbers(values: Array) -> str:
    return " ".join(f"{v:g}" for v in values)
