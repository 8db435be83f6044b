"""From command-line words to the objects of a run. With `run`, the only place that knows Hydra."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from vla_sim.clock import period_ns
from vla_sim.deployment.config import DeploymentConfig
from vla_sim.errors import ConfigError, VlaSimError, nearest
from vla_sim.harness.budgets import Budget
from vla_sim.harness.episode import EpisodeSettings
from vla_sim.harness.experiment import RunSettings
from vla_sim.mapping import read
from vla_sim.robot import Robot
from vla_sim.spec import RobotSpec
from vla_sim.stack import AgentConfig, Stack
from vla_sim.stages.skills import MotionConfig

ROOT = Path(__file__).resolve().parents[1]
CONF = ROOT / "conf"
TOP_KEYS = ("env", "robot", "stack", "deploy", "network", "devices", "budget")


@dataclass(frozen=True)
class CameraConfig:
    """The robot's camera."""

    rate_hz: float = 20.0
    latency_ms: float = 15.0


@dataclass(frozen=True)
class TopConfig:
    """The keys that every experiment understands."""

    episodes: int = 5
    seed: int = 0
    delay_ms: float | None = None
    command: str | None = None
    video: bool = True
    cameras: CameraConfig = field(default_factory=CameraConfig)

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ConfigError("seed", f"must not be negative, got {self.seed}")
        if self.command is not None and not self.command.strip():
            raise ConfigError("command", "is empty", "say what to do, for example 'put the red cube in the tray'")


def settings_of(config: DictConfig, overrides: Sequence[str], variant: str = "") -> RunSettings:
    """Check everything that can be checked without building a world; raises ConfigError."""
    plain = _plain(config)
    top = read(TopConfig, {k: v for k, v in plain.items() if k not in TOP_KEYS}, "config")
    delay_s = None if top.delay_ms is None else top.delay_ms / 1e3
    latency_s = top.cameras.latency_ms / 1e3
    if delay_s is not None:
        latency_s = min(latency_s, max(delay_s, 0.0))  # the camera's own latency is part of an imposed delay
    agent = read(
        AgentConfig,
        {
            **plain["stack"]["agent"],
            "camera_rate_hz": top.cameras.rate_hz,
            "camera_latency_s": latency_s,
        },
        "stack.agent",
    )
    deployment = read(DeploymentConfig, {key: plain[key] for key in ("deploy", "network", "devices")}, "config")
    episode = EpisodeSettings(
        seed=top.seed,
        deployment=deployment,
        agent=agent,
        delay_s=delay_s,
        command=top.command,
    )
    control = (plain.get("env") or {}).get("control_rate_hz")
    if control is not None:
        check_rate("env.control_rate_hz", control)
    return RunSettings(
        episodes=top.episodes,
        episode=episode,
        budget=Budget.from_config(plain["budget"]),
        video=top.video,
        config=plain,
        config_text=OmegaConf.to_yaml(config, resolve=True, sort_keys=False),
        overrides=tuple(overrides),
        variant=variant,
    )


def check_rate(key: str, rate_hz: float) -> None:
    """ConfigError for a rate whose period is not a whole number of microseconds."""
    try:
        period_ns(rate_hz)
    except ValueError as error:
        raise ConfigError(key, str(error)) from None


def build_robot(config: DictConfig) -> Robot:
    """The robot the configuration names, in its world."""
    robot: Robot = instantiate(config.robot, "robot")
    return robot


