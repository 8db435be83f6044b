"""Every file of conf/ composes, passes its checks and builds; what does not fit is named with something that does."""

from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from vla_sim import configuration as conf
from vla_sim.errors import ConfigError
from vla_sim.harness.experiment import RunSettings
from vla_sim.stack import Stack

GROUPS = conf.groups()
DEVICE_PLACES = ("device@devices.robot", "device@devices.cloud")
CHOICES = [
    f"{place}={choice}"
    for group, choices in GROUPS.items()
    for choice in choices
    for place in (DEVICE_PLACES if group == "device" else (group,))
]


def refusal(*overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        conf.settings_of(conf.compose(overrides), overrides)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def settings(*overrides: str) -> RunSettings:
    return conf.settings_of(conf.compose(overrides), overrides)


# What there is


def test_groups_are_the_folders() -> None:
    tops = {path.name for path in conf.CONF.iterdir() if path.is_dir()}
    assert {name.split("/")[0] for name in GROUPS} == tops
    assert all(GROUPS.values())
    assert {"edge", "cloud", "hybrid"} <= set(GROUPS["deploy"])


@pytest.mark.parametrize("choice", CHOICES)
def test_every_choice_passes_its_checks(choice: str) -> None:
    read = settings(choice)
    assert read.episodes >= 1
    assert read.overrides == (choice,)
    assert OmegaConf.create(read.config_text) == read.config


@pytest.mark.parametrize("name", GROUPS["experiment"])
def test_every_variant_an_experiment_sweeps_over_passes_its_checks(name: str) -> None:
    own = OmegaConf.load(conf.CONF / "experiment" / f"{name}.yaml")
    swept = [f"{key}={values}" for key, values in own.hydra.sweeper.params.items()]
    for word, values in zip(swept, conf.sweep_values(swept), strict=True):
        assert len(values) > 1
        for value in values:
            settings(f"experiment={name}", f"{word.split('=')[0]}={value}")


@pytest.mark.parametrize("robot", GROUPS["robot"])
@pytest.mark.parametrize("env", GROUPS["env"])
def test_every_robot_builds_in_every_world_with_every_stack(robot: str, env: str) -> None:
    if robot == "talos" and env in ("navigate", "fetch", "follow_person", "emergency_stop"):
        with pytest.raises(ConfigError, match=r"^robot: talos stands"):
            conf.build_robot(conf.compose([f"robot={robot}", f"env={env}"]))
        return
    built = conf.build_robot(conf.compose([f"robot={robot}", f"env={env}"]))
    try:
        assert built.spec.control_rate_hz == 100
        assert settings(f"env={env}").episode.agent.camera in built.spec.cameras
        for name in GROUPS["stack"]:
            assert isinstance(conf.build_stack(conf.compose([f"stack={name}"]), built.spec), Stack)
    finally:
        built.close()


# What the keys come to mean


def test_units_become_seconds() -> None:
    episode = settings("delay_ms=250", "cameras.rate_hz=25", "seed=7").episode
    assert (episode.delay_s, episode.agent.camera_rate_hz, episode.seed) == (0.25, 25, 7)


@pytest.mark.parametrize(("delay", "latency_s"), [("null", 0.015), ("0", 0.0), ("10", 0.01), ("500", 0.015)])
def test_an_imposed_delay_includes_the_cameras_own_latency(delay: str, latency_s: float) -> None:
    assert settings(f"delay_ms={delay}").episode.agent.camera_latency_s == pytest.approx(latency_s)


def test_sweep_values_are_those_hydra_would_run() -> None:
    words = ["deploy=edge,cloud", "seed=range(0,3)", "network=glob(wifi*)", "episodes=2"]
    assert conf.sweep_values(words) == [["edge", "cloud"], ["0", "1", "2"], ["wifi6", "wifi7"], []]


# What does not fit


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("cameras.rate_hz=-5", ["cameras.rate_hz", "-5 Hz"]),
        ("cameras.rate_hz=30", ["cameras.rate_hz", "30 Hz does not divide", "100", "25 Hz"]),
        ("cameras.rate_hz=200", ["cameras.rate_hz", "100 Hz"]),
        ("cameras.latency_ms=inf", ["cameras.latency_ms", "infinite"]),
        ("cameras.latency=3", ["cameras.latency", "'latency_ms'"]),
        ("env.control_rate_hz=-100", ["env.control_rate_hz", "-100 Hz"]),
        ("env.control_rate_hz=70", ["env.control_rate_hz", "70 Hz does not divide", "500", "50 Hz"]),
        ("env.control_rate_hz=fast", ["env.control_rate_hz", "number", "'fast'"]),
        ("env.control_rate_hz=true", ["env.control_rate_hz", "number"]),
        ("env.physics_rate_hz=70", ["env.control_rate_hz", "change env.physics_rate_hz"]),
        ("device=h100", ["device@devices.robot=", "device@devices.cloud="]),
        ("deploy=null", ["deploy", "choose one of: cloud, ", "edge, hybrid"]),
        ("deploy.sites.robot.device=clod", ["deploy.sites.robot.device", "'cloud'"]),
        ("deploy.placement.default=robt", ["placement.default", "'robot'"]),
        ("network.rtt_ms=-1", ["network.rtt_ms", "negative"]),
        ("stack.agent.deadlines_s.intent=-1", ["stack.agent.deadlines_s.intent: must"]),
        ("+stack.plannin=3", ["stack.plannin", "'planning'"]),
        ("~stack.planning", ["stack.planning", "missing"]),
        ("~robot", ["robot", "missing"]),
        ("command=${nope}", ["command", "'nope'"]),
        ("hydra.run.dri=x", ["hydra.run.dri", "'dir'"]),
        ("hydra.mode=FOO", ["hydra.mode", "'FOO'", "MULTIRUN"]),
        ("episodes=2.5", ["episodes", "whole number"]),
        ("seed=-1", ["seed", "negative"]),
        ("delay_ms=nan", ["delay_ms", "between"]),
    ],
)
def test_what_does_not_fit_is_named(override: str, words: list[str]) -> None:
    text = refusal(override)
    assert text.startswith(words[0]) or override.startswith("device=")
    assert not [word for word in words if word not in text], text


