"""Costs of small runs that can be worked out by hand."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_sim.harness.cost import BATTERIES, IDLE_SHARE, cost_metrics
from vla_sim.profiles.library import hardware
from vla_sim.telemetry.recorder import EpisodeRow, Recorder, SpanRow

LINK = {
    "name": "wire", "up_mbps": None, "down_mbps": None, "rtt_ms": 10, "jitter_ms": 0, "loss": 0, "burst_length": 1,
    "source": "given",
}  # fmt: skip
PROFILE = {"p50_ms": 10, "p95_ms": 10, "p99_ms": 10, "provenance": "given", "source": "given"}
WON = EpisodeRow(0, 5, "lift", True, "lifted", "", 36.0, 0.5, 1.5, 1, 0, 0, 400, 10, 1, 0, 0, 2, 1, False, False, 0)
LOST = WON._replace(episode=1, success=False)
WORK = SpanRow(0, 0, "perception", "cloud", "ok", 0.0, 0.1, 0.0, 0.0, 0.1, 0.0, 0, 0)


def config(**changes: Any) -> dict[str, Any]:
    """A robot with an Orin, and one H100 in the cloud."""
    sites: dict[str, Any] = {"robot": {"device": "robot"}, "cloud": {"device": "cloud", "over_network": True}}
    sites["cloud"].update(changes.pop("cloud", {}))
    if changes.pop("edge", False):
        del sites["cloud"]
    return {
        "deploy": {"sites": sites, "placement": {"default": "robot"}},
        "network": LINK,
        "devices": {
            "robot": {"name": "orin", "default": PROFILE, "hardware": "orin_50w"},
            "cloud": {"name": "h100", "default": PROFILE, "hardware": "h100"},
        },
        "body": {"_target_": "robots.g1.G1"},
        **changes,
    }


def measure(conf: dict[str, Any], spans: list[SpanRow], *rows: EpisodeRow) -> dict[str, Any]:
    recorder = Recorder(("elbow",), ())
    for row in rows or (WON, LOST):
        recorder.episode(row)
    for span in spans:
        recorder.span(span)
    tables = {name: table.to_pandas() for name, table in recorder.tables().items()}
    found = cost_metrics(conf, tables["spans"], tables["episodes"])
    json.dumps(found, allow_nan=False)
    return found


def spent(site: str, seconds: float, **changes: Any) -> SpanRow:
    return WORK._replace(site=site, compute_s=seconds, t_end_s=seconds, **changes)


def test_rent_by_the_hour_and_by_the_success() -> None:
    """Two episodes of 36 s, one success: a fiftieth of an hour for it."""
    found = measure(config(), [])["cost"]
    price = hardware("h100").usd_per_hour
    assert price is not None
    assert found["usd_per_hour"] == price
    assert found["usd_per_success"] == pytest.approx(price * 72 / 3600)
    assert found["robot_compute_usd_per_hour"] is None
    assert found["network_usd_per_hour"] is None


@given(replicas=st.integers(1, 8), robots=st.integers(1, 20))
def test_robots_share_the_rent_of_all_replicas(replicas: int, robots: int) -> None:
    found = measure(config(cloud={"replicas": replicas, "shared_by": robots}), [])
    assert found["cost"]["usd_per_hour"] == pytest.approx(replicas * 4.76 / robots)
    assert (f"shared by {robots} robots" in "\n".join(found["sources"])) == (robots > 1)


def test_everything_on_the_robot_is_rent_free_and_says_so() -> None:
    found = measure(config(edge=True), [])
    assert found["cost"]["usd_per_hour"] == found["cost"]["usd_per_success"] == 0.0
    assert any("nothing is rented" in line for line in found["sources"])
    assert found["energy"]["offboard_w"] == 0.0


def test_without_a_success_there_is_no_price_of_one() -> None:
    found = measure(config(), [], LOST)
    assert found["cost"]["usd_per_success"] is None
    assert found["energy"]["wh_per_success"] is None
    assert found["cost"]["usd_per_hour"] == 4.76


def test_power_is_full_while_it_computes_and_a_share_of_it_else() -> None:
    """18 of 72 s: a quarter of the time busy."""
    found = measure(config(), [spent("robot", 10.0), spent("robot", 8.0)])["energy"]
    orin, body = hardware("orin_50w").watts, BATTERIES["g1"].watts
    assert body == 210.5
    expected = orin * (0.25 + 0.75 * IDLE_SHARE)
    assert found["compute_w"] == pytest.approx(expected)
    assert found["robot_w"] == body
    assert found["wh_per_success"] == pytest.approx((body + expected) * 72 / 3600)
    assert found["battery_h"] == pytest.approx(421 / (body + expected))
    assert found["offboard_w"] == pytest.approx(hardware("h100").watts * IDLE_SHARE)


def test_requests_served_together_share_the_time_and_a_cache_takes_none() -> None:
    rows = [spent("cloud", 8.0, batch=2), spent("cloud", 8.0, batch=2), spent("cloud", 9.0, mode="cached")]
    found = measure(config(), rows)["energy"]
    share = 8.0 / 72
    assert found["offboard_w"] == pytest.approx(700 * (share + IDLE_SHARE * (1 - share)))


def test_robots_that_share_a_computer_share_its_idling() -> None:
    found = measure(config(cloud={"shared_by": 4}), [spent("cloud", 9.0)])["energy"]
    assert found["offboard_w"] == pytest.approx(700 * (0.125 + IDLE_SHARE * (0.25 - 0.125)))


def test_an_imposed_delay_is_no_computing() -> None:
    rows = [spent("robot", 30.0), spent("robot", 18.0, stage="planning")]
    found = measure(config(delay_ms=500), rows)["energy"]
    assert found["compute_w"] == pytest.approx(50 * (0.25 + 0.75 * IDLE_SHARE))


def test_more_work_than_time_is_full_power() -> None:
    assert measure(config(), [spent("robot", 500.0)])["energy"]["compute_w"] == 50


@pytest.mark.parametrize("edge", [True, False])
def test_what_is_not_known_is_none_and_named(edge: bool) -> None:
    conf = config(edge=edge)
    for device in conf["devices"].values():
        device["hardware"] = ""
    found = measure(conf, [])
    assert found["energy"]["compute_w"] is None
    assert found["energy"]["wh_per_success"] is None
    assert found["energy"]["battery_h"] is None
    assert found["energy"]["robot_w"] == 210.5
    assert found["cost"]["usd_per_hour"] == (0.0 if edge else None)
    assert any("does not say what hardware" in line for line in found["sources"])


def test_hardware_that_nobody_rents_out_has_no_price() -> None:
    conf = config()
    conf["devices"]["cloud"]["hardware"] = "thor"
    found = measure(conf, [])
    assert found["cost"]["usd_per_hour"] is None
    assert any("no rent is known" in line for line in found["sources"])


def test_a_robot_whose_battery_nobody_knows() -> None:
    found = measure(config(body={"_target_": "robots.talos.Talos"}), [])
    assert found["energy"]["robot_w"] is None
    assert found["energy"]["battery_h"] is None
    assert found["energy"]["compute_w"] == pytest.approx(50 * IDLE_SHARE)


def test_every_known_figure_has_a_source_with_a_date() -> None:
    lines = measure(config(), [])["sources"]
    rent = next(line for line in lines if line.startswith("usd_per_hour, cloud"))
    assert "4.76 USD/h on demand, 2026-03" in rent
    for start in ("robot_compute_usd_per_hour", "network_usd_per_hour", "robot_w", "power of robot", "power of cloud"):
        assert any(line.startswith(start) for line in lines), start


def test_no_episode_at_all() -> None:
    recorder = Recorder(("elbow",), ())
    tables = {name: table.to_pandas() for name, table in recorder.tables().items()}
    found = cost_metrics(config(), pd.DataFrame(tables["spans"]), tables["episodes"])
    assert found["cost"]["usd_per_success"] is None
    assert found["energy"]["compute_w"] == pytest.approx(50 * IDLE_SHARE)
