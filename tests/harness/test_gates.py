"""Gates: how they are written, what they say, and that a wrong one is found before anything runs."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_sim.errors import ConfigError
from vla_sim.harness.gates import OPERATORS, Gate, ReportConfig, check, check_keys, flatten, known_keys
from vla_sim.mapping import read

METRICS: dict[str, Any] = {
    "success_rate": 0.85,
    "success_ci95": [0.7, 0.94],
    "falls": 0,
    "rt_degradation": None,
    "latency_ms": {"perception": {"p95": 212.5, "p999": None}},
    "cost": {"usd_per_hour": None},
}
numbers = st.floats(-1e6, 1e6, allow_nan=False)


@given(st.sampled_from(sorted(known_keys())), st.sampled_from(sorted(OPERATORS)), st.integers(-(10**6), 10**6))
def test_a_gate_is_read_as_it_is_written(key: str, relation: str, thousandths: int) -> None:
    gate = Gate.parse(f" {key}{relation} {thousandths / 1000} ")
    assert gate == Gate(key, relation, thousandths / 1000)
    assert Gate.parse(str(gate)) == gate
    check_keys([gate])


@given(numbers, numbers)
def test_opposite_gates_never_agree(value: float, limit: float) -> None:
    passed = {relation: Gate("x", relation, limit).holds(value) for relation in OPERATORS}
    assert passed[">="] != passed["<"]
    assert passed["<="] != passed[">"]
    assert not passed["=="] or math.isclose(value, limit, rel_tol=1e-8)


@pytest.mark.parametrize(
    ("text", "passed", "line"),
    [
        ("success_rate >= 0.9", False, "gate success_rate >= 0.9: 0.85, missed by 0.05"),
        ("success_rate>=0.85", True, "gate success_rate >= 0.85: 0.85, passed"),
        ("success_rate > 0.85", False, "gate success_rate > 0.85: 0.85, missed, it must differ from the limit"),
        ("success_ci95.0 >= 0.8", False, "gate success_ci95.0 >= 0.8: 0.7, missed by 0.1"),
        ("success_ci95.1 < 0.95", True, "gate success_ci95.1 < 0.95: 0.94, passed"),
        ("falls == 0", True, "gate falls == 0: 0, passed"),
        ("latency_ms.perception.p95 <= 200", False, "gate latency_ms.perception.p95 <= 200: 212.5, missed by 12.5"),
        (
            "latency_ms.perception.p999 <= 1e3", False,
            "gate latency_ms.perception.p999 <= 1000: no value, too few answers for it",
        ),
        (
            "latency_ms.voice.p95 <= 300", False,
            "gate latency_ms.voice.p95 <= 300: no value, voice answered nothing in this run",
        ),
        (
            "rt_degradation <= 0.1", False,
            "gate rt_degradation <= 0.1: no value, there is no run at zero latency to compare with",
        ),
        (
            "cost.usd_per_hour <= 5", False,
            "gate cost.usd_per_hour <= 5: no value, a price is not known, or nothing succeeded",
        ),
        ("budget.voice.met_ratio >= 0.9", False, "gate budget.voice.met_ratio >= 0.9: no value, voice was not asked"),
    ],
)  # fmt: skip
def test_a_gate_says_in_one_line_what_became_of_it(text: str, passed: bool, line: str) -> None:
    (result,) = check(METRICS, [text])
    assert result.passed is passed
    assert result.line == line
    check_keys([result.gate])  # and each of these could have been asked of a real run


def test_results_come_in_the_order_of_the_gates_with_their_values() -> None:
    results = check(METRICS, ["falls <= 0", Gate("success_ci95.1", ">=", 0.9), "success_ci95.7 >= 0"])
    assert [r.value for r in results] == [0.0, 0.94, None]
    assert [r.passed for r in results] == [True, True, False]
    assert check({"success_rate": math.nan}, ["success_rate <= 1"])[0].value is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("succes_rate >= 0.9", r"report.gates: there is no metric 'succes_rate'; did you mean 'success_rate'\?"),
        ("latency_ms.perceptoin.p95 <= 3", r"did you mean 'latency_ms.perception.p95'\?"),
        ("control.execution_us <= 3", r"choose one of: control.execution_us.max, control.execution_us.p50"),
        ("success_ci95.2 >= 0.1", "there is no metric 'success_ci95.2'"),
        ("zebra >= 0.1", "there is no metric 'zebra'; metrics.json of any run lists them"),
        ("success_rate => 0.9", "'=>' is no comparison"),
        ("success_rate >= most", "'most' is not a number"),
        ("success_rate >= inf", "'inf' is not a number"),
        ("success_rate 0.9", "cannot read 'success_rate 0.9'; write for example"),
    ],
)
def test_a_wrong_gate_is_refused_at_start_up(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        read(ReportConfig, {"gates": [text]}, "report")
    assert "\n" not in str(caught.value)


def test_the_group_reads_its_gates_and_none_is_the_default() -> None:
    assert read(ReportConfig, {"gates": ["falls <= 0"]}, "report").parsed == (Gate("falls", "<=", 0.0),)
    assert ReportConfig().parsed == ()


def test_flattening_names_every_number_once() -> None:
    assert dict(flatten(METRICS)) == {
        "success_rate": 0.85,
        "success_ci95.0": 0.7,
        "success_ci95.1": 0.94,
        "falls": 0,
        "rt_degradation": None,
        "latency_ms.perception.p95": 212.5,
        "latency_ms.perception.p999": None,
        "cost.usd_per_hour": None,
    }
