"""The least a stage can take: an empty deployment, nothing waited for and nothing lost.

Parts are added as distributions, not as quantiles: the 95 % quantile of a sum is less than the sum of 95 % quantiles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.special import ndtri

from vla_sim.analysis.scenario import LOOP, Scenario
from vla_sim.analysis.traffic import parcels
from vla_sim.deployment.link import LinkSpec, one_way_sigma
from vla_sim.deployment.profile import LatencyProfile
from vla_sim.rng import stream
from vla_sim.types import Array

STRATA = 4096  # draws of a part, one from each of as many equally likely intervals


@dataclass(frozen=True)
class Spread:
    """Two quantiles, ms."""

    p50_ms: float
    p95_ms: float

    @classmethod
    def of(cls, values_ms: Array) -> Spread:
        p50, p95 = np.quantile(values_ms, (0.5, 0.95))
        return cls(float(p50), float(p95))


@dataclass(frozen=True)
class Floor:
    """Of one stage: the whole, and its parts."""

    stage: str
    site: str
    sensor_ms: float  # from the measurement to the request
    uplink: Spread
    compute: Spread
    downlink: Spread
    total: Spread
    samples_ms: Array  # [STRATA] of the whole, in no order


def floors(scenario: Scenario) -> dict[str, Floor]:
    """Of every stage of the stack, and of the two that run in the control loop."""
    sent = parcels(scenario)
    found = {}
    for stage in (*scenario.stages, *LOOP):
        site = scenario.site_of(stage)
        links = scenario.links(site)
        up_bytes, down_bytes = (sent[stage].up_bytes, sent[stage].down_bytes) if stage in sent else (0, 0)
        found[stage] = floor(
            stage, site, sensor_ms(scenario, stage), scenario.charged(stage).profile, links, up_bytes, down_bytes
        )
    return found


def floor(
    stage: str,
    site: str,
    sensor: float,
    profile: LatencyProfile,
    links: Sequence[LinkSpec],
    up_bytes: int,
    down_bytes: int,
) -> Floor:
    """Of a stage that is charged this profile behind these links; `sensor` is in ms."""
    uplink = sum((_leg_ms(link, link.up_mbps, up_bytes, f"{stage}/up/{i}") for i, link in enumerate(links)), _NONE)
    downlink = sum(
        (_leg_ms(link, link.down_mbps, down_bytes, f"{stage}/down/{i}") for i, link in enumerate(links)), _NONE
    )
    compute = _compute_ms(profile, f"{stage}/compute")
    total = sensor + uplink + compute + downlink
    up, work, down, whole = (Spread.of(part) for part in (uplink, compute, downlink, total))
    return Floor(stage, site, sensor, up, work, down, whole, total)


def sensor_ms(scenario: Scenario, stage: str) -> float:
    """From the measurement to the request: an image or a scan is old when the agent gets it."""
    latency_s = {"perception": scenario.agent.camera_latency_s, "navigation": scenario.agent.lidar_latency_s}
    return 1e3 * latency_s.get(stage, 0.0)


def resampled_ms(samples_ms: Array, name: str) -> Array:
    """[STRATA] drawn evenly from any number of samples, in an order of `name`'s own."""
    drawn: Array = np.quantile(samples_ms, _uniform(name))
    return drawn


def tick_wait_ms(control_rate_hz: float) -> Array:
    """[STRATA] until the next control tick, from any moment."""
    return 1e3 / control_rate_hz * _uniform("tick")


_NONE = np.zeros(STRATA)


@cache
def _uniform(name: str) -> Array:
    """[STRATA] of 0-1, one in each stratum, in an order of its own: sums of two such are near exact."""
    rng = stream(0, 0, f"analysis/{name}")
    spread: Array = (rng.permutation(STRATA) + 0.5) / STRATA
    return spread


def _leg_ms(link: LinkSpec, rate_mbps: float | None, n_bytes: int, name: str) -> Array:
    """[STRATA] through one direction of an idle link that loses nothing."""
    serialisation_ms = 0.0 if rate_mbps is None else n_bytes * 8e-3 / rate_mbps
    sigma = one_way_sigma(link.rtt_ms, link.jitter_ms)
    propagation: Array = 0.5 * link.rtt_ms * np.exp(sigma * ndtri(_uniform(name)))
    return serialisation_ms + propagation


@cache
def _compute_ms(profile: LatencyProfile, name: str) -> Array:
    """[STRATA] of a profile."""
    return np.array([profile.quantile_ms(float(p)) for p in _uniform(name)])
