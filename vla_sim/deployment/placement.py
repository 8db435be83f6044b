"""Which stage runs where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from vla_sim.errors import ConfigError, nearest

Trait = Literal["latency_critical", "data_sensitive", "compute_intensive", "complex_reasoning"]
TRAITS: tuple[str, ...] = get_args(Trait)

# What keeps people safe and the body upright must not depend on a network.
NEVER_OFF_ROBOT = ("safety", "control")


@dataclass(frozen=True)
class Rule:
    """Stages with this trait run on this site."""

    trait: Trait
    site: str


class Placement:
    """A stage's own entry in `stages` decides; else the first rule whose trait it has; else the default.

    `on_robot` says of every site whether it is on the robot. `traits` lists the traits of each stage.
    Raises ConfigError for an unknown site or trait, and for safety or control anywhere but on the robot.
    """

    def __init__(
        self,
        default: str,
        on_robot: Mapping[str, bool],
        *,
        stages: Mapping[str, str] | None = None,
        rules: Sequence[Rule] = (),
        traits: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._default, self._stages, self._rules = default, dict(stages or {}), tuple(rules)
        self._traits = {stage: tuple(owned) for stage, owned in (traits or {}).items()}
        self._check_site("default", default, on_robot)
        for stage, site in self._stages.items():
            self._check_site(f"stages.{stage}", site, on_robot)
        for i, rule in enumerate(self._rules):
            self._check_site(f"rules.{i}.site", rule.site, on_robot)
            _check_trait(f"rules.{i}.trait", rule.trait)
        for stage, owned in self._traits.items():
            for trait in owned:
                _check_trait(f"traits.{stage}", trait)
        for stage in NEVER_OFF_ROBOT:
            if not on_robot[site := self.site(stage)]:
                here = ", ".join(name for name, local in on_robot.items() if local) or "none is"
                raise ConfigError(
                    f"placement.stages.{stage}", f"may not leave the robot for {site!r}", f"sites on the robot: {here}"
                )

    def site(self, stage: str) -> str:
        """Name of the site a stage runs on."""
        if stage in self._stages:
            return self._stages[stage]
        owned = self._traits.get(stage, ())
        return next((rule.site for rule in self._rules if rule.trait in owned), self._default)

    @staticmethod
    def _check_site(key: str, site: str, on_robot: Mapping[str, bool]) -> None:
        if site not in on_robot:
            raise ConfigError(f"placement.{key}", f"unknown site {site!r}", nearest(site, on_robot))


def _check_trait(key: str, trait: str) -> None:
    if trait not in TRAITS:
        raise ConfigError(f"placement.{key}", f"unknown trait {trait!r}", nearest(trait, TRAITS))
