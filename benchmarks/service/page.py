"""Writes docs/benchmarks/service.md from benchmarks/results: ``python -m benchmarks.service.page``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console

from benchmarks.common import pages
from benchmarks.common.results import Results
from benchmarks.common.tables import markdown_table, number, print_table

RESULTS = pages.RESULTS / "service.json"
JOBS = pages.RESULTS / "bulk.json"
JOB_COLUMNS = ("", "processors", "workers", "lines a second", "of one", "MB, peak")
PAGE = pages.PAGES / "service.md"
COLUMNS = ("clients at once", "requests a second", "of the plain loop", "half within, ms", "99 % within, ms", "failed")
TITLES = {
    "decode": "`POST /decode`: log-probabilities of text lines, beam of 100",
    "read": "`POST /read`: images of digit strings, the demo's network",
}


def rows(case: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield the figures for each number of clients, after those of the plain loop."""
    yield "plain loop", number(case["loop"], ",.0f"), "1×", "", "", ""
    for clients, each in case["peers"].items():
        yield (
            clients,
            number(each["per_second"], ",.0f"),
            f"{each['per_second'] / case['loop']:.2f}×",
            number(each["p50_ms"]),
            number(each["p99_ms"]),
            str(each["faults"]),
        )


def after(case: dict[str, Any]) -> str:
    """Return what the tests without a table found."""
    bad, (before, later) = case["bad"], case["mb"]
    return (
        f"{bad['slow']} clients that stop sending, {bad['cut']} that leave in the middle of a request, and "
        f"{bad['garbage']:,} bodies of garbage: {bad['faults']} faults of the server. Memory: {before:.0f} MB, "
        f"and {later:.0f} MB {case['requests']:,} requests later."
    )


def job_rows(jobs: Results) -> Iterator[tuple[str, ...]]:
    """Yield the figures of jobs, for each number of processors and workers."""
    for case in jobs["cases"]:
        one = case["runs"][0]["lines_per_second"]
        for run in case["runs"]:
            yield (
                case["case"],
                str(run["processors"]),
                str(run["workers"]),
                number(run["lines_per_second"]),
                f"{run['lines_per_second'] / one:.2f}×",
                number(run["peak_mb"], ".0f"),
            )


def page(results: Results, jobs: Results) -> str:
    """Return the whole page."""
    sections = (
        f"### {TITLES[case['case']]}\n\n{markdown_table(COLUMNS, rows(case))}\n\n{after(case)}"
        for case in results["cases"]
    )
    machine = f"{results['processor']}, {results['cores']} cores; {results['system']}."
    run = f"{results['date']}, commit {results['commit']}, load before: {results['load_before']}."
    return pages.page(
        "service.md",
        warning=pages.warning(results),
        cases="\n\n".join(sections),
        jobs=markdown_table(JOB_COLUMNS, job_rows(jobs)),
        about=pages.bullets([machine, run]),
    )


def print_tables(console: Console, results: Results) -> None:
    """Print a table for each route."""
    for case in results["cases"]:
        print_table(console, TITLES[case["case"]], COLUMNS, rows(case))
        console.print(after(case))


def main() -> None:
    """Write the page."""
    results = pages.results_or_exit(RESULTS, "python -m benchmarks.service.load")
    pages.write(PAGE, page(results, pages.results_or_exit(JOBS, "python -m benchmarks.service.bulk")))


if __name__ == "__main__":
    main()
