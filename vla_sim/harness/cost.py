"""What a deployment costs: rent by the hour and by the success, power, and how long a battery lasts.

Computers off the robot are rented. Those on it are bought, and so are its link and the network's; what they cost by the
hour is not known here and stays None, never 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vla_sim.deployment.config import DeployConfig, DeploymentConfig, SiteConfig
from vla_sim.errors import ConfigError
from vla_sim.harness.episode import DELAYED_STAGES
from vla_sim.mapping import read
from vla_sim.profiles.library import Hardware, hardware

if TYPE_CHECKING:
    import pandas as pd

# Of full power, what a computer draws while it waits. A placeholder: large GPUs are said to draw 0.1-0.15, boards 0.3.
IDLE_SHARE = 0.2
HOUR_S = 3600.0


@dataclass(frozen=True)
class Battery:
    """What a robot draws by itself."""

    watt_hours: float
    hours: float  # it lasts, as the maker says
    source: str

    @property
    def watts(self) -> float:
        """Mean draw that empties it in its time."""
        return self.watt_hours / self.hours


BATTERIES = {
    "g1": Battery(421.0, 2.0, "Unitree's figures for the G1: 9 Ah, that is 421 Wh, for about 2 h; not measured here"),
}


@dataclass(frozen=True)
class Rent:
    """Of one site, or why it has none."""

    site: str
    usd_per_hour: float | None  # for one robot
    source: str


@dataclass(frozen=True)
class Power:
    """Mean draw of one site's computers for this robot's requests."""

    site: str
    watts: float | None
    source: str


def cost_metrics(config: Mapping[str, Any], spans: pd.DataFrame, episodes: pd.DataFrame) -> dict[str, Any]:
    """The blocks `cost` and `energy` of a run's metrics, and the `sources` of all their figures.

    `config` is the composed configuration as plain mappings; `spans` and `episodes` have the columns of
    `vla_sim.telemetry.schema`. `cost.usd_per_hour` is rent off the robot alone; `energy.robot_w` the body,
    `energy.compute_w` its own computers, `energy.offboard_w` this robot's share of the others. None = unknown.
    """
    deployment = _deployment(config)
    sites = deployment.deploy.sites
    rents = [rent(name, site, deployment) for name, site in sites.items() if not on_robot(site)]
    hours, wins = float(episodes["sim_s"].sum()) / HOUR_S, int(episodes["success"].sum())
    busy = _busy_shares(config, spans, deployment.deploy, hours)
    powers = {name: _power(name, site, deployment, busy.get(name, 0.0)) for name, site in sites.items()}
    battery = battery_of(config)
    usd = _sum(item.usd_per_hour for item in rents)
    compute_w = _sum(powers[name].watts for name, site in sites.items() if on_robot(site))
    offboard_w = _sum(powers[name].watts for name, site in sites.items() if not on_robot(site))
    total_w = None if battery is None or compute_w is None else battery.watts + compute_w
    return {
        "cost": {
            "usd_per_hour": usd,
            "usd_per_success": _per_success(usd, hours, wins),
            "robot_compute_usd_per_hour": None,
            "network_usd_per_hour": None,
        },
        "energy": {
            "robot_w": None if battery is None else battery.watts,
            "compute_w": compute_w,
            "wh_per_success": _per_success(total_w, hours, wins),
            "battery_h": None if battery is None or total_w is None else battery.watt_hours / total_w,
            "offboard_w": offboard_w,
            "offboard_wh_per_success": _per_success(offboard_w, hours, wins),
        },
        "sources": [*_priced(rents), *_powered(battery, powers.values())],
    }


def on_robot(site: SiteConfig) -> bool:
    """Whether no link lies between the robot and a site."""
    return not site.over_network and site.leg is None


def hardware_of(site: SiteConfig, deployment: DeploymentConfig) -> Hardware | None:
    """What a site's device is made of; None when the device does not say."""
    device = deployment.devices.get(site.device)
    return hardware(device.hardware) if device is not None and device.hardware else None


