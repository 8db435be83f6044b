"""What a deployment puts on its links: the size of every message, and how much of it a second."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from vla_sim.analysis.scenario import ONCE, Parcel, Scenario
from vla_sim.deployment.link import LinkSpec
from vla_sim.deployment.sensing import cost_of, frame_bytes
from vla_sim.deployment.wire import CompressedFrame, payload_bytes
from vla_sim.types import (
    Detection,
    Detections,
    Grasp,
    GraspRequest,
    Intent,
    Intrinsics,
    NavigationAnswer,
    NavigationRequest,
    ObjectQuery,
    Plan,
    PlanStep,
    Scan,
    Utterance,
)

# A request as they are in this project's worlds. Other robots' differ by a factor, not by an order of magnitude.
OBJECTS, JOINTS, ROUTE, PEOPLE = 5, 43, 40, 1
SCAN_POINTS = 180 * 8  # azimuths by rings of the G1's lidar
COMMANDS_HZ = 0.25  # commands or objects a second: a pick takes seconds
KINDS = ("vision", "sensors", "commands")
USUAL_COMMAND = "put the red cube in the tray"
TYPICAL = f"a request with {OBJECTS} objects and {JOINTS} joints in this project's wire format"


def parcels(scenario: Scenario) -> dict[str, Parcel]:
    """What each stage of the stack is sent and answers, as if it ran elsewhere."""
    sizes = {**_fixed(scenario.command or USUAL_COMMAND), "perception": _image_bytes(scenario)}
    stream = scenario.stream
    pictures = (
        f"{stream.width} x {stream.height} pixels, JPEG quality {scenario.jpeg_quality}"
        f"{' and depth as PNG' if stream.depth else ''}: the fit of vla_sim.deployment.sensing"
    )
    scans = f"a turn of {SCAN_POINTS} points: the G1's lidar in this project's wire format"
    kinds = {"perception": ("vision", pictures), "navigation": ("sensors", scans)}
    rates = {"perception": scenario.cameras.rate_hz, "navigation": scenario.agent.navigation_rate_hz}
    found = {}
    for stage in scenario.stages:
        kind, source = kinds.get(stage, ("commands", TYPICAL))
        up, down = sizes[stage]
        found[stage] = Parcel(stage, kind, up, down, None if stage in ONCE else rates[stage], source)
    return found


def _image_bytes(scenario: Scenario) -> tuple[int, int]:
    around = payload_bytes(CompressedFrame("head", 0.0, _LENS, np.eye(4), b"", b"", np.eye(4)))
    return around + round(frame_bytes(scenario.stream, scenario.jpeg_quality)), _fixed("")["answer of perception"][1]


_LENS = Intrinsics.from_fov(320, 240, 1.0)


@cache
def _fixed(command: str) -> dict[str, tuple[int, int]]:
    """Bytes up and down by stage, of what does not depend on the images."""
    query = ObjectQuery("cube", "red")
    intent = Intent("place", query, ObjectQuery("tray"))
    plan = Plan(tuple(PlanStep("manipulate", "pick", query, "", "") for _ in range(3)))
    thing = Detection("cube", "red", np.zeros(3), 0.0, 0.8, 1.0, 1.0, False, (150, 100, 30, 30))
    scan = Scan(0.0, np.zeros((SCAN_POINTS, 3), np.float32), np.ones(SCAN_POINTS, bool), np.zeros(3), np.eye(4))
    grasp = GraspRequest("right", np.zeros(3), (0.0,), 0.1, np.zeros(JOINTS), 0.8, np.zeros((OBJECTS, 4)))
    walk = NavigationAnswer(
        0.0, np.zeros(3), "moving", np.zeros((ROUTE, 2)), np.zeros(3), 1.0, None, np.zeros((PEOPLE, 4))
    )
    pairs = {
        "intent": (Utterance(command), intent),
        "planning": (intent, plan),
        "answer of perception": (None, Detections(0.0, (thing,) * OBJECTS)),
        "grasp": (grasp, Grasp("right", 0.0, np.eye(3), np.zeros(JOINTS), 0.0)),
        "navigation": (NavigationRequest(scan, np.zeros(3), np.zeros(3), np.zeros(3)), walk),
    }
    return {stage: (payload_bytes(asked), payload_bytes(answer)) for stage, (asked, answer) in pairs.items()}


# -- on each link -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LinkLoad:
    """What a link is asked to carry, Mbit/s, when all requests are made at their full rate."""

    link: LinkSpec
    site: str  # the site of a leg; empty for the network that sites share
    up_mbps: dict[str, float]  # by kind: vision, sensors, commands
    down_mbps: dict[str, float]

    @property
    def up(self) -> float:
        return sum(self.up_mbps.values())

    @property
    def down(self) -> float:
        return sum(self.down_mbps.values())

    def overloaded(self) -> list[str]:
        """Directions in which it cannot carry it."""
        rates = (("up", self.up, self.link.up_mbps), ("down", self.down, self.link.down_mbps))
        return [way for way, asked, rate in rates if rate is not None and asked > rate]


def link_loads(scenario: Scenario) -> list[LinkLoad]:
    """Of the robot's network, and of every site's own leg behind it."""
    sent = parcels(scenario)
    remote = {name: site for name, site in scenario.sites.items() if scenario.links(name)}
    loads = []
    shared = [name for name, site in remote.items() if site.over_network]
    if shared:
        up, down = _together(scenario, sent, shared)
        watched = sum(
            cost_of(stream, scenario.jpeg_quality).sent_mbps
            for stream in scenario.cameras.streams.values()
            if stream.purpose == "inspection"
        )
        up["vision"] += watched
        loads.append(LinkLoad(scenario.deployment.network, "", up, down))
    for name, site in remote.items():
        if site.leg is not None:
            loads.append(LinkLoad(site.leg, name, *_together(scenario, sent, [name])))
    return loads


def _together(
    scenario: Scenario, sent: dict[str, Parcel], sites: list[str]
) -> tuple[dict[str, float], dict[str, float]]:
    """Mbit/s up and down by kind, of the stages on these sites, as though it saw and walked at once."""
    up, down = (dict.fromkeys(KINDS, 0.0) for _ in range(2))
    for stage, parcel in sent.items():
        if scenario.site_of(stage) in sites:
            rate_hz = COMMANDS_HZ if parcel.rate_hz is None else parcel.rate_hz
            up[parcel.kind] += 8e-6 * rate_hz * parcel.up_bytes
            down[parcel.kind] += 8e-6 * rate_hz * parcel.down_bytes
    return up, down
