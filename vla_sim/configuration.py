"""From command-line words to the objects of a run. With `run`, the only place that knows Hydra."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from vla_sim.clock import VirtualClock, divides
from vla_sim.deployment.config import DeploymentConfig, build
from vla_sim.deployment.profile import Device
from vla_sim.deployment.runtime import RuntimeConfig
from vla_sim.deployment.sensing import CameraSetup, check_cameras, check_deployed
from vla_sim.errors import ConfigError, VlaSimError, nearest
from vla_sim.harness.budgets import Budget
from vla_sim.harness.episode import EpisodeSettings
from vla_sim.harness.experiment import RunSettings
from vla_sim.harness.gates import ReportConfig
from vla_sim.harness.objective import Objective
from vla_sim.harness.resume import Resume
from vla_sim.harness.sequential import StopRule
from vla_sim.mapping import read
from vla_sim.robot import Robot
from vla_sim.spec import RobotSpec
from vla_sim.stack import AgentConfig, Stack
from vla_sim.stages.skills import MotionConfig

ROOT = Path(__file__).resolve().parents[1]
CONF = ROOT / "conf"
TOP_KEYS = ("env", "robot", "body", "stack", "deploy", "network", "devices", "budget", "runtime")
STAGES = ("intent", "planning", "perception", "grasp", "navigation")  # what the executor is asked for
STACK_KEYS = (*STAGES, "motion", "safety", "agent")
SIMPLIFIED = ("perception", "planning")  # stages that have a lighter version
# Offered instead of a rate that cannot be: round ones, and those on which cameras of 30, 15 and 10 Hz fall.
RATES_HZ = (10.0, 15.0, 20.0, 25.0, 30.0, 50.0, 60.0, 100.0, 120.0, 125.0, 150.0, 200.0, 250.0, 500.0, 750.0, 1000.0)
RESUME: dict[bool | None, Resume] = {None: "auto", True: "true", False: "false"}
T = TypeVar("T")


@dataclass(frozen=True)
class TopConfig:
    """The keys that every experiment understands."""

    episodes: int = 5
    seed: int = 0
    delay_ms: float | None = None
    command: str | None = None
    video: bool = True
    cameras: CameraSetup = field(default_factory=CameraSetup)
    report: ReportConfig = field(default_factory=ReportConfig)
    stop_when: StopRule | None = None
    objective: Objective = field(default_factory=Objective)
    resume: bool | None = None

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ConfigError("seed", f"must not be negative, got {self.seed}")
        if self.command is not None and not self.command.strip():
            raise ConfigError("command", "is empty", "say what to do, for example 'put the red cube in the tray'")


def settings_of(config: DictConfig, overrides: Sequence[str], variant: str = "") -> RunSettings:
    """Check everything that can be checked without building a world; raises ConfigError."""
    plain = _plain(config)
    _check_parts(plain)
    top = _read(TopConfig, {k: v for k, v in plain.items() if k not in TOP_KEYS}, "config")
    top.report.parsed  # noqa: B018 - a gate that cannot be read is refused before anything is played
    delay_s = None if top.delay_ms is None else top.delay_ms / 1e3
    latency_s = top.cameras.latency_ms / 1e3
    if delay_s is not None:
        latency_s = min(latency_s, max(delay_s, 0.0))  # the camera's own latency is part of an imposed delay
    cameras = {"camera_rate_hz": top.cameras.rate_hz, "camera_latency_s": latency_s}
    agent = _read(AgentConfig, {**plain["stack"]["agent"], **cameras}, "stack.agent")
    deployment = deployment_of(plain)
    runtime = _read(RuntimeConfig, plain["runtime"], "runtime")
    # Sites, devices, placement and profiles fit together, and every stage can be served wherever it may go.
    build(deployment, VirtualClock(), 0, 0, lambda _: None).check(STAGES, SIMPLIFIED)
    episode = EpisodeSettings(top.seed, deployment, agent, delay_s, top.command, runtime=runtime)
    control_rate_hz = None
    if isinstance(plain["env"], dict):
        _check_rates(plain["env"], top.cameras.rate_hz)
        control_rate_hz = plain["env"].get("control_rate_hz")
    check_deployed(top.cameras, deployment, control_rate_hz)
    return RunSettings(
        episodes=top.episodes,
        episode=episode,
        budget=Budget.from_config(plain["budget"]),
        video=top.video,
        config=plain,
        config_text=OmegaConf.to_yaml(config, resolve=True, sort_keys=False),
        overrides=tuple(overrides),
        variant=variant,
        resume=RESUME[top.resume],
        gates=top.report.gates,
        objective=top.objective,
        stop_when=top.stop_when,
    )


def deployment_of(plain: Mapping[str, Any]) -> DeploymentConfig:
    """Sites, network and devices of a composed configuration.

    A stage with a `profile` of its own is charged that wherever it runs, or its model's on the hardware it runs on.
    """
    parts = {key: plain[key] for key in ("deploy", "network", "devices")}
    deployment: DeploymentConfig = _read(DeploymentConfig, parts, "config")
    nodes = {stage: plain["stack"].get(stage) or {} for stage in STAGES}
    profiles = {stage: node["profile"] for stage, node in nodes.items() if node.get("profile") is not None}
    if not profiles:
        return deployment
    used = {site.device for site in deployment.deploy.sites.values()}
    devices = {name: _charge(dev, profiles) if name in used else dev for name, dev in deployment.devices.items()}
    return replace(deployment, devices=devices)


def _charge(device: Device, profiles: Mapping[str, str]) -> Device:
    from vla_sim.profiles.library import resolve

    charged = dict(device.profiles)
    for stage, name in profiles.items():
        try:
            charged[stage] = resolve(name, device)
        except ConfigError as error:
            raise ConfigError(f"stack.{stage}.profile", error.problem, error.hint) from error
    return replace(device, profiles=charged)


def _check_parts(plain: dict[str, Any]) -> None:
    """Nothing that a run needs was taken out, and the stack holds nothing unknown."""
    stack = plain.get("stack") or {}
    for key in stack:
        if key not in STACK_KEYS:
            raise ConfigError(f"stack.{key}", "there is no such key", nearest(str(key), STACK_KEYS))
    present = {*plain, *(f"stack.{key}" for key, value in stack.items() if value is not None)}
    for key in (*TOP_KEYS, *(f"stack.{key}" for key in STACK_KEYS if key != "navigation")):
        if key not in present:
            raise ConfigError(key, "is missing", "it cannot be left out")


def _check_rates(env: dict[str, Any], camera_rate_hz: float) -> None:
    """The camera's rate divides the control rate, which divides the physics rate; ConfigError with one that does."""
    rates = {key: env[key] for key in ("physics_rate_hz", "control_rate_hz") if key in env}
    for key, rate_hz in rates.items():
        if not isinstance(rate_hz, int | float) or isinstance(rate_hz, bool):
            raise ConfigError(f"env.{key}", f"must be a number, got {rate_hz!r}")
        if not 0 < rate_hz < math.inf:
            raise ConfigError(f"env.{key}", f"a rate must be positive, got {rate_hz:g} Hz", "usual are 100 to 500 Hz")
    if "control_rate_hz" in rates:
        control_hz = float(rates["control_rate_hz"])
        if "physics_rate_hz" in rates:
            _check_divides("env.control_rate_hz", control_hz, "env.physics_rate_hz", float(rates["physics_rate_hz"]))
        _check_divides("cameras.rate_hz", camera_rate_hz, "env.control_rate_hz", control_hz)


