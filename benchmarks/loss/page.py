"""Writes docs/benchmarks/loss.md and its figure from benchmarks/results: ``python -m benchmarks.loss.page``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from benchmarks.common.workers import REST_SECONDS
from benchmarks.loss import measure
from benchmarks.loss.goals import memory_goal
from benchmarks.loss.peers import PEERS
from benchmarks.loss.tables import (
    Results,
    Row,
    gigabytes_per_second,
    gigacells_per_second,
    goal,
    limit_ms,
    milliseconds,
    moonshot,
    number,
    peers_of,
    ratio,
)

ROOT = Path(__file__).parent.parent.parent
RESULTS = ROOT / "benchmarks" / "results"
NOTES = ROOT / "benchmarks" / "notes"
PAGE = ROOT / "docs" / "benchmarks" / "loss.md"
FIGURE = ROOT / "docs" / "images" / "loss-ratios.png"
QUIET = 0.5  # load average, where it counts as quiet
HEAD = "<!-- Made by `make bench-page` from benchmarks/results and benchmarks/notes: edit those. -->\n"


def saved() -> list[Results]:
    """All saved runs; those with the best instruction set first, then by threads."""
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("loss-*.json"))]
    return sorted(runs, key=lambda run: (run["isa_asked_for"] != "", run["threads"], run["instruction_set"]))


def markdown_table(head: Iterable[str], rows: Iterable[Iterable[str]], left: int = 1) -> str:
    """A table whose first ``left`` columns are words and whose others are figures."""
    names = list(head)
    rule = ["---"] * left + ["---:"] * (len(names) - left)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (names, rule, *rows))


def title(run: Results) -> str:
    """What tells this run from the others."""
    return f"{count_of_threads(run)}, {run['instruction_set']}"


def count_of_threads(run: Results) -> str:
    """One or more."""
    return "1 thread" if run["threads"] == 1 else f"{run['threads']} threads"


def goals_table(runs: list[Results]) -> str:
    """Against torch, where there is a goal."""
    rows = [
        [
            f"{row['workload']}, {row['stands_for']}",
            count_of_threads(run),
            number(ratio(row, "torch"), ".1f", "×"),
            number(ratio(row, "torch", place="together"), ".1f", "×"),
            number(goal(run, row), ".0f", "×"),
            number(moonshot(run, row), ".0f", "×"),
        ]
        for run in runs
        for row in run["rows"]
        if goal(run, row)
    ]
    return markdown_table(("", "", "own processes", "one process", "goal", "moonshot"), rows, left=2)


def misses(run: Results, row: Row) -> list[str]:
    """What a workload does not reach, a clause each."""
    wanted, found = goal(run, row), []
    for place, words in (("peers", "in processes of their own"), ("together", "in one process")):
        value = ratio(row, "torch", place=place)
        if wanted and value and value < wanted:
            found.append(f"{value:.1f}× torch {words}, {wanted:.0f}× is the goal")
    memory, allowed = row["peers"]["ctckit"]["memory"], memory_goal(row["logits_bytes"]) / 1e6
    for kind in ("first", "warm"):
        if memory and memory[kind] > allowed:
            found.append(f"{memory[kind]:.2f} MB of extra memory in the {kind} step, {allowed:.2f} MB is the goal")
    return found


def missed(runs: list[Results]) -> str:
    """Every goal that is missed, said plainly."""
    found = [
        f"- {row['workload']}, {count_of_threads(run)}: {clause}."
        for run in runs
        if not run["isa_asked_for"]
        for row in run["rows"]
        for clause in misses(run, row)
    ]
    return "Missed:\n\n" + "\n".join(found) if found else "None is missed, of speed or of memory."


def not_quiet(runs: list[Results]) -> str:
    """A warning for runs on a busy machine."""
    busy = [f"{title(run)}: {run['load_before']}" for run in runs if run["load_before"] > QUIET]
    if not busy:
        return ""
    return f"**The machine was not quiet** (load average before the run: {'; '.join(busy)}): rough figures.\n\n"


def times_table(run: Results, step: str) -> str:
    """Medians and quartiles."""

    def cell(row: Row, peer: str) -> str:
        if peer not in row["peers"]:
            return "–"
        figures = row["peers"][peer][step]
        return f"{figures['median']:.2f} ({figures['q1']:.2f}–{figures['q3']:.2f})"

    peers = peers_of(run)
    return markdown_table(
        ("ms", *peers), ([row["workload"], *(cell(row, peer) for peer in peers)] for row in run["rows"])
    )


def ratios_table(run: Results) -> str:
    """Times ctckit's time, forward + backward and forward alone."""

    def cell(row: Row, peer: str) -> str:
        return " / ".join(number(ratio(row, peer, step), ".1f", "×") for step in ("both", "forward"))

    others = peers_of(run)[1:]
    return markdown_table(
        ("", *others),
        ([row["workload"], *(cell(row, peer) for peer in others)] for row in run["rows"]),
    )


