"""A sweep's page is made from its run folders alone and compares them fairly."""

from __future__ import annotations

import csv
import json
import math
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from tests.report.reading import Page
from tests.report.synthetic_run import write_run, write_variants
from vla_sim.errors import RecordError
from vla_sim.harness.statistics import holm, wilson
from vla_sim.report.sweep import write_sweep
from vla_sim.report.text import cell

EPISODES = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_variants(tmp_path_factory.mktemp("sweeps") / "sweep", episodes=EPISODES)
    (folder / "0" / "report.html").write_text("its own page")
    write_sweep(folder)
    return folder


@pytest.fixture(scope="module")
def page(folder: Path) -> Page:
    return Page(folder / "report.html")


def outcomes(folder: Path, variant: str) -> list[bool]:
    found: list[bool] = pq.read_table(folder / variant / "episodes.parquet")["success"].to_pylist()
    return found


def test_variants_are_labelled_by_what_differs(page: Page) -> None:
    labels = [variant["label"] for variant in page.data["variants"]]
    assert labels == [f"{place}, {delay} ms" for place in ("edge", "cloud") for delay in (0, 200, 600)]
    assert {variant["curve"] for variant in page.data["variants"]} == {"edge", "cloud"}
    assert page.data["delay_varies"] is True


def test_success_and_interval_are_recomputed_from_the_records(page: Page, folder: Path) -> None:
    for variant in page.data["variants"]:
        won = sum(outcomes(folder, variant["folder"]))
        assert variant["success"]["successes"] == won
        assert (variant["success"]["low"], variant["success"]["high"]) == pytest.approx(wilson(won, EPISODES))


def test_comparisons_pair_the_same_episodes(page: Page, folder: Path) -> None:
    names = {variant["label"]: variant["folder"] for variant in page.data["variants"]}
    reference = outcomes(folder, names[page.data["reference"]])
    assert page.data["reference"] == "edge, 0 ms"
    assert len(page.data["comparisons"]) == 5
    for comparison in page.data["comparisons"]:
        mine, result = outcomes(folder, names[comparison["first"]]), comparison["result"]
        assert result["pairs"] == EPISODES
        assert result["only_first"] == sum(a and not b for a, b in zip(mine, reference, strict=True))
        assert result["only_second"] == sum(b and not a for a, b in zip(mine, reference, strict=True))


def test_every_cell_is_the_data_in_words(page: Page) -> None:
    for table in page.data["tables"]:
        texts = [[cell(row[c["key"]], c["form"]) for c in table["columns"]] for row in table["rows"]]
        assert page.tables[f"table-{table['name']}"] == texts
    assert len(page.tables["table-pairs"]) == 15


def test_the_headline_tells_the_largest_loss(page: Page) -> None:
    rates = {v["label"]: v["success"]["rate"] for v in page.data["variants"]}
    lost = {place: rates[f"{place}, 0 ms"] - rates[f"{place}, 600 ms"] for place in ("edge", "cloud")}
    worst = max(lost, key=lambda place: lost[place])
    assert page.data["headline"].startswith(f"{worst.capitalize()}: success falls from")
    won = round(rates[f"{worst}, 600 ms"] * EPISODES)
    low, high = wilson(won, EPISODES)
    assert page.data["headline"].endswith(f"[{low * 100:.0f} to {high * 100:.0f}] at 600 ms.")


def test_degradation_is_against_the_same_variant_without_delay(folder: Path, page: Page) -> None:
    table = {row["label"]: row for row in pq.read_table(folder / "sweep.parquet").to_pylist()}
    assert list(table) == [variant["label"] for variant in page.data["variants"]]
    late = table["cloud, 600 ms"]
    assert late["rt_degradation"] == pytest.approx(table["cloud, 0 ms"]["success_rate"] - late["success_rate"])
    assert json.loads(late["overrides"]) == ["deploy=cloud", "delay_ms=600"]
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["variants"]["cloud, 600 ms"]["rt_degradation"] == late["rt_degradation"]


def test_many_comparisons_are_corrected_and_come_with_advice(page: Page, folder: Path) -> None:
    found = page.data["comparisons"]
    assert [c["p_adjusted"] for c in found] == pytest.approx(holm([c["result"]["p_value"] for c in found]))
    reference = outcomes(folder, "0")
    for comparison, variant in zip(found, ("1", "2", "3", "4", "5"), strict=True):
        mine = outcomes(folder, variant)
        h = 2 * (math.asin(math.sqrt(sum(mine) / EPISODES)) - math.asin(math.sqrt(sum(reference) / EPISODES)))
        assert comparison["effect"]["cohens_h"] == pytest.approx(h)
        assert f"{EPISODES} pairs" in comparison["advice"]
        assert comparison["advice"] in page.text


def test_tables_are_csv_files_too(page: Page, folder: Path) -> None:
    with (folder / "tables" / "variants.csv").open(newline="") as stream:
        rates = [row["success_rate"] for row in csv.DictReader(stream)]
    assert [float(rate) for rate in rates] == [variant["success"]["rate"] for variant in page.data["variants"]]


def test_variants_link_to_their_own_page_when_there_is_one(page: Page) -> None:
    assert [value for tag, name, value in page.attributes if (tag, name) == ("a", "href")] == ["0/report.html"]


def test_drawn_again_it_is_the_same_to_the_byte(folder: Path) -> None:
    names = ("report.html", "sweep.parquet", "metrics.json", "figures/delay.png", "figures/latency.png")
    before = [(folder / name).read_bytes() for name in names]
    write_sweep(folder)
    assert [(folder / name).read_bytes() for name in names] == before


def test_a_damaged_run_is_left_out_by_name_and_the_rest_is_shown(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    (copy / "3" / "spans.parquet").write_bytes(b"PAR1")
    (copy / "4" / "metrics.json").write_text("{}")
    page = Page(write_sweep(copy))
    assert len(page.data["variants"]) == 4
    assert [line.partition(":")[0] for line in page.data["unread"]] == ["3/spans.parquet", "4/metrics.json"]
    assert "3/spans.parquet: is damaged or cut short" in page.text


def test_a_sweep_without_a_readable_run_is_an_error(tmp_path: Path) -> None:
    write_run(tmp_path / "0", speed=8.0)
    (tmp_path / "0" / "ticks.parquet").unlink()
    with pytest.raises(RecordError, match="holds no finished run"):
        write_sweep(tmp_path)


def test_a_sweep_without_delays_has_no_delay_figure(tmp_path: Path) -> None:
    for name, loss in (("0", "0.0"), ("1", "0.1")):
        write_run(tmp_path / name, speed=8.0, crash=False, overrides=(f"network.loss={loss}",))
    page = Page(write_sweep(tmp_path))
    assert [variant["label"] for variant in page.data["variants"]] == ["loss 0.0", "loss 0.1"]
    assert page.data["delay_varies"] is False
    assert not (tmp_path / "figures" / "delay.png").exists()


def test_variants_are_compared_within_their_task_alone(tmp_path: Path) -> None:
    for number, (task, late) in enumerate([("reach", 0), ("reach", 1), ("pick", 0), ("pick", 1)]):
        run = write_run(tmp_path / str(number), overrides=(f"env={task}", f"late={late}"))
        config = yaml.safe_load((run / "config.yaml").read_text())
        (run / "config.yaml").write_text(yaml.safe_dump({**config, "env": {"id": task}}))
    found = Page(write_sweep(tmp_path)).data
    assert found["against"] == "the first of its task"
    assert len(found["comparisons"]) == 2
    assert all(("reach" in one["first"]) == ("reach" in one["second"]) for one in found["comparisons"])
