"""Writes docs/benchmarks/ocr.md from benchmarks/results: ``python -m benchmarks.ocr.page``."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console

from benchmarks.common import pages
from benchmarks.common.results import Results, case_of, figures_of
from benchmarks.common.tables import markdown_table, number, percent, print_table
from benchmarks.ocr.cases import BY_NAME, CASES
from benchmarks.ocr.lines import LICENSE

RESULTS = pages.RESULTS / "ocr.json"
PAGE = pages.PAGES / "ocr.md"
LANGUAGE = "language model"
COLUMNS = ("", "library", "CPU minutes", "lines/s in training", "passes", "CER", "WER")
SUMMARY = ("trained", "kraken", "ctckit")


def fewer_errors(results: Results) -> float | None:
    """Return the share of the errors that the language model takes away."""
    figures = figures_of(results, LANGUAGE, "ctckit")
    return None if figures is None else 1.0 - figures["with_model"]["cer"] / figures["greedy"]["cer"]


def summary(results: Results) -> Iterator[tuple[str, ...]]:
    """Yield the rows of the first table: the character error rates side by side."""
    for case in CASES:
        figures = (figures_of(results, case.name, peer) for peer in ("kraken", "ctckit"))
        yield (f"{case.about}, {case.minutes:g} CPU minutes", *map(_cer, figures))
    gained = fewer_errors(results)
    yield "with a model of characters", "–", "–" if gained is None else f"{100 * gained:.1f} % fewer errors"


def _cer(figures: Results | None) -> str:
    return percent(figures["cer"] if figures else None)


def rows(results: Results) -> Iterator[tuple[str, ...]]:
    """Yield the figures of each training."""
    for case in results["cases"]:
        for peer, each in case["peers"].items() if case["case"] in BY_NAME else ():
            yield (
                f"{case['about']}, {case['minutes']:g} minutes",
                peer,
                number(each["cpu_minutes"]),
                number(each.get("lines_per_second")),
                number(each.get("passes")),
                percent(each["cer"]),
                percent(each["wer"]),
            )


def language(results: Results) -> str:
    """Return what the language model changes."""
    found, case = figures_of(results, LANGUAGE, "ctckit"), case_of(results, LANGUAGE)
    if found is None or case is None:
        return "Not measured."
    of = BY_NAME[case["of"]]
    settings = ", ".join(f"{name} {value:.3g}" for name, value in found["settings"].items())
    table = markdown_table(
        ("", "CER", "WER"),
        ((name, percent(found[key]["cer"]), percent(found[key]["wer"])) for name, key in _READINGS.items()),
    )
    sentences = (
        f"The network is that of the training {of.about}, {of.minutes:g} CPU minutes.",
        f"The model of characters has order {found['order']} and is made from the texts of the training lines.",
        f"The held-out lines chose: {settings}.",
    )
    return f"{' '.join(sentences)}\n\n{table}"


_READINGS = {"greedy": "greedy", "with the model of characters": "with_model"}


def page(results: Results) -> str:
    """Return the whole page."""
    return pages.page(
        "ocr.md",
        warning=pages.warning(results),
        summary=markdown_table(SUMMARY, summary(results)),
        figures=markdown_table(COLUMNS, rows(results), left=2),
        language=language(results),
        later="".join(f"- {case['case']}:{text}\n" for case in results["cases"] if (text := pages.run_of(case))),
        license=LICENSE,
        about=about(results),
    )


def about(results: Results) -> str:
    """Return a list: the machine, the run, the versions, what has no figure."""
    machine = f"{results['processor']}, {results['cores']} cores, of which one is used; {results['system']}."
    run = f"{results['date']}, commit {results['commit']}, load before: {results['load_before']}."
    return pages.bullets([machine, run, f"{pages.versions(results)}.", *pages.refusals(results)])


def print_tables(console: Console, results: Results) -> None:
    """Print the tables of the page."""
    print_table(console, "Handwriting, lines of other hands", COLUMNS, rows(results), left=2)
    print_table(console, "Character error rates", SUMMARY, summary(results))


def main() -> None:
    """Write the page."""
    pages.write(PAGE, page(pages.results_or_exit(RESULTS, "make bench-ocr")))


if __name__ == "__main__":
    main()
