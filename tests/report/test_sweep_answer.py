"""A sweep over places, networks and profiles with a run at zero latency: its answer, its front, its matrix."""

from __future__ import annotations

import itertools
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.report.reading import Page
from tests.report.synthetic_run import write_run
from vla_sim.report.matrix import build_matrix
from vla_sim.report.pareto import find_front
from vla_sim.report.parts import Success
from vla_sim.report.sweep import write_sweep
from vla_sim.report.text import Value
from vla_sim.report.variants import Variant

DEPLOYS = {"edge": (0.0, 60.0, 0.95), "cloud": (3.2, 15.0, 0.2), "hybrid": (1.1, 25.0, 0.9)}
NETWORKS, PROFILES = ("wifi6", "4g", "5g"), ("pi0", "a_rather_long_name_of_a_model@orin_50w")
EPISODES = 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sweeps") / "matrix"
    for index, (deploy, network, profile) in enumerate(itertools.product(DEPLOYS, NETWORKS, PROFILES)):
        usd, watts, success = DEPLOYS[deploy]
        overrides = (f"deploy={deploy}", f"network={network}", f"stack.policy.profile={profile}")
        write_run(
            folder / str(index),
            episodes=EPISODES,
            deploy=deploy,
            success=success,
            speed=40.0,
            crash=False,
            prices=(usd, watts),
            overrides=overrides,
        )
    zero = ("deploy=edge", "network=wifi6", "stack.policy.profile=pi0", "delay_ms=0")
    write_run(
        folder / "18", episodes=EPISODES, deploy="edge", delay_ms=0.0, success=0.95, speed=40.0, crash=False,
        prices=(0.0, 60.0), overrides=zero,
    )  # fmt: skip
    write_sweep(folder)
    return folder


@pytest.fixture(scope="module")
def page(folder: Path) -> Page:
    return Page(folder / "report.html")


def test_the_headline_counts_the_deployments_that_do(page: Page) -> None:
    meets = page.data["answer"]["meets"]
    assert len(meets) == 18
    assert "edge, wifi6, pi0, zero latency" not in meets
    assert all(meets[label] == "no" for label in meets if label.startswith("cloud"))
    assert all(meets[label] != "no" for label in meets if label.startswith("edge"))
    sure = sum(said == "yes" for said in meets.values())
    assert page.data["headline"].startswith("12 of 18 deployments meet the 2,000 ms budget and 90\u00a0% of the")
    assert f", {sure or 'none'} of them with 95" in page.data["headline"]
    assert page.data["headline"].endswith("the cheapest is edge, wifi6, pi0 (and 5 at the same price), at $0 an hour.")


def test_verdicts_reach_the_files(page: Page, folder: Path) -> None:
    table = {row["label"]: row for row in pq.read_table(folder / "sweep.parquet").to_pylist()}
    assert {label: row["meets"] for label, row in table.items() if row["meets"]} == page.data["answer"]["meets"]
    assert table["cloud, 4g, pi0"]["usd_per_hour"] == 3.2
    assert len((folder / "tables" / "deployments.csv").read_text().splitlines()) == 19


def test_the_matrix_has_a_cell_for_each_deployment(page: Page) -> None:
    matrix = page.data["matrix"]
    cells = [cell for panel in matrix["panels"] for row in panel["cells"] for cell in row]
    assert sorted(cell["label"] for cell in cells) == sorted(page.data["answer"]["meets"])
    assert [panel["title"] for panel in matrix["panels"]] == [
        "profile pi0",
        "profile a rather long name of a model@orin 50w",
    ]
    rates = {v["label"]: v["success"]["rate"] for v in page.data["variants"]}
    assert all(cell["success"]["rate"] == rates[cell["label"]] for cell in cells)
    shown = page.tables["matrix-0"][0][0]
    assert f"{rates['edge, wifi6, pi0'] * 100:.0f}" in shown


def test_only_some_of_many_variants_are_drawn_at_first(page: Page, folder: Path) -> None:
    assert len(page.data["shown"]) == 12 < len(page.data["variants"])
    assert page.data["reference"] in page.data["shown"]
    best = page.data["front"]["best"]
    assert {best[label] for label in page.data["shown"] if label in best} == set(best.values())
    assert (folder / "figures" / "latency_all.png").is_file()
    assert len(page.tables["table-variants"]) == 19
    assert len(page.tables["table-variants-first"]) == 10


def test_the_page_has_no_id_twice(page: Page) -> None:
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))


def variant(label: str, rate: float | None, usd: float | None, wh: float | None, **choices: str) -> Variant:
    success = Success(0, 10, rate, 0.0, 1.0)
    row: dict[str, Value] = {"success_rate": rate, "usd_per_hour": usd, "wh_per_success": wh, "ttfa_p95_ms": 900.0}
    return Variant(label, label, label, (), choices, None, success, (), row)


figures = st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(0, 3))


@settings(max_examples=60)
@given(st.lists(figures, min_size=2, max_size=12))
def test_the_front_is_what_nothing_beats(points: list[tuple[int, int, int]]) -> None:
    variants = [variant(str(i), r / 4, float(u), float(w)) for i, (r, u, w) in enumerate(points)]
    front = find_front(variants)
    used = [column for column in (1, 2) if len({point[column] for point in points}) > 1]
    if not used:
        assert front is None
        return
    assert front is not None
    for i, own in enumerate(points):
        beaters = [
            str(j)
            for j, other in enumerate(points)
            if other[0] >= own[0]
            and all(other[k] <= own[k] for k in used)
            and (other[0] > own[0] or any(other[k] < own[k] for k in used))
        ]
        assert (str(i) in front.best) == (not beaters)
        assert (front.beaten[str(i)] in beaters) if beaters else (str(i) not in front.beaten)


def test_a_variant_without_a_price_is_named_and_not_placed() -> None:
    front = find_front([variant("a", 0.9, 1.0, None), variant("b", 0.8, None, None), variant("c", 0.9, 2.0, None)])
    assert front is not None
    assert front.unplaced == ("b",)
    assert front.beaten == {"c": "a"}


def test_a_matrix_needs_two_keys_that_vary() -> None:
    one = [variant(str(i), 0.5, None, None, deploy=place) for i, place in enumerate(("edge", "cloud"))]
    assert build_matrix(one, 2000.0, {}) is None
    keys = list(itertools.product(("edge", "cloud"), ("4g", "5g", "wifi6")))
    two = [variant(f"{d} {n}", 0.5, None, None, deploy=d, network=n) for d, n in keys]
    matrix = build_matrix(two[:-1], 2000.0, {"edge 4g": "yes"})
    assert matrix is not None
    (panel,) = matrix.panels
    assert (panel.rows, panel.columns) == (("edge", "cloud"), ("4g", "5g", "wifi6"))
    assert panel.cells[1][2] is None
    first = panel.cells[0][0]
    assert first is not None
    assert (first.label, first.meets, first.in_time) == ("edge 4g", "yes", True)
    assert build_matrix([*two, two[0]], 2000.0, {}) is None  # two variants in one place
