"""Which network each stage is, or is charged as: its work, its memory, and the least time its computer needs for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vla_sim.analysis.figure import Figure
from vla_sim.analysis.flops import Work
from vla_sim.analysis.scenario import LOOP, Scenario
from vla_sim.deployment.profile import LatencyProfile
from vla_sim.errors import ConfigError
from vla_sim.harness.cost import hardware_of
from vla_sim.profiles import library
from vla_sim.profiles.library import Hardware, Model, Phase
from vla_sim.profiles.roofline import estimate

PRECISION = "fp16"  # of what the library says of weights, and of roofline estimates
# SPEC's rule: more than this many GB, and what is recommended.
HARDWARE_RULE = ((20.0, "A100 or H100"), (8.0, "RTX 4090 or A6000"), (2.0, "Jetson Orin or RTX 4070"), (0.0, "CPU"))
RULE = "by memory: over 20 GB A100 or H100, over 8 GB RTX 4090 or A6000, over 2 GB Jetson Orin or RTX 4070, else CPU"


@dataclass(frozen=True)
class StageModel:
    """Of one stage."""

    stage: str
    site: str
    name: str  # of the network; "classical code" without one
    flops: Figure
    parameters: Figure  # millions
    memory: Figure  # GB
    roofline: Figure  # ms on the site's hardware
    recommended: str

    @property
    def is_network(self) -> bool:
        return self.flops.value is not None


def stage_models(scenario: Scenario, works: Mapping[str, Work]) -> dict[str, StageModel]:
    """Of every stage; `works` are those counted from ONNX files, by stage."""
    found = {}
    for stage in (*scenario.stages, *LOOP):
        site = scenario.site_of(stage)
        machine = hardware_of(scenario.sites[site], scenario.deployment)
        profile, charged = scenario.charged(stage)
        if stage in works:
            found[stage] = _counted(stage, site, works[stage], machine)
        elif (model := _library_model(charged, profile, machine)) is not None:
            found[stage] = _published(stage, site, model, machine, charged)
        else:
            found[stage] = _classical(stage, site)
    return found


def recommended_hardware(memory_gb: float) -> str:
    """What SPEC's rule by memory says."""
    return next(name for least, name in HARDWARE_RULE if memory_gb > least or least == 0.0)


def _counted(stage: str, site: str, work: Work, machine: Hardware | None) -> StageModel:
    source = f"counted from the graph of {work.file}, inputs {_shapes(work)}"
    memory = Figure(work.memory_gb, "GB", f"weights as stored and the most activations alive at once: {source}")
    phase = Phase("whole", max(work.parameters, 1), 1, flops=max(work.flops, 1.0))
    model = Model(work.file, work.file, max(work.parameters, 1), source, phases=(phase,))
    return StageModel(
        stage,
        site,
        work.file,
        Figure(work.flops, "FLOP", f"{source}; a multiplication with its addition counts as two"),
        Figure(work.parameters / 1e6, "M", source),
        memory,
        _roofline(model, machine),
        recommended_hardware(work.memory_gb),
    )


def _shapes(work: Work) -> str:
    return ", ".join(f"{name} {'x'.join(map(str, shape)) or 'scalar'}" for name, shape in work.inputs.items())


def _published(stage: str, site: str, model: Model, machine: Hardware | None, charged: str) -> StageModel:
    source = f"{model.title}: {model.source}"
    if not charged:
        source = f"the stage is charged as {source}"
    memory_gb, of_what = model.memory_gb, "while running"
    if memory_gb is None:
        memory_gb, of_what = model.weight_gb.get(PRECISION), f"weights alone in {PRECISION}"
    return StageModel(
        stage,
        site,
        model.name,
        Figure(model.flops, "FLOP", source),
        Figure(model.parameters / 1e6, "M", source),
        Figure(memory_gb, "GB", f"{of_what}, from the same source as its work"),
        _roofline(model, machine),
        recommended_hardware(memory_gb or 0.0),
    )


def _classical(stage: str, site: str) -> StageModel:
    why = "classical code, no network: what it costs is its latency"
    none = {unit: Figure(None, unit, why) for unit in ("FLOP", "M", "GB", "ms")}
    return StageModel(
        stage, site, "classical code", none["FLOP"], none["M"], none["GB"], none["ms"], recommended_hardware(0.0)
    )


def _roofline(model: Model, machine: Hardware | None) -> Figure:
    if machine is None:
        return Figure(None, "ms", "the device does not say what hardware it is")
    try:
        found = estimate(model, machine, PRECISION)
    except ConfigError as error:
        return Figure(None, "ms", str(error))
    return Figure(found.p50_ms, "ms", found.source)


def _library_model(charged: str, profile: LatencyProfile, machine: Hardware | None) -> Model | None:
    """The model a profile was named after, or whose published latency on this hardware the device's own profile is."""
    if charged.endswith((".yaml", ".yml")):
        return None
    if charged:
        return library.model(charged.partition("@")[0].partition("/")[0])
    if machine is None or profile.provenance not in ("published", "roofline"):
        return None
    for name in library.names()["profiles"]:
        model, _, computer = name.partition("@")
        known = library.profile(name)
        same_publication = known.source.partition(":")[0] == profile.source.partition(":")[0]
        if computer == machine.name and known.p50_ms == profile.p50_ms and same_publication:
            return library.model(model.partition("/")[0])
    return None
