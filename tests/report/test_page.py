"""A run's page shows what the records say, again and again, without a network."""

from __future__ import annotations

import csv
import itertools
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.report.reading import Page
from tests.report.synthetic_run import write_run
from vla_sim.harness.statistics import wilson
from vla_sim.report.page import write_report
from vla_sim.report.text import cell, dollars, percent, significant


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_run(
        tmp_path_factory.mktemp("runs") / "run",
        episodes=4,
        frames=(0, 3),
        outage_s=(2.0, 3.1),
        gates=("success_rate >= 0.99", "falls <= 0"),
        prices=(3.2, 420.0),
    )
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
    low, high = wilson(sum(won), len(won))
    assert page.data["headline"] == (
        f"It did its job in {sum(won)} of {len(won)} episodes: {percent(sum(won) / len(won))}, "
        f"95\u00a0% interval {low * 100:.0f} to {high * 100:.0f}\u00a0%."
    )
    assert page.data["headline"] in page.text


def test_what_was_asked_is_told_first(page: Page) -> None:
    asked = page.data["asked"]
    assert asked["instructions"] == ["put the red cube on the tray"]
    assert (asked["robot"], asked["task"]) == ("G1, gripper", "Pick place, table, normal")
    at = {site["name"]: (site["device"], site["stages"]) for site in asked["sites"]}
    assert at == {
        "robot": ("orin", ["intent", "grasp", "control", "safety"]),
        "cloud": ("h100", ["planning", "perception"]),
    }
    assert [(site["name"], site["stages"]) for site in asked["fallbacks"]] == [("robot", ["perception"])]
    assert asked["deployment"].endswith("when no answer came, perception on the robot (orin).")
    assert page.text.index("put the red cube on the tray") < page.text.index("Command to first motion")


def test_where_a_stage_ran_is_counted_from_its_spans(page: Page, folder: Path) -> None:
    spans = pq.read_table(folder / "spans.parquet").to_pylist()
    for row in rows(page, "placement"):
        if row["stage"] not in ("control", "safety"):
            mine = [s for s in spans if (s["stage"], s["site"]) == (row["stage"], row["site"])]
            assert row["requests"] == len(mine)
    perception = {row["site"]: row for row in rows(page, "placement") if row["stage"] == "perception"}
    assert (perception["robot"]["profile_ms"], perception["robot"]["provenance"]) == (85.0, "measured")
    assert (perception["cloud"]["profile_ms"], perception["cloud"]["device"]) == (35.0, "h100")


def test_gates_are_checked_again(page: Page) -> None:
    assert [gate["passed"] for gate in page.data["gates"]] == [False, True]
    assert page.data["gates"][0]["line"].startswith("success_rate >= 0.99: ")
    assert page.text.index("failed success_rate") < page.text.index("passed falls")


def test_cost_energy_and_fallbacks_have_tiles(page: Page, folder: Path) -> None:
    metrics = json.loads((folder / "metrics.json").read_text())
    tiles = {tile["label"]: tile for tile in page.data["tiles"]}
    assert tiles["Cost of a success"]["value"] == dollars(metrics["cost"]["usd_per_success"])
    assert tiles["Cost of a success"]["note"] == "$3.20 an hour, rented off the robot"
    assert tiles["Energy of a success"]["value"] == significant(metrics["energy"]["wh_per_success"])
    spans = pq.read_table(folder / "spans.parquet").to_pylist()
    answered_by_another = sum(s["attempt"] > 0 and s["status"] == "ok" for s in spans)
    assert tiles["Answered by a fallback"]["note"].startswith(f"{answered_by_another} requests")


def test_attempts_are_counted_by_what_became_of_them(page: Page, folder: Path) -> None:
    spans = pq.read_table(folder / "spans.parquet").to_pylist()
    table = rows(page, "attempts")
    assert sum(row["requests"] for row in table) == len(spans)
    for row in table:
        mine = [
            s
            for s in spans
            if (s["stage"], s["site"], s["attempt"] + 1, s["mode"])
            == (row["stage"], row["site"], row["attempt"], row["mode"])
        ]
        for status in ("superseded", "lost", "rejected", "failed"):
            assert row[status] == sum(s["status"] == status for s in mine)
    assert {row["mode"] for row in table} == {"full", "simplified", "cached"}


