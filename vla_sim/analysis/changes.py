"""What would have to change for a deployment to meet its budget. Every proposal has been tried before it is made."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from vla_sim.analysis.scenario import ONCE, Scenario
from vla_sim.analysis.verdicts import Evaluation, evaluate
from vla_sim.clock import divides
from vla_sim.deployment.sensing import JPEG, SIDE_STEP_PX
from vla_sim.harness.cost import hardware_of, on_robot

TRIAL_S = 80.0  # of simulated time for each thing tried
FASTEST_MBPS = 10_000.0
RATES_HZ = (30.0, 25.0, 20.0, 15.0, 10.0, 7.5, 5.0, 4.0, 2.5, 2.0, 1.0)
ROBOT_WATTS = 150.0  # a robot's battery carries no more computer than this
OWN_CODE = ("x86_core",)  # hardware of devices that charge this project's own code, which no model would run on
Alternatives = Callable[[str], Mapping[str, Scenario]]  # of a group, by the word of the command line that chooses them


class Trials:
    """Evaluations of `TRIAL_S`; a scenario is tried once."""

    def __init__(self) -> None:
        self._done: dict[int, tuple[Scenario, Evaluation]] = {}  # the scenario is kept, so that its id stays its own

    def __call__(self, scenario: Scenario) -> Evaluation:
        if id(scenario) not in self._done:
            self._done[id(scenario)] = (scenario, evaluate(scenario, TRIAL_S))
        return self._done[id(scenario)][1]


class Option(NamedTuple):
    """Something to try."""

    text: str
    words: tuple[tuple[str, str], ...]  # keys and values of the command line
    scenario: Scenario


@dataclass(frozen=True, eq=False)
class Change:
    """Something that was tried, with which at least one more limit is met and none fewer."""

    text: str
    words: tuple[tuple[str, str], ...]
    repaired: dict[str, float]  # by limit that is met then: its 95 % quantile, ms
    then: Evaluation


def changes(found: Evaluation, alternatives: Alternatives, trials: Trials) -> list[Change]:
    """What is enough: of every family of options the least far-reaching, of alternatives all; those that leave nothing
    over budget first.

    `alternatives` are asked for other networks, devices and deployments.
    """
    result = [change for change in (_uplink(found, stage, trials) for stage in found.failing) if change is not None]
    result = result[:1] if len({change.words for change in result}) == 1 else result
    for graded, options in _families(found.scenario, alternatives):
        left = set(found.failing)
        for option in options:
            change = _judge(found, option, trials)
            if change is not None and left & set(change.repaired):
                result.append(change)
                left -= set(change.repaired) if graded else set()
            if not left:
                break
    return sorted(result, key=lambda change: len(change.then.failing))


def _judge(found: Evaluation, option: Option, trials: Trials) -> Change | None:
    """The option as a change, if it helps and harms nothing."""
    then = trials(option.scenario)
    repaired = [name for name in found.failing if name not in then.failing]
    if not repaired or set(then.failing) - set(found.failing):
        return None
    p95_ms = {name: verdict.expected.p95_ms for name in repaired if (verdict := then.verdicts[name]).expected}
    return Change(option.text, option.words, p95_ms, then)


# -- options ----------------------------------------------------------------------------------------------------


def _families(scenario: Scenario, alternatives: Alternatives) -> Iterator[tuple[bool, Iterator[Option]]]:
    """Options of a kind, and whether each goes further than the one before it."""
    yield True, _qualities(scenario)
    yield True, _images(scenario)
    yield True, _rates(scenario)
    yield True, _in_flight(scenario)
    yield False, _urgencies(scenario)
    yield True, _replicas(scenario)
    yield False, _sites(scenario)
    yield False, _chosen(alternatives("network"), "network")
    yield False, _chosen(_sensible(alternatives("device")), "device")
    yield False, _chosen(alternatives("deploy"), "deployment")


def _qualities(scenario: Scenario) -> Iterator[Option]:
    if scenario.remote("perception") and scenario.stream.codec == "jpeg":
        for quality in sorted((q for q in JPEG if 30 <= q < scenario.jpeg_quality), reverse=True):
            words = (("deploy.jpeg_quality", str(quality)),)
            yield Option(f"JPEG quality {quality}", words, scenario.with_jpeg_quality(quality))


def _images(scenario: Scenario) -> Iterator[Option]:
    if not scenario.remote("perception"):
        return  # on the robot, their size costs no time that a profile knows of
    stream = scenario.stream
    name = next((n for n, s in scenario.cameras.streams.items() if s.purpose == "detection"), "detection")
    for eighths in (6, 4, 3, 2):
        width, height = (max(SIDE_STEP_PX, 8 * round(s * eighths / 64)) for s in (stream.width, stream.height))
        if (width, height) != (stream.width, stream.height):
            words = (
                (f"cameras.streams.{name}.width", str(width)),
                (f"cameras.streams.{name}.height", str(height)),
                (f"env.resolutions.{stream.camera}", f"[{width},{height}]"),
            )
            yield Option(f"{width} x {height} images", words, scenario.with_images(width, height))


def _rates(scenario: Scenario) -> Iterator[Option]:
    now_hz = scenario.cameras.rate_hz
    for rate_hz in RATES_HZ:
        fits = scenario.control_rate_hz is None or divides(rate_hz, scenario.control_rate_hz)
        if rate_hz < now_hz and fits:
            words = (("cameras.rate_hz", f"{rate_hz:g}"),)
            yield Option(f"{rate_hz:g} images a second", words, scenario.with_rate(rate_hz))


def _in_flight(scenario: Scenario) -> Iterator[Option]:
    if scenario.agent.max_in_flight > 1:
        agent = replace(scenario.agent, max_in_flight=1)
        words = (("stack.agent.max_in_flight", "1"),)
        yield Option("one image under way at a time", words, scenario.with_agent(agent))


def _urgencies(scenario: Scenario) -> Iterator[Option]:
    """What a person waits for goes before the next image."""
    plan = scenario.deployment.deploy.placement
    normal = [stage for stage in ONCE if stage in scenario.stages and plan.urgency.get(stage) != "urgent"]
    if normal:
        words = tuple((f"deploy.placement.urgency.{stage}", "urgent") for stage in normal)
        yield Option(f"{', '.join(normal)} served before images", words, scenario.with_urgent(normal))


def _replicas(scenario: Scenario) -> Iterator[Option]:
    for count in (2, 4):
        for name, site in scenario.sites.items():
            if (
                not on_robot(site)
                and site.replicas < count
                and any(scenario.site_of(s) == name for s in scenario.stages)
            ):
                words = ((f"deploy.sites.{name}.replicas", str(count)),)
                yield Option(
                    f"{count} computers at {name}", words, scenario.with_site(name, replace(site, replicas=count))
                )


def _sites(scenario: Scenario) -> Iterator[Option]:
    """Each stage elsewhere, by itself."""
    for stage in scenario.stages:
        for name in scenario.sites:
            if name != scenario.site_of(stage):
                words = ((f"deploy.placement.stages.{stage}", name),)
                yield Option(f"{stage} on {name}", words, scenario.with_stage_on(stage, name))


def _chosen(others: Mapping[str, Scenario], called: str) -> Iterator[Option]:
    for word, scenario in others.items():
        key, _, choice = word.partition("=")
        place = f" of {key.rpartition('.')[2]}" if "." in key else ""
        yield Option(f"{called} {choice}{place}", ((key, choice),), scenario)


def _sensible(devices: Mapping[str, Scenario]) -> dict[str, Scenario]:
    """Without those that a robot cannot carry, and those that charge other code."""

    def sensible(scenario: Scenario) -> bool:
        for site in scenario.sites.values():
            machine = hardware_of(site, scenario.deployment)
            if machine is None or machine.name in OWN_CODE:
                return False
            if on_robot(site) and (machine.watts > ROBOT_WATTS or machine.usd_per_hour is not None):
                return False  # what is rented by the hour stands in a data centre
        return True

    return {words: scenario for words, scenario in devices.items() if sensible(scenario)}


# -- the uplink -------------------------------------------------------------------------------------------------


def _uplink(found: Evaluation, stage: str, trials: Trials) -> Change | None:
    """The least rate of the network's uplink with which a limit is met, to two digits; None when none is enough."""
    network = found.scenario.deployment.network
    shared = any(site.over_network for site in found.scenario.sites.values())
    if not shared or network.up_mbps is None:
        return None

    def with_rate(mbps: float) -> Change | None:
        scenario = found.scenario.with_network(replace(network, up_mbps=mbps))
        option = Option(f"an uplink of at least {mbps:g} Mbit/s", (("network.up_mbps", f"{mbps:g}"),), scenario)
        change = _judge(found, option, trials)
        return change if change is not None and stage in change.repaired else None

    low, high = network.up_mbps, FASTEST_MBPS
    best = with_rate(high) if low < high else None
    while best is not None and high / low > 1.05:
        middle = _two_digits(math.sqrt(low * high))
        if not low < middle < high:
            break
        enough = with_rate(middle)
        low, high, best = (low, middle, enough) if enough is not None else (middle, high, best)
    return best


def _two_digits(value: float) -> float:
    return float(f"{value:.2g}")
