"""Writes docs/benchmarks/decoding.md and its figure from benchmarks/results: ``python -m benchmarks.decoding.page``."""

from __future__ import annotations

from benchmarks.common import pages, turns
from benchmarks.common.pages import capital, fill, items_of
from benchmarks.common.results import Results, case_of, saved
from benchmarks.common.tables import markdown_table, number, percent
from benchmarks.common.workers import REST_SECONDS
from benchmarks.decoding import captions, held_out, hotwords, hour, measure
from benchmarks.decoding.figures import (
    EQUAL_GAP,
    Measurement,
    beaten,
    equal_quality_ratio,
    error_rate,
    gap,
    microseconds,
)
from benchmarks.decoding.peers import PEERS
from benchmarks.decoding.tuning import OTHER

RESULTS = pages.RESULTS / "decoding.json"
ELSEWHERE = pages.RESULTS / "decoding-zen4.json"
PAGE = pages.PAGES / "decoding.md"
FIGURE = pages.IMAGES / "decoding-speed-and-gap.png"
HELD_OUT = (
    "`ctckit.tune` tunes the weights (model of order 8, `lm_boundary=False`) on a part of the lines. "
    "The errors are counted on the other lines. Each line is held out once:"
)
EQUAL_CASES = ("ocr_ppv4", "speech", "nanopore")


def columns_of(case: Measurement) -> list[str]:
    """Return the columns that have figures in this case."""
    columns = ["ms an item", "µs a frame", "ctckit's time"]
    if case["comparable"]:
        columns += ["gap, nats", "items behind"]
    if any("errors" in figures for figures in case["peers"].values()):
        columns.append("tokens wrong")
        if words_known(case):
            columns.append("words wrong")
    if any(figures.get("memory") for figures in case["peers"].values()):
        columns.append("MB, one item / all")
    return columns


def words_known(case: Measurement) -> bool:
    """Return whether words are counted; they are not in recordings with phonemes."""
    return bool(case["case"] != "speech")


def cell(case: Measurement, name: str, column: str) -> str:
    """Return one figure."""
    figures = case["peers"][name]
    ms, memory = figures["ms"], figures.get("memory")
    return {
        "ms an item": lambda: f"{ms['median']:.3g} ({ms['q1']:.3g}–{ms['q3']:.3g})",
        "µs a frame": lambda: number(microseconds(case, name), ".3g"),
        "ctckit's time": lambda: number(figures.get("ratio"), ".3g", "×"),
        "items behind": lambda: f"{beaten(case, name)}" if case["comparable"] else "–",
        "gap, nats": lambda: number(gap(case, name), ".4f"),
        "tokens wrong": lambda: percent(error_rate(figures, "token")),
        "words wrong": lambda: percent(error_rate(figures, "word")),
        "MB, one item / all": lambda: f"{memory['one']:.1f} / {memory['all']:.1f}" if memory else "–",
    }[column]()


def case_section(case: Measurement) -> str:
    """Return the section of a case, with all its decoders."""
    columns = columns_of(case)
    table = markdown_table(
        ("", *columns), ([name, *(cell(case, name, each) for each in columns)] for name in case["peers"])
    )
    size = f"{items_of(case)}, {case['frames']} frames, C = {case['classes']}, beam {case['beam']}"
    halves = "; weights tuned on the other half" if case["tuned"] else ""
    return f"### {capital(case['about'])}\n\n{size}{halves}.{pages.run_of(case)}\n\n{table}"


def tuned_table(results: Results) -> str:
    """Return the tuned weights for each half of the items, and the errors there."""
    rows = (
        [
            case["case"],
            name,
            half,
            ", ".join(f"{key} {value:g}" for key, value in figures.get("parameters", {}).get(half, {}).items()) or "–",
            *(percent(error_rate(figures, kind, (half,))) for kind in ("token", "word")),
        ]
        for case in results["cases"]
        if case["tuned"]
        for name, figures in case["peers"].items()
        if PEERS[name].instruction_set == ""
        for half in OTHER
    )
    return markdown_table(("case", "", "items", "weights, tuned on the others", "tokens", "words"), rows, left=4)


def loading_table(results: Results) -> str:
    """Return the times to load a language model."""
    rows = (
        [name, f"{1e3 * each['seconds']:.4g}", f"{each['bytes'] / 1e6:.1f}"]
        for name, each in results["loading"].items()
    )
    return markdown_table(("", "ms", "MB of the file"), rows)


def training(results: Results) -> str:
    """Return the errors with a model of `ctckit lm train`."""
    case = case_of(results, "trained")
    if not case or "ctckit" not in case["peers"]:
        return "Not measured."
    greedy, ctckit = (percent(error_rate(case["peers"].get(name), "word")) for name in ("greedy", "ctckit"))
    seconds = results["training_seconds"]
    trained = f" The model was trained in {seconds:.0f} s." if seconds else ""
    claim = f"Words wrong: {greedy} by greedy decoding, {ctckit} with the model.{trained}"
    results_held_out = saved(held_out.RESULTS)
    if results_held_out is None:
        return claim
    return f"{claim}\n\n{HELD_OUT}\n\n{held_out.table(results_held_out)}"


def hotwords_by_number() -> str:
    """Return the errors with hotwords that nobody said."""
    found = saved(hotwords.RESULTS)
    return "Not measured." if found is None else hotwords.summary(found)


def streams() -> str:
    """Return the delays and the memory of streams."""
    found = saved(captions.RESULTS)
    return captions.tables(found) if found else "Not measured."


def greedy_hour() -> str:
    """Return the times of greedy decoding of one hour."""
    found = saved(hour.RESULTS)
    return hour.tables(found) if found else "Not measured."


def equal_quality(results: Results) -> str:
    """Return the ratio of each library to ctckit at equal quality."""
    cases = [case for name in EQUAL_CASES if (case := case_of(results, name))]
    libraries = dict.fromkeys(PEERS[name].library for case in cases for name in case["peers"])
    rows = (
        [library, *(number(equal_quality_ratio(case, library), ".3g", "×") for case in cases)]
        for library in libraries
        if library not in ("ctckit", "greedy")
    )
    return markdown_table(("", *(case["about"] for case in cases)), rows)


def elsewhere() -> str:
    """Return the ratios of a whole run on another processor."""
    found = saved(ELSEWHERE)
    if found is None:
        return "Not measured."
    table = equal_quality(found)
    return f"{found['processor']}, {found['instruction_set']}; {pages.when(found)}\n\n{table}"


def page(results: Results) -> str:
    """Return the whole page."""
    return pages.page(
        "decoding.md",
        warning=pages.warning(results),
        equal_quality=equal_quality(results),
        elsewhere=elsewhere(),
        bounds=fill("decoding_bounds.md"),
        cases="\n\n".join(map(case_section, results["cases"])),
        tuned=tuned_table(results),
        training=training(results),
        hotwords=hotwords_by_number(),
        loading=loading_table(results),
        streams=streams(),
        hour=greedy_hour(),
        settings=pages.settings_list(results, PEERS),
        about=pages.about(results),
        equal_gap=EQUAL_GAP,
        turn_seconds=turns.TURN_SECONDS,
        budget=turns.Settings().budget,
        slow=turns.SLOW_SECONDS,
        check=measure.CHECK_SECONDS,
        rest_ms=1e3 * REST_SECONDS,
    )


def main() -> None:
    """Write page and figure."""
    from benchmarks.decoding.figure import draw

    results = pages.results_or_exit(RESULTS, "make bench-decoding")
    pages.write(PAGE, page(results))
    draw(results, FIGURE)


if __name__ == "__main__":
    main()
