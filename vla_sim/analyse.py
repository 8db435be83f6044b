"""`python -m vla_sim.analyse [group=choice ...]`: what a deployment needs, how fast it is, what would make it fit."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vla_sim.errors import ConfigError, VlaSimError, nearest

if TYPE_CHECKING:
    from vla_sim.analysis.changes import Change
    from vla_sim.analysis.document import Document
    from vla_sim.analysis.flops import Work
    from vla_sim.analysis.scenario import Scenario

BAD_INPUT, OVER_BUDGET = 2, 3
DEFAULT_OUT = "outputs/analysis"
GROUPS = ("network", "deploy")  # keys of the command line that are no keys of the configuration
HELP = """\
Analyse a deployment without running it: latency against the budget, compute, memory, bandwidth, what has to change.

usage: python -m vla_sim.analyse [group=choice ...] [key=value ...]

groups and keys are those of `python -m vla_sim.run`, and
  model=FILE.onnx              count the work of perception's network; model.STAGE=FILE.onnx of another stage's
  shape.INPUT=1x3x224x224      the size of an input that the file leaves open
  out=FOLDER                   where analysis.md and analysis.json go (outputs/analysis)
  fail_over_budget=true        exit with 3 when even an empty deployment exceeds the budget, in the median

exit code  0 done, 2 bad input, 3 over budget
"""


@dataclass(frozen=True)
class Words:
    """The command line, sorted."""

    overrides: tuple[str, ...] = ()  # for Hydra
    models: dict[str, Path] = field(default_factory=dict)  # by stage
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)  # by input
    out: Path = Path(DEFAULT_OUT)
    fail_over_budget: bool = False


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code (0 done, 2 bad input, 3 over budget)."""
    words = sys.argv[1:] if argv is None else list(argv)
    if any(word in ("-h", "--help") for word in words):
        sys.stdout.write(HELP)
        return 0
    from vla_sim.analysis.render import show, working, write

    try:
        asked = read_words(words)
        with working():
            document = document_of(asked)
    except VlaSimError as error:
        sys.stderr.write(f"error: {error}\n")
        return BAD_INPUT
    show(document)
    page, figures = write(document, asked.out)
    sys.stdout.write(f"\n{page}\n{figures}\n")
    return OVER_BUDGET if asked.fail_over_budget and document.beyond_reach else 0


def read_words(words: Sequence[str]) -> Words:
    """Sort the words; raises ConfigError for one that cannot be meant."""
    overrides: list[str] = []
    models: dict[str, Path] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    others: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if word.startswith("-") or not equals:
            raise ConfigError("command line", f"cannot read {word!r}", "write key=value; there is --help")
        if key == "model" or key.startswith("model."):
            models[key.partition(".")[2] or "perception"] = Path(value)
        elif key.startswith("shape."):
            shapes[key.partition(".")[2]] = _shape(key, value)
        elif key in ("out", "fail_over_budget"):
            others[key] = value
        else:
            overrides.append(word)
    fail = others.get("fail_over_budget", "false").lower()
    if fail not in ("true", "false"):
        raise ConfigError("fail_over_budget", f"must be true or false, got {fail!r}")
    if shapes and not models:
        raise ConfigError(f"shape.{next(iter(shapes))}", "is of no model", "add model=FILE.onnx")
    return Words(tuple(overrides), models, shapes, Path(others.get("out", DEFAULT_OUT)), fail == "true")


def _shape(key: str, text: str) -> tuple[int, ...]:
    parts = text.lower().split("x")
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise ConfigError(key, f"cannot read the size {text!r}", "write it as 1x3x224x224")
    return tuple(int(part) for part in parts)


def document_of(asked: Words) -> Document:
    """Compose the configuration and analyse it; raises ConfigError."""
    from vla_sim.analysis.analysis import analyse
    from vla_sim.configuration import sweep_values

    for word, values in zip(asked.overrides, sweep_values(asked.overrides), strict=True):
        if values:
            raise ConfigError(word.split("=")[0], "has several values", "one deployment is analysed at a time")
    plain, scenario = scenario_of(asked.overrides)
    works = _works(asked, scenario, plain)
    title = f"Analysis of {' '.join(asked.overrides) or 'the default deployment'}"
    others = cache(partial(_alternatives, asked.overrides, scenario))
    return analyse(scenario, title, asked.overrides, works, others, partial(_written, plain))


def scenario_of(overrides: Sequence[str]) -> tuple[Mapping[str, Any], Scenario]:
    """The composed configuration and what of it is analysed; raises ConfigError as a run would."""
    from vla_sim import configuration as conf
    from vla_sim.analysis.scenario import Scenario
    from vla_sim.deployment.sensing import CameraSetup
    from vla_sim.mapping import read

    settings = conf.settings_of(conf.compose(list(overrides)), overrides)
    plain, episode = settings.config, settings.episode
    rate_hz = plain["env"].get("control_rate_hz") if isinstance(plain["env"], dict) else None
    return plain, Scenario(
        episode.deployment,
        read(CameraSetup, plain["cameras"], "cameras"),
        episode.agent,
        settings.budget,
        None if rate_hz is None else float(rate_hz),
        tuple(stage for stage in conf.STAGES if plain["stack"].get(stage)),
        episode.command,
        {stage: name for stage in conf.STAGES if (name := (plain["stack"].get(stage) or {}).get("profile"))},
    )


def _works(asked: Words, scenario: Scenario, plain: Mapping[str, Any]) -> dict[str, Work]:
    """Work of the networks that were given, and of those that a stage's own configuration names."""
    from vla_sim.analysis.flops import count

    files = dict(_named_in(plain, scenario.stages)) | asked.models
    for stage in asked.models:
        if stage not in scenario.stages:
            raise ConfigError(f"model.{stage}", "there is no such stage", nearest(stage, scenario.stages))
    return {stage: count(path, asked.shapes) for stage, path in files.items()}


def _named_in(plain: Mapping[str, Any], stages: Sequence[str]) -> Iterator[tuple[str, Path]]:
    for stage in stages:
        for value in (plain["stack"].get(stage) or {}).values():
            if isinstance(value, str) and value.endswith(".onnx"):
                yield stage, Path(value)


def _alternatives(overrides: Sequence[str], scenario: Scenario, group: str) -> dict[str, Scenario]:
    """The same with each other choice of a group that can be composed with the rest, by the word that chooses it."""
    from vla_sim.configuration import groups

    keys = [group]
    if group == "device":
        keys = [f"device@devices.{name}" for name in sorted({site.device for site in scenario.sites.values()})]
    if group == "network" and not any(site.over_network for site in scenario.sites.values()):
        return {}
    found = {}
    for key in keys:
        kept = [word for word in overrides if word.partition("=")[0] != key]
        for choice in groups()[group]:
            try:
                _, other = scenario_of([*kept, f"{key}={choice}"])
            except ConfigError:
                continue  # it does not go with the rest of the configuration
            if group == "network" or other.deployment != scenario.deployment:
                found[f"{key}={choice}"] = other
    return found


def _written(plain: Mapping[str, Any], change: Change) -> str:
    """A change as words for the command line: a key that is not there yet is added with a plus."""
    return " ".join(f"{_sign(plain, key)}{key}={value}" for key, value in change.words)


def _sign(plain: Mapping[str, Any], key: str) -> str:
    if "@" in key or key in GROUPS:
        return ""
    node: Any = plain
    for part in key.split("."):
        if not isinstance(node, Mapping) or part not in node:
            return "+"
        node = node[part]
    return ""


if __name__ == "__main__":
    raise SystemExit(main())
