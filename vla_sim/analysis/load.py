"""How busy the computers and how reliable the links of a deployment are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from vla_sim.analysis.figure import Figure
from vla_sim.analysis.scenario import STREAMED, Scenario
from vla_sim.analysis.traffic import COMMANDS_HZ, parcels
from vla_sim.deployment.batching import BatchSpec
from vla_sim.deployment.link import LinkSpec
from vla_sim.deployment.profile import LatencyProfile

BUSY = 0.8  # beyond this share of its time, queues at a computer grow fast
# SPEC's rule: more than this many Mbit/s, and what is recommended.
CONNECTION_RULE = ((1000.0, "fibre"), (100.0, "Gigabit Ethernet or Wi-Fi 6"), (10.0, "5G or Wi-Fi"), (0.0, "4G"))
RULE = "by bandwidth: over 1,000 Mbit/s fibre, over 100 Gigabit Ethernet or Wi-Fi 6, over 10 5G or Wi-Fi, else 4G"


@dataclass(frozen=True)
class SiteLoad:
    """Work offered to a site, as a share of what its replicas can do: 1 = they would never rest."""

    site: str
    offered: float
    by_stage: dict[str, float]  # most first; other robots' requests under "others"
    source: str

    @property
    def busy(self) -> bool:
        return self.offered > BUSY


def site_loads(scenario: Scenario) -> dict[str, SiteLoad]:
    """Rate times mean service over replicas, summed over stages; of seeing and walking, whichever is more."""
    found = {}
    for name, site in scenario.sites.items():
        shares = {}
        for stage, parcel in parcels(scenario).items():
            if scenario.site_of(stage) == name:
                rate_hz = COMMANDS_HZ if parcel.rate_hz is None else parcel.rate_hz
                shares[stage] = rate_hz * _service_s(scenario, stage, name) / site.replicas
        streamed = {stage: shares.pop(stage) for stage in STREAMED if stage in shares}
        if streamed:
            most = max(streamed, key=lambda stage: streamed[stage])
            shares[most] = streamed[most]
        others = sum(load.robots * load.rate_hz * _service_s(scenario, load.stage, name) for load in site.background)
        if others:
            shares["others"] = others / site.replicas
        ordered = dict(sorted(shares.items(), key=lambda item: -item[1]))
        found[name] = SiteLoad(name, sum(shares.values()), ordered, _load_source(scenario, name))
    return found


def _load_source(scenario: Scenario, name: str) -> str:
    replicas = scenario.sites[name].replicas
    return (
        f"rate x mean service / {replicas} replica{'s' * (replicas > 1)}: images at {scenario.cameras.rate_hz:g} Hz, "
        f"or scans at {scenario.agent.navigation_rate_hz:g} Hz while it walks; {COMMANDS_HZ:g} commands a second; "
        "without fallbacks"
    )


def _service_s(scenario: Scenario, stage: str, site: str) -> float:
    """Mean time one request takes a replica, in full batches where there are batches."""
    batch = scenario.sites[site].batch.get(stage, BatchSpec())
    return mean_ms(scenario.charged(stage, site).profile) / 1e3 * batch.stretch(batch.size) / batch.size


@cache
def mean_ms(profile: LatencyProfile) -> float:
    """Mean of a latency profile."""
    probabilities = (np.arange(2000) + 0.5) / 2000
    return float(np.mean([profile.quantile_ms(float(p)) for p in probabilities]))


# -- links ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reliability:
    """Of a request and its answer over the links to a site."""

    site: str
    again: Figure  # %, of requests that a link loses at first, or their answer
    lost: Figure  # %, after all retransmissions
    handovers: Figure  # a minute
    out: Figure  # %, of the time


def reliability(scenario: Scenario, site: str) -> Reliability:
    """From loss, bursts and retransmissions; outages and hand-overs apart."""
    links = scenario.links(site)
    once = math.prod((1 - lost_at_first(link)) ** 2 for link in links)
    ever = math.prod((1 - lost_for_good(link)) ** 2 for link in links)
    handovers = sum(
        60.0 / (link.interruptions.handover_every_s + link.interruptions.handover_ms / 1e3)
        for link in links
        if link.interruptions.handover_every_s is not None
    )
    up = math.prod(_up_share(link) for link in links)
    scheduled = [f"{w.duration_s:g} s at {w.start_s:g} s" for link in links for w in link.interruptions.outages]
    planned = f"; also planned: {', '.join(scheduled)}" if scheduled else ""
    return Reliability(
        site,
        Figure(100 * (1 - once), "%", "the loss of each link above, both ways"),
        Figure(100 * (1 - ever), "%", "the same after each link's retransmissions; losses come in bursts"),
        Figure(handovers, "/min", "mean number of each link above"),
        Figure(100 * (1 - up), "%", f"outages at random of each link above, mean share of the time{planned}"),
    )


def lost_at_first(link: LinkSpec) -> float:
    """Share of messages whose first try is lost. Less than `loss` where messages are sent again: the link changes from
    try to try, so one message sits a burst out and the next finds it over.

    With p and r to enter and to leave a burst, and s that it outlasts all retransmissions: a first try is lost with q =
    p after a message that came through (a share 1 - q s) and with 1 - r after one that did not.
    """
    leave = 1 / link.burst_length
    enter = link.loss * leave / (1 - link.loss)
    outlasts = (1 - leave) ** link.retransmissions
    return enter / (1 - outlasts * (1 - leave - enter))


def lost_for_good(link: LinkSpec) -> float:
    """Share of messages of which every try is lost."""
    return lost_at_first(link) * (1 - 1 / link.burst_length) ** link.retransmissions


def _up_share(link: LinkSpec) -> float:
    every_s = link.interruptions.outage_every_s
    return 1.0 if every_s is None else every_s / (every_s + link.interruptions.outage_s)


def recommended_connection(mbps: float) -> str:
    """What SPEC's rule by bandwidth says."""
    return next(name for least, name in CONNECTION_RULE if mbps > least or least == 0.0)
