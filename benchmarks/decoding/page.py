"""Writes docs/benchmarks/decoding.md and its figure from benchmarks/results: ``python -m benchmarks.decoding.page``."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.common.workers import REST_SECONDS
from benchmarks.decoding import held_out, measure
from benchmarks.decoding.figures import EQUAL_GAP, Results, beaten, error_rate, gap, microseconds, row_of
from benchmarks.decoding.goals import Judged, judged
from benchmarks.decoding.peers import PEERS
from benchmarks.decoding.tables import percent
from benchmarks.decoding.tuning import OTHER
from benchmarks.loss.page import QUIET, ROOT, fill, markdown_table
from benchmarks.loss.tables import number

RESULTS = ROOT / "benchmarks" / "results" / "decoding.json"
PAGE = ROOT / "docs" / "benchmarks" / "decoding.md"
FIGURE = ROOT / "docs" / "images" / "decoding-speed-and-gap.png"
HELD_OUT = (
    "Chosen by `ctckit.tune` (the model of order 8, `lm_boundary=False`) on a part of the lines, "
    "counted on the others, in turns:"
)
HEAD = "<!-- Made by `make bench-page` from benchmarks/results and benchmarks/notes: edit those. -->\n"


def saved(path: Path = RESULTS) -> Results | None:
    """The saved run, if there is one."""
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def goals_table(results: Results) -> str:
    """All goals."""
    rows = ((each.name, each.shown, each.goal, each.moonshot or "–", each.verdict) for each in judged(results))
    return markdown_table(("", "measured", "must reach", "moonshot", ""), rows)


def missed(results: Results) -> str:
    """Every goal that is missed or was not measured, said plainly."""

    def clauses(verdict: str) -> list[Judged]:
        return [each for each in judged(results) if each.verdict == verdict]

    found = [f"- Missed: {each.name}: {each.shown}, {each.goal} is the goal." for each in clauses("missed")]
    found += [f"- Not measured: {each.name}." for each in clauses("not measured")]
    return "\n".join(found) if found else "None is missed."


def warning(results: Results) -> str:
    """Of figures that are not to be relied on."""
    reasons = []
    if results["load_before"] > QUIET:
        reasons.append(f"the machine was not quiet (load average before the run: {results['load_before']})")
    if results["quick"]:
        reasons.append("few items and rounds (`--quick`)")
    return f"**Rough figures: {'; '.join(reasons)}.**\n\n" if reasons else ""


def settings_list(results: Results) -> str:
    """Who took part, and how."""
    names = {name for row in results["rows"] for name in row["peers"]}
    return "\n".join(f"- {name}: {peer.setting}" for name, peer in PEERS.items() if name in names)


def columns_of(row: Results) -> list[str]:
    """Those that have something to say."""
    columns = ["ms an item", "µs a frame", "ctckit's time"]
    if row["comparable"]:
        columns += ["gap, nats", "items behind"]
    if any("errors" in figures for figures in row["peers"].values()):
        columns.append("tokens wrong")
        if words_known(row):
            columns.append("words wrong")
    if any(figures.get("memory") for figures in row["peers"].values()):
        columns.append("MB, one item / all")
    return columns


def words_known(row: Results) -> bool:
    """Words are counted where there are several items of text; phonemes are not words."""
    return bool(row["row"] != "speech")


def cell(row: Results, name: str, column: str) -> str:
    """One figure."""
    figures = row["peers"][name]
    ms, memory = figures["ms"], figures.get("memory")
    return {
        "ms an item": lambda: f"{ms['median']:.3g} ({ms['q1']:.3g}–{ms['q3']:.3g})",
        "µs a frame": lambda: number(microseconds(row, name), ".3g"),
        "ctckit's time": lambda: number(figures.get("ratio"), ".3g", "×"),
        "items behind": lambda: f"{beaten(row, name)}" if row["comparable"] else "–",
        "gap, nats": lambda: number(gap(row, name), ".4f"),
        "tokens wrong": lambda: percent(error_rate(figures, "token")),
        "words wrong": lambda: percent(error_rate(figures, "word")),
        "MB, one item / all": lambda: f"{memory['one']:.1f} / {memory['all']:.1f}" if memory else "–",
    }[column]()


def row_section(row: Results) -> str:
    """A row with all its decoders."""
    columns = columns_of(row)
    table = markdown_table(
        ("", *columns), ([name, *(cell(row, name, each) for each in columns)] for name in row["peers"])
    )
    size = f"{row['items']} items, {row['frames']} frames, C = {row['classes']}, beam {row['beam']}"
    halves = "; weights tuned on the other half" if row["tuned"] else ""
    return f"### {row['about'][0].upper()}{row['about'][1:]}\n\n{size}{halves}.\n\n{table}"


def tuned_table(results: Results) -> str:
    """The weights found for each half, and the errors there."""
    rows = (
        [
            row["row"],
            name,
            half,
            ", ".join(f"{key} {value:g}" for key, value in figures.get("parameters", {}).get(half, {}).items()) or "–",
            *(percent(error_rate(figures, kind, (half,))) for kind in ("token", "word")),
        ]
        for row in results["rows"]
        if row["tuned"]
        for name, figures in row["peers"].items()
        if PEERS[name].instruction_set == ""
        for half in OTHER
    )
    return markdown_table(("row", "", "items", "weights, tuned on the others", "tokens", "words"), rows, left=4)


def loading_table(results: Results) -> str:
    """How long until a model can be asked."""
    rows = (
        [name, f"{1e3 * each['seconds']:.4g}", f"{each['bytes'] / 1e6:.1f}"]
        for name, each in results["loading"].items()
    )
    return markdown_table(("", "ms", "MB of the file"), rows)


def training(results: Results) -> str:
    """The claim on a model of our own."""
    row = row_of(results, "trained")
    if not row or "ctckit" not in row["peers"]:
        return "Not measured."
    greedy, ours = (percent(error_rate(row["peers"].get(name), "word")) for name in ("greedy", "ctckit"))
    seconds = results["training_seconds"]
    trained = f" The model was trained in {seconds:.0f} s." if seconds else ""
    claim = f"Words wrong: {greedy} by greedy decoding, {ours} with the model.{trained}"
    if not held_out.RESULTS.exists():
        return claim
    return f"{claim}\n\n{HELD_OUT}\n\n{held_out.table(json.loads(held_out.RESULTS.read_text(encoding='utf-8')))}"


def about(results: Results) -> str:
    """Machine, versions, what has no figure."""
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    lines = [
        f"{results['processor']}, {results['cores']} cores, {results['instruction_set']}; {results['system']}.",
        f"{results['date']}, commit {results['commit']}, {results['rounds']} rounds, "
        f"load before: {results['load_before']}.",
        f"{versions}.",
        *(f"No figure for {who}: {why}." for who, why in results["refused"].items()),
    ]
    return "\n".join(f"- {line}" for line in lines)


def page(results: Results) -> str:
    """The whole page."""
    text = fill(
        "decoding.md",
        warning=warning(results),
        goals=goals_table(results),
        missed=missed(results),
        bounds=fill("decoding_bounds.md"),
        rows="\n\n".join(map(row_section, results["rows"])),
        tuned=tuned_table(results),
        training=training(results),
        loading=loading_table(results),
        settings=settings_list(results),
        about=about(results),
        equal_gap=EQUAL_GAP,
        turn_seconds=measure.TURN_SECONDS,
        budget=measure.BUDGET_SECONDS,
        slow=measure.SLOW_SECONDS,
        check=measure.CHECK_SECONDS,
        rest_ms=1e3 * REST_SECONDS,
    )
    return f"{HEAD}\n{text}\n"


def main() -> None:
    """Write page and figure."""
    from benchmarks.decoding.figure import draw

    results = saved()
    if results is None:
        raise SystemExit(f"no results yet in {RESULTS.relative_to(ROOT)}: make bench-decoding")
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(results), encoding="utf-8")
    draw(results, FIGURE)


if __name__ == "__main__":
    main()
