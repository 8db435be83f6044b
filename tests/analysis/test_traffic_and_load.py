"""Sizes of messages, what links and computers are asked to do, and how reliable the links are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.analysis.scenarios import RADIO, SPREAD, device, scenario
from vla_sim.analysis.load import (
    lost_at_first,
    lost_for_good,
    mean_ms,
    recommended_connection,
    reliability,
    site_loads,
)
from vla_sim.analysis.traffic import link_loads, parcels
from vla_sim.deployment.background import BackgroundSpec
from vla_sim.deployment.batching import BatchSpec
from vla_sim.deployment.config import SiteConfig
from vla_sim.deployment.interruptions import InterruptionSpec, Window
from vla_sim.deployment.link import Link, LinkSpec
from vla_sim.deployment.sensing import Stream, frame_bytes
from vla_sim.deployment.wire import Wire
from vla_sim.types import Frame, Intrinsics, Utterance


def test_an_image_is_as_large_as_the_wire_makes_one() -> None:
    """What is added to the fitted size of the pictures is what the wire adds to the pictures themselves."""
    what = scenario(images=(320, 240))
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 256, (240, 320, 3), dtype=np.uint8)
    frame = Frame("head", 0.0, rgb, Intrinsics.from_fov(320, 240, 1.0), np.eye(4))
    message = Wire(90).encode(frame)
    around = message.n_bytes - len(message.body.jpeg)
    guessed = parcels(what)["perception"].up_bytes - frame_bytes(what.stream, 90)
    assert guessed == pytest.approx(around, abs=10)


def test_words_are_as_large_as_the_wire_makes_them() -> None:
    text = "take the blue ball"
    found = parcels(scenario(command=text))["intent"].up_bytes
    assert found == Wire().encode(Utterance(text)).n_bytes


def test_a_links_load_is_the_bytes_of_all_that_use_it() -> None:
    what = scenario(stages=("intent", "planning", "perception", "grasp", "navigation"))
    (load,) = link_loads(what)
    sent = parcels(what)
    assert load.up_mbps["vision"] == pytest.approx(8e-6 * 20 * sent["perception"].up_bytes)
    assert load.up_mbps["sensors"] == pytest.approx(8e-6 * 10 * sent["navigation"].up_bytes)
    assert load.up == pytest.approx(sum(load.up_mbps.values()))
    assert load.up_mbps["commands"] == pytest.approx(8e-6 * 0.25 * sum(sent[s].up_bytes for s in sent if s in (
        "intent", "planning", "grasp"
    )))  # fmt: skip
    assert load.overloaded() == []
    (tight,) = link_loads(what.with_network(replace(RADIO, up_mbps=0.9 * load.up)))
    assert tight.overloaded() == ["up"]


def test_images_for_a_person_who_watches_go_over_the_network_too() -> None:
    what = scenario()
    watched = replace(what.cameras, streams={**what.cameras.streams, "film": Stream("head", "inspection", 640, 480)})
    (before,), (after,) = link_loads(what), link_loads(replace(what, cameras=watched))
    assert after.up_mbps["vision"] > 2 * before.up_mbps["vision"]


def test_a_leg_carries_its_own_site_and_the_network_all_of_them() -> None:
    what = scenario(sites={"edge": SiteConfig("cloud", over_network=True, leg=replace(RADIO, name="leg"))})
    split = what.with_stage_on("grasp", "edge")
    access, leg = link_loads(split)
    assert (access.site, leg.site) == ("", "edge")
    assert leg.up == pytest.approx(8e-6 * 0.25 * parcels(what)["grasp"].up_bytes)
    assert access.up == pytest.approx(link_loads(what)[0].up)


def test_nothing_is_carried_when_all_is_on_the_robot() -> None:
    assert link_loads(scenario(at="robot"))[0].up == 0


# Computers


def test_offered_load_is_rate_times_service_over_replicas() -> None:
    what = scenario(cloud=device("cloud", 30.0), stages=("perception",))
    assert site_loads(what)["cloud"].offered == pytest.approx(20 * 0.030)
    assert site_loads(what)["robot"].offered == 0
    two = what.with_site("cloud", replace(what.sites["cloud"], replicas=2))
    assert site_loads(two)["cloud"].offered == pytest.approx(20 * 0.030 / 2)
    assert not site_loads(what)["cloud"].busy
    assert site_loads(scenario(cloud=device("cloud", 41.0), stages=("perception",)))["cloud"].busy


def test_batches_and_other_robots_count() -> None:
    batched = SiteConfig("cloud", over_network=True, batch={"perception": BatchSpec(4, 5.0, 0.2)})
    what = scenario(cloud=device("cloud", 30.0), stages=("perception",), sites={"cloud": batched})
    assert site_loads(what)["cloud"].offered == pytest.approx(20 * 0.030 * 1.6 / 4)
    others = SiteConfig("cloud", over_network=True, background=(BackgroundSpec("perception", 3, 10.0),))
    what = scenario(cloud=device("cloud", 30.0), stages=("perception",), sites={"cloud": others})
    assert site_loads(what)["cloud"].offered == pytest.approx((20 + 30) * 0.030)
    assert site_loads(what)["cloud"].by_stage == pytest.approx({"others": 0.9, "perception": 0.6})


def test_seeing_and_walking_do_not_add_up() -> None:
    what = scenario(cloud=device("cloud", 30.0), stages=("perception", "navigation"))
    assert site_loads(what)["cloud"].offered == pytest.approx(20 * 0.030)


def test_the_mean_is_that_of_many_draws() -> None:
    rng = np.random.default_rng(1)
    draws = [1e3 * SPREAD.sample_s(rng) for _ in range(20_000)]
    assert mean_ms(SPREAD) == pytest.approx(float(np.mean(draws)), rel=0.01)


# Links


@pytest.mark.parametrize(("loss", "burst", "again"), [(0.1, 3.0, 0), (0.125, 2.0, 1), (0.2, 5.0, 3)])
def test_losses_for_good_are_those_of_the_link_itself(loss: float, burst: float, again: int) -> None:
    spec = LinkSpec("l", None, None, 10.0, 0.0, loss, burst, "a test", again, 20.0)
    link = Link(spec, np.random.default_rng(5), np.random.default_rng(6))
    count = 20_000
    sent = [link.transfer(10.0 * i, 100, "up") for i in range(count)]
    lost = sum(transfer is None for transfer in sent) / count
    first = sum(transfer is None or transfer.sent > 1 for transfer in sent) / count
    assert lost == pytest.approx(lost_for_good(spec), rel=0.1)
    assert first == pytest.approx(lost_at_first(spec), rel=0.1)


def test_reliability_names_outages_and_handovers() -> None:
    breaks = InterruptionSpec((Window(5.0, 10.0),), 90.0, 10.0, 15.0, 80.0)
    found = reliability(scenario(replace(RADIO, interruptions=breaks)), "cloud")
    assert found.out.value == pytest.approx(10.0)
    assert "10 s at 5 s" in found.out.source
    assert found.handovers.value == pytest.approx(60 / 15.08)
    assert found.lost.value == found.again.value == 0


@pytest.mark.parametrize(
    ("mbps", "name"),
    [
        (0.0, "4G"), (10.0, "4G"), (10.1, "5G or Wi-Fi"), (100.0, "5G or Wi-Fi"),
        (100.1, "Gigabit Ethernet or Wi-Fi 6"), (1000.0, "Gigabit Ethernet or Wi-Fi 6"), (1000.1, "fibre"),
    ],
)  # fmt: skip
def test_the_rule_by_bandwidth(mbps: float, name: str) -> None:
    assert recommended_connection(mbps) == name
