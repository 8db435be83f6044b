"""Two runs side by side: the same episode of both, and differences that the records bear out."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.report.reading import Page
from tests.report.synthetic_run import write_run
from vla_sim.errors import RecordError
from vla_sim.harness.statistics import paired_difference
from vla_sim.report.pair_page import write_pair

EPISODES = 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pair")
    for name, deploy, outage_s, success in (("one", "edge", None, 1.0), ("two", "cloud", (1.5, 2.5), 0.5)):
        write_run(
            folder / name,
            episodes=EPISODES,
            deploy=deploy,
            success=success,
            speed=4.0,
            crash=False,
            frames=tuple(range(EPISODES)),
            outage_s=outage_s,
            overrides=(f"deploy={deploy}",),
        )
    write_pair(folder / "one", folder / "two", folder / "out")
    return folder


@pytest.fixture(scope="module")
def page(folder: Path) -> Page:
    return Page(folder / "out" / "report.html")


def episodes(folder: Path) -> list[dict[str, object]]:
    found: list[dict[str, object]] = pq.read_table(folder / "episodes.parquet").to_pylist()
    return found


def test_both_sides_show_the_same_world_which_ended_differently(page: Page, folder: Path) -> None:
    shown = {key: page.data[key]["timeline"]["episode"] for key in ("first", "second")}
    first, second = (episodes(folder / name) for name in ("one", "two"))
    assert first[shown["first"]]["seed"] == second[shown["second"]]["seed"] == page.data["seed"]
    assert first[shown["first"]]["success"] != second[shown["second"]]["success"]
    assert page.data["first"]["outcome"].startswith("succeeded after")
    assert page.data["second"]["outcome"].startswith("failed after")
    assert page.data["end_s"] == max(page.data[key]["timeline"]["end_s"] for key in ("first", "second"))


def test_the_difference_in_success_is_second_less_first(page: Page, folder: Path) -> None:
    won = [[bool(e["success"]) for e in episodes(folder / name)] for name in ("one", "two")]
    found = paired_difference(won[1], won[0])
    row = page.data["tables"][0]["rows"][0]
    assert row["quantity"] == "Success, %"
    assert (row["first"], row["second"]) == (100 * np.mean(won[0]), 100 * np.mean(won[1]))
    assert (row["difference"], row["low"], row["high"]) == pytest.approx(
        (100 * found.difference, 100 * found.low, 100 * found.high)
    )
    assert row["difference"] < 0
    assert f"edge did its job in {sum(won[0])} and cloud did its job in {sum(won[1])}" in page.data["headline"]


def test_other_differences_are_paired_and_have_intervals(page: Page, folder: Path) -> None:
    rows = {row["quantity"]: row for row in page.data["tables"][0]["rows"]}
    held = rows["Held for want of an answer, s"]
    assert (held["first"], held["second"]) == pytest.approx((0.0, 0.3))
    fallbacks = rows["Fallbacks"]
    counts = [e["fallbacks"] for e in episodes(folder / "two")]
    assert fallbacks["second"] == pytest.approx(np.mean(np.array(counts, float)))
    assert fallbacks["low"] <= fallbacks["difference"] <= fallbacks["high"]
    assert all(row["pairs"] == EPISODES for row in rows.values())


def test_the_script_has_every_picture_of_both(page: Page, folder: Path) -> None:
    for key, name in (("first", "one"), ("second", "two")):
        episode = page.data[key]["timeline"]["episode"]
        files = sorted(
            (folder / name / "figures" / "frames").glob(f"e{episode}_t*.png"), key=lambda p: int(p.stem.split("_t")[1])
        )
        frames = page.data["playback"]["sides"][key]["frames"]
        assert [frame["t_s"] for frame in frames] == [int(path.stem.split("_t")[1]) / 1e3 for path in files]
        assert [base64.b64decode(frame["src"].partition(",")[2]) for frame in frames] == [p.read_bytes() for p in files]


def test_both_draw_the_same_joints(page: Page) -> None:
    names = [[curve["joint"] for curve in page.data[key]["joints"]] for key in ("first", "second")]
    assert names[0] == names[1]
    assert len(names[0]) == 3


def test_an_episode_can_be_asked_for(folder: Path, tmp_path: Path) -> None:
    page = Page(write_pair(folder / "one", folder / "two", tmp_path, episode=3))
    assert page.data["first"]["timeline"]["episode"] == 3
    with pytest.raises(RecordError, match="there are 0 to 7"):
        write_pair(folder / "one", folder / "two", tmp_path, episode=8)


def test_drawn_again_it_is_the_same_to_the_byte(folder: Path) -> None:
    before = (folder / "out" / "report.html").read_bytes()
    write_pair(folder / "one", folder / "two", folder / "out")
    assert (folder / "out" / "report.html").read_bytes() == before


def test_runs_of_other_worlds_cannot_be_compared(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.report.synthetic_run.episode_seed", lambda seed, i: 10_000 + i)
    write_run(tmp_path / "other", episodes=2, speed=8.0)
    with pytest.raises(RecordError, match="shares no episode"):
        write_pair(folder / "one", tmp_path / "other")
