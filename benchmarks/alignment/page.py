"""Writes docs/benchmarks/alignment.md from benchmarks/results: ``python -m benchmarks.alignment.page``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.alignment.goals import gigacells, judged
from benchmarks.alignment.peers import PEERS
from benchmarks.alignment.problems import BUDGET_SECONDS, SPREAD, SURE, UNSURE, WRONG
from benchmarks.decoding.measure import SLOW_SECONDS, TURN_SECONDS
from benchmarks.decoding.page import HEAD, about, warning
from benchmarks.loss.page import ROOT, fill, markdown_table
from benchmarks.loss.tables import number

Results = dict[str, Any]
RESULTS = ROOT / "benchmarks" / "results" / "alignment.json"
PAGE = ROOT / "docs" / "benchmarks" / "alignment.md"
COLUMNS = ("", "time", "(quartiles)", "ctckit's time", "G cells/s", "nats below", "MB")
GOAL_COLUMNS = ("", "measured", "must reach", "moonshot", "")


def saved(path: Path = RESULTS) -> Results | None:
    """The saved run, if there is one."""
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def duration(milliseconds: float) -> str:
    """In a unit that suits."""
    if milliseconds >= 1e3:
        return f"{milliseconds / 1e3:.3g} s"
    return f"{milliseconds:.3g} ms" if milliseconds >= 1 else f"{1e3 * milliseconds:.3g} µs"


def behind(figures: Results) -> str:
    """Nats below the best path, of the worst item; and how many paths do not say the text."""
    found = figures.get("behind")
    if not found:
        return "no path"
    worst = "–" if found["worst"] is None else "0" if found["worst"] == 0 else f"{found['worst']:.3g}"
    return f"{worst}, {found['wrong']} wrong" if found["wrong"] else worst


def cells(row: Results, name: str) -> tuple[str, ...]:
    """An aligner's figures."""
    figures = row["peers"][name]
    ms, ours = figures["ms"], row["peers"].get("ctckit")
    return (
        name,
        duration(ms["median"]),
        f"{duration(ms['q1'])} – {duration(ms['q3'])}" if ms["passes"] > 1 else "one pass",
        number(ms["median"] / ours["ms"]["median"] if ours else None, ".3g", "×"),
        number(gigacells(row, name), ".3g"),
        behind(figures),
        number(figures["memory"], ".1f"),
    )


def size(row: Results) -> str:
    """What was aligned, in words."""
    items = "one item" if row["items"] == 1 else f"{row['items']} items"
    return f"{items}, {row['frames']:,} frames, {row['tokens']:,} tokens, C = {row['classes']:,}"


def row_section(row: Results) -> str:
    """A row with all its aligners."""
    table = markdown_table(COLUMNS, (cells(row, name) for name in row["peers"]))
    return f"### {row['about'][0].upper()}{row['about'][1:]}\n\n{size(row)}; times are for an item.\n\n{table}"


def goals_table(results: Results) -> str:
    """All goals."""
    rows = ((each.name, each.shown, each.goal, each.moonshot or "–", each.verdict) for each in judged(results))
    return markdown_table(GOAL_COLUMNS, rows)


def missed(results: Results) -> str:
    """Every goal that is missed or was not measured, said plainly."""
    found = judged(results)
    lines = [
        f"- Missed: {each.name}: {each.shown}, {each.goal} is the goal." for each in found if each.verdict == "missed"
    ]
    lines += [f"- Not measured: {each.name}." for each in found if each.verdict == "not measured"]
    return "\n".join(lines) if lines else "None is missed."


def page(results: Results) -> str:
    """The whole page."""
    names = {name for row in results["rows"] for name in row["peers"]}
    text = fill(
        "alignment.md",
        warning=warning(results),
        goals=goals_table(results),
        missed=missed(results),
        rows="\n\n".join(map(row_section, results["rows"])),
        settings="\n".join(f"- {name}: {peer.setting}" for name, peer in PEERS.items() if name in names),
        about=about(results),
        turn_seconds=TURN_SECONDS,
        budget=BUDGET_SECONDS,
        slow=SLOW_SECONDS,
        sure=SURE,
        unsure=UNSURE,
        spread=SPREAD,
        wrong=100 * WRONG,
    )
    return f"{HEAD}\n{text}\n"


def print_tables(console: Console, results: Results) -> None:
    """One table for each row, then the goals."""
    for row in results["rows"]:
        rows = [without_quartiles(cells(row, name)) for name in row["peers"]]
        print_table(console, f"{row['about']}: {size(row)}", without_quartiles(COLUMNS), rows)
    goals = [(each.name, each.shown, each.goal, each.moonshot, each.verdict) for each in judged(results)]
    print_table(console, "Goals", GOAL_COLUMNS, goals)


def without_quartiles(columns: tuple[str, ...]) -> tuple[str, ...]:
    """They make the tables too wide for a terminal."""
    return columns[:2] + columns[3:]


def print_table(console: Console, title: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """The first column holds names."""
    table = Table(title=title)
    for place, column in enumerate(columns):
        table.add_column(column, justify="right" if place else "left", no_wrap=not place)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def main() -> None:
    """Write the page."""
    results = saved()
    if results is None:
        raise SystemExit(f"no results yet in {RESULTS.relative_to(ROOT)}: make bench-alignment")
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(results), encoding="utf-8")


if __name__ == "__main__":
    main()
