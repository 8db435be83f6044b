"""How busy the computers were, by hand and against small steps."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_sim.harness.usage import usage_metrics


def span(start_s: float, compute_s: float, **more: object) -> dict[str, object]:
    usual = {"episode": 0, "stage": "perception", "site": "robot", "status": "ok", "mode": "full", "batch": 1}
    return {**usual, "t_end_s": start_s + compute_s, "compute_s": compute_s, "downlink_s": 0.0, **more}


def usage(*spans: dict[str, object], sim_s: float = 10.0) -> dict[str, dict[str, object]]:
    columns = list(span(0.0, 0.0))
    return usage_metrics(pd.DataFrame(list(spans), columns=columns), pd.DataFrame({"sim_s": [sim_s]}))


def test_work_is_counted_where_it_was_done() -> None:
    found = usage(span(0.0, 1.0), span(3.0, 0.5, stage="grasp"), span(4.0, 2.0, site="cloud"))
    assert found["robot"]["busy"] == pytest.approx(0.15)
    assert found["robot"]["by_stage"] == {"grasp": pytest.approx(0.05), "perception": pytest.approx(0.1)}
    assert found["cloud"]["busy"] == pytest.approx(0.2)


def test_a_batch_is_shared_and_a_cache_works_for_nothing() -> None:
    four = [span(0.0, 0.4, batch=4) for _ in range(4)]
    assert usage(*four, span(1.0, 0.1, mode="cached"))["robot"]["busy"] == pytest.approx(0.04)


def test_lost_and_rejected_requests_are_no_work_but_superseded_ones_are() -> None:
    found = usage(span(0.0, 1.0, status="lost"), span(2.0, 1.0, status="rejected"), span(4.0, 1.0, status="superseded"))
    assert found["robot"]["busy"] == pytest.approx(0.1)


def test_the_downlink_is_not_compute() -> None:
    found = usage({**span(0.0, 0.5), "t_end_s": 3.5, "downlink_s": 3.0})
    assert found["robot"]["busy_peak_1s"] == pytest.approx(0.5)


def test_nothing_asked_is_no_site() -> None:
    assert usage() == {}


@given(st.lists(st.tuples(st.floats(0.0, 9.0), st.floats(0.01, 3.0), st.integers(1, 4)), min_size=1, max_size=12))
def test_the_peak_agrees_with_small_steps(work: list[tuple[float, float, int]]) -> None:
    found = usage(*(span(start, took, batch=batch) for start, took, batch in work), sim_s=15.0)
    at = np.arange(0.0, 13.0, 0.001) + 0.0005
    load = np.zeros_like(at)
    for start, took, batch in work:
        load += ((at >= start) & (at < start + took)) / batch
    assert found["robot"]["busy_peak_1s"] == pytest.approx(load.reshape(-1, 1000).mean(axis=1).max(), abs=0.02)
