"""What the profile command shows: the measured stages, and the library."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from vla_sim.profiles import library
from vla_sim.profiles.measured import Measurement, StageReport


def report_table(reports: Sequence[StageReport]) -> Table:
    """Two rows a stage: with the libraries' own number of threads, and with one. Times in ms, memory in MB."""
    table = Table(title="milliseconds a call, on this machine", title_justify="left")
    table.add_column("stage", no_wrap=True)
    for column in ("threads", "load", "first", "p50", "p95", "p99", "p99.9", "max", "cpu", "calls", "inputs", "MB"):
        table.add_column(column, justify="right", no_wrap=True)
    for report in reports:
        table.add_row(report.stage, *_cells(report.default), str(report.inputs), _memory(report.default))
        table.add_row("", *_cells(report.one_thread), "", _memory(report.one_thread), end_section=True)
    table.caption = (
        "each row in a fresh process; load and MB: of all the stack, or of the model file; cpu: processor time, mean; "
        "p99.9 from 1000 calls on"
    )
    table.caption_justify = "left"
    return table


def crowd_warning(reports: Sequence[StageReport]) -> str:
    """One line when other programs kept the processors busy; empty otherwise."""
    load = max(float(report.host["load_average"]) for report in reports)
    cores = int(reports[0].host["cores"])
    if load <= cores:
        return ""
    return (
        f"the machine was busy: {load:.1f} programs on {cores} cores; where cpu is far below p50, the rest is waiting"
    )


def _cells(found: Measurement) -> tuple[str, ...]:
    warm = found.warm
    tail = "-" if warm.p999_ms is None else _ms(warm.p999_ms)
    asked = "own" if found.threads_asked is None else str(found.threads_asked)
    quantiles = (_ms(value) for value in (found.first_call_ms, warm.p50_ms, warm.p95_ms, warm.p99_ms))
    return (asked, _ms(found.load_ms), *quantiles, tail, _ms(warm.max_ms), _ms(found.processor_ms), str(warm.calls))


def _memory(found: Measurement) -> str:
    return "-" if found.memory_peak_mb is None else f"{found.memory_peak_mb:.0f}"


def _ms(value: float) -> str:
    """Three digits."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def library_tables() -> list[Table]:
    """Hardware, models and published latencies."""
    return [_hardware(), _models(), _latencies()]


def _hardware() -> Table:
    table = Table(title="hardware: devices name it, and @NAME in a profile", title_justify="left")
    table.add_column("name", no_wrap=True)
    table.add_column("what it is")
    for column in ("GB", "GB/s", "fp32", "fp16", "int8", "W", "USD/h (spot)"):
        table.add_column(column, justify="right", no_wrap=True)
    for name in library.names()["hardware"]:
        found = library.hardware(name)
        peaks = (
            f"{found.peak_tflops[kind]:g}" if kind in found.peak_tflops else "-" for kind in ("fp32", "fp16", "int8")
        )
        price = "-" if found.usd_per_hour is None else f"{found.usd_per_hour:.2f}"
        if found.usd_per_hour_spot is not None:
            price += f" ({found.usd_per_hour_spot:.2f})"
        sizes = (f"{found.memory_gb:g}", f"{found.bandwidth_gb_s:g}", *peaks, f"{found.watts:g}")
        table.add_row(name, found.title, *sizes, price)
    table.caption = "peaks in TFLOP/s or TOP/s without sparsity"
    return table


def _models() -> Table:
    table = Table(title="models: stack.STAGE.profile=NAME is it on the stage's own device", title_justify="left")
    table.add_column("name", no_wrap=True)
    table.add_column("what it is")
    for column in ("parameters", "TFLOP", "weights fp16 GB", "running GB", "actions"):
        table.add_column(column, justify="right", no_wrap=True)
    for name in library.names()["models"]:
        found = library.model(name)
        size = f"{found.parameters / 1e9:.2f} G" if found.parameters >= 1e9 else f"{found.parameters / 1e6:.0f} M"
        flops = "-" if found.flops is None else f"{found.flops / 1e12:.2g}"
        rest = (found.weight_gb.get("fp16"), found.memory_gb, found.chunk)
        table.add_row(name, found.title, size, flops, *("-" if value is None else f"{value:g}" for value in rest))
    return table


def _latencies() -> Table:
    table = Table(title="latencies: stack.STAGE.profile=NAME is it wherever the stage runs", title_justify="left")
    table.add_column("name", no_wrap=True)
    table.add_column("p50 ms", justify="right", no_wrap=True)
    table.add_column("provenance", no_wrap=True)
    table.add_column("source")
    for name in library.names()["profiles"]:
        found = library.profile(name)
        source = found.source.removesuffix(f"; {library.PLACEHOLDER_SPREAD}")
        table.add_row(name, f"{found.p50_ms:g}", found.provenance, source)
    table.caption = f"of a median alone, {library.PLACEHOLDER_SPREAD}"
    return table
