"""A deployment as configuration, and the executor it describes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from vla_sim.clock import VirtualClock
from vla_sim.deployment import cache
from vla_sim.deployment.adaptation import AdaptationSpec
from vla_sim.deployment.background import BackgroundSpec, Pace, Squeeze
from vla_sim.deployment.batching import BatchSpec
from vla_sim.deployment.cache import CacheSpec
from vla_sim.deployment.executor import VirtualExecutor
from vla_sim.deployment.link import Link, LinkSpec, Path
from vla_sim.deployment.placement import Placement, Rule, Trait
from vla_sim.deployment.profile import Device
from vla_sim.deployment.resources import Urgency
from vla_sim.deployment.routing import Fallback, Health, HealthSpec, Routes
from vla_sim.deployment.site import Site
from vla_sim.deployment.span import Span
from vla_sim.deployment.wire import Wire
from vla_sim.errors import ConfigError, nearest
from vla_sim.mapping import read
from vla_sim.rng import stream


@dataclass(frozen=True)
class SiteConfig:
    """A computer and the way to it. Without network and leg it is on the robot."""

    device: str  # a key of `DeploymentConfig.devices`
    replicas: int = 1
    queue_limit: int | None = None  # requests that may wait; None = any number
    over_network: bool = False  # reached through the network the robot is on, shared by all such sites
    leg: LinkSpec | None = None  # this site's own link, behind the network
    batch: dict[str, BatchSpec] = field(default_factory=dict)  # by stage
    cache: dict[str, CacheSpec] = field(default_factory=dict)  # by stage
    spare_cache: dict[str, CacheSpec] = field(default_factory=dict)  # asked only when answers are to be used again
    background: tuple[BackgroundSpec, ...] = ()  # requests of other robots
    squeezes: tuple[Squeeze, ...] = ()  # times in which it is slower
    reserve: bool = False  # share what a squeeze leaves by priority, control first; else all suffer alike
    shared_by: int = 1  # robots that share its price


@dataclass(frozen=True)
class PlacementConfig:
    """Arguments of `Placement` and of `Routes`."""

    default: str
    stages: dict[str, str] = field(default_factory=dict)  # stage -> site
    rules: tuple[Rule, ...] = ()
    traits: dict[str, tuple[Trait, ...]] = field(default_factory=dict)  # stage -> traits
    fallbacks: dict[str, Fallback] = field(default_factory=dict)  # site -> what is tried after it
    urgency: dict[str, Urgency] = field(default_factory=dict)  # stage -> its place in a queue; normal by default


@dataclass(frozen=True)
class DeployConfig:
    """The group `deploy`: sites, and what runs where."""

    sites: dict[str, SiteConfig]
    placement: PlacementConfig
    health: HealthSpec | None = None  # None = nobody asks whether a site is up
    adaptation: AdaptationSpec | None = None  # what is given up under load; None = nothing
    jpeg_quality: int = 90
    give_up_s: float = 5.0  # after which a lost request without a deadline counts as lost


@dataclass(frozen=True)
class DeploymentConfig:
    """The groups `deploy`, `network` and `device` together."""

    deploy: DeployConfig
    network: LinkSpec
    devices: dict[str, Device]


Streams = Callable[[str], np.random.Generator]


def build(
    config: DeploymentConfig | Mapping[str, Any],
    clock: VirtualClock,
    seed: int,
    episode: int,
    sink: Callable[[Span], None],
    delay_override: Mapping[str, float] | None = None,
) -> VirtualExecutor:
    """The executor of one episode; `delay_override` in s by stage. Raises ConfigError with the key that is wrong."""
    checked = read(DeploymentConfig, config, "deployment")
    rngs = partial(stream, seed, episode)
    access = _link(checked.network, "access", rngs)
    plan = checked.deploy.placement
    sites = {
        name: _site(name, site, checked, _path(name, site, access, rngs), clock, rngs)
        for name, site in checked.deploy.sites.items()
    }
    on_robot = {name: site.on_robot for name, site in sites.items()}
    placement = Placement(plan.default, on_robot, stages=plan.stages, rules=plan.rules, traits=plan.traits)
    try:
        routes = Routes(plan.fallbacks, sites)
    except ConfigError as error:
        raise ConfigError(f"deploy.placement.{error.key}", error.problem, error.hint) from error
    return VirtualExecutor(
        clock,
        placement,
        sites,
        sink,
        episode=episode,
        delay_override=delay_override,
        codec=Wire(checked.deploy.jpeg_quality),
        give_up_s=checked.deploy.give_up_s,
        routes=routes,
        health=Health(checked.deploy.health, clock, {name: site.path for name, site in sites.items()}),
    )


def _site(
    name: str, config: SiteConfig, whole: DeploymentConfig, path: Path, clock: VirtualClock, rngs: Streams
) -> Site:
    key = f"deploy.sites.{name}"
    device = _device(f"{key}.device", config.device, whole.devices)
    for group in ("cache", "spare_cache"):
        if "navigation" in getattr(config, group):
            raise ConfigError(f"{key}.{group}.navigation", "cannot be cached: it remembers where it has been")
    for load in config.background:
        device.profile(load.stage)  # it can be served
    return Site(
        name,
        device,
        clock,
        rngs,
        replicas=config.replicas,
        queue_limit=config.queue_limit,
        path=path,
        batches=config.batch,
        background=config.background,
        pace=Pace(config.squeezes, reserve=config.reserve),
        urgency=whole.deploy.placement.urgency,
        caches={stage: cache.build(spec, lambda: clock.now_s) for stage, spec in config.cache.items()},
        spare_caches={stage: cache.build(spec, lambda: clock.now_s) for stage, spec in config.spare_cache.items()},
    )


def _link(spec: LinkSpec, role: str, rngs: Streams) -> Link:
    # Streams are named by the link's role, not its technology: two networks are compared on the same draws.
    return Link(spec, rngs(f"link/{role}/up"), rngs(f"link/{role}/down"))


def _path(name: str, site: SiteConfig, access: Link, rngs: Streams) -> Path:
    links = (access,) if site.over_network else ()
    return Path(links if site.leg is None else (*links, _link(site.leg, f"leg/{name}", rngs)))


def _device(key: str, name: str, devices: Mapping[str, Device]) -> Device:
    if name not in devices:
        raise ConfigError(key, f"unknown device {name!r}", nearest(name, devices))
    return devices[name]