def limits_table(run: Results) -> str:
    """How far ctckit is from what the memory allows."""

    def cells(row: Row) -> list[str]:
        time, limit = milliseconds(row, "ctckit") or 0.0, limit_ms(run, row)
        speed = (number(gigabytes_per_second(row)), number(gigacells_per_second(row), ".2f"))
        return [
            row["workload"],
            f"{row['bytes_moved'] / 1e6:.1f}",
            f"{row['cells'] / 1e6:.2f}",
            *speed,
            f"{limit:.2f}",
            f"{time / limit:.1f}×",
        ]

    head = ("", "MB at least", "M cells", "GB/s", "G cells/s", "limit, ms", "time over the limit")
    return markdown_table(head, map(cells, run["rows"]))


def by_peer(run: Results, name: str, cell: Callable[[Row, dict[str, Any]], str]) -> str:
    """One column for each peer, one row for each workload."""
    peers = peers_of(run)
    rows = (
        [row["workload"], *(cell(row, row["peers"][p]) if p in row["peers"] else "–" for p in peers)]
        for row in run["rows"]
    )
    return markdown_table((name, *peers), rows)


def memory_cell(row: Row, figures: dict[str, Any]) -> str:
    """Megabytes, and the share of the logits."""
    if not figures["memory"]:
        return "–"
    first, warm, kept = (figures["memory"][kind] for kind in ("first", "warm", "kept"))
    share = 1e8 * max(first, warm) / row["logits_bytes"]
    return f"{first:.1f} / {warm:.1f} / {kept:.1f} ({share:.{1 if share < 10 else 0}f} %)"


def error_cell(_: Row, figures: dict[str, Any]) -> str:
    """Of the gradient, and of the loss."""
    return f"{figures['gradient_error']:.0e} / {figures['loss_error']:.0e}"


def workloads_table(run: Results) -> str:
    """What the inputs are."""
    rows = (
        [row["workload"], row["stands_for"], *map(str, row["shape"]), "–".join(map(str, row["tokens"]))]
        for row in run["rows"]
    )
    return markdown_table(("", "stands for", "B", "T", "C", "N"), rows, left=2)


def about(run: Results) -> str:
    """Machine, versions, what did not work."""
    versions = ", ".join(f"{name} {number}" for name, number in run["versions"].items())
    lines = [
        f"{run['processor']}, {run['cores']} cores; {run['system']}; huge pages: {run['huge_pages']}.",
        f"{run['date']}, commit {run['commit']}, {run['rounds']} rounds, load before: {run['load_before']}.",
        f"{versions}.",
        f"Memory: {run['limits']['read']} GB/s read, {run['limits']['copy']} GB/s copied (reads and writes counted).",
        "Processor time of each process while others had their turn: "
        + ", ".join(f"{name} {share} %" for name, share in run["idle_cpu_percent"].items())
        + ".",
        *(f"No figure for {who}: {why}." for who, why in run["refused"].items()),
    ]
    return "\n".join(f"- {line}" for line in lines)


def section(run: Results) -> str:
    """All of one run."""
    return fill(
        "run.md",
        title=title(run),
        about=about(run),
        both=times_table(run, "both"),
        forward=times_table(run, "forward"),
        ratios=ratios_table(run),
        limits=limits_table(run),
        memory=by_peer(run, "MB", memory_cell),
        errors=by_peer(run, "", error_cell),
    )


def calls(run: Results) -> str:
    """What is called."""
    return "\n".join(f"- {name}: {PEERS[name].call}" for name in run["calls"])


def fill(name: str, **values: object) -> str:
    """A text of ``benchmarks/notes`` with its blanks filled in."""
    return (NOTES / name).read_text(encoding="utf-8").strip().format(**values)


def page(runs: list[Results]) -> str:
    """The whole page."""
    text = fill(
        "page.md",
        warning=not_quiet(runs),
        workloads=workloads_table(runs[0]),
        calls=calls(runs[0]),
        goals=goals_table(runs),
        missed=missed(runs),
        what_bounds_it=(NOTES / "what_bounds_it.md").read_text(encoding="utf-8").strip(),
        runs="\n\n".join(map(section, runs)),
        tolerance=measure.TOLERANCE,
        loss_tolerance=measure.LOSS_TOLERANCE,
        most_steps=measure.MOST_STEPS,
        turn_seconds=measure.TURN_SECONDS,
        rest_ms=1e3 * REST_SECONDS,
        budget=measure.BUDGET_SECONDS,
        least_rounds=measure.LEAST_ROUNDS,
        patience=measure.PATIENCE,
    )
    return f"{HEAD}\n{text}\n"


def main() -> None:
    """Write page and figure."""
    from benchmarks.loss.figure import draw

    runs = saved()
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(runs), encoding="utf-8")
    draw([run for run in runs if not run["isa_asked_for"]], FIGURE)


if __name__ == "__main__":
    main()
