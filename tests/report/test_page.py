"""A run's page shows what the records say, again and again, without a network."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.report.reading import Page
from tests.report.synthetic_run import write_run
from vla_sim.report.page import write_report
from vla_sim.report.text import cell


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_run(tmp_path_factory.mktemp("runs") / "run", frames=True)
    (folder / "video").mkdir()
    (folder / "video" / "episode 0.mp4").write_bytes(b"")
    write_report(folder)
    return folder


@pytest.fixture(scope="module")
def page(folder: Path) -> Page:
    return Page(folder / "report.html")


def rows(page: Page, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = next(table["rows"] for table in page.data["tables"] if table["name"] == name)
    return found


def test_the_headline_answers_the_question(page: Page, folder: Path) -> None:
    won = pq.read_table(folder / "episodes.parquet")["success"].to_pylist()
    assert page.data["success"]["successes"] == sum(won)
    assert f"It did its job in {sum(won)} of {len(won)} episodes." in page.text
    assert page.data["success"]["low"] < sum(won) / len(won) < page.data["success"]["high"]
    assert f"{page.data['success']['low'] * 100:.0f} and {page.data['success']['high'] * 100:.0f}" in page.text


def test_stage_latencies_are_those_of_the_spans(page: Page, folder: Path) -> None:
    spans = pq.read_table(folder / "spans.parquet").to_pylist()
    for row in rows(page, "stages"):
        if row["stage"] in ("control", "safety"):
            continue
        mine = [s for s in spans if s["stage"] == row["stage"]]
        answered = [s for s in mine if s["status"] in ("ok", "late", "refused")]
        took_ms = [(s["t_end_s"] - s["t_start_s"]) * 1000 for s in answered]
        assert row["requests"] == len(mine)
        assert row["unanswered"] == len(mine) - len(answered)
        assert row["p95"] == pytest.approx(np.percentile(took_ms, 95))
        assert row["uplink"] == pytest.approx(np.mean([s["uplink_s"] * 1000 for s in answered]))
        within = sum(ms <= row["limit_ms"] for ms in took_ms)
        assert row["met_ratio"] == pytest.approx(within / len(mine))


def test_tick_stages_are_those_of_the_ticks(page: Page, folder: Path) -> None:
    ticks = pq.read_table(folder / "ticks.parquet")
    row = next(row for row in rows(page, "stages") if row["stage"] == "control")
    assert row["requests"] == ticks.num_rows
    assert row["p50"] == pytest.approx(np.median(ticks["control_s"].to_numpy()) * 1000, rel=1e-6)


def test_the_waterfall_lays_medians_end_to_end(page: Page) -> None:
    stages = page.data["stages"]
    assert [bar["stage"] for bar in stages] == ["intent", "planning", "perception", "grasp", "control", "safety"]
    ends = np.cumsum([bar["p50_ms"] for bar in stages])
    assert [bar["start_ms"] for bar in stages] == pytest.approx([0.0, *ends[:-1]])
    assert page.data["total_limit_ms"] == 2000.0


def test_the_timeline_is_one_episode_of_the_records(page: Page, folder: Path) -> None:
    timeline = page.data["timeline"]
    assert timeline["episode"] == 0
    assert timeline["why"] == "the first with camera images"
    spans = [s for s in pq.read_table(folder / "spans.parquet").to_pylist() if s["episode"] == 0]
    drawn = sorted((b["stage"], b["start_s"], b["end_s"], b["status"]) for b in timeline["bars"])
    assert drawn == sorted((s["stage"], round(s["t_start_s"], 6), round(s["t_end_s"], 6), s["status"]) for s in spans)
    ticks = [t for t in pq.read_table(folder / "ticks.parquet").to_pylist() if t["episode"] == 0]
    held_s = sum(s["end_s"] - s["start_s"] for s in timeline["starved"])
    assert held_s == pytest.approx(0.01 * sum(t["starved"] for t in ticks))
    by_time = {round(t["t_s"], 4): t for t in ticks}
    for curve in timeline["joints"]:
        for t_s, angle in zip(curve["t_s"], curve["commanded_rad"], strict=True):
            assert angle == pytest.approx(by_time[t_s][f"commanded.{curve['joint']}"], abs=1e-4)
    assert [s["name"] for s in timeline["phases"]] == list(dict.fromkeys(t["phase"] for t in ticks))


def test_overlapping_requests_lie_in_different_lanes(page: Page) -> None:
    bars = [bar for bar in page.data["timeline"]["bars"] if bar["stage"] == "perception"]
    assert max(bar["lane"] for bar in bars) >= 1
    for lane in {bar["lane"] for bar in bars}:
        mine = sorted((b["start_s"], b["end_s"]) for b in bars if b["lane"] == lane)
        assert all(end <= start + 1e-6 for (_, end), (start, _) in itertools.pairwise(mine))


def test_every_cell_is_the_data_in_words(page: Page) -> None:
    for table in page.data["tables"]:
        texts = [[cell(row[c["key"]], c["form"]) for c in table["columns"]] for row in table["rows"]]
        assert page.tables.get(f"table-{table['name']}", []) == texts
    failed = [row for row in page.tables["table-episodes"] if row[2] == "no"]
    assert page.tables["table-failures"] == failed
    assert failed


def test_crashes_are_listed_with_their_error_and_nothing_is_markup(page: Page) -> None:
    assert any("inverse kinematics <diverged>" in text for row in page.tables["table-failures"] for text in row)
    assert "<diverged>" not in page.source


def test_sources_of_modelled_figures_are_named(page: Page) -> None:
    assert ["deploy.network (wifi)", "measured here, 500 pings"] in page.tables["table-sources"]


def test_the_page_needs_no_network_and_no_other_file_but_video(page: Page) -> None:
    links = [value for _, name, value in page.attributes if name in ("src", "href", "xlink:href", "srcset")]
    outside = [link for link in links if not link.startswith(("#", "data:"))]
    assert outside == ["video/episode 0.mp4"]
    assert not re.search(r"url\((?!#)", page.source)
    assert "@import" not in page.source


def test_the_page_has_no_id_twice(page: Page) -> None:
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))


def test_figures_follow_light_and_dark(page: Page) -> None:
    assert "prefers-color-scheme:dark" in page.source
    drawings = "".join(re.findall(r"<svg.*?</svg>", page.source, flags=re.DOTALL))
    assert "var(--compute)" in drawings
    assert set(re.findall(r"(?:fill|stroke): #[0-9a-f]{6}", drawings)) <= {"fill: #ffffff", "stroke: #ffffff"}


def test_figures_are_files_too_and_small(folder: Path) -> None:
    figures = {path.name: path.stat().st_size for path in (folder / "figures").glob("*.png")}
    assert set(figures) == {"waterfall.png", "start.png", "timeline.png"}
    assert max(figures.values()) < 300_000


def test_drawn_again_it_is_the_same_to_the_byte(folder: Path) -> None:
    paths = [folder / "report.html", *sorted((folder / "figures").glob("*.png"))]
    before = [path.read_bytes() for path in paths]
    write_report(folder)
    assert [path.read_bytes() for path in paths] == before


def test_a_run_of_nothing_but_a_crash_at_the_start_is_still_a_page(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", episodes=1, speed=1e6)
    page = Page(write_report(folder))
    assert "It did not do its job in its one episode." in page.text
    assert len(page.tables["table-failures"]) == 1


def test_a_run_without_episodes_is_still_a_page(tmp_path: Path) -> None:
    page = Page(write_report(write_run(tmp_path / "run", episodes=0)))
    assert "No episode was run." in page.text
    assert page.data["timeline"] is None
    assert page.data["success"]["rate"] is None