def _check_divides(key: str, rate_hz: float, faster_key: str, faster_hz: float) -> None:
    if not divides(rate_hz, faster_hz):
        least_hz = 0.5 * min(rate_hz, faster_hz)  # what is far slower is another machine: change the other rate then
        fitting = [offer for offer in RATES_HZ if offer >= least_hz and divides(offer, faster_hz)]
        near = min(fitting, key=lambda offer: abs(offer - rate_hz), default=None)
        raise ConfigError(
            key,
            f"{rate_hz:g} Hz does not divide {faster_key}={faster_hz:g}",
            f"change {faster_key}" if near is None else f"the nearest usual rate that does is {near:g} Hz",
        )


def build_robot(config: DictConfig) -> Robot:
    """The robot the configuration names, in its world."""
    robot: Robot = instantiate(config.robot, "robot")
    specs = robot.spec.cameras
    setup = _read(CameraSetup, _plain(config.cameras), "cameras")
    check_cameras(setup, specs, [name for name, camera in specs.items() if camera.depth])
    return robot


def build_stack(config: DictConfig, spec: RobotSpec) -> Stack:
    """The stages the configuration names, for a robot."""
    from vla_sim.stages.motion import Motion
    from vla_sim.stages.planner import RulePlanner
    from vla_sim.stages.safety import SafetyConfig, SafetyFilter
    from vla_sim.stages.simplified import LowerResolution
    from vla_sim.stages.tracking import ObjectTracker, TrackerConfig

    stack = _plain(config.stack)
    for stage in STAGES:
        if stack.get(stage):
            stack[stage].pop("profile", None)
    perception = stack["perception"]
    tracker = _read(TrackerConfig, {"predict": perception.pop("predict", False)}, "stack.perception")
    scale = perception.pop("simplified_scale", None)
    sees = instantiate(perception, "stack.perception")
    plans = instantiate(stack["planning"], "stack.planning")
    simplified: dict[str, Any] = {} if scale is None else {"perception": LowerResolution(sees, scale)}
    if not isinstance(plans, RulePlanner):
        simplified["planning"] = RulePlanner()
    motion = Motion(spec, _read(MotionConfig, stack["motion"], "stack.motion"))
    safety = _read(SafetyConfig, stack["safety"], "stack.safety")
    return Stack(
        intent=instantiate(stack["intent"], "stack.intent"),
        planning=plans,
        perception=sees,
        grasp=instantiate(stack["grasp"], "stack.grasp", spec=spec),
        motion=motion,
        safety=SafetyFilter(spec, safety, motion.tools_in_base),
        tracker=lambda query: ObjectTracker(query, tracker),
        navigation=instantiate(stack["navigation"], "stack.navigation") if stack.get("navigation") else None,
        simplified=simplified,
    )


