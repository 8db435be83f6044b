"""Building blocks of generated URDFs: primitives, links, joints, meshes with few triangles. Lengths m, masses kg."""

from __future__ import annotations

import importlib.metadata
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np

from vla_sim.errors import ConfigError
from vla_sim.types import Array

KEEP_TRIANGLES, LEAST_TRIANGLES, WELD_M = 0.05, 300, 0.001


def example_robot_data(folder: str, robot: str) -> Path:
    """A robot's folder in the package example-robot-data; ConfigError when it is not there."""
    hint = "pip install example-robot-data==6.0.0"
    try:
        files = importlib.metadata.distribution("example-robot-data")
    except importlib.metadata.PackageNotFoundError:
        raise ConfigError(f"robot={robot}", f"the model of the {robot} is not installed", hint) from None
    path = Path(str(files.locate_file(f"cmeel.prefix/share/example-robot-data/robots/{folder}")))
    if not path.is_dir():
        raise ConfigError(f"robot={robot}", f"the installed example-robot-data has no {robot}", hint)
    return path


def decimate(mesh_file: Path, target_file: Path) -> Array:
    """Write a mesh with few triangles; returns the vertices [n, 3] of the full one."""
    import trimesh

    mesh: Any = trimesh.load(mesh_file, force="mesh")
    vertices = np.asarray(mesh.vertices, dtype=np.float64)
    target = max(LEAST_TRIANGLES, int(len(mesh.faces) * KEEP_TRIANGLES))
    mesh = _simplify(mesh, target)
    if len(mesh.faces) > target:  # loose shells do not collapse: weld what lies closer than the eye can tell
        mesh.vertices = np.round(mesh.vertices / WELD_M) * WELD_M
        mesh.merge_vertices()
        mesh.update_faces(mesh.nondegenerate_faces())
        mesh = _simplify(mesh, target)
    mesh.export(target_file)
    return vertices


def _simplify(mesh: Any, target: int) -> Any:
    import fast_simplification
    import trimesh

    if len(mesh.faces) <= target:
        return mesh
    points, faces = fast_simplification.simplify(mesh.vertices.astype(np.float32), mesh.faces, target_count=target)
    return trimesh.Trimesh(points, faces)


def inertial(centre: Array, mass_kg: float, moments: Array) -> ET.Element:
    """An inertial element with principal moments [3] kg m²."""
    element = ET.Element("inertial")
    ET.SubElement(element, "origin", xyz=numbers(centre), rpy="0 0 0")
    ET.SubElement(element, "mass", value=f"{mass_kg:g}")
    names = zip(("ixx", "iyy", "izz"), moments, strict=True)
    ET.SubElement(element, "inertia", {**{k: f"{v:g}" for k, v in names}, "ixy": "0", "ixz": "0", "iyz": "0"})
    return element


def primitive(tag: str, centre: Array, size: Array, shape: str) -> ET.Element:
    """A box, or a capsule along the longest side, as a visual or collision element."""
    element = ET.Element(tag)
    if shape == "box":
        ET.SubElement(element, "origin", xyz=numbers(centre), rpy="0 0 0")
        ET.SubElement(ET.SubElement(element, "geometry"), "box", size=numbers(size))
        return element
    axis = int(np.argmax(size))
    across = [size[i] for i in range(3) if i != axis]
    radius = 0.5 * float(np.sqrt(across[0] * across[1]))
    turn = {0: "0 1.570796 0", 1: "1.570796 0 0", 2: "0 0 0"}[axis]
    ET.SubElement(element, "origin", xyz=numbers(centre), rpy=turn)
    length = max(float(size[axis]) - 2 * radius, 0.005)
    ET.SubElement(ET.SubElement(element, "geometry"), "capsule", radius=f"{radius:g}", length=f"{length:g}")
    return element


def add_joint(
    robot: ET.Element, name: str, kind: str, parent: str, child: str, at: tuple[float, float, float], rpy: str = "0 0 0"
) -> ET.Element:
    """A joint at `at` m in the parent's frame."""
    joint = ET.SubElement(robot, "joint", name=name, type=kind)
    ET.SubElement(joint, "origin", xyz=" ".join(f"{x:g}" for x in at), rpy=rpy)
    ET.SubElement(joint, "parent", link=parent)
    ET.SubElement(joint, "child", link=child)
    return joint


def add_box_link(
    robot: ET.Element, name: str, centre: Array, size: tuple[float, float, float], mass_kg: float, rgba: str
) -> None:
    """A link that is a box, to see, to touch and to weigh."""
    link = ET.SubElement(robot, "link", name=name)
    link.append(inertial(centre, mass_kg, np.full(3, mass_kg / 12 * 1e-2)))
    visual = primitive("visual", centre, np.array(size), "box")
    material = ET.SubElement(visual, "material", name=f"{name}_paint")
    ET.SubElement(material, "color", rgba=rgba)
    link.append(visual)
    link.append(primitive("collision", centre, np.array(size), "box"))


def strip(robot: ET.Element) -> None:
    """Take looks and collision away: Pinocchio knows no capsules and needs neither."""
    for link in robot.findall("link"):
        for tag in ("visual", "collision"):
            for element in link.findall(tag):
                link.remove(element)


def numbers(values: Array) -> str:
    """Numbers as URDF writes them."""
    return " ".join(f"{v:g}" for v in values)
