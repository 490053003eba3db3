"""What decoding is to reach, and what was reached: one line for each goal, judged from the results alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.decoding.figures import (
    Results,
    deficit,
    equal_quality_ratio,
    error_rate,
    figures_of,
    microseconds,
    row_of,
)
from benchmarks.loss.tables import number

NOT_MEASURED = "not measured"
PLAIN = ("ocr_ppv4", "ocr_ppv6", "speech", "nanopore", "long", "large", "huge")  # rows without model or words
SPEED = ("ocr_ppv4", "speech", "nanopore")  # rows that the ratios are judged on


@dataclass(frozen=True)
class Goal:
    """A figure that must not be above ``must`` (or below, where ``more`` is better), and should reach ``moonshot``."""

    name: str
    value: Callable[[Results], float | None]
    must: float
    moonshot: float | None = None
    unit: str = ""
    more: bool = False

    def holds(self, value: float, bound: float) -> bool:
        """On the right side."""
        return value >= bound if self.more else value <= bound


@dataclass(frozen=True)
class Judged:
    """A goal with what became of it, as words."""

    name: str
    shown: str
    goal: str
    moonshot: str
    verdict: str


def speed(row: str, peer: str = "ctckit") -> Callable[[Results], float | None]:
    """Microseconds a frame."""

    def value(results: Results) -> float | None:
        found = row_of(results, row)
        return microseconds(found, peer) if found else None

    return value


def quotient(above: tuple[str, str], below: tuple[str, str]) -> Callable[[Results], float | None]:
    """Of the times for one item of two (row, peer)."""

    def value(results: Results) -> float | None:
        figures = [figures_of(results, *each) for each in (above, below)]
        times = [each["ms"]["median"] for each in figures if each]
        return times[0] / times[1] if len(times) == 2 else None

    return value


def worst_avx2(results: Results) -> float | None:
    """The most times AVX-512's time that AVX2 takes, where there is AVX-512."""
    rows = [row for name in SPEED if (row := row_of(results, name))]
    ratios = [row["peers"]["ctckit AVX2"]["ratio"] for row in rows if "ctckit AVX2" in row["peers"]]
    return max(ratios) if ratios and results["instruction_set"] == "avx512" else None


def over(library: str) -> Callable[[Results], float | None]:
    """The least advantage over a library at equal quality, of the rows that are judged."""

    def value(results: Results) -> float | None:
        rows = [row for name in SPEED if (row := row_of(results, name))]
        ratios = [ratio for row in rows if (ratio := equal_quality_ratio(row, library))]
        return min(ratios) if len(ratios) == len(SPEED) else None

    return value


def worst_deficit(results: Results) -> float | None:
    """The most that any library is ahead on any set, on average over its items."""
    rows = [row for name in PLAIN if (row := row_of(results, name)) and len(row["peers"]) > 2]
    return max((deficit(row, "ctckit") for row in rows if "ctckit" in row["peers"]), default=None)


def worst_claim(results: Results) -> float | None:
    """The largest relative error of ``Hypothesis.log_prob``."""
    errors = [
        row["peers"]["ctckit"]["claim_error"]
        for row in results["rows"]
        if "claim_error" in row["peers"].get("ctckit", {})
    ]
    return max(errors, default=None)


def megabytes(row: str) -> Callable[[Results], float | None]:
    """Beyond the inputs, for the decoder and one item."""

    def value(results: Results) -> float | None:
        figures = figures_of(results, row, "ctckit")
        return figures["memory"]["one"] if figures and figures.get("memory") else None

    return value


def milliseconds(row: str) -> Callable[[Results], float | None]:
    """An item."""

    def value(results: Results) -> float | None:
        figures = figures_of(results, row, "ctckit")
        return figures["ms"]["median"] if figures else None

    return value


def loading(title: str) -> Callable[[Results], float | None]:
    """Milliseconds."""

    def value(results: Results) -> float | None:
        found = results["loading"].get(title)
        return 1e3 * found["seconds"] if found else None

    return value


def saved_words(results: Results) -> float | None:
    """By what share the words wrong fall against greedy, with a model of ``ctckit lm train``: held-out errors."""
    rates = [error_rate(figures_of(results, "trained", name), "word") for name in ("greedy", "ctckit")]
    if rates[0] is None or rates[1] is None or rates[0] == 0:
        return None
    return 100 * (1 - rates[1] / rates[0])


def different_bits(results: Results) -> float | None:
    """Sets on which a stream or a batch gave something else than whole items."""
    return sum(not same for same in results["same_bits"].values()) if results["same_bits"] else None


GOALS = (
    Goal("text lines, no model", speed("ocr_ppv4"), 5, 2.5, " µs/frame"),
    Goal("speech, no model", speed("speech"), 2, 1, " µs/frame"),
    Goal("nanopore, no model", speed("nanopore"), 0.8, 0.4, " µs/frame"),
    Goal("AVX2, at most times the time", worst_avx2, 2, None, "×"),
    Goal("over ctc-beam-decoder, at equal quality", over("ctc-beam-decoder"), 10, 25, "×", True),
    Goal("over pyctcdecode, at equal quality", over("pyctcdecode"), 60, 150, "×", True),
    Goal("over fast-ctc-decode, at equal quality", over("fast-ctc-decode"), 3, 10, "×", True),
    Goal("nats an item behind the best library, on the worst set", worst_deficit, 0, None, " nats"),
    Goal("error of `log_prob`, relative", worst_claim, 1e-5),
    Goal("word 3-gram", speed("words"), 10, 5, " µs/frame"),
    Goal("character 6-gram", speed("characters"), 27, 12, " µs/frame"),
    Goal(
        "10,000 hotwords, times the time of 10",
        quotient(("hotwords 10000", "ctckit"), ("hotwords 10", "ctckit")),
        2,
        1.3,
        "×",
    ),
    Goal("18,710 classes, a line", milliseconds("huge"), 4, 2, " ms"),
    Goal("18,710 classes, memory", megabytes("huge"), 32, None, " MB"),
    Goal("ARPA of 943,120 n-grams, loading", loading("ctckit"), 700, 300, " ms"),
    Goal("own file of the same, loading", loading("ctckit, own file"), 1, 0.1, " ms"),
    Goal(
        "2 threads, batch of lines",
        quotient(("batch lines", "ctckit batch"), ("batch lines", "ctckit batch, 2 threads")),
        1.8,
        1.95,
        "×",
        True,
    ),
    Goal("sets with other bits in chunks or threads", different_bits, 0),
    Goal("words wrong, held out, saved by `ctckit lm train`", saved_words, 100 / 3, None, " %", True),
)


def judge(goal: Goal, results: Results) -> Judged:
    """In words."""
    value = goal.value(results)
    unit = goal.unit
    if value is None:
        verdict = NOT_MEASURED
    elif goal.moonshot is not None and goal.holds(value, goal.moonshot):
        verdict = "moonshot"
    else:
        verdict = "reached" if goal.holds(value, goal.must) else "missed"
    sign = "≥ " if goal.more else "≤ "
    moonshot = "" if goal.moonshot is None else sign + number(goal.moonshot, ".4g", unit)
    return Judged(goal.name, number(value, ".3g", unit), sign + number(goal.must, ".4g", unit), moonshot, verdict)


def judged(results: Results) -> list[Judged]:
    """All goals."""
    return [judge(goal, results) for goal in GOALS]
