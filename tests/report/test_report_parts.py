"""What pages are built from: the worst episode, outages, windows, what was asked, cost in words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.report.synthetic_run import write_run
from vla_sim.report.asked import asked_of
from vla_sim.report.distributions import distributions
from vla_sim.report.figures import timeline_windows
from vla_sim.report.parts import success_of
from vla_sim.report.text import dollars, seconds, significant
from vla_sim.report.tiles import degradation_in_words, run_tiles
from vla_sim.report.timeline import Stretch, Timeline, build_timeline, thumbnails, worst_episode
from vla_sim.telemetry.store import load_run


def episodes(*rows: tuple[bool, int, float]) -> pd.DataFrame:
    """`rows`: success, starved ticks, seconds."""
    return pd.DataFrame(
        [{"episode": i, "success": s, "starved_ticks": n, "sim_s": t} for i, (s, n, t) in enumerate(rows)]
    )


@pytest.mark.parametrize(
    ("rows", "worst", "why"),
    [
        (((True, 90, 9.0), (False, 1, 2.0)), 1, "the one that failed"),
        (((False, 3, 9.0), (False, 8, 2.0)), 1, "one of 2 that failed and the longest without anything to act on"),
        (((True, 3, 9.0), (True, 8, 2.0)), 1, "the longest without anything to act on"),
        (((True, 0, 3.0), (True, 0, 5.0), (True, 0, 5.0)), 1, "the slowest"),
        (((False, 4, 3.0), (False, 4, 5.0)), 1, "one of 2 that failed and the slowest"),
        (((True, 0, 3.0),), 0, "the only one"),
    ],
)
def test_the_worst_episode(rows: tuple[tuple[bool, int, float], ...], worst: int, why: str) -> None:
    assert worst_episode(episodes(*rows)) == (worst, why)


def test_of_no_episodes_none_is_the_worst() -> None:
    assert worst_episode(episodes((True, 0, 1.0)).iloc[:0]) is None


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.integers(1, 4)), min_size=1, max_size=8))
def test_nothing_is_worse_than_the_worst(rows: list[tuple[bool, int, int]]) -> None:
    found = worst_episode(episodes(*((s, n, float(t)) for s, n, t in rows)))
    assert found is not None
    success, starved, took = rows[found[0]]
    assert success <= min(s for s, _, _ in rows)
    assert all(starved >= n for s, n, _ in rows if s == success)
    assert all(took >= t for s, n, t in rows if (s, n) == (success, starved))


def timeline(end_s: float, first_s: float | None, starved: tuple[Stretch, ...] = ()) -> Timeline:
    return Timeline(0, "", end_s, first_s, (), (), starved, (), (), (), ())


def test_an_episode_is_enlarged_where_it_hides_something() -> None:
    assert list(timeline_windows(timeline(10.0, None))) == ["timeline"]
    assert list(timeline_windows(timeline(10.0, 9.0))) == ["timeline"]
    held = (Stretch("starved", 0.0, 1.0), Stretch("starved", 5.0, 6.5))
    windows = timeline_windows(timeline(60.0, 1.0, held))
    assert list(windows) == ["start", "moment", "timeline"]
    assert (windows["moment"].start_s, windows["moment"].end_s) == (4.0, 7.5)
    assert (windows["timeline"].start_s, windows["timeline"].end_s) == (0.0, 60.0)


def test_pictures_are_found_by_episode_in_time_order(tmp_path: Path) -> None:
    frames = tmp_path / "figures" / "frames"
    frames.mkdir(parents=True)
    for name in ("e1_t900.jpg", "e1_t10000.png", "e11_t5.png", "e1_tx.png", "e1_t7.txt"):
        (frames / name).touch()
    assert [(image.t_s, Path(image.path).name) for image in thumbnails(tmp_path, 1)] == [
        (0.9, "e1_t900.jpg"),
        (10.0, "e1_t10000.png"),
    ]


def test_one_lost_request_is_no_outage(tmp_path: Path) -> None:
    run = load_run(write_run(tmp_path / "run", episodes=1, crash=False))
    found = build_timeline(run, 0)
    assert found is not None
    assert sum(bar.status == "lost" for bar in found.bars) == 1
    assert found.outages == ()
    assert build_timeline(run, 5) is None


def test_an_outage_goes_on_while_a_site_is_not_even_asked(tmp_path: Path) -> None:
    run = load_run(write_run(tmp_path / "run", episodes=1, crash=False, outage_s=(2.0, 4.0)))
    lost = (run.spans["status"] == "lost") & (run.spans["t_start_s"] > 2.5)
    late = (run.spans["site"] == "cloud") & (run.spans["t_start_s"] >= 4.0)
    later = run.spans[~lost & ~late]  # only two were lost; then the robot answered at once, and the cloud never again
    found = build_timeline(replace(run, spans=later), 0)
    assert found is not None
    (outage,) = found.outages
    assert outage.start_s == pytest.approx(2.0)
    assert outage.end_s == pytest.approx(float(later.loc[later["attempt"] == 1, "t_end_s"].max()))


def test_a_run_all_in_one_place_says_so(tmp_path: Path) -> None:
    run = load_run(write_run(tmp_path / "run", episodes=1, deploy="robot", speed=8.0, delay_ms=80.0))
    spans = run.spans[run.spans["site"] == "robot"]
    asked = asked_of(replace(run, spans=spans))
    assert asked.deployment.startswith("Everything on the robot (")
    assert asked.deployment.endswith("answers held back to 80 ms after their image.")


def test_histograms_count_every_sample_once(tmp_path: Path) -> None:
    run = load_run(write_run(tmp_path / "run", episodes=2, speed=4.0))
    found = {each.name: each for each in distributions(run)}
    assert set(found) == {"reaction", "execution"}  # the period never varies in virtual time
    assert found["execution"].samples == len(run.ticks) == sum(found["execution"].counts)
    took_ms = (run.ticks["control_s"] + run.ticks["safety_s"]).to_numpy(float) * 1e3
    assert found["execution"].p95 == pytest.approx(float(pd.Series(took_ms).quantile(0.95)))


def test_metrics_without_newer_blocks_still_make_tiles(tmp_path: Path) -> None:
    run = load_run(write_run(tmp_path / "run", episodes=1, speed=8.0))
    old = {key: value for key, value in run.metrics.items() if key not in ("cost", "energy", "fallback")}
    tiles = run_tiles(old, success_of(run), len(run.ticks))
    assert [tile.label for tile in tiles][-1] == "Falls"
    assert degradation_in_words(old) == ""
    unpriced = run_tiles(run.metrics, success_of(run), len(run.ticks))
    assert any(tile.note == "no price is known for this deployment" for tile in unpriced)


def test_what_went_wrong_is_told_in_words() -> None:
    fallback = {
        "requests": 3,
        "by_stage": {"perception": 3, "grasp": 0},
        "simplified": 2,
        "hold_s": 1.25,
        "safe_stops": 1,
    }
    assert degradation_in_words({"fallback": fallback}) == (
        "3 requests were answered by another attempt than the first (perception 3); 2 answered in a simplified mode; "
        "the robot held still for want of an answer for 1.25 s; it stopped for good in 1 episode."
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (1234.5, "1,234"),
        (150.4, "150"),
        (1.5, "1.5"),
        (0.0107, "0.0107"),
        (-2.345, "\u22122.35"),
        (None, "–"),
    ],
)
def test_three_digits(value: float | None, text: str) -> None:
    assert significant(value) == text


def test_money_and_time() -> None:
    assert [dollars(value) for value in (3.2, 0.0107, 0.0, None)] == ["$3.20", "$0.0107", "$0", "–"]
    assert [seconds(value) for value in (0.45, 1.19, 12.0, None)] == ["450 ms", "1.19 s", "12 s", "–"]
