"""Writes docs/benchmarks/gpu.md from benchmarks/results/gpu.json: ``python -m benchmarks.gpu.page``."""

from __future__ import annotations

import json
from typing import Any

from benchmarks.gpu.measure import WORKLOADS
from benchmarks.loss.page import HEAD, ROOT, markdown_table
from benchmarks.loss.tables import number

Results = dict[str, Any]
RESULTS = ROOT / "benchmarks" / "results" / "gpu.json"
PAGE = ROOT / "docs" / "benchmarks" / "gpu.md"
GOALS = {"G1": 4.0, "G2": 3.0, "G3": 3.0, "G4": 3.0, "G5": 2.5}  # times the faster one of torch's two
BANDWIDTH_GOALS = {"G2": 0.6, "G4": 0.6}  # of a measured copy, for three passes over the logits
MEMORY_GOALS = {"G2": 0.4, "G4": 0.4}  # of the smaller peak of torch's two
COLUMNS = ("", "type", "", "ms", "ctckit's time", "of the copy", "graph, ms", "of the copy", "MB", "gradient off by")
PASSES = 3  # the least: logits read twice, their gradient written


def rivals(results: Results, row: Results) -> list[Results]:
    """The others on the same workload and type."""
    same = (row["workload"], row["dtype"])
    return [each for each in results["rows"] if (each["workload"], each["dtype"]) == same and each["peer"] != "ctckit"]


def of_copy(results: Results, row: Results, milliseconds: float | None) -> float | None:
    """Three passes over the logits in this time, as a share of what a copy moves."""
    if milliseconds is None:
        return None
    return float(PASSES * row["logits_bytes"] / milliseconds / 1e6 / results["copy_gigabytes_per_second"])


def cells(results: Results, row: Results) -> tuple[str, ...]:
    """A peer's figures."""
    ours = next(
        each
        for each in results["rows"]
        if (each["workload"], each["dtype"], each["peer"]) == (row["workload"], row["dtype"], "ctckit")
    )
    return (
        row["workload"],
        row["dtype"],
        row["peer"],
        f"{row['milliseconds']:.3f}",
        number(row["milliseconds"] / ours["milliseconds"], ".2f", "×"),
        number(of_copy(results, row, row["milliseconds"]), ".2f"),
        number(row["graph_milliseconds"], ".3f"),
        number(of_copy(results, row, row["graph_milliseconds"]), ".2f"),
        f"{row['peak_bytes'] / 1e6:.1f}",
        f"{row['gradient_error']:.0e}",
    )


def judged(results: Results) -> list[tuple[str, str, str, str]]:
    """All goals, on float32: what, measured, goal, whether it is reached."""
    found = []
    for row in results["rows"]:
        others = rivals(results, row)
        if row["peer"] != "ctckit" or row["dtype"] != "float32" or not others:
            continue
        name = row["workload"]
        speed = min(each["milliseconds"] for each in others) / row["milliseconds"]
        goals = [("times the faster of torch's two", speed, GOALS[name], speed >= GOALS[name])]
        if name in BANDWIDTH_GOALS:
            share = of_copy(results, row, row["milliseconds"]) or 0.0
            goals.append(("of a copy's bandwidth", share, BANDWIDTH_GOALS[name], share >= BANDWIDTH_GOALS[name]))
        if name in MEMORY_GOALS:
            memory = row["peak_bytes"] / min(each["peak_bytes"] for each in others)
            goals.append(("of torch's memory, at most", memory, MEMORY_GOALS[name], memory <= MEMORY_GOALS[name]))
        found += [
            (f"{name}, {what}", f"{value:.2f}", f"{goal:g}", "reached" if good else "missed")
            for what, value, goal, good in goals
        ]
    return found


def page(results: Results) -> str:
    """The whole page."""
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
    return f"""{HEAD}
# The loss on a GPU

{device["device"]}, driver {device["driver"]}, torch {device["torch"]}, Triton {device["triton"]}, cuDNN
{device["cudnn"]}; {results["about"]["date"]}, commit {results["about"]["commit"]}. A copy on the device moves
{results["copy_gigabytes_per_second"]:,.0f} GB/s. A step is forward and backward from the logits, medians of
{results["rounds"]} rounds in turns in one process; torch's peers get logits with time first and lengths as Python
integers, as they are fastest.

{workloads}

## Goals

{markdown_table(("", "measured", "goal", ""), judged(results))}

## All figures

"of the copy": three passes over the logits in that time, as a share of the copy's bandwidth. "graph": the step captured
in a CUDA graph. "MB": the most beyond the logits, the gradient among them. "gradient off by": against float64, each
item's loss with weight 1.

{markdown_table(COLUMNS, (cells(results, row) for row in results["rows"]), left=3)}

## ctckit's kernels, float32

{kernels}
"""


def main() -> None:
    """Reads the saved run, writes the page."""
    PAGE.write_text(page(json.loads(RESULTS.read_text(encoding="utf-8"))), encoding="utf-8")


if __name__ == "__main__":
    main()
