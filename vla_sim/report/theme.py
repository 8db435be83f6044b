"""Colours, once, for figures and pages, in a light and a dark form.

Figures are drawn in the light colours. Inside a page each of them is replaced by its CSS variable, so that the
figures follow the reader's choice of light or dark. No two light colours may therefore be equal.
"""

from __future__ import annotations

from typing import Any

LIGHT = {
    "paper": "#faf9f6",
    "card": "#fffefc",
    "ink": "#22272e",
    "muted": "#69717b",
    "line": "#dcd8d0",
    "shade": "#f1eee7",
    "shade2": "#e7e3d9",
    "accent": "#1f7a74",
    "bad": "#b8432f",
    "warn": "#c98a1b",
    "uplink": "#6ea3d8",
    "queue": "#e0ab53",
    "compute": "#2b8a80",
    "downlink": "#a391cf",
    "s1": "#34678f",
    "s2": "#d17a45",
    "s3": "#4f9d69",
    "s4": "#8b6bb1",
    "s5": "#c2a83e",
    "s6": "#5fb0bd",
    "s7": "#b9617f",
    "s8": "#8a8f98",
}
DARK = {
    "paper": "#14171b",
    "card": "#1b1f24",
    "ink": "#e7e6e2",
    "muted": "#9aa2ac",
    "line": "#343a42",
    "shade": "#22272d",
    "shade2": "#2a3037",
    "accent": "#5cc0b6",
    "bad": "#ee8670",
    "warn": "#e2b25a",
    "uplink": "#6fa8e0",
    "queue": "#dba548",
    "compute": "#3fa79b",
    "downlink": "#ab99dc",
    "s1": "#6ba3d0",
    "s2": "#e0925f",
    "s3": "#6dbb87",
    "s4": "#ab8dd1",
    "s5": "#d6be5c",
    "s6": "#76c3cf",
    "s7": "#d5829e",
    "s8": "#a0a6ae",
}
SERIES = ("s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8")
STAGE_SERIES = {
    "voice": "s7",
    "intent": "s5",
    "planning": "s1",
    "perception": "s3",
    "grasp": "s2",
    "policy": "s4",
    "control": "s6",
    "safety": "s8",
}

RC: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "text.color": LIGHT["ink"],
    "axes.labelcolor": LIGHT["muted"],
    "axes.edgecolor": LIGHT["line"],
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "xtick.color": LIGHT["muted"],
    "ytick.color": LIGHT["muted"],
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "grid.color": LIGHT["line"],
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.solid_capstyle": "round",
    "svg.fonttype": "none",
}


def css_variables(colours: dict[str, str]) -> str:
    """CSS declarations of all colours."""
    return "".join(f"--{name}:{value};" for name, value in colours.items())
