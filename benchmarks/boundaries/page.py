"""Writes docs/benchmarks/boundaries.md from benchmarks/results: ``python -m benchmarks.boundaries.page``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console

from benchmarks.boundaries.aligners import ALIGNERS
from benchmarks.common import pages
from benchmarks.common.results import Results
from benchmarks.common.tables import markdown_table, number, percent, print_table

RESULTS = pages.RESULTS / "boundaries.json"
PAGE = pages.PAGES / "boundaries.md"
COLUMNS = ("", "mean error, ms", "starts late by", "ends late by", "within 20 ms", "within 50 ms")
TITLES = {
    "praatIO": "Three speakers, borders set by hand",
    "ARCTIC": "A sentence of CMU's ARCTIC, the labels of the corpus",
    "all": "All",
}


def rows(case: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield the figures of each aligner."""
    for name, each in case["peers"].items():
        yield (
            name,
            number(each["error_ms"]),
            number(each["start_ms"], "+.1f"),
            number(each["end_ms"], "+.1f"),
            percent(each["within_20"]),
            percent(each["within_50"]),
        )


def size(case: dict[str, Any]) -> str:
    """Return the size of a case in words."""
    speakers = "1 speaker" if case["speakers"] == 1 else f"{case['speakers']} speakers"
    return f"{speakers}, {case['words']} words"


def page(results: Results) -> str:
    """Return the whole page."""
    sections = (
        f"### {TITLES[case['case']]}\n\n{size(case)}.\n\n{markdown_table(COLUMNS, rows(case))}"
        for case in results["cases"]
    )
    return pages.page(
        "boundaries.md",
        cases="\n\n".join(sections),
        settings=pages.bullets([f"{name}: {about}" for name, (about, _) in ALIGNERS.items()]),
        about=pages.bullets(
            [f"{results['date']}, commit {results['commit']}.", f"{pages.versions(results)}.", *pages.refusals(results)]
        ),
    )


def print_tables(console: Console, results: Results) -> None:
    """Print a table for each case."""
    for case in results["cases"]:
        print_table(console, f"{TITLES[case['case']]}: {size(case)}", COLUMNS, rows(case))


def main() -> None:
    """Write the page."""
    pages.write(PAGE, page(pages.results_or_exit(RESULTS, "python -m benchmarks.boundaries")))


if __name__ == "__main__":
    main()
