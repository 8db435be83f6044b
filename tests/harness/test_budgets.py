"""Budgets: the configuration's default, and clear words for wrong ones."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from vla_sim.errors import ConfigError
from vla_sim.harness.budgets import Budget

CONF = Path(__file__).resolve().parents[2] / "conf" / "budget" / "default.yaml"


def test_the_default_configuration_is_the_2000_ms_budget() -> None:
    budget = Budget.from_config(yaml.safe_load(CONF.read_text()))
    assert budget == Budget()
    assert budget.total_ms == 2000 == sum(ms for stage, ms in budget.stages_ms.items() if stage != "grasp")
    assert budget.stages_ms == {
        "voice": 300, "intent": 200, "planning": 1000, "perception": 300, "grasp": 2000, "safety": 100, "control": 100,
    }  # fmt: skip


@pytest.mark.parametrize("value", [0, -5, float("nan"), float("inf"), "fast", None, True])
def test_a_limit_must_be_a_positive_number(value: object) -> None:
    with pytest.raises(ConfigError, match=r"budget\.intent_ms: must be a positive number of milliseconds"):
        Budget.from_config({"intent_ms": value})


def test_an_unknown_key_gets_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"budget\.planing_ms: no such key; did you mean 'planning_ms'\?"):
        Budget.from_config({"planing_ms": 10})


def test_stages_must_fit_into_the_total() -> None:
    with pytest.raises(ConfigError, match="is 2000, but the stages add up to 2500 ms"):
        Budget(planning_ms=1500)
    assert Budget(planning_ms=1500, total_ms=2500).total_ms == 2500
