"""Metrics of records small enough to work out by hand."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_sim import configuration as conf
from vla_sim.harness.budgets import Budget
from vla_sim.harness.gates import flatten, known_keys
from vla_sim.harness.loop import longest_run
from vla_sim.harness.metrics import compute_metrics, metrics_template
from vla_sim.telemetry.recorder import EpisodeRow, Recorder, SpanRow

JOINTS = ("elbow",)
WON = EpisodeRow(0, 5, "lift", True, "lifted", "", 4.0, 0.5, 1.5, 1, 0, 0, 400, 10, 1, 0, 0, 2, 1, False, False, 0)
LOST = WON._replace(episode=1, success=False, reason="robot_fell", sim_s=6.0, ttfa_s=2.5, fell=True)
CRASHED = WON._replace(episode=2, success=False, reason="error", error="ValueError: no", sim_s=0.0, ttfa_s=None)


def span(request: int, start_s: float, took_s: float, **changes: Any) -> SpanRow:
    base = SpanRow(0, request, "perception", "cloud", "ok", start_s, start_s + took_s, 0.05, 0.0, took_s - 0.06, 0.01,
                   1_000_000, 1000)  # fmt: skip
    return base._replace(**changes)


def metrics(recorder: Recorder, **options: Any) -> dict[str, Any]:
    frames = {name: table.to_pandas() for name, table in recorder.tables().items()}
    found = compute_metrics(**frames, budget=Budget(), upper_joints=JOINTS, control_rate_hz=100.0, **options)
    json.dumps(found, allow_nan=False)  # strict JSON in every case
    return found


def recorder_with(*rows: EpisodeRow) -> Recorder:
    recorder = Recorder(JOINTS, ())
    for row in rows:
        recorder.episode(row)
    return recorder


def drive(recorder: Recorder, commanded: Any, episode: int = 0, **columns: Any) -> None:
    """Ticks of 10 ms; a column is a value for each tick, `t_s` shifts it."""
    for k, angle in enumerate(commanded):
        own = {name: values[k] for name, values in columns.items()}
        t_s, phase = own.pop("t_s", 0.01 * k), own.pop("phase", "lift")
        recorder.tick(episode, k, t_s, phase, [angle], [angle], [], **own)


def test_success_counts_crashes_as_failures() -> None:
    found = metrics(recorder_with(WON, LOST, CRASHED), reference_success=1.0)
    assert found["success_rate"] == pytest.approx(1 / 3)
    assert found["success_anytime95"][0] < found["success_ci95"][0]  # it holds at any time, so it says less
    assert found["episodes"] == 3
    assert found["errors"] == 1
    assert found["rt_degradation"] == pytest.approx(2 / 3)
    assert found["reasons"] == {"error": 1, "lifted": 1, "robot_fell": 1}
    assert found["falls"] == 1
    assert found["safety"] == {"interventions": 6, "violations": 3}
    assert found["sim_s"] == 10.0
    assert found["wall_s"] == 1.5
    assert found["ttfa_ms"] == pytest.approx(
        {"p50": 2000.0, "p95": 2450.0, "max": 2500.0, "mean": 2000.0, "min": 1500.0, "std": 500 * math.sqrt(2)}
    )
    assert found["budget"]["total"] == {"limit_ms": 2000.0, "met_ratio": pytest.approx(1 / 3)}


def test_nothing_recorded_is_null_not_nan() -> None:
    found = metrics(Recorder(JOINTS, ()))
    assert found["success_rate"] is None
    assert found["success_ci95"] == found["success_anytime95"] == [0.0, 1.0]
    assert found["rt_degradation"] is None
    assert found["latency_ms"] == {}
    assert found["ttfa_ms"]["p50"] is None
    assert found["network"]["up_mbps"] is None
    assert found["control"]["rate_hz"] is None
    assert found["motion"]["jerk"] is None


def test_latency_its_parts_and_the_budget() -> None:
    recorder = recorder_with(WON)
    for i, (took_s, status) in enumerate([(0.1, "ok"), (0.2, "ok"), (0.4, "late"), (1.0, "lost")]):
        recorder.span(span(i, float(i), took_s, status=status))
    found = metrics(recorder)
    latency = found["latency_ms"]["perception"]
    assert latency["p50"] == pytest.approx(200)
    assert latency["max"] == pytest.approx(400)
    assert latency["parts"] == pytest.approx({"uplink": 50, "queue": 0, "compute": 700 / 3 - 60, "downlink": 10})
    assert found["budget"]["perception"] == {"limit_ms": 300.0, "met_ratio": 0.5}  # of four asked, two in time
    assert found["budget"]["voice"] == {"limit_ms": 300.0, "met_ratio": None}
    assert found["queue"]["skipped_actions"] == 1
    assert found["network"] == pytest.approx({"up_mbps": 8.0, "down_mbps": 0.008})


def test_reaction_waits_for_the_next_tick() -> None:
    recorder = recorder_with(WON)
    drive(recorder, np.zeros(50))
    recorder.span(span(1, 0.1, 0.123))  # answered at 0.223, used at 0.23
    recorder.span(span(2, 0.2, 0.1))  # answered at 0.30 exactly, used then
    recorder.span(span(3, 0.45, 0.2))  # answered after the last tick
    recorder.span(span(4, 0.0, 0.1, episode=1))  # its episode has no ticks
    assert metrics(recorder)["reaction_ms"] == pytest.approx({"p50": 115.0, "p95": 128.5, "p99": 129.7, "max": 130.0})


def test_a_punctual_loop_has_no_error_and_no_misses() -> None:
    recorder = recorder_with(WON)
    for episode in range(2):
        drive(recorder, np.zeros(30), episode, control_s=[0.002] * 30, safety_s=[0.001] * 30)
    control = metrics(recorder)["control"]
    assert control["rate_hz"] == pytest.approx(100.0)
    assert control["period_error_us"]["max"] == 0.0
    assert control["lateness_us"]["max"] == 0.0
    assert control["execution_us"]["p50"] == pytest.approx(3000, rel=1e-6)
    assert control["deadline_miss_ratio"] == 0.0
    assert control["longest_miss_run"] == 0


def test_late_and_slow_ticks_are_misses_and_runs_end_with_the_episode() -> None:
    recorder = recorder_with(WON)
    slow = [0.001] * 6 + [0.011] * 2
    late = [0.01 * k + (0.0095 if k == 3 else 0.0) for k in range(8)]
    drive(recorder, np.zeros(8), 0, control_s=slow, t_s=late)
    drive(recorder, np.zeros(8), 1, control_s=slow[::-1])
    control = metrics(recorder)["control"]
    assert control["deadline_miss_ratio"] == pytest.approx(5 / 16)
    assert control["longest_miss_run"] == 2
    assert control["lateness_us"]["max"] == pytest.approx(9500)
    assert control["period_error_us"]["max"] == pytest.approx(9500)


def test_jerk_of_a_cubic_is_its_third_derivative() -> None:
    recorder = recorder_with(WON)
    t_s = np.arange(100) * 0.01
    drive(recorder, 5 * t_s**3, 0)
    drive(recorder, 5 * t_s**3 + 2, 1)  # the step between episodes is not motion
    assert metrics(recorder)["motion"]["jerk"] == pytest.approx(30.0, rel=0.02)


def test_a_seam_jump_is_a_departure_from_constant_velocity_where_an_answer_takes_over() -> None:
    recorder = recorder_with(WON)
    line = 0.01 * np.arange(40)
    line[20:] += 0.3  # at the seam
    line[30:] += 0.9  # not at a seam
    drive(recorder, line, phase=["approach"] * 20 + ["descend"] * 20)
    assert metrics(recorder)["motion"]["seam_jump_rad_p99"] == pytest.approx(0.3, abs=1e-5)


def test_a_newer_detection_is_a_seam() -> None:
    recorder = recorder_with(WON)
    line = np.where(np.arange(40) >= 25, 0.2, 0.0)
    drive(recorder, line, detection_age_s=[0.01 * (k % 25) for k in range(40)])
    assert metrics(recorder)["motion"]["seam_jump_rad_p99"] == pytest.approx(0.2, abs=1e-5)


def test_starved_and_stale_ticks() -> None:
    recorder = recorder_with(WON)
    starved = [True] * 3 + [False] * 4 + [True] * 3
    drive(recorder, np.zeros(10), starved=starved, stale=[False] * 8 + [True] * 2)
    drive(recorder, np.zeros(10), 1, starved=starved)  # starved as it begins: not one run with the end of the other
    assert metrics(recorder)["queue"] == pytest.approx(
        {
            "starved_ticks": 12,
            "starved_ratio": 0.6,
            "longest_starved_s": 0.03,
            "effective_rate_hz": 40.0,
            "stale_action_ratio": 0.1,
            "skipped_actions": 0,
        }
    )


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 2)), max_size=60))
def test_the_longest_run_is_found_as_by_counting(rows: list[tuple[bool, int]]) -> None:
    rows.sort(key=lambda row: row[1])
    longest = run = 0
    for i, (flag, group) in enumerate(rows):
        goes_on = i > 0 and rows[i - 1] == (True, group)
        run = (run + 1 if goes_on else 1) if flag else 0
        longest = max(longest, run)
    flags, groups = np.array([f for f, _ in rows], bool), np.array([g for _, g in rows], int)
    assert longest_run(flags, groups) == longest


def test_a_tick_is_on_time_within_a_tenth_of_its_period() -> None:
    recorder = recorder_with(WON)
    late_s = {3: 0.001, 5: 0.0011, 7: 0.004}
    drive(recorder, np.zeros(10), t_s=[0.01 * k + late_s.get(k, 0.0) for k in range(10)])
    control = metrics(recorder)["control"]
    assert control["on_time_ratio"] == pytest.approx(0.8)
    assert control["period_violations"] == 4  # into and out of ticks 5 and 7; exactly a tenth is none
    assert control["period_violation_ratio"] == pytest.approx(4 / 9)
    assert control["deadline_miss_ratio"] == 0.0


def test_control_and_safety_are_measured_in_the_ticks() -> None:
    recorder = recorder_with(WON)
    drive(recorder, np.zeros(10), control_s=[0.002] * 9 + [0.2], safety_s=[0.001] * 10)
    found = metrics(recorder)
    assert found["latency_ms"]["control"]["max"] == pytest.approx(200, rel=1e-6)
    assert found["budget"]["control"]["met_ratio"] == 0.9
    assert found["budget"]["safety"]["met_ratio"] == 1.0


def test_a_refused_command_is_not_held_against_the_budget() -> None:
    found = metrics(recorder_with(WON, WON._replace(episode=1, refused=True, ttfa_s=None)))
    assert found["budget"]["total"]["met_ratio"] == 1.0


def test_of_several_attempts_the_answered_one_counts_from_the_request_on() -> None:
    recorder = recorder_with(WON._replace(fallbacks=2, hold_s=0.75, safe_stops=1, degraded_s=2.5), LOST)
    recorder.span(span(1, 0.0, 0.9, status="superseded"))  # the cloud, too late
    recorder.span(span(1, 0.0, 0.2, site="robot", attempt=1, mode="simplified"))
    recorder.span(span(2, 1.0, 1.5, status="lost"))
    recorder.span(span(2, 1.0, 0.4, site="robot", attempt=1))
    recorder.span(span(3, 2.0, 0.1, mode="cached"))
    recorder.span(span(4, 3.0, 0.1, status="rejected"))
    recorder.span(span(4, 3.0, 1.0, status="lost", attempt=1))  # nobody answered
    recorder.span(span(4, 3.0, 0.1, episode=1, stage="planning"))  # the same number in another episode
    recorder.span(span(5, 3.2, 0.1, episode=1, stage="planning", status="failed"))
    found = metrics(recorder)
    assert found["latency_ms"]["perception"]["max"] == pytest.approx(400)
    assert found["latency_ms"]["perception"]["mean"] == pytest.approx(700 / 3)
    assert found["budget"]["perception"]["met_ratio"] == pytest.approx(2 / 4)  # 200 and 100 of four asked
    assert found["budget"]["planning"]["met_ratio"] == pytest.approx(1 / 2)  # what failed is of no use
    assert found["fallback"] == {
        "requests": 2,
        "share": pytest.approx(2 / 6),
        "by_stage": {"perception": 2, "planning": 0},
        "unanswered": 1,
        "cached": 1,
        "simplified": 1,
        "superseded": 1,
        "lost": 2,
        "rejected": 1,
        "hold_s": 0.75,
        "safe_stops": 1,
        "degraded_s": 2.5,
    }


def test_rare_quantiles_need_a_thousand_answers() -> None:
    for count, there in ((999, False), (1000, True)):
        recorder = recorder_with(WON)
        for i in range(count):
            recorder.span(span(i, 0.001 * i, 0.2 if i == 7 else 0.1))
        latency = metrics(recorder)["latency_ms"]["perception"]
        assert (latency["p999"] is not None) is there
        assert latency["answers_per_s"] == pytest.approx(count / 4.0)
        assert latency["min"] == pytest.approx(100.0)
        assert latency["std"] == pytest.approx(100 / math.sqrt(count))  # one of n is 100 ms off


def test_without_a_configuration_nothing_has_a_price_and_with_one_it_has_the_same_keys() -> None:
    recorder = recorder_with(WON)
    recorder.span(span(1, 0.0, 0.2))
    without, words = metrics(recorder), ["deploy=cloud"]
    priced = metrics(recorder, config=conf.settings_of(conf.compose(words), words).config)
    for block in ("cost", "energy"):
        assert set(without[block].values()) == {None}
        assert [*priced[block]] == [*without[block]]
    assert without["sources"] == []
    assert priced["cost"]["usd_per_hour"] > 0
    assert priced["sources"]


def test_every_key_of_a_run_is_in_the_template() -> None:
    recorder = recorder_with(WON)
    recorder.span(span(1, 0.0, 0.2))
    drive(recorder, np.zeros(20))
    in_run = {key for key, _ in flatten(metrics(recorder)) if not key.startswith("reasons.")}
    assert in_run <= known_keys()
    template = {key for key, _ in flatten(metrics_template(("perception", "control", "safety")))}
    # What runs in ticks is not asked for, and only sites that served are in a run.
    absent = {key for key in template if key.endswith((".by_stage.control", ".by_stage.safety"))}
    absent |= {key for key in template if key.startswith("resources.")} - in_run
    assert template - absent == in_run
