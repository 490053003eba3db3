"""Writes docs/benchmarks/loss.md and its figure from benchmarks/results: ``python -m benchmarks.page``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from benchmarks.goals import memory_goal
from benchmarks.measure import BUDGET_SECONDS, LEAST_ROUNDS, LOSS_TOLERANCE, PATIENCE, TOLERANCE
from benchmarks.table import (
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

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
NOTES = ROOT / "benchmarks" / "notes" / "loss.md"
PAGE = ROOT / "docs" / "benchmarks" / "loss.md"
FIGURE = ROOT / "docs" / "images" / "loss-ratios.png"
QUIET = 0.5  # load average, where it counts as quiet
COPIES = ("ctckit", "torch")


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
    return (
        f"**The machine was not quiet** (load average before the run: {'; '.join(busy)}): take these as rough figures."
    )


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
        ("forward + backward / forward", *others),
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
    return f"{first:.1f} / {warm:.1f} / {kept:.1f} ({1e8 * max(first, warm) / row['logits_bytes']:.1f} %)"


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
        f"{run['processor']}, {run['cores']} cores; {run['system']}; huge pages: {run['huge_pages']}; load before: {run['load_before']}.",
        f"{run['date']}, commit {run['commit']}, {run['rounds']} rounds. {versions}.",
        f"Memory: {run['limits']['read']} GB/s read, {run['limits']['copy']} GB/s copied (reads and writes counted).",
        "Processor time of each process while others had their turn: "
        + ", ".join(f"{name} {share} %" for name, share in run["idle_cpu_percent"].items())
        + ".",
        *(f"No figure for {who}: {why}." for who, why in run["refused"].items()),
    ]
    return "\n".join(f"- {line}" for line in lines)


def section(run: Results) -> str:
    """All of one run."""
    parts = [
        f"## {title(run)}",
        about(run),
        "Forward + backward, milliseconds, median (quartiles), each library in a process of its own:",
        times_table(run, "both"),
        "Forward alone:",
        times_table(run, "forward"),
        "Times ctckit's time:",
        ratios_table(run),
        "ctckit against the memory: the logits read once and the gradient written once; lattice cells Σ T·(2N + 1). Batches "
        "that fit into the cache (W1, W3, W5) can beat that limit; the time of their lattices is not in it:",
        limits_table(run),
        "Memory beyond logits and gradient, MB: first step / later steps / still resident when all gradients are gone "
        "(the greater of the first two as a share of the logits):",
        by_peer(run, "MB", memory_cell),
        "Largest distance from float64, of the gradient of one item's loss (absolute) / of the loss (relative):",
        by_peer(run, "", error_cell),
    ]
    return "\n\n".join(parts)


HEAD = """\
<!-- Made by `make bench-page` from benchmarks/results and benchmarks/notes/loss.md: edit those. -->

# The loss on the CPU, against other libraries

How long one step takes, from float32 logits to the loss and its gradient, on the same inputs in one run.

![Times ctckit's time, by workload and library](../images/loss-ratios.png)"""

GOALS = """\
## Against the goals

How many times torch's speed, forward + backward. "Own processes": each library alone in its process. "One process":
ctckit and torch take turns step by step, as next to torch's other operators in a training loop; with several threads,
torch's OpenMP workers still spin for some milliseconds after their work and hold the processors that ctckit's threads want."""

METHOD = f"""\
## How it is measured

- **Inputs**: `benchmarks/workloads.py`, NumPy's default generator with seed 0: logits normal with standard deviation 2,
  targets without adjacent repeats. Every process reads the same file. W1's frames are 32–64 an item, the others' are full.
- **Each library as its users call it**, in the layout that suits it best, which is prepared outside of what is timed: time
  first for torch and TensorFlow, blank last for TensorFlow's C++ kernel, lengths as paddings for optax. Compiling is not
  timed. All reduce alike: the mean over items of loss / N.
- **Right before fast**: a library is timed only if its loss is within {LOSS_TOLERANCE:.0e} (relative) and its gradient within {TOLERANCE} of
  torch's in float64. The gradient is compared as that of one item's own loss, whose entries lie in [−1, 1]: a wrong
  blank, padding or scale shows as about 1, while float32 in log space is up to 0.04 off on long recordings.
- **Turns**: a process for each library, pinned to as many processors as there are threads, besides the library's own
  setting of threads; environment variables of OpenMP are left alone. Round by round each takes a turn: one step that is not
  timed, then up to ten within about 0.1 s. After a turn there is a rest of 20 ms, in which its threads go to sleep. A library that
  would need more than {BUDGET_SECONDS:.0f} s for one workload takes part in fewer rounds, but in {LEAST_ROUNDS}; one that needs more than {PATIENCE:.0f} s to load,
  or to compile and take its first steps, has no figure.
- **Memory**: in a fresh process, the high-water mark of resident memory during one step, less what was resident before, less the
  gradient's size. The first step comes after one on a tiny batch, so code and threads are there, but nothing that the
  library keeps for this size. Later steps run while earlier gradients are still held. ctckit keeps the memory of the
  last gradient for the next step: held gradients make it take fresh memory in these steps like the others, and what it keeps
  shows in the third figure. Compilation is not counted. Goal: {100 * 0.05:.0f} % of the logits, or 1 MB where that is more.
- **Limits**: the best of several passes over 256 MiB with as many threads, repeated before each workload."""

AGAIN = """\
## Run it again

```console
$ make bench-peers          # once: optax, TensorFlow and Keras in .venv-bench
$ make bench                # one thread, then two: minutes; writes benchmarks/results
$ make bench-page           # this page and its figure
```

`python -m benchmarks.loss --help` lists the options: `--threads`, `--rounds`, `--isa`, `--peers`, `--workloads`, `--out`."""


def calls(run: Results) -> str:
    """What is called."""
    return "\n".join(f"- {name}: `{call}`" for name, call in run["calls"].items())


def page(runs: list[Results]) -> str:
    """The whole page."""
    parts = [
        HEAD,
        not_quiet(runs),
        "The workloads:",
        workloads_table(runs[0]),
        "The calls:",
        calls(runs[0]),
        GOALS,
        goals_table(runs),
        missed(runs),
        NOTES.read_text(encoding="utf-8").strip(),
        *map(section, runs),
        METHOD,
        AGAIN,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def main() -> None:
    """Write page and figure."""
    from benchmarks.figure import draw

    runs = saved()
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(runs), encoding="utf-8")
    draw([run for run in runs if not run["isa_asked_for"]], FIGURE)


if __name__ == "__main__":
    main()