def instantiate(node: Any, key: str, **more: Any) -> Any:
    """What a node with `_target_` describes; a mistake in it is a ConfigError that names the key."""
    from hydra.errors import InstantiationException
    from hydra.utils import instantiate as hydra_instantiate

    try:
        # What is ours is given afterwards: Hydra would turn a dataclass into a configuration.
        made = hydra_instantiate(node, _partial_=True) if more else hydra_instantiate(node)
        return made(**more) if more else made
    except (InstantiationException, TypeError, ValueError) as error:
        raise _explain(error, key) from error


def _explain(error: Exception, key: str) -> VlaSimError:
    """The reason behind Hydra's exception, in one line."""
    place = re.search(r"full_key: (\S+)", str(error))
    cause: BaseException = error
    while not isinstance(cause, VlaSimError) and cause.__cause__ is not None:
        cause = cause.__cause__
    if isinstance(cause, VlaSimError):
        return cause
    return ConfigError(place.group(1).removeprefix(f"{key}.") if place else key, _first_line(cause))


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _read(kind: type[T], data: Any, key: str) -> T:
    """As `mapping.read`, with keys as they are written on the command line."""
    try:
        return read(kind, data, key)
    except ConfigError as error:
        written = error.key.replace(f"{key}.{key}.", f"{key}.", 1).removeprefix("config.")
        raise ConfigError(written, error.problem, error.hint) from error


def _plain(config: Any) -> dict[str, Any]:
    if isinstance(config, DictConfig):
        try:
            config = OmegaConf.to_container(config, resolve=True)
        except OmegaConfBaseException as error:
            raise ConfigError(str(error.full_key or "configuration"), _first_line(error)) from error
    return {str(k): v for k, v in config.items()}


# -- composing, with errors a person can act on -----------------------------------------------------------------


def compose(overrides: Sequence[str], *, with_hydra: bool = False) -> DictConfig:
    """The configuration for a list of overrides; raises ConfigError that names the word and the nearest valid one."""
    import hydra
    from hydra.core.global_hydra import GlobalHydra
    from hydra.errors import HydraException

    GlobalHydra.instance().clear()
    try:
        with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
            return hydra.compose("config", overrides=list(overrides), return_hydra_config=with_hydra)
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        raise _explain_compose(error, overrides) from error


def sweep_values(overrides: Sequence[str]) -> list[list[str]]:
    """Of each override the values it sweeps over, none when it does not sweep; ConfigError when it cannot be read."""
    import hydra
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException, OverrideParseException

    GlobalHydra.instance().clear()
    try:
        with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
            parser = OverridesParser.create(GlobalHydra.instance().config_loader())
            parsed = parser.parse_overrides(list(overrides))
            return [list(item.sweep_string_iterator()) if item.is_sweep_override() else [] for item in parsed]
    except OverrideParseException as error:
        raise ConfigError("command line", f"cannot read {error.override!r}", "write key=value") from None
    except HydraException as error:
        raise ConfigError("command line", _first_line(error)) from None


def groups() -> dict[str, list[str]]:
    """Configuration groups and their choices."""
    found: dict[str, list[str]] = {}
    for file in sorted(CONF.glob("*/**/*.yaml")):
        found.setdefault(file.parent.relative_to(CONF).as_posix(), []).append(file.stem)
    return found


def _explain_compose(error: Exception, overrides: Sequence[str]) -> ConfigError:
    text = str(error)
    missing = re.search(r"Could not find '([^'/]+)/([^']+)'", text)
    if missing:
        group, choice = missing.groups()
        known = groups()
        if group in known:
            return ConfigError(group, f"there is no choice {choice!r}", nearest(choice, known[group]))
        return ConfigError(group, "there is no such group", nearest(group, known))
    unknown = re.search(r"Could not (?:override|delete from config\.) '([^']+)'", text)
    if unknown:
        return _unknown_key(unknown.group(1))
    for key, _, value in (word.partition("=") for word in overrides):
        if value == "null" and key in groups() and isinstance(error, ValueError):
            return ConfigError(key, "cannot be null", nearest("", groups()[key]))
    key = next((word.split("=")[0] for word in overrides if word.split("=")[0] in text), "configuration")
    return ConfigError(key, _first_line(error.__cause__ or error))


def _unknown_key(key: str) -> ConfigError:
    """A key that does not exist, and the nearest among those that do at its level."""
    places = [f"device@devices.{name}" for name in ("robot", "cloud")]
    if key == "device":
        return ConfigError(key, "stands in two places", f"write {' or '.join(f'{place}=...' for place in places)}")
    node: Any = compose([], with_hydra=key.startswith("hydra."))
    path = key.split(".")
    for i, part in enumerate(path):
        if not isinstance(node, DictConfig) or part not in node:
            known = {str(k) for k in node} if isinstance(node, DictConfig) else set()
            if i == 0:
                known = (known | {*groups(), *places}) - {"device", "devices"}
            return ConfigError(key, "there is no such key", nearest(part, known) if known else "")
        node = node[part]
    return ConfigError(key, "cannot be left out or overridden")