def test_a_hint_names_each_choice_once() -> None:
    listed = refusal("deplyo=cloud").rpartition("(")[2].rstrip(")").split(", ")
    assert len(set(listed)) == len(listed)
    assert {"deploy", "episodes", *DEVICE_PLACES} <= set(listed)


def test_rates_are_free_where_the_world_sets_none() -> None:
    assert settings("~env.control_rate_hz", "cameras.rate_hz=30").episode.agent.camera_rate_hz == 30


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("stack.intent._target_=vla_sim.nope.Grammar", ["stack.intent", "vla_sim.nope"]),
        ("+stack.motion.max_atempts=2", ["stack.motion.max_atempts", "'max_attempts'"]),
        ("stack.perception.predict=maybe", ["stack.perception.predict", "true or false"]),
    ],
)
def test_a_stack_that_cannot_be_built_is_named(override: str, words: list[str]) -> None:
    robot = conf.build_robot(conf.compose([]))
    try:
        with pytest.raises(ConfigError) as caught:
            conf.build_stack(conf.compose([override]), robot.spec)
    finally:
        robot.close()
    assert not [word for word in words if word not in str(caught.value)], str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_world_that_refuses_speaks_for_itself() -> None:
    with pytest.raises(ConfigError, match=r"^env.speed_m_s: .* 0.5 m/s, got 3"):
        conf.build_robot(conf.compose(["env=pick_moving", "env.speed_m_s=3"]))


def test_a_world_that_breaks_names_the_place() -> None:
    with pytest.raises(ConfigError, match=r"^env: "):
        conf.build_robot(conf.compose(["env=pick_moving", "env.speed_m_s=fast"]))


def test_no_configuration_file_is_left_out() -> None:
    files = {path.relative_to(conf.CONF) for path in conf.CONF.rglob("*.yaml")}
    assert files == {Path("config.yaml"), *(Path(g) / f"{c}.yaml" for g, cs in GROUPS.items() for c in cs)}
