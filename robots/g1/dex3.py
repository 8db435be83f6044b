"""Unitree's three-fingered hand Dex3-1 on a G1: from one grip to seven finger joints, and its part of the URDF.

Thumb and fingers bend in planes across the palm: a claw. The grasp point lies in its mouth, the approach between the
directions in which fingers and thumb point when open, so that object and web of the hand meet as in a parallel gripper.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from dataclasses import dataclass

import numpy as np
import pybullet as p

from robots.body import Hand
from robots.urdf_parts import add_joint, inertial, primitive
from vla_sim.types import Array

JOINTS = ("thumb_0", "thumb_1", "thumb_2", "middle_0", "middle_1", "index_0", "index_1")
KNUCKLES = [3, 5]  # of middle and index finger, among them
# The left hand is the right one seen in a mirror: what turns about the palm's y axis keeps its sign, the rest changes.
LEFT_SIGN = np.array([1.0, -1, -1, -1, -1, -1, -1])
LOWER_RAD = np.array([-1.04719755, -1.04719755, -1.74532925, 0, 0, 0, 0])  # of the right hand
UPPER_RAD = np.array([1.04719755, 0.61086523, 0, 1.57079632, 1.74532925, 1.57079632, 1.74532925])
TOOL_AHEAD_M = 0.105  # of the frame `{hand}_palm`, as the parallel gripper's
FRICTION, SPINNING, ROLLING = 1.0, 0.01, 0.0005


@dataclass(frozen=True)
class Dex3:
    """How the hand opens and closes, and where it grasps. The left hand is the right one's mirror image.

    Postures are the right hand's in the order of `JOINTS`, rad. Lengths are m in the frame of its palm link: x along
    the fingers, y out of the palm, z towards the index finger.
    """

    open_rad: tuple[float, ...] = (0.45, 0.45, -0.45, 0.0, 1.5, 0.0, 1.5)
    closed_rad: tuple[float, ...] = (0.45, -0.76, -1.2, 1.0, 1.5, 1.0, 1.5)
    tool_at: tuple[float, float, float] = (0.07, 0.065, -0.018)  # grasp point
    tool_turn_deg: float = 40.0  # of the approach from the fingers' direction towards the palm's normal
    tool_pitch_deg: float = 20.0  # by which the approach goes down steeper than the fingers' planes
    opening_m: float = 0.093  # between the last links of thumb and fingers when open
    speed_m_s: float = 0.32  # change of the opening
    # Of the open hand from the grasp point: across the approach, along it, and below it with the hand coming in.
    half_width_m: float = 0.10
    tip_ahead_m: float = 0.037
    tip_below_m: float = 0.032
    force: float = 1.4
    finger_force: float = 0.7
    # Least roll of a shoulder at work. The forearm comes from beside the approach: with the arm further in it meets the
    # chest when the hand turns outwards; kept further out, it could not set down before the robot's middle.
    elbow_out_rad: float = 0.08

    def joints(self, hand: str) -> tuple[str, ...]:
        return tuple(f"{hand}_hand_{name}_joint" for name in JOINTS)

    def efforts(self, hand: str) -> dict[str, float]:
        """N m by joint: two fingers push against one thumb."""
        names = self.joints(hand)
        return {name: self.force if "thumb" in name else self.finger_force for name in names}

    def positions(self, hand: str, grip: float) -> Array:
        share = min(max(grip, 0.0), 1.0)
        right = (1 - share) * np.array(self.closed_rad) + share * np.array(self.open_rad)
        return right * LEFT_SIGN if hand == "left" else right

    def grip(self, hand: str, positions: Array) -> float:
        """From the knuckle of the wider finger: one that passes over a low object closes all the way."""
        right = positions * LEFT_SIGN if hand == "left" else positions
        closed, opened = np.array(self.closed_rad)[KNUCKLES], np.array(self.open_rad)[KNUCKLES]
        return float(((right[KNUCKLES] - closed) / (opened - closed)).max())

    def links(self, hand: str) -> Hand:
        return Hand(f"{hand}_hand_palm_link", tuple(f"{hand}_hand_{name}_link" for name in JOINTS))

    def prepare(self, client: int, body: int, links: dict[str, int]) -> None:
        """Give the hands their friction, and let neighbours over one joint pass through each other."""
        on = {"physicsClientId": client}
        for hand in ("left", "right"):
            touching = self.links(hand)
            for link in (touching.palm, *touching.fingers):
                p.changeDynamics(body, links[link], lateralFriction=FRICTION, spinningFriction=SPINNING,
                                 rollingFriction=ROLLING, **on)  # fmt: skip
            palm, wrist = links[touching.palm], links[f"{hand}_wrist_yaw_link"]
            thumb = links[f"{hand}_hand_thumb_1_link"]
            p.setCollisionFilterPair(body, body, palm, thumb, 0, **on)
            for link in touching.fingers:
                p.setCollisionFilterPair(body, body, wrist, links[link], 0, **on)

    # -- the URDF -----------------------------------------------------------------------------------------------
    def collisions(self, link: str, vertices: Array) -> list[ET.Element]:
        """What a link of the hand touches with: a box round its mesh's vertices [n, 3]; the thumb's root: nothing."""
        if "thumb_0" in link:
            return []
        low, high = vertices.min(axis=0), vertices.max(axis=0)
        return [primitive("collision", (low + high) / 2, high - low, "box")]

    def add_tool(self, robot: ET.Element, hand: str) -> None:
        """Mount the frame `{hand}_palm`, turned as the hand approaches, and ahead of it `{hand}_tool`, the grasp point.

        They lie to each other as on a parallel gripper, so that what is mounted there sees the same.
        """
        side = -1.0 if hand == "left" else 1.0
        pitch, turn = math.radians(self.tool_pitch_deg), math.radians(self.tool_turn_deg)
        ahead = np.array([math.cos(pitch) * math.cos(turn), math.cos(pitch) * math.sin(turn), -math.sin(pitch)])
        x, y, z = np.array(self.tool_at) - TOOL_AHEAD_M * ahead
        rpy = f"0 {pitch:.9g} {side * turn:.9g}"
        for name in ("palm", "tool"):
            link = ET.SubElement(robot, "link", name=f"{hand}_{name}")
            link.append(inertial(np.zeros(3), 1e-4, np.full(3, 1e-7)))
        add_joint(robot, f"{hand}_palm_joint", "fixed", f"{hand}_hand_palm_link", f"{hand}_palm", (x, side * y, z), rpy)
        add_joint(robot, f"{hand}_tool_joint", "fixed", f"{hand}_palm", f"{hand}_tool", (TOOL_AHEAD_M, 0, 0))
