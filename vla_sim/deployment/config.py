"""A deployment as configuration, and the executor it describes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from vla_sim.clock import VirtualClock
from vla_sim.deployment.executor import VirtualExecutor
from vla_sim.deployment.link import Link, LinkSpec, Path
from vla_sim.deployment.placement import Placement, Rule, Trait
from vla_sim.deployment.profile import Device
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
    servers: int = 1
    queue_limit: int | None = None  # requests that may wait; None = any number
    over_network: bool = False  # reached through the network the robot is on, shared by all such sites
    leg: LinkSpec | None = None  # this site's own link, behind the network


@dataclass(frozen=True)
class PlacementConfig:
    """Arguments of `Placement`."""

    default: str
    stages: dict[str, str] = field(default_factory=dict)  # stage -> site
    rules: tuple[Rule, ...] = ()
    traits: dict[str, tuple[Trait, ...]] = field(default_factory=dict)  # stage -> traits


@dataclass(frozen=True)
class DeployConfig:
    """The group `deploy`: sites, and what runs where."""

    sites: dict[str, SiteConfig]
    placement: PlacementConfig
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
    sites = {
        name: Site(
            name,
            _device(f"deploy.sites.{name}.device", site.device, checked.devices),
            clock,
            rngs,
            servers=site.servers,
            queue_limit=site.queue_limit,
            path=_path(name, site, access, rngs),
        )
        for name, site in checked.deploy.sites.items()
    }
    plan = checked.deploy.placement
    on_robot = {name: site.on_robot for name, site in sites.items()}
    return VirtualExecutor(
        clock,
        Placement(plan.default, on_robot, stages=plan.stages, rules=plan.rules, traits=plan.traits),
        sites,
        sink,
        episode=episode,
        delay_override=delay_override,
        codec=Wire(checked.deploy.jpeg_quality),
        give_up_s=checked.deploy.give_up_s,
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
