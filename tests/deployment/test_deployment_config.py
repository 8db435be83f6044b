from __future__ import annotations

import copy
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from vla_sim.clock import VirtualClock
from vla_sim.deployment.config import DeployConfig, DeploymentConfig, build
from vla_sim.deployment.executor import VirtualExecutor
from vla_sim.deployment.link import LinkSpec
from vla_sim.deployment.profile import Device
from vla_sim.deployment.span import Span
from vla_sim.errors import ConfigError
from vla_sim.mapping import read

CONF = Path(__file__).resolve().parents[2] / "conf"
STAGES = ("intent", "planning", "perception", "grasp", "control", "safety")
DEPLOYS = ("edge", "cloud", "cloud_batched", "cloud_batched_cached", "cloud_cached", "hybrid")
NETWORKS = ("onboard", "ethernet_1g", "wifi6", "wifi7", "5g", "4g", "satellite")
DEVICES = ("a100", "h100", "l4", "native", "orin", "rtx4090", "thor")


def load(group: str, choice: str) -> Any:
    """A file of conf/ on what it builds on."""
    found: Any = yaml.safe_load((CONF / group / f"{choice}.yaml").read_text())
    base = next((name for name in found.pop("defaults", []) if name != "_self_"), None)
    return found if base is None else merged(load(group, base), found)


def merged(base: Any, change: Any) -> Any:
    if not (isinstance(base, dict) and isinstance(change, dict)):
        return change
    return {**base, **{key: merged(base.get(key), value) for key, value in change.items()}}


def compose(deploy: str = "hybrid", network: str = "wifi6", robot: str = "orin", cloud: str = "h100") -> dict[str, Any]:
    devices = {"robot": load("device", robot), "cloud": load("device", cloud)}
    return {"deploy": load("deploy", deploy), "network": load("network", network), "devices": devices}


def run(config: Any, n: int = 40, seed: int = 0, episode: int = 0, stages: tuple[str, ...] = STAGES) -> list[Span]:
    """Ask every stage `n` times, 0.5 s apart, with 20 kB of input."""
    clock, spans = VirtualClock(), list[Span]()
    executor = build(config, clock, seed, episode, spans.append)
    image = np.zeros(20_000, np.uint8)

    def ask() -> None:
        for stage in stages:
            executor.submit(stage, np.mean, image, deadline_s=None, on_done=lambda _: None)

    for i in range(n):
        clock.call_in(0.5 * i, ask)
    clock.run(lambda: clock.now_s > 0.5 * n + 10.0)  # heartbeats never end
    return sorted(spans, key=lambda span: span.request)


def sites(deploy: str) -> dict[str, str]:
    return {span.stage: span.site for span in run(compose(deploy), n=1)}


def ignore(span: Span) -> None:
    """For executors that are only looked at."""


def median_ms(spans: list[Span], stage: str) -> float:
    return float(np.median([1e3 * (s.t_end_s - s.t_start_s) for s in spans if s.stage == stage and s.status == "ok"]))


@pytest.mark.parametrize("network", NETWORKS)
def test_every_network_is_a_link_with_a_source(network: str) -> None:
    spec = read(LinkSpec, load("network", network))
    assert spec.name == network
    assert "VLA-Perf" in spec.source


@pytest.mark.parametrize("device", DEVICES)
def test_every_device_has_a_profile_with_provenance_for_each_stage(device: str) -> None:
    known = read(Device, load("device", device))
    assert known.name == device
    assert all(known.profile(stage).provenance in ("published", "roofline", "placeholder") for stage in STAGES)


@pytest.mark.parametrize("deploy", DEPLOYS)
def test_every_deployment_reads(deploy: str) -> None:
    assert read(DeployConfig, load("deploy", deploy)).sites["robot"].device == "robot"


def test_no_choice_is_forgotten_by_these_tests() -> None:
    for group, choices in (("deploy", DEPLOYS), ("network", NETWORKS), ("device", DEVICES)):
        assert {path.stem for path in (CONF / group).glob("*.yaml")} == set(choices)


@pytest.mark.parametrize(("deploy", "network", "robot"), list(itertools.product(DEPLOYS, NETWORKS, DEVICES)))
def test_every_combination_serves_every_stage(deploy: str, network: str, robot: str) -> None:
    executor = build(compose(deploy, network, robot), VirtualClock(), 0, 0, ignore)
    assert isinstance(executor, VirtualExecutor)
    executor.check(STAGES)


def test_edge_keeps_everything_on_the_robot() -> None:
    assert set(sites("edge").values()) == {"robot"}


