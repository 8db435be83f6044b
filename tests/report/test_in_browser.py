"""Pages in a real browser, at a desk's width and a phone's: nothing sticks out, and scripts run."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest

from tests.report.synthetic_run import write_run, write_variants
from vla_sim.report.page import write_report
from vla_sim.report.pair_page import write_pair
from vla_sim.report.sweep import write_sweep

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
WIDTHS = (390, 1280)
PROBE = """
addEventListener("load", () => {
  const found = [...document.querySelectorAll("iframe")].map((frame) => {
    const page = frame.contentDocument, root = page.documentElement;
    const clock = page.getElementById("clock"), head = [...page.querySelectorAll(".playhead")];
    const shown = [...page.querySelectorAll("figure svg")].filter((svg) => svg.getBoundingClientRect().width > 0);
    return {
      page: frame.title, width: Number(frame.width), over: root.scrollWidth - root.clientWidth,
      figures: shown.length, clock: clock && clock.textContent,
      head: head.map((line) => line.getBoundingClientRect().left).filter((left) => left > 0),
      image: Boolean((page.querySelector(".screen img") || {}).src),
    };
  });
  document.title = JSON.stringify(found);
});
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, object]]:
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here")
    folder = tmp_path_factory.mktemp("pages")
    for name, deploy in (("a", "edge"), ("b", "cloud")):
        overrides = (f"deploy={deploy}", "stack.policy.profile=a_rather_long_name_of_a_model@orin_50w")
        write_run(folder / name, speed=8.0, deploy=deploy, frames=(0, 1, 2), overrides=overrides, prices=(3.2, 40.0))
    pages = {
        "run": write_report(folder / "a"),
        "pair": write_pair(folder / "a", folder / "b"),
        "sweep": write_sweep(write_variants(folder / "sweep", episodes=3)),
    }
    frames = "".join(
        f'<iframe title="{name}" src="{page.as_uri()}{"?t=0.7" if name == "pair" else ""}" width="{w}" height="900">'
        "</iframe>"
        for name, page in pages.items()
        for w in WIDTHS
    )
    wrapper = folder / "wrapper.html"
    wrapper.write_text(f"<!doctype html><body>{frames}<script>{PROBE}</script></body>")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files"]
    command += [f"--user-data-dir={folder / 'profile'}", "--dump-dom", wrapper.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    title = re.search(r"<title>(.*?)</title>", done.stdout)
    assert title is not None, done.stdout[:400]
    probed: list[dict[str, object]] = json.loads(title[1].replace("&amp;", "&"))
    return probed


def test_no_page_scrolls_sideways(found: list[dict[str, object]]) -> None:
    assert {(probe["page"], probe["width"]) for probe in found} == {
        (page, width) for page in ("run", "pair", "sweep") for width in WIDTHS
    }
    assert [probe for probe in found if probe["over"] != 0] == []


def test_every_figure_shows_one_of_its_two_widths(found: list[dict[str, object]]) -> None:
    for page in ("run", "pair", "sweep"):
        phone, desk = (probe["figures"] for probe in found if probe["page"] == page)
        assert phone == desk != 0


def test_the_slider_moves_pictures_and_line(found: list[dict[str, object]]) -> None:
    for probe in found:
        if probe["page"] == "pair":
            assert probe["clock"] == "0.70 s"
            assert probe["image"] is True
            assert len(probe["head"]) == 1  # type: ignore[arg-type]
