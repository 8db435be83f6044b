"""A deployment and the work it is given, as far as the analysis needs to know them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

from vla_sim.deployment.config import DeploymentConfig, SiteConfig
from vla_sim.deployment.link import LinkSpec
from vla_sim.deployment.placement import NEVER_OFF_ROBOT, Placement
from vla_sim.deployment.profile import LatencyProfile
from vla_sim.deployment.sensing import CameraSetup, Stream
from vla_sim.errors import ConfigError
from vla_sim.harness.budgets import Budget
from vla_sim.harness.cost import on_robot
from vla_sim.stack import AgentConfig

ONCE = ("intent", "planning", "grasp")  # asked when a command or an object calls for it
STREAMED = ("perception", "navigation")  # asked again and again
LOOP = ("safety", "control")  # run in every control tick, on the robot
COMMAND = ("intent", "planning", "perception", "safety", "control")  # one after the other, until the robot moves
DEFAULT_STREAM = Stream("head", "detection", 320, 240, 20.0)  # when nothing is said of the images


class Charged(NamedTuple):
    """The latency a stage is charged."""

    profile: LatencyProfile
    name: str  # what `stack.<stage>.profile` asked for; empty when it is the device's own


@dataclass(frozen=True)
class Scenario:
    """What is analysed. `changed` gives the same with something else."""

    deployment: DeploymentConfig
    cameras: CameraSetup
    agent: AgentConfig
    budget: Budget
    control_rate_hz: float | None = None
    stages: tuple[str, ...] = ("intent", "planning", "perception", "grasp")  # of the stack, in the order they run
    command: str | None = None
    profiles: dict[str, str] = field(default_factory=dict)  # stage -> the name its latency was asked for by

    @cached_property
    def _placement(self) -> Placement:
        plan = self.deployment.deploy.placement
        here = {name: on_robot(site) for name, site in self.sites.items()}
        return Placement(plan.default, here, stages=plan.stages, rules=plan.rules, traits=plan.traits)

    @property
    def sites(self) -> dict[str, SiteConfig]:
        return self.deployment.deploy.sites

    def site_of(self, stage: str) -> str:
        """Where a stage runs."""
        return self._placement.site(stage)

    def remote(self, stage: str) -> bool:
        """Whether a link lies between the robot and a stage."""
        return not on_robot(self.sites[self.site_of(stage)])

    def links(self, site: str) -> tuple[LinkSpec, ...]:
        """From the robot to a site."""
        config = self.sites[site]
        access = (self.deployment.network,) if config.over_network else ()
        return access if config.leg is None else (*access, config.leg)

    def charged(self, stage: str, site: str | None = None) -> Charged:
        """The latency of a stage where it runs, or on another site; raises ConfigError when there is none."""
        device = self.deployment.devices[self.sites[site or self.site_of(stage)].device]
        return Charged(device.profile(stage), self.profiles.get(stage, ""))

    @property
    def stream(self) -> Stream:
        """The images that perception gets."""
        shown = self.cameras.detection
        return replace(DEFAULT_STREAM, rate_hz=self.cameras.rate_hz) if shown is None else shown

    @property
    def jpeg_quality(self) -> int:
        return self.deployment.deploy.jpeg_quality

    # -- the same, with something else ---------------------------------------------------------------------------
    def _deployed(self, **parts: Any) -> Scenario:
        """With other parts of the group `deploy`."""
        return replace(self, deployment=replace(self.deployment, deploy=replace(self.deployment.deploy, **parts)))

    def with_network(self, network: LinkSpec) -> Scenario:
        return replace(self, deployment=replace(self.deployment, network=network))

    def with_site(self, name: str, site: SiteConfig) -> Scenario:
        return self._deployed(sites={**self.sites, name: site})

    def with_stage_on(self, stage: str, site: str) -> Scenario:
        """Raises ConfigError for a stage that may not leave the robot."""
        if stage in NEVER_OFF_ROBOT and not on_robot(self.sites[site]):
            raise ConfigError(f"deploy.placement.stages.{stage}", f"may not leave the robot for {site!r}")
        plan = self.deployment.deploy.placement
        return self._deployed(placement=replace(plan, stages={**plan.stages, stage: site}))

    def with_urgent(self, stages: Sequence[str]) -> Scenario:
        """These stages before others in every queue."""
        plan = self.deployment.deploy.placement
        return self._deployed(placement=replace(plan, urgency={**plan.urgency, **dict.fromkeys(stages, "urgent")}))

    def with_jpeg_quality(self, quality: int) -> Scenario:
        return self._deployed(jpeg_quality=quality)

    def with_images(self, width: int, height: int) -> Scenario:
        """Other sizes of the images that perception gets."""
        name = next((n for n, s in self.cameras.streams.items() if s.purpose == "detection"), "detection")
        streams = {**self.cameras.streams, name: replace(self.stream, width=width, height=height)}
        return replace(self, cameras=replace(self.cameras, streams=streams))

    def with_rate(self, rate_hz: float) -> Scenario:
        """Another rate of the images that perception gets."""
        streams = {
            name: replace(one, rate_hz=rate_hz) if one.purpose == "detection" else one
            for name, one in self.cameras.streams.items()
        }
        return replace(
            self,
            cameras=replace(self.cameras, rate_hz=rate_hz, streams=streams),
            agent=replace(self.agent, camera_rate_hz=rate_hz),
        )

    def with_agent(self, agent: AgentConfig) -> Scenario:
        return replace(self, agent=agent)


@dataclass(frozen=True)
class Parcel:
    """What travels for one request."""

    stage: str
    kind: str  # vision | sensors | commands
    up_bytes: int
    down_bytes: int
    rate_hz: float | None  # None = asked when a command calls for it
    source: str = field(compare=False)
