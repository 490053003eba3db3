"""Writes docs/benchmarks/loss.md and its figure from benchmarks/results: ``python -m benchmarks.loss.page``."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from benchmarks.common import pages
from benchmarks.common.pages import QUIET, bullets, fill
from benchmarks.common.results import Results
from benchmarks.common.tables import markdown_table, number
from benchmarks.common.workers import REST_SECONDS
from benchmarks.loss import measure
from benchmarks.loss.peers import PEERS
from benchmarks.loss.tables import (
    Measurement,
    gigabytes_per_second,
    gigacells_per_second,
    limit_ms,
    milliseconds,
    peers_of,
    ratio,
)

PAGE = pages.PAGES / "loss.md"
FIGURE = pages.IMAGES / "loss-ratios.png"


def saved() -> list[Results]:
    """Return all saved runs: first those with the best instruction set, then by the number of threads."""
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(pages.RESULTS.glob("loss-*.json"))]
    return sorted(runs, key=lambda run: (run["isa_asked_for"] != "", run["threads"], run["instruction_set"]))


def title(run: Results) -> str:
    """Return threads and instruction set: they distinguish the runs."""
    return f"{count_of_threads(run)}, {run['instruction_set']}"


def count_of_threads(run: Results) -> str:
    """Return "1 thread" or "2 threads"."""
    return "1 thread" if run["threads"] == 1 else f"{run['threads']} threads"


def torch_table(runs: list[Results]) -> str:
    """Compare with torch, in processes of their own and in one process."""
    rows = [
        [
            f"{each['workload']}, {each['stands_for']}",
            count_of_threads(run),
            number(ratio(each, "torch"), ".1f", "×"),
            number(ratio(each, "torch", place="together"), ".1f", "×"),
        ]
        for run in runs
        if not run["isa_asked_for"]
        for each in run["rows"]
    ]
    return markdown_table(("", "", "own processes", "one process"), rows, left=2)


def not_quiet(runs: list[Results]) -> str:
    """Return a warning for runs on a busy machine."""
    busy = [f"{title(run)}: {run['load_before']}" for run in runs if run["load_before"] > QUIET]
    if not busy:
        return ""
    return f"**The machine was not quiet** (load average before the run: {'; '.join(busy)}): rough figures.\n\n"


def by_peer(run: Results, name: str, cell: Callable[[Measurement, str], str], peers: list[str]) -> str:
    """Return a table with a column for each library and a table row for each workload."""
    rows = ([each["workload"], *(cell(each, peer) for peer in peers)] for each in run["rows"])
    return markdown_table((name, *peers), rows)


def time_cell(step: str) -> Callable[[Measurement, str], str]:
    """Show the median and the quartiles."""

    def cell(measurement: Measurement, peer: str) -> str:
        if peer not in measurement["peers"]:
            return "–"
        figures = measurement["peers"][peer][step]
        return f"{figures['median']:.2f} ({figures['q1']:.2f}–{figures['q3']:.2f})"

    return cell


def ratio_cell(measurement: Measurement, peer: str) -> str:
    """Show the ratios to ctckit's time: forward + backward, and forward alone."""
    return " / ".join(number(ratio(measurement, peer, step), ".1f", "×") for step in ("both", "forward"))


def memory_cell(measurement: Measurement, peer: str) -> str:
    """Show megabytes, and the share of the logits."""
    figures = measurement["peers"].get(peer, {})
    if not figures.get("memory"):
        return "–"
    first, warm, kept = (figures["memory"][kind] for kind in ("first", "warm", "kept"))
    share = 1e8 * max(first, warm) / measurement["logits_bytes"]
    return f"{first:.1f} / {warm:.1f} / {kept:.1f} ({share:.{1 if share < 10 else 0}f} %)"


def error_cell(measurement: Measurement, peer: str) -> str:
    """Show the errors of the gradient and of the loss."""
    figures = measurement["peers"].get(peer)
    return f"{figures['gradient_error']:.0e} / {figures['loss_error']:.0e}" if figures else "–"


def limits_table(run: Results) -> str:
    """Compare ctckit's time with the time of the memory traffic."""

    def cells(measurement: Measurement) -> list[str]:
        time, limit = milliseconds(measurement, "ctckit") or 0.0, limit_ms(run, measurement)
        return [
            measurement["workload"],
            f"{measurement['bytes_moved'] / 1e6:.1f}",
            f"{measurement['cells'] / 1e6:.2f}",
            number(gigabytes_per_second(measurement)),
            number(gigacells_per_second(measurement), ".2f"),
            f"{limit:.2f}",
            f"{time / limit:.1f}×",
        ]

    head = ("", "MB at least", "M cells", "GB/s", "G cells/s", "limit, ms", "time over the limit")
    return markdown_table(head, map(cells, run["rows"]))


def workloads_table(run: Results) -> str:
    """Describe the inputs."""
    rows = (
        [each["workload"], each["stands_for"], *map(str, each["shape"]), "–".join(map(str, each["tokens"]))]
        for each in run["rows"]
    )
    return markdown_table(("", "stands for", "B", "T", "C", "N"), rows, left=2)


def about(run: Results) -> str:
    """Return a list: the machine, the run, the versions, what has no figure."""
    idle = ", ".join(f"{name} {share} %" for name, share in run["idle_cpu_percent"].items())
    return bullets(
        [
            f"{run['processor']}, {run['cores']} cores; {run['system']}; huge pages: {run['huge_pages']}.",
            pages.when(run),
            f"{pages.versions(run)}.",
            f"Memory: {run['limits']['read']} GB/s read, {run['limits']['copy']} GB/s copied "
            "(reads and writes counted).",
            f"Processor time of each process during the turns of others: {idle}.",
            *pages.refusals(run),
        ]
    )


def section(run: Results) -> str:
    """Return the section of one run."""
    peers = peers_of(run)
    return fill(
        "loss_run.md",
        title=title(run),
        about=about(run),
        both=by_peer(run, "ms", time_cell("both"), peers),
        forward=by_peer(run, "ms", time_cell("forward"), peers),
        ratios=by_peer(run, "", ratio_cell, peers[1:]),
        limits=limits_table(run),
        memory=by_peer(run, "MB", memory_cell, peers),
        errors=by_peer(run, "", error_cell, peers),
    )


def page(runs: list[Results]) -> str:
    """Return the whole page."""
    return pages.page(
        "loss.md",
        warning=not_quiet(runs),
        workloads=workloads_table(runs[0]),
        calls=bullets([f"{name}: {PEERS[name].call}" for name in runs[0]["calls"]]),
        torch=torch_table(runs),
        bounds=fill("loss_bounds.md"),
        runs="\n\n".join(map(section, runs)),
        **constants(),
    )


def constants() -> dict[str, Any]:
    """Return the constants of the measurement that the page names."""
    return {
        "tolerance": measure.TOLERANCE,
        "loss_tolerance": measure.LOSS_TOLERANCE,
        "most_steps": measure.MOST_STEPS,
        "turn_seconds": measure.TURN_SECONDS,
        "rest_ms": 1e3 * REST_SECONDS,
        "budget": measure.BUDGET_SECONDS,
        "least_rounds": measure.LEAST_ROUNDS,
        "patience": measure.PATIENCE,
    }


def main() -> None:
    """Write page and figure."""
    from benchmarks.loss.figure import draw

    runs = saved()
    pages.write(PAGE, page(runs))
    draw([run for run in runs if not run["isa_asked_for"]], FIGURE)


if __name__ == "__main__":
    main()
