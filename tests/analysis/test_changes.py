"""Verdicts, and proposals that really are enough."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.analysis.scenarios import RADIO, constant, device, scenario
from vla_sim.analysis.changes import Change, Trials, changes
from vla_sim.analysis.scenario import Scenario
from vla_sim.analysis.verdicts import TOTAL, evaluate
from vla_sim.harness.budgets import Budget

STEADY = replace(RADIO, jitter_ms=0.0)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorter trials than a person would want, for steady deployments that need no more."""
    monkeypatch.setattr("vla_sim.analysis.changes.TRIAL_S", 15.0)


def proposed(what: Scenario, others: dict[str, dict[str, Scenario]] | None = None) -> dict[str, Change]:
    """By their words."""
    given = others or {}
    found = changes(evaluate(what, 60.0), lambda group: given.get(group, {}), Trials())
    return {" ".join(f"{key}={value}" for key, value in change.words): change for change in found}


def large_images(up_mbps: float = 8.0) -> Scenario:
    """Images of about 70 kB over a slow uplink: 70 ms at 8 Mbit/s for each, with a limit of 130 ms."""
    budget = Budget(perception_ms=100.0, total_ms=2000.0)
    slow = replace(STEADY, up_mbps=up_mbps)
    return scenario(slow, images=(480, 360), budget=budget, stages=("perception",))


def test_a_deployment_within_its_budget_needs_nothing() -> None:
    found = evaluate(scenario(STEADY), 60.0)
    assert found.failing == []
    assert changes(found, lambda _: {}, Trials()) == []
    assert all(verdict.state == "met" for verdict in found.verdicts.values())


@pytest.mark.parametrize(
    ("ms", "state"), [(250.0, "met"), (290.0, "cannot be met")],
)  # fmt: skip
def test_the_floor_decides_what_can_be_met(ms: float, state: str) -> None:
    """Sensor 15 ms and one image every two seconds: no queue."""
    what = scenario(at="robot", robot=device("robot", 1.0, perception=constant(ms)), rate_hz=1.0)
    assert evaluate(what, 30.0).verdicts["perception"].state == state


def test_queues_make_a_limit_missed_that_the_floor_would_meet() -> None:
    what = scenario(at="robot", robot=device("robot", 1.0, perception=constant(200.0)))
    verdict = evaluate(what, 60.0).verdicts["perception"]
    assert verdict.floor.p50_ms == pytest.approx(215.0)
    assert verdict.state == "missed"
    assert "stack.agent.max_in_flight=1" in proposed(what)


def test_the_total_is_its_stages_and_the_wait_for_a_tick() -> None:
    what = scenario(at="robot", robot=device("robot", 10.0), rate_hz=1.0)
    total = evaluate(what).verdicts[TOTAL]
    # intent, planning, perception and its sensor, safety, control, half a tick
    assert total.floor.p50_ms == pytest.approx(10 + 10 + 25 + 10 + 10 + 5, abs=0.1)
    assert total.floor.p95_ms == pytest.approx(total.floor.p50_ms + 4.5, abs=0.1)
    assert total.expected is not None
    assert total.expected.p50_ms == pytest.approx(total.floor.p50_ms, abs=2.0)  # an image meets the plan


def test_the_proposed_uplink_is_enough_and_a_slower_one_is_not() -> None:
    what = large_images()
    (change,) = (change for words, change in proposed(what).items() if words.startswith("network.up_mbps"))
    rate = float(change.words[0][1])
    assert rate > 8.0
    assert evaluate(what.with_network(replace(STEADY, up_mbps=rate)), 30.0).verdicts["perception"].met
    assert not evaluate(what.with_network(replace(STEADY, up_mbps=0.9 * rate)), 30.0).verdicts["perception"].met


def test_images_are_made_no_smaller_than_is_needed() -> None:
    what = large_images()
    found = [words for words in proposed(what) if words.startswith("cameras.streams.detection.width")]
    assert len(found) == 1
    assert "env.resolutions.head=[" in found[0]
    width = int(found[0].partition("=")[2].split()[0])
    assert 0 < width < 480
    assert any(words.startswith("deploy.jpeg_quality") for words in proposed(what))


def test_a_stage_may_move_to_where_it_is_in_time() -> None:
    assert "deploy.placement.stages.perception=robot" in proposed(large_images(1.0))


def test_nothing_that_makes_another_stage_fail_is_proposed() -> None:
    """Perception would be in time on the robot, but a grasp would wait for it there."""
    budget = Budget(perception_ms=140.0, grasp_ms=40.0)
    robot = device("robot", 1.0, perception=constant(115.0))
    what = scenario(replace(STEADY, rtt_ms=160.0), robot=robot, at="cloud", budget=budget, rate_hz=5.0)
    what = what.with_stage_on("grasp", "robot")
    assert evaluate(what, 60.0).failing == ["perception"]
    assert evaluate(what.with_stage_on("perception", "robot"), 60.0).failing == ["grasp"]
    assert "deploy.placement.stages.perception=robot" not in proposed(what)


def test_what_a_person_waits_for_goes_first() -> None:
    robot = device("robot", 1.0, perception=constant(90.0))
    what = scenario(at="robot", robot=robot, budget=Budget(grasp_ms=90.0))
    assert "grasp" in evaluate(what, 60.0).failing
    words = "deploy.placement.urgency.intent=urgent deploy.placement.urgency.planning=urgent"
    assert any(found.startswith(words) for found in proposed(what))


def test_other_networks_and_devices_are_tried() -> None:
    what = large_images()
    fast, slow = what.with_network(replace(STEADY, up_mbps=500.0)), what.with_network(replace(STEADY, up_mbps=8.1))
    thor, big = (
        replace(what, deployment=replace(what.deployment, devices={
            **{name: replace(one, hardware="h100") for name, one in what.deployment.devices.items()},
            "robot": device("robot", 5.0, hardware),
        })).with_stage_on("perception", "robot")
        for hardware in ("thor", "h100")
    )  # fmt: skip
    others = {
        "network": {"network=fast": fast, "network=slow": slow},
        "device": {"device@devices.robot=thor": thor, "device@devices.robot=h100": big},
    }
    found = proposed(what, others)
    assert "network=fast" in found
    assert "network=slow" not in found
    assert "device@devices.robot=thor" in found
    assert "device@devices.robot=h100" not in found  # no robot carries it


def test_those_that_leave_nothing_over_budget_come_first() -> None:
    robot = device("robot", 1.0, perception=constant(200.0))
    found = [change.then.failing for change in proposed(scenario(at="robot", robot=robot)).values()]
    assert found == sorted(found, key=len)
    assert found[0] == []
