"""What a sweep knows before it begins, and what it says of a search when it is over."""

from __future__ import annotations

import io
from pathlib import Path

import hydra
import pytest
from omegaconf import DictConfig
from rich.console import Console

from vla_sim import configuration as conf
from vla_sim import sweeps
from vla_sim.sweeps import Plan, plan_of


def plan(*words: str) -> Plan:
    with hydra.initialize_config_dir(str(conf.CONF), version_base="1.3"):
        config = hydra.compose("config", overrides=list(words), return_hydra_config=True)
        swept = [word for word in words if "," in word or "(" in word]
        assert isinstance(config, DictConfig)
        # As `-m` would leave them: those that are swept over are not composed.
        config.hydra.overrides.task = [*config.hydra.overrides.task, *swept]
        return plan_of(config)


@pytest.mark.parametrize(
    ("words", "variants", "keys"),
    [
        (["experiment=quickstart"], 2, {"deploy"}),
        (["experiment=deployment_matrix"], 45, {"deploy", "network", "stack.perception.profile"}),
        (["experiment=deployment_matrix", "deploy=edge"], 15, {"network", "stack.perception.profile"}),
        (["experiment=deployment_matrix", "deploy=edge", "network=4g"], 3, {"stack.perception.profile"}),
        (["experiment=cheapest", "hydra.sweeper.n_trials=7"], 7, {"deploy", "network", "stack.perception.predict"}),
    ],
)
def test_a_sweep_knows_its_variants(words: list[str], variants: int, keys: set[str]) -> None:
    found = plan(*words)
    assert found.variants == variants
    assert found.keys == keys


def test_the_command_line_adds_to_an_experiments_sweep() -> None:
    with hydra.initialize_config_dir(str(conf.CONF), version_base="1.3"):
        config = hydra.compose("config", overrides=["experiment=quickstart"], return_hydra_config=True)
        config.hydra.overrides.task = ["experiment=quickstart", "seed=range(0,3)", "network=glob(wifi*)"]
        assert plan_of(config) == Plan(2 * 3 * 2, frozenset({"deploy", "seed", "network"}))


@pytest.mark.parametrize(
    ("value", "words"),
    [("2.5", "best    deploy=edge, delay_ms=100: 2.5"), ("1000000000.4", "no variant meets all conditions")],
)
def test_a_search_says_what_it_found(value: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sweeps, "console", Console(file=stream, highlight=False, color_system=None))
    results = tmp_path / "optimization_results.yaml"
    sweeps._print_best(results)
    assert stream.getvalue() == ""
    results.write_text(f"name: optuna\nbest_params:\n  deploy: edge\n  delay_ms: 100\nbest_value: {value}\n")
    sweeps._print_best(results)
    assert stream.getvalue().startswith(words)
    assert "deploy=edge, delay_ms=100" in stream.getvalue()
