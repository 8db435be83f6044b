"""A deployment analysed: from a scenario to a document."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from vla_sim.analysis import sections
from vla_sim.analysis.changes import Alternatives, Change, Trials, changes
from vla_sim.analysis.document import Document
from vla_sim.analysis.figure import digits, percent
from vla_sim.analysis.flops import Work
from vla_sim.analysis.load import BUSY, SiteLoad, reliability, site_loads
from vla_sim.analysis.models import StageModel, stage_models
from vla_sim.analysis.scenario import Scenario
from vla_sim.analysis.traffic import LinkLoad, link_loads
from vla_sim.analysis.verdicts import TOTAL, Evaluation, evaluate
from vla_sim.harness.cost import hardware_of
from vla_sim.profiles.roofline import COMPUTE_EFFICIENCY

NAMED = 4  # proposals in a sentence; the rest are in the table
LOST, SKIPPED = 0.005, 0.05  # shares above which it is said that answers never come, or images are not looked at


def analyse(
    scenario: Scenario,
    title: str,
    words: Sequence[str],
    works: Mapping[str, Work],
    alternatives: Alternatives,
    written: Callable[[Change], str],
) -> Document:
    """All there is to say of a scenario.

    `words` are those of the command line, `works` what was counted from ONNX files, by stage. `alternatives` gives
    other scenarios of a group by the word that chooses them; `written` gives a change as words. Raises ConfigError for
    a stage that has no latency profile.
    """
    found, trials = evaluate(scenario), Trials()
    stages, loads, links = stage_models(scenario, works), site_loads(scenario), link_loads(scenario)
    parts = [
        sections.latency(found),
        sections.compute(stages, found.floors),
        sections.sites(scenario, loads, stages),
    ]
    remote = [name for name in scenario.sites if scenario.links(name)]
    if links:
        parts += [
            sections.links([item.link for item in links]),
            sections.messages(scenario),
            sections.bandwidth(links),
            sections.getting_through([reliability(scenario, name) for name in remote]),
        ]
    parts.append(sections.cameras(scenario))
    if any(site.over_network for site in scenario.sites.values()):
        others = alternatives("network")
        parts.append(sections.networks({word.partition("=")[2]: trials(other) for word, other in others.items()}))
    proposed = changes(found, alternatives, trials) if found.failing else []
    if proposed:
        parts.append(sections.proposals(proposed, {change: written(change) for change in proposed}))
    return Document(
        title,
        tuple(words),
        tuple(_answer(found, proposed)),
        tuple(_warnings(found, stages, loads, links)),
        tuple(parts),
        tuple(found.failing),
        tuple(found.beyond_reach),
    )


# -- in words ---------------------------------------------------------------------------------------------------


def _answer(found: Evaluation, proposed: Sequence[Change]) -> list[str]:
    """One sentence when all is well; else one for each limit that is not met, and what would be enough."""
    if not found.failing:
        named = [name for name in ("perception", TOTAL) if name in found.verdicts]
        return [f"Within budget: {'; '.join(_taken(found, name) for name in named)} (95 % quantiles)."]
    lines = [f"Over budget: {_taken(found, name)} at the 95 % quantile; {_why(found, name)}." for name in found.failing]
    whole = [change.text for change in proposed if not change.then.failing]
    if whole:
        return [*lines, f"Enough {'for all of it ' * (len(lines) > 1)}is {_listed(whole)}."]
    for name in found.failing:
        enough = [change.text for change in proposed if name in change.repaired]
        what = f"enough is {_listed(enough)}" if enough else "nothing that was tried is enough"
        lines.append(f"For {'the whole command' if name == TOTAL else name} {what}.")
    return lines


def _listed(texts: Sequence[str]) -> str:
    left = len(texts) - NAMED
    more = "" if left <= 0 else ", or another below" if left == 1 else f", or one of {left} others below"
    return ", or ".join(texts[:NAMED]) + more


def _taken(found: Evaluation, name: str) -> str:
    verdict = found.verdicts[name]
    took = "never answered" if verdict.expected is None else f"{digits(verdict.expected.p95_ms)} ms"
    return f"{_called(found.scenario, name)}: {took} of {digits(verdict.limit_ms)} ms"


def _called(scenario: Scenario, name: str) -> str:
    """A stage with its place: perception on cloud over satellite."""
    if name == TOTAL:
        return "a whole command"
    site = scenario.site_of(name)
    over = f" over {scenario.links(site)[0].name}" if scenario.links(site) else ""
    return f"{name} on {site}{over}"


def _why(found: Evaluation, name: str) -> str:
    """What makes most of it, in a few words."""
    verdict = found.verdicts[name]
    if verdict.state == "cannot be met":
        return f"even with nothing waited for and nothing lost its median is {digits(verdict.floor.p50_ms)} ms"
    in_time, least = percent(100 * verdict.within), digits(verdict.floor.p95_ms)
    return f"{in_time} are in time; without queues and losses it is {least} ms"


def _warnings(
    found: Evaluation, stages: Mapping[str, StageModel], loads: Mapping[str, SiteLoad], links: Sequence[LinkLoad]
) -> list[str]:
    return [
        *_of_links(links),
        *_of_sites(loads),
        *_of_requests(found),
        *_of_memory(found.scenario, stages),
        *_of_profiles(found, stages),
    ]


def _of_links(links: Sequence[LinkLoad]) -> list[str]:
    lines = []
    for item in links:
        for way in item.overloaded():
            asked, rate = (item.up, item.link.up_mbps) if way == "up" else (item.down, item.link.down_mbps)
            lines.append(
                f"{item.link.name} is asked to carry {digits(asked)} Mbit/s {way} and can {digits(rate or 0.0)}: "
                "what does not fit waits, and images are skipped"
            )
    return lines


def _of_sites(loads: Mapping[str, SiteLoad]) -> list[str]:
    lines = []
    for name, item in loads.items():
        if item.busy:
            most = ", ".join(f"{stage} {share:.2f}" for stage, share in [*item.by_stage.items()][:2])
            lines.append(
                f"{name} is offered {item.offered:.2f} times what it can do ({most}): over {BUSY:g} queues grow"
            )
    return lines


def _of_requests(found: Evaluation) -> list[str]:
    lines = []
    for stage, played in found.rehearsed.items():
        skipped = 1 - played.asked / played.wanted if played.wanted else 0.0
        if skipped > SKIPPED:
            limit = found.scenario.agent.max_in_flight
            lines.append(f"{stage}: {100 * skipped:.0f} % of its inputs are skipped, {limit} requests being under way")
        if played.elsewhere:
            tried = percent(100 * played.elsewhere / played.asked)
            lines.append(f"{stage}: {tried} of its requests go to a fallback too, which is load there")
        share = played.answered_share
        if share is not None and 1 - share > LOST and played.asked - played.answered > 1:
            lines.append(f"{stage}: {100 * (1 - share):.1f} % of its requests are never answered")
    return lines


def _of_memory(scenario: Scenario, stages: Mapping[str, StageModel]) -> list[str]:
    lines = []
    for name, site in scenario.sites.items():
        machine, held = hardware_of(site, scenario.deployment), sections.memory_on(name, stages)
        if machine is not None and held > machine.memory_gb:
            lines.append(f"{name}: its networks need {held:.3g} GB, {machine.title} has {machine.memory_gb:g}")
    return lines


def _of_profiles(found: Evaluation, stages: Mapping[str, StageModel]) -> list[str]:
    """Latencies that the computer's own arithmetic does not allow."""
    lines = []
    for name, stage in stages.items():
        charged, least = found.floors[name].compute.p50_ms, stage.roofline.value
        if least is not None and charged < COMPUTE_EFFICIENCY * least:
            machine = hardware_of(found.scenario.sites[stage.site], found.scenario.deployment)
            where = machine.title if machine is not None else stage.site
            lines.append(
                f"{name} is charged {digits(charged)} ms for {stage.name}, which {where} cannot do under "
                f"{digits(COMPUTE_EFFICIENCY * least)} ms at its peak in fp16: name whose latency it is with "
                f"stack.{name}.profile"
            )
    return lines
