"""Writes docs/benchmarks/alignment.md from benchmarks/results: ``python -m benchmarks.alignment.page``."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from benchmarks.alignment.peers import PEERS
from benchmarks.alignment.problems import BUDGET_SECONDS, SPREAD, SURE, UNSURE, WRONG
from benchmarks.common import pages, turns
from benchmarks.common.pages import capital, items_of
from benchmarks.common.results import Results
from benchmarks.common.tables import duration, markdown_table, number, print_table

Measurement = dict[str, Any]  # of one case
RESULTS = pages.RESULTS / "alignment.json"
PAGE = pages.PAGES / "alignment.md"
COLUMNS = ("", "time", "(quartiles)", "ctckit's time", "G cells/s", "nats below", "MB")


def gigacells(case: Measurement, peer: str) -> float | None:
    """Return 10⁹ cells of the whole lattice, states × frames, per second. Pruned cells count."""
    if peer not in case["peers"]:
        return None
    return float(case["cells"] / (1e6 * case["peers"][peer]["ms"]["median"] * case["items"]))


def behind(figures: dict[str, Any]) -> str:
    """Return the nats below the best path, of the worst item, and the number of wrong paths."""
    found = figures.get("behind")
    if not found:
        return "no path"
    worst = "–" if found["worst"] is None else "0" if found["worst"] == 0 else f"{found['worst']:.3g}"
    return f"{worst}, {found['wrong']} wrong" if found["wrong"] else worst


def cells(case: Measurement, name: str) -> tuple[str, ...]:
    """Return the figures of an aligner."""
    figures = case["peers"][name]
    ms, ctckit = figures["ms"], case["peers"].get("ctckit")
    return (
        name,
        duration(ms["median"]),
        f"{duration(ms['q1'])} – {duration(ms['q3'])}" if ms["passes"] > 1 else "one pass",
        number(ms["median"] / ctckit["ms"]["median"] if ctckit else None, ".3g", "×"),
        number(gigacells(case, name), ".3g"),
        behind(figures),
        number(figures["memory"], ".1f"),
    )


def size(case: Measurement) -> str:
    """Return the size of a case in words."""
    return f"{items_of(case)}, {case['frames']:,} frames, {case['tokens']:,} tokens, C = {case['classes']:,}"


def case_section(case: Measurement) -> str:
    """Return the section of a case, with all its aligners."""
    table = markdown_table(COLUMNS, (cells(case, name) for name in case["peers"]))
    return f"### {capital(case['about'])}\n\n{size(case)}; times are for an item.\n\n{table}"


def page(results: Results) -> str:
    """Return the whole page."""
    return pages.page(
        "alignment.md",
        warning=pages.warning(results),
        cases="\n\n".join(map(case_section, results["cases"])),
        settings=pages.settings_list(results, PEERS),
        about=pages.about(results),
        turn_seconds=turns.TURN_SECONDS,
        budget=BUDGET_SECONDS,
        slow=turns.SLOW_SECONDS,
        sure=SURE,
        unsure=UNSURE,
        spread=SPREAD,
        wrong=100 * WRONG,
    )


def print_tables(console: Console, results: Results) -> None:
    """Print a table for each case."""
    for case in results["cases"]:
        found = [without_quartiles(cells(case, name)) for name in case["peers"]]
        print_table(console, f"{case['about']}: {size(case)}", without_quartiles(COLUMNS), found)


def without_quartiles(columns: tuple[str, ...]) -> tuple[str, ...]:
    """Leave out the quartiles, which would make a table too wide for a terminal."""
    return columns[:2] + columns[3:]


def main() -> None:
    """Write the page."""
    pages.write(PAGE, page(pages.results_or_exit(RESULTS, "make bench-alignment")))


if __name__ == "__main__":
    main()