def rent(name: str, site: SiteConfig, deployment: DeploymentConfig) -> Rent:
    """By the hour, of a site off the robot."""
    found = hardware_of(site, deployment)
    if found is None:
        return Rent(name, None, f"the device {site.device!r} does not say what hardware it is")
    if found.usd_per_hour is None:
        return Rent(name, None, f"no rent is known for {found.title}")
    shared = f", shared by {site.shared_by} robots" if site.shared_by > 1 else ""
    source = (
        f"{site.replicas} x {found.title} at {found.usd_per_hour:g} USD/h on demand, {found.priced_on}{shared}: "
        f"{found.source}"
    )
    return Rent(name, site.replicas * found.usd_per_hour / site.shared_by, source)


def battery_of(config: Mapping[str, Any]) -> Battery | None:
    """The battery of the configured body; None when it is not known."""
    body = config.get("body")
    target = str(body.get("_target_", "")) if isinstance(body, Mapping) else ""
    return next((BATTERIES[part] for part in target.lower().split(".") if part in BATTERIES), None)


def _deployment(config: Mapping[str, Any]) -> DeploymentConfig:
    parts = {key: config.get(key) for key in ("deploy", "network", "devices")}
    missing = next((key for key, part in parts.items() if part is None), None)
    if missing is not None:
        raise ConfigError(missing, "is missing", "cost needs the whole deployment")
    return read(DeploymentConfig, parts, "config")


def _busy_shares(
    config: Mapping[str, Any], spans: pd.DataFrame, deploy: DeployConfig, hours: float
) -> dict[str, float]:
    """Share of each site's time, 0-1, that it computes for this robot. What a cache answers takes none.

    An imposed delay is no computing: those stages are left out.
    """
    worked = spans[spans["mode"] != "cached"]
    if config.get("delay_ms") is not None:
        worked = worked[~worked["stage"].isin(DELAYED_STAGES)]
    alone_s = (worked["compute_s"] / worked["batch"]).groupby(worked["site"].astype(str)).sum()
    return {
        name: min(1.0, float(alone_s.get(name, 0.0)) / (hours * HOUR_S * site.replicas)) if hours else 0.0
        for name, site in deploy.sites.items()
    }


def _power(name: str, site: SiteConfig, deployment: DeploymentConfig, busy: float) -> Power:
    """Full power while it computes for this robot; the idle rest is shared by all it serves."""
    found = hardware_of(site, deployment)
    if found is None:
        return Power(name, None, f"the device {site.device!r} does not say what hardware it is")
    idle = max(0.0, 1.0 / site.shared_by - busy)
    watts = site.replicas * found.watts * (busy + IDLE_SHARE * idle)
    source = (
        f"{site.replicas} x {found.title}, {found.watts:g} W at full load, busy {100 * busy:.1f} % of the time and at "
        f"{IDLE_SHARE:g} of that otherwise (a placeholder): {found.source}"
    )
    return Power(name, watts, source)


def _sum(values: Iterable[float | None]) -> float | None:
    """None as soon as one is not known; nothing at all adds up to 0."""
    known = list(values)
    return None if None in known else float(sum(value for value in known if value is not None))


def _per_success(rate: float | None, hours: float, successes: int) -> float | None:
    return None if rate is None or not successes else rate * hours / successes


def _priced(rents: list[Rent]) -> list[str]:
    lines = [f"usd_per_hour, {item.site}: {item.source}" for item in rents]
    return [
        *(lines or ["usd_per_hour: nothing is rented, all computers are on the robot"]),
        "robot_compute_usd_per_hour: computers on the robot are bought; no purchase price is known",
        "network_usd_per_hour: no price is known",
    ]


def _powered(battery: Battery | None, powers: Iterable[Power]) -> list[str]:
    body = (
        "no battery is known for this robot" if battery is None else f"{battery.source}; its own computer is in it too"
    )
    return [f"robot_w, battery_h: {body}", *(f"power of {item.site}: {item.source}" for item in powers)]
