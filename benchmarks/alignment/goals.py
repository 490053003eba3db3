"""What alignment is to reach, and what was reached: one line for each goal, judged from the results alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.decoding.goals import Goal, Judged, judge

Results = dict[str, Any]
Value = Callable[[Results], float | None]
FEW_CLASSES = ("sure", "unsure", "late", "hour")
LONG = ("joined", "sure", "unsure", "late", "classes")


def figures_of(results: Results, row: str, peer: str) -> Results | None:
    """Of an aligner on a row."""
    return next((each["peers"].get(peer) for each in results["rows"] if each["row"] == row), None)


def ms(row: str, unit: float = 1.0) -> Value:
    """Of ctckit for an item, in so many milliseconds."""

    def value(results: Results) -> float | None:
        figures = figures_of(results, row, "ctckit")
        return figures["ms"]["median"] / unit if figures else None

    return value


def gigacells(row: Results, peer: str) -> float | None:
    """Cells of the whole lattice, states × frames, per second: in 10⁹. Cells that are left out count as done."""
    if peer not in row["peers"]:
        return None
    return float(row["cells"] / (1e6 * row["peers"][peer]["ms"]["median"] * row["items"]))


def slowest(rows: tuple[str, ...]) -> Value:
    """The least 10⁹ cells per second on any of these rows."""

    def value(results: Results) -> float | None:
        found = [gigacells(each, "ctckit") for each in results["rows"] if each["row"] in rows]
        return min((each for each in found if each), default=None) if len(found) == len(rows) else None

    return value


def memory(row: str) -> Value:
    """Megabytes beyond the inputs."""

    def value(results: Results) -> float | None:
        figures = figures_of(results, row, "ctckit")
        return figures["memory"] if figures else None

    return value


def worst(part: Callable[[Results], float | None]) -> Value:
    """Of ctckit, over all rows; paths that do not say the text are infinitely bad."""

    def value(results: Results) -> float | None:
        found = [row["peers"]["ctckit"] for row in results["rows"] if "ctckit" in row["peers"]]
        if any(each["behind"]["wrong"] for each in found):
            return float("inf")
        return max((each for figures in found if (each := part(figures)) is not None), default=None)

    return value


def over_torchaudio(results: Results) -> float | None:
    """The least ratio on the long rows."""
    ratios = [
        theirs["ms"]["median"] / ours["ms"]["median"]
        for row in LONG
        if (ours := figures_of(results, row, "ctckit")) and (theirs := figures_of(results, row, "torchaudio"))
    ]
    return min(ratios, default=None)


GOALS = (
    Goal("nats below the optimum, worst item", worst(lambda each: each["behind"]["worst"]), 1e-3, 0, " nats"),
    Goal("error of `log_prob`, nats, worst item", worst(lambda each: each.get("claim_error")), 1e-3, None, " nats"),
    Goal("text lines, one batch", ms("lines", 1e-3), 60, None, " µs/line"),
    Goal("recordings of phonemes, one batch", ms("clips", 1e-3), 100, None, " µs/clip"),
    Goal("C ≤ 64, slowest row", slowest(FEW_CLASSES), 8, 24, " G cells/s", True),
    Goal("C = 1,024", slowest(("classes",)), 4, None, " G cells/s", True),
    Goal("180,000 frames × 40,000 tokens", ms("hour", 1e3), 2, None, " s"),
    Goal("180,000 × 40,000, memory", memory("hour"), 30, None, " MB"),
    Goal("over torchaudio, 30,000 frames", over_torchaudio, 20, None, "×", True),
    Goal("a million frames × 200,000 tokens", ms("million", 1e3), 60, None, " s"),
    Goal("a million × 200,000, memory", memory("million"), 200, None, " MB"),
)


def judged(results: Results) -> list[Judged]:
    """All goals."""
    return [judge(goal, results) for goal in GOALS]