def test_stage_latencies_are_those_of_the_spans(page: Page, folder: Path) -> None:
    spans = pq.read_table(folder / "spans.parquet").to_pylist()
    for row in rows(page, "stages"):
        if row["stage"] in ("control", "safety"):
            continue
        mine = [s for s in spans if s["stage"] == row["stage"]]
        answered = [s for s in mine if s["status"] in ("ok", "late", "refused")]
        took_ms = [(s["t_end_s"] - s["t_start_s"]) * 1000 for s in answered]
        requests = len({(s["episode"], s["request"]) for s in mine})
        assert row["requests"] == requests
        assert row["unanswered"] == requests - len(answered)
        assert row["p95"] == pytest.approx(np.percentile(took_ms, 95))
        assert row["uplink"] == pytest.approx(np.mean([s["uplink_s"] * 1000 for s in answered]))
        within = sum(ms <= row["limit_ms"] for ms in took_ms)
        assert row["met_ratio"] == pytest.approx(within / requests)


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


def test_the_timeline_is_the_worst_episode_of_the_records(page: Page, folder: Path) -> None:
    timeline = page.data["timeline"]
    episodes = pq.read_table(folder / "episodes.parquet").to_pylist()
    failed = [e for e in episodes if not e["success"]]
    worst = max(failed, key=lambda e: (e["starved_ticks"], e["sim_s"]))["episode"]
    assert timeline["episode"] == worst
    assert timeline["why"].startswith(f"one of {len(failed)} that failed" if len(failed) > 1 else "the one that failed")
    spans = [s for s in pq.read_table(folder / "spans.parquet").to_pylist() if s["episode"] == worst]
    drawn = sorted((b["stage"], b["start_s"], b["end_s"], b["status"], b["mode"]) for b in timeline["bars"])
    assert drawn == sorted(
        (s["stage"], round(s["t_start_s"], 6), round(s["t_end_s"], 6), s["status"], s["mode"]) for s in spans
    )
    ticks = [t for t in pq.read_table(folder / "ticks.parquet").to_pylist() if t["episode"] == worst]
    held_s = sum(s["end_s"] - s["start_s"] for s in timeline["starved"])
    assert held_s == pytest.approx(0.01 * sum(t["starved"] for t in ticks))
    by_time = {round(t["t_s"], 4): t for t in ticks}
    for curve in timeline["joints"]:
        for t_s, angle in zip(curve["t_s"], curve["commanded_rad"], strict=True):
            assert angle == pytest.approx(by_time[t_s][f"commanded.{curve['joint']}"], abs=1e-4)
    assert [s["name"] for s in timeline["phases"]] == list(dict.fromkeys(t["phase"] for t in ticks))


def test_an_outage_lasts_from_the_first_loss_to_the_next_answer(page: Page) -> None:
    (outage,) = page.data["timeline"]["outages"]
    assert outage["start_s"] == pytest.approx(2.0)
    assert outage["end_s"] == pytest.approx(3.2)  # frames at 5 Hz; the first after 3.1 s got through


def test_overlapping_requests_lie_in_different_lanes(page: Page) -> None:
    bars = [bar for bar in page.data["timeline"]["bars"] if bar["stage"] == "perception"]
    assert max(bar["lane"] for bar in bars) >= 1
    for lane in {bar["lane"] for bar in bars}:
        mine = sorted((b["start_s"], b["end_s"]) for b in bars if b["lane"] == lane)
        assert all(end <= start + 1e-6 for (_, end), (start, _) in itertools.pairwise(mine))


def test_tables_are_csv_files_with_every_digit(page: Page, folder: Path) -> None:
    for table in page.data["tables"]:
        with (folder / "tables" / f"{table['name']}.csv").open(newline="") as stream:
            found = list(csv.DictReader(stream))
        assert len(found) == len(table["rows"])
        for row, wanted in zip(found, table["rows"], strict=True):
            assert row == {c["key"]: "" if (v := wanted[c["key"]]) is None else str(v) for c in table["columns"]}


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
    assert ["network (wifi)", "", "measured here, 500 pings"] in page.tables["table-sources"]


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
    assert set(figures) == {
        "waterfall.png",
        "distributions.png",
        "start.png",
        "moment.png",
        "timeline.png",
    }
    assert max(figures.values()) < 300_000


def test_drawn_again_it_is_the_same_to_the_byte(folder: Path) -> None:
    paths = [folder / "report.html", *sorted((folder / "figures").glob("*.png")), *sorted(folder.glob("tables/*.csv"))]
    before = [path.read_bytes() for path in paths]
    write_report(folder)
    assert [path.read_bytes() for path in paths] == before


def test_a_run_of_nothing_but_a_crash_at_the_start_is_still_a_page(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", episodes=1, speed=1e6)
    page = Page(write_report(folder))
    assert "It did not do its job in its one episode: 0\u00a0%" in page.text
    assert len(page.tables["table-failures"]) == 1


def test_a_run_without_episodes_is_still_a_page(tmp_path: Path) -> None:
    page = Page(write_report(write_run(tmp_path / "run", episodes=0)))
    assert "No episode was run." in page.text
    assert page.data["timeline"] is None
    assert page.data["success"]["rate"] is None
