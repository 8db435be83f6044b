"""Deployments small enough to know all about."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from vla_sim.analysis.scenario import Scenario
from vla_sim.deployment.config import DeployConfig, DeploymentConfig, PlacementConfig, SiteConfig
from vla_sim.deployment.link import LinkSpec
from vla_sim.deployment.profile import Device, LatencyProfile
from vla_sim.deployment.sensing import CameraSetup, Stream
from vla_sim.harness.budgets import Budget
from vla_sim.stack import AgentConfig

RADIO = LinkSpec("radio", 20.0, 50.0, 30.0, 8.0, 0.0, 1.0, "a test")
SPREAD = LatencyProfile(40.0, 70.0, 110.0, "given", "a test", max_ms=150.0)
STEPS = ("intent", "planning", "perception", "grasp")


def constant(ms: float) -> LatencyProfile:
    return LatencyProfile.constant(ms, "a test")


def device(name: str, ms: float, hardware: str = "", **stages: LatencyProfile) -> Device:
    """Every stage takes `ms`, but for those that are given."""
    return Device(name, stages, constant(ms), hardware)


def scenario(
    network: LinkSpec = RADIO, *, cloud: Device | None = None, robot: Device | None = None, at: str = "cloud",
    images: tuple[int, int] = (64, 48), rate_hz: float = 20.0, **more: Any,
) -> Scenario:  # fmt: skip
    """A robot, and a cloud behind one network; `at` is where all but safety and control run."""
    sites = {"robot": SiteConfig("robot"), "cloud": SiteConfig("cloud", over_network=True)}
    sites.update(more.pop("sites", {}))
    devices = {"robot": robot or device("robot", 10.0), "cloud": cloud or device("cloud", 5.0)}
    plan = PlacementConfig("robot", dict.fromkeys((*STEPS, "navigation"), at))
    plan = replace(plan, **more.pop("placement", {}))
    stream = Stream("head", "detection", *images, depth=False)
    return Scenario(
        DeploymentConfig(DeployConfig(sites, plan), network, devices),
        CameraSetup(rate_hz, 15.0, {"detection": stream}),
        more.pop("agent", AgentConfig(camera_rate_hz=rate_hz)),
        more.pop("budget", Budget()),
        more.pop("control_rate_hz", 100.0),
        more.pop("stages", STEPS),
        **more,
    )