def build_stack(config: DictConfig, spec: RobotSpec) -> Stack:
    """The stages the configuration names, for a robot."""
    from vla_sim.stages.motion import Motion
    from vla_sim.stages.safety import SafetyConfig, SafetyFilter
    from vla_sim.stages.tracking import ObjectTracker, TrackerConfig

    stack = _plain(config.stack)
    known = ("intent", "planning", "perception", "grasp", "motion", "safety", "agent")
    for key in stack:
        if key not in known:
            raise ConfigError(f"stack.{key}", "there is no such key", nearest(key, known))
    perception = dict(stack["perception"])
    tracker = read(TrackerConfig, {"predict": perception.pop("predict", False)}, "stack.perception")
    motion = Motion(spec, read(MotionConfig, stack["motion"], "stack.motion"))
    safety = read(SafetyConfig, stack["safety"], "stack.safety")
    return Stack(
        intent=instantiate(stack["intent"], "stack.intent"),
        planning=instantiate(stack["planning"], "stack.planning"),
        perception=instantiate(perception, "stack.perception"),
        grasp=instantiate(stack["grasp"], "stack.grasp", spec=spec),
        motion=motion,
        safety=SafetyFilter(spec, safety, motion.tools_in_base),
        tracker=lambda query: ObjectTracker(query, tracker),
    )


def instantiate(node: Any, key: str, **more: Any) -> Any:
    """What a node with `_target_` describes; a mistake in it is a ConfigError that names the key."""
    from hydra.errors import InstantiationException
    from hydra.utils import instantiate as hydra_instantiate

    try:
        return hydra_instantiate(node, **more)
    except InstantiationException as error:
        raise _explain(error, key) from error


def _explain(error: Exception, key: str) -> VlaSimError:
    """The reason behind Hydra's exception, in one line."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, VlaSimError):
            return cause
        if cause.__cause__ is None:
            break
        cause = cause.__cause__
    first = str(cause).strip().splitlines()[0]
    return ConfigError(key, first)


def _plain(config: Any) -> dict[str, Any]:
    if isinstance(config, DictConfig):
        config = OmegaConf.to_container(config, resolve=True)
    return {str(k): v for k, v in config.items()}


# -- composing, with errors a person can act on -----------------------------------------------------------------


def compose(overrides: Sequence[str]) -> DictConfig:
    """The configuration for a list of overrides; raises ConfigError that names the word and the nearest valid one."""
    import hydra
    from hydra.core.global_hydra import GlobalHydra
    from hydra.errors import HydraException

    GlobalHydra.instance().clear()
    try:
        with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
            return hydra.compose("config", overrides=list(overrides))
    except HydraException as error:
        raise _explain_compose(error, overrides) from error


def groups() -> dict[str, list[str]]:
    """Configuration groups and their choices."""
    folders = sorted(path for path in CONF.iterdir() if path.is_dir())
    return {folder.name: sorted(file.stem for file in folder.glob("*.yaml")) for folder in folders}


def _explain_compose(error: Exception, overrides: Sequence[str]) -> ConfigError:
    text = str(error)
    missing = re.search(r"Could not find '([^'/]+)/([^']+)'", text)
    if missing:
        group, choice = missing.groups()
        known = groups()
        if group in known:
            return ConfigError(group, f"there is no choice {choice!r}", nearest(choice, known[group]))
        return ConfigError(group, "there is no such group", nearest(group, known))
    unknown = re.search(r"Could not override '([^']+)'", text) or re.search(r"Key '([^']+)' is not in struct", text)
    if unknown:
        return _unknown_key(unknown.group(1))
    if "Could not find a match" in text or "parsing override" in text or "mismatched input" in text:
        return ConfigError("command line", text.strip().splitlines()[0], "overrides look like key=value")
    word = next((word for word in overrides if word.split("=")[0] in text), "configuration")
    return ConfigError(word.split("=")[0], text.strip().splitlines()[0])


def _unknown_key(key: str) -> ConfigError:
    """A key that does not exist, and the nearest among those that do at its level."""
    node: Any = compose([])
    path = key.split(".")
    for i, part in enumerate(path):
        if not isinstance(node, DictConfig) or part not in node:
            choices = [str(k) for k in node] if isinstance(node, DictConfig) else []
            known = [*choices, *groups()] if i == 0 else choices
            return ConfigError(key, "there is no such key", nearest(part, known) if known else "")
        node = node[part]
    return ConfigError(key, "cannot be overridden")
