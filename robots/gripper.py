"""A parallel gripper of two fingers, for any wrist: its size, its part of a URDF, and how it is driven."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass

import numpy as np
import pybullet as p

from robots.body import Hand
from robots.urdf_parts import add_box_link, add_joint, inertial
from vla_sim.types import Array

PALM_FRICTION, SPINNING, ROLLING = 1.0, 0.01, 0.0005


@dataclass(frozen=True)
class ParallelGripper:
    """Two fingers on prismatic joints, coupled by a gear. Units m, N, kg, in the palm's frame: x ahead, y across."""

    palm_size: tuple[float, float, float] = (0.05, 0.12, 0.035)
    palm_offset: float = 0.025
    palm_mass_kg: float = 0.2
    finger_size: tuple[float, float, float] = (0.075, 0.012, 0.022)
    finger_x: float = 0.0875
    finger_mass_kg: float = 0.05
    tool_x: float = 0.105  # grasp point
    travel_open: float = 0.0535  # of one finger's centre from the middle
    travel_closed: float = 0.003
    force: float = 30.0
    speed_m_s: float = 0.32  # change of the opening

    @property
    def opening_m(self) -> float:
        """Between the fingers when fully open."""
        return 2 * self.travel_open - self.finger_size[1]

    def joints(self, hand: str) -> tuple[str, ...]:
        return f"{hand}_finger_a_joint", f"{hand}_finger_b_joint"

    def positions(self, hand: str, grip: float) -> Array:
        return np.full(2, self.travel_closed + grip * (self.travel_open - self.travel_closed))

    def grip(self, hand: str, positions: Array) -> float:
        return float((sum(positions) / len(positions) - self.travel_closed) / (self.travel_open - self.travel_closed))

    def links(self, hand: str) -> Hand:
        return Hand(f"{hand}_palm", (f"{hand}_finger_a", f"{hand}_finger_b"))

    def prepare(self, client: int, body: int, links: dict[str, int]) -> None:
        """Give the hands their friction and couple the fingers."""
        on = {"physicsClientId": client}
        for hand in ("left", "right"):
            touching = self.links(hand)
            for link in (touching.palm, *touching.fingers):
                p.changeDynamics(body, links[link], lateralFriction=PALM_FRICTION, spinningFriction=SPINNING,
                                 rollingFriction=ROLLING, **on)  # fmt: skip
            # Uncoupled fingers drift sideways together by centimetres; a gear keeps them within half a millimetre.
            a, b = (links[finger] for finger in touching.fingers)
            gear = p.createConstraint(body, a, body, b, p.JOINT_GEAR, [0, 1, 0], [0, 0, 0], [0, 0, 0], **on)
            p.changeConstraint(gear, gearRatio=-1, maxForce=500, erp=0.2, relativePositionTarget=0, **on)

    def add_to(self, robot: ET.Element, hand: str, wrist: str, at: tuple[float, float, float], rpy: str) -> None:
        """Mount one on the link `wrist` of a URDF, its palm's frame at `at` m turned by `rpy` rad (URDF's order)."""
        palm = f"{hand}_palm"
        centre = np.array([self.palm_offset, 0, 0])
        add_box_link(robot, palm, centre, self.palm_size, self.palm_mass_kg, "0.25 0.25 0.27 1")
        add_joint(robot, f"{palm}_joint", "fixed", wrist, palm, at, rpy)
        tool = ET.SubElement(robot, "link", name=f"{hand}_tool")
        tool.append(inertial(np.zeros(3), 1e-4, np.full(3, 1e-7)))
        add_joint(robot, f"{hand}_tool_joint", "fixed", palm, f"{hand}_tool", (self.tool_x, 0, 0))
        for name, axis in zip(self.joints(hand), ("0 1 0", "0 -1 0"), strict=True):
            link = name.removesuffix("_joint")
            centre = np.array([self.finger_x, 0, 0])
            add_box_link(robot, link, centre, self.finger_size, self.finger_mass_kg, "0.2 0.2 0.22 1")
            joint = add_joint(robot, name, "prismatic", palm, link, (0, 0, 0))
            ET.SubElement(joint, "axis", xyz=axis)
            upper = f"{self.travel_open + 0.002:g}"
            ET.SubElement(joint, "limit", {"lower": "0.001", "upper": upper, "effort": "60", "velocity": "1"})
