from __future__ import annotations

from typing import Any

import pytest

from vla_sim.deployment.placement import Placement, Rule
from vla_sim.errors import ConfigError

ON_ROBOT = {"robot": True, "cloud": False}
HYBRID = (
    Rule("latency_critical", "robot"),
    Rule("data_sensitive", "robot"),
    Rule("compute_intensive", "cloud"),
    Rule("complex_reasoning", "cloud"),
)
PINNED = {"safety": "robot", "control": "robot"}


def hybrid_site(*traits: str) -> str:
    return Placement("robot", ON_ROBOT, rules=HYBRID, traits={"stage": traits}).site("stage")


@pytest.mark.parametrize(
    ("traits", "site"),
    [
        (("latency_critical",), "robot"),
        (("data_sensitive",), "robot"),
        (("compute_intensive",), "cloud"),
        (("complex_reasoning",), "cloud"),
        ((), "robot"),
        (("compute_intensive", "latency_critical"), "robot"),
        (("complex_reasoning", "data_sensitive"), "robot"),
        (("compute_intensive", "complex_reasoning"), "cloud"),
    ],
)
def test_the_first_rule_that_fits_decides(traits: tuple[str, ...], site: str) -> None:
    assert hybrid_site(*traits) == site


def test_a_stage_named_by_itself_goes_before_the_rules() -> None:
    placement = Placement(
        "robot", ON_ROBOT, stages={"planning": "robot"}, rules=HYBRID, traits={"planning": ("complex_reasoning",)}
    )
    assert placement.site("planning") == "robot"


def test_a_stage_without_traits_gets_the_default() -> None:
    assert Placement("cloud", ON_ROBOT, stages=PINNED).site("perception") == "cloud"


@pytest.mark.parametrize("stage", ["safety", "control"])
@pytest.mark.parametrize("how", ["default", "stages", "rules"])
def test_safety_and_control_never_leave_the_robot(stage: str, how: str) -> None:
    others = {name: site for name, site in PINNED.items() if name != stage}
    ways: dict[str, dict[str, Any]] = {
        "default": {"default": "cloud", "stages": others},
        "stages": {"default": "robot", "stages": {**others, stage: "cloud"}},
        "rules": {"default": "robot", "rules": HYBRID, "traits": {stage: ("compute_intensive",)}},
    }
    with pytest.raises(
        ConfigError, match=f"placement.stages.{stage}: may not leave the robot for 'cloud'; .* robot: robot"
    ):
        Placement(on_robot=ON_ROBOT, **ways[how])


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        ({"default": "clod"}, "placement.default"),
        ({"default": "robot", "stages": {"planning": "clod"}}, "placement.stages.planning"),
        ({"default": "robot", "rules": (Rule("data_sensitive", "clod"),)}, "placement.rules.0.site"),
    ],
)
def test_an_unknown_site_is_refused_with_the_nearest(arguments: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError, match=f"{key}: unknown site 'clod'; did you mean 'cloud'"):
        Placement(on_robot=ON_ROBOT, **arguments)


def test_an_unknown_trait_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"placement.traits.grasp: unknown trait .* did you mean 'latency_critical'"):
        Placement("robot", ON_ROBOT, traits={"grasp": ("latency_crtical",)})
    with pytest.raises(ConfigError, match=r"placement.rules.0.trait: unknown trait"):
        Placement("robot", ON_ROBOT, rules=(Rule("urgent", "robot"),))  # type: ignore[arg-type]
