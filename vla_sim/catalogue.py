"""The things the stack knows by name: colours and the shapes of household objects. Lengths m, masses kg.

Perception measures against these sizes, the grammar speaks these words, and the worlds build bodies from them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Colour:
    """A named paint."""

    name: str
    rgb: tuple[float, float, float]  # 0-1, as painted
    hue: int  # OpenCV hue of the paint, 0-179


@dataclass(frozen=True)
class Shape:
    """A rigid object standing on its foot."""

    name: str
    kind: str  # box | cylinder | sphere | tray
    height_m: float
    width_m: float  # edge of a box, diameter of a cylinder or sphere, x size of a tray
    mass_kg: float
    grasp_height_m: float  # of the tool centre above the object's foot when it is taken
    depth_m: float = 0.0  # y size of a tray

    @property
    def round(self) -> bool:
        return self.kind in ("cylinder", "sphere")


# Hues are at least 20 apart, twice what perception tolerates.
COLOURS: dict[str, Colour] = {
    c.name: c
    for c in (
        Colour("red", (0.90, 0.10, 0.10), 0),
        Colour("yellow", (0.95, 0.85, 0.05), 27),
        Colour("green", (0.10, 0.75, 0.15), 62),
        Colour("cyan", (0.05, 0.80, 0.80), 90),
        Colour("blue", (0.10, 0.20, 0.90), 116),
        Colour("purple", (0.80, 0.10, 0.80), 150),
    )
}

# Grasp heights were measured with a coupled parallel gripper of 95 mm opening.
SHAPES: dict[str, Shape] = {
    s.name: s
    for s in (
        Shape("cube", "box", 0.05, 0.05, 0.15, 0.033),
        Shape("mug", "cylinder", 0.09, 0.068, 0.25, 0.050),
        Shape("bottle", "cylinder", 0.18, 0.060, 0.35, 0.075),
        Shape("ball", "sphere", 0.06, 0.060, 0.10, 0.035),
        Shape("tray", "tray", 0.03, 0.18, 0.60, 0.0, depth_m=0.22),
    )
}

GRASPABLE = ("cube", "mug", "bottle", "ball")
