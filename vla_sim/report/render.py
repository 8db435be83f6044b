"""Matplotlib figures to PNG bytes and to SVG that a page can hold: themed by CSS, without ids in common."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vla_sim.report.theme import LIGHT, RC

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDE_IN, NARROW_IN = 10.4, 4.3
NARROW_BELOW_IN = 6.0
PNG_DPI = 110
Draw = Callable[[float], "Figure"]  # figure width, inches -> figure


@dataclass(frozen=True)
class Drawing:
    """One figure: a file for people to share, and inline SVG for desks and for phones."""

    name: str
    png: bytes
    wide_svg: str
    narrow_svg: str


def render(name: str, draw: Draw) -> Drawing:
    """Draw a figure at both widths. The same data gives the same bytes."""
    import matplotlib

    settings: dict[Any, Any] = {**RC, "svg.hashsalt": name}
    with matplotlib.rc_context(settings):
        wide, narrow = draw(WIDE_IN), draw(NARROW_IN)
        png = io.BytesIO()
        wide.savefig(png, format="png", dpi=PNG_DPI, facecolor=LIGHT["card"], metadata={"Software": None})
        return Drawing(name, png.getvalue(), _svg(wide, f"{name}-w"), _svg(narrow, f"{name}-n"))


def _svg(figure: Figure, prefix: str) -> str:
    stream = io.StringIO()
    figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    text = re.sub(r"font-family: [^;\"]*", "font-family: var(--font)", text)
    text = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', text)
    text = re.sub(r'href="#([^"]+)"', rf'href="#{prefix}-\1"', text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}-\1)", text)
    text = re.sub(r"(\d+\.\d{2})\d+", r"\1", text)
    for colour, value in LIGHT.items():
        text = text.replace(value, f"var(--{colour})")
    return re.sub(r"\n\s*", "\n", text)
