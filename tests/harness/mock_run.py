"""A whole run on the mock robot, in this process or, to be killed, in one of its own."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml

from robots.mock import MockRobot
from tests.fake_stack import scripted_stack
from vla_sim.deployment.config import DeployConfig, DeploymentConfig, PlacementConfig, SiteConfig
from vla_sim.deployment.link import LinkSpec
from vla_sim.deployment.profile import Device, LatencyProfile
from vla_sim.harness import resume
from vla_sim.harness.budgets import Budget
from vla_sim.harness.episode import EpisodeSettings
from vla_sim.harness.experiment import RunSettings, run_experiment
from vla_sim.stack import AgentConfig
from vla_sim.telemetry.recorder import EpisodeRow
from vla_sim.types import Verdict

TASK = "put the red cube in the tray"


class Varied(MockRobot):
    """Its episodes have lengths and ends of their own, drawn from nothing but their seeds."""

    def reset(self, seed: int) -> Any:
        self._time_limit_s, self._wins = 0.2 + seed % 7 / 20, seed % 3 > 0
        return super().reset(seed)

    def verdict(self) -> Verdict | None:
        over = super().verdict()
        return Verdict(True, "placed") if over is not None and self._wins else over


def deployment() -> DeploymentConfig:
    """Every stage on the robot; perception's latency is drawn."""
    drawn = LatencyProfile(30.0, 60.0, 80.0, "placeholder", "test")
    profiles = {"perception": drawn, **{s: LatencyProfile.constant(1.0, "test") for s in ("control", "safety")}}
    device = Device("robot", profiles, LatencyProfile.constant(20.0, "test"))
    deploy = DeployConfig({"robot": SiteConfig("robot")}, PlacementConfig("robot"))
    return DeploymentConfig(deploy, LinkSpec("unused", None, None, 1.0, 0.0, 0.0, 1.0, "test"), {"robot": device})


def run_settings(episodes: int = 4, *, config: dict[str, Any] | None = None, **how: Any) -> RunSettings:
    config = {"robot": {"name": "mock", "speed": 1.0}, "seed": 3, "episodes": episodes, **(config or {})}
    episode = EpisodeSettings(config["seed"], deployment(), AgentConfig())
    return RunSettings(episodes, episode, Budget(), False, config, yaml.safe_dump(config, sort_keys=False), **how)


class Told:
    """Who was told of which episodes."""

    def __init__(self) -> None:
        self.played: list[EpisodeRow] = []
        self.kept: list[EpisodeRow] = []


def run(
    folder: Path, settings: RunSettings | None = None, stop_after: int | None = None
) -> tuple[Told, dict[str, Any]]:
    """Play; `stop_after` interrupts after that many episodes, as Ctrl-C would."""
    robot, told = Varied(instruction=TASK), Told()

    def on_episode(row: EpisodeRow) -> None:
        told.played.append(row)
        if len(told.played) == stop_after:
            raise KeyboardInterrupt

    settings = settings or run_settings()
    return told, run_experiment(robot, scripted_stack(robot.spec), settings, folder, on_episode, told.kept.append)


def content_hash_of(folder: Path) -> str:
    """What the manifest says."""
    return str(json.loads((folder / "manifest.json").read_text())["content_hash"])


if __name__ == "__main__":  # FOLDER EPISODES CODE; the digest is given, so that nobody need stop editing meanwhile
    vars(resume)["code_digest"] = lambda: sys.argv[3]
    run(Path(sys.argv[1]), run_settings(int(sys.argv[2])))
