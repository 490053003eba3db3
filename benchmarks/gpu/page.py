"""Writes docs/benchmarks/gpu.md from benchmarks/results/gpu.json: ``python -m benchmarks.gpu.page``."""

from __future__ import annotations

from typing import Any

from benchmarks.common import pages
from benchmarks.common.results import Results
from benchmarks.common.tables import markdown_table, number
from benchmarks.gpu.measure import WORKLOADS

Measurement = dict[str, Any]  # of one library on one workload
RESULTS = pages.RESULTS / "gpu.json"
PAGE = pages.PAGES / "gpu.md"
COMMAND = "python -m benchmarks.gpu --out benchmarks/results/gpu.json"
COLUMNS = ("", "type", "", "ms", "ctckit's time", "of the copy", "graph, ms", "of the copy", "MB", "gradient off by")
PASSES = 3  # at least: the logits are read twice, the gradient is written once


def rivals(results: Results, measured: Measurement) -> list[Measurement]:
    """Return the measurements of other libraries on the same workload and type."""
    same = (measured["workload"], measured["dtype"])
    return [
        each
        for each in results["measurements"]
        if (each["workload"], each["dtype"]) == same and each["peer"] != "ctckit"
    ]


def of_copy(results: Results, measured: Measurement, milliseconds: float | None) -> float | None:
    """Return the bandwidth of three passes over the logits in this time, as a share of a copy's bandwidth."""
    if milliseconds is None:
        return None
    return float(PASSES * measured["logits_bytes"] / milliseconds / 1e6 / results["copy_gigabytes_per_second"])


def cells(results: Results, measured: Measurement) -> tuple[str, ...]:
    """Return the figures of a library."""
    ctckit = next(
        each
        for each in results["measurements"]
        if (each["workload"], each["dtype"], each["peer"]) == (measured["workload"], measured["dtype"], "ctckit")
    )
    return (
        measured["workload"],
        measured["dtype"],
        measured["peer"],
        f"{measured['milliseconds']:.3f}",
        number(measured["milliseconds"] / ctckit["milliseconds"], ".2f", "×"),
        number(of_copy(results, measured, measured["milliseconds"]), ".2f"),
        number(measured["graph_milliseconds"], ".3f"),
        number(of_copy(results, measured, measured["graph_milliseconds"]), ".2f"),
        f"{measured['peak_bytes'] / 1e6:.1f}",
        f"{measured['gradient_error']:.0e}",
    )


def page(results: Results) -> str:
    """Return the whole page."""
    device = results["device"]
    workloads = markdown_table(
        ("", "stands for", "T", "B", "C", "N"),
        (
            (w.name, w.stands_for, str(w.frames), str(w.items), str(w.classes), f"{w.tokens[0]}–{w.tokens[1]}")
            for w in WORKLOADS
        ),
        left=2,
    )
    kernels = markdown_table(
        ("", "kernel", "µs"),
        (
            (name, f"`{kernel}`", f"{micro:.1f}")
            for name, found in results["kernels"].items()
            for kernel, micro in sorted(found.items(), key=lambda each: -each[1])
        ),
        left=2,
    )
    return f"""{pages.HEAD}
# The loss on a GPU

{device["device"]}, driver {device["driver"]}, torch {device["torch"]}, Triton {device["triton"]}, cuDNN
{device["cudnn"]}; {results["about"]["date"]}, commit {results["about"]["commit"]}. A copy on the device moves
{results["copy_gigabytes_per_second"]:,.0f} GB/s. A step is forward and backward from the logits, medians of
{results["rounds"]} rounds; all libraries take turns in one process. torch's kernels and cuDNN get logits with time
first and lengths as Python integers, which is their fastest layout.

{workloads}

## All figures

"of the copy": the bandwidth of three passes over the logits, as a share of the copy's bandwidth. "graph": the step,
captured in a CUDA graph. "MB": peak memory beyond the logits, the gradient included. "gradient off by": the largest
error compared with float64, for the loss of an item with weight 1.

{markdown_table(COLUMNS, (cells(results, each) for each in results["measurements"]), left=3)}

## ctckit's kernels, float32

{kernels}
"""


def main() -> None:
    """Write the page."""
    pages.write(PAGE, page(pages.results_or_exit(RESULTS, COMMAND)))


if __name__ == "__main__":
    main()