def test_cloud_sends_away_what_may_leave() -> None:
    assert {stage for stage, site in sites("cloud").items() if site == "robot"} == {"safety", "control"}


def test_hybrid_splits() -> None:
    assert {stage for stage, site in sites("hybrid").items() if site == "cloud"} == {"planning", "perception"}


def test_on_the_robot_perception_takes_what_the_chip_takes() -> None:
    spans = run(compose("edge"), stages=("perception",), n=400)
    assert median_ms(spans, "perception") == pytest.approx(152, rel=0.03)


def test_in_the_cloud_it_takes_two_links_and_the_gpu() -> None:
    spans = run(compose("cloud", "5g"), stages=("perception",), n=400)
    serialisation_ms = 160e3 * (1 / 80e6 + 1 / 10e9) * 1e3
    assert median_ms(spans, "perception") == pytest.approx(25 + 20 + serialisation_ms + 28, rel=0.04)


def test_a_faster_network_is_faster_on_the_same_draws() -> None:
    fast, slow = (run(compose("cloud", network), stages=("perception",)) for network in ("wifi7", "4g"))
    pairs = [(a, b) for a, b in zip(fast, slow, strict=True) if a.status == b.status == "ok"]
    assert len(pairs) > 20
    assert all(a.uplink_s < b.uplink_s and a.compute_s == b.compute_s for a, b in pairs)


def test_networks_are_compared_on_the_same_draws_whatever_they_are_called() -> None:
    renamed = compose("cloud", "4g")
    renamed["network"]["name"] = "lte"
    assert run(renamed) == run(compose("cloud", "4g"))


def test_one_more_stage_on_the_network_does_not_shift_the_compute_times_of_another() -> None:
    alone = [s.compute_s for s in run(compose("edge"), stages=("grasp",))]
    beside = [s.compute_s for s in run(compose("edge"), stages=("perception", "grasp")) if s.stage == "grasp"]
    assert alone == beside


def test_runs_are_repeatable_and_episodes_differ() -> None:
    config = compose("cloud", "satellite")
    assert run(config, seed=3, episode=1) == run(config, seed=3, episode=1)
    assert [s.compute_s for s in run(config, episode=1)] != [s.compute_s for s in run(config, episode=2)]


def test_sites_behind_the_same_network_share_its_bandwidth() -> None:
    config = compose("cloud", "4g")
    config["network"] |= {"jitter_ms": 0, "loss": 0}
    config["deploy"]["sites"]["other"] = {"device": "cloud", "over_network": True}
    config["deploy"]["placement"]["stages"]["planning"] = "other"
    serialisation_s, one_way_s = 20_000 * 8 / 19e6, 55e-3 / 2
    for stages, messages in ((("planning",), 1), (("perception", "planning"), 2)):
        uplinks_s = [span.uplink_s for span in run(config, n=5, stages=stages) if span.stage == "planning"]
        assert uplinks_s == pytest.approx([messages * serialisation_s + one_way_s] * 5, abs=1e-8)


def test_a_typed_configuration_is_taken_as_it_is() -> None:
    assert run(read(DeploymentConfig, compose())) == run(compose())


def with_change(path: str, value: Any) -> dict[str, Any]:
    config = copy.deepcopy(compose("cloud"))
    *parents, last = path.split(".")
    node = config
    for key in parents:
        node = node[key]
    node[last] = value
    return config


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("deploy.sites.cloud.relpicas", 2, "cloud.relpicas: there is no such key; did you mean 'replicas'"),
        ("deploy.sites.cloud.replicas", 0, "cloud.replicas: must be at least 1"),
        ("deploy.sites.cloud.device", "clod", "deploy.sites.cloud.device: unknown device 'clod'; did you mean 'cloud'"),
        ("deploy.placement.default", "clod", "placement.default: unknown site 'clod'; did you mean 'cloud'"),
        ("deploy.placement.stages.safety", "cloud", "placement.stages.safety: may not leave the robot"),
        ("network.loss", 2, "deployment.network.loss: must be at least 0 and less than 1"),
        ("network.rtt_ms", "fast", "deployment.network.rtt_ms: must be a number, got 'fast'"),
        ("devices.robot.profiles.perception.p99_ms", 1, "profiles.perception.p99_ms: is 1.0, less than p95_ms"),
        ("devices.robot.profiles.perception", {"p50_ms": 1}, "devices.robot.profiles.perception.p95_ms: is missing"),
        ("deploy.jpeg_quality", 0, "jpeg_quality: must be between 1 and 100"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_configuration_is_one_line_that_names_the_key(path: str, value: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build(with_change(path, value), VirtualClock(), 0, 0, ignore)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
