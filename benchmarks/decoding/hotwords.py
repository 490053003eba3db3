"""Errors with hotwords that nobody said, and with some that were said: ``python -m benchmarks.decoding.hotwords``.

Random words that are not in the text lines are hotwords with the default weight: words of four kinds, sets of 1 to
10,000, several sets of each. Then the rare words of the lines are hotwords: alone, with random ones, and line by line.
Everything is decoded with word marks and without, by a wide and by a narrow beam.
"""

from __future__ import annotations

import lzma
import re
import time
from collections import Counter
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from rapidfuzz.distance import Levenshtein
from rich.console import Console

from benchmarks.common import machine, pages, results
from benchmarks.common.arrays import Array
from benchmarks.common.figures import BLUE, INK, RED, dress, finish, panels
from benchmarks.common.posteriors import FOLDER, lines
from benchmarks.common.tables import markdown_table
from ctckit import BeamDecoder, Vocabulary

RESULTS = pages.RESULTS / "decoding-hotwords.json"
FIGURE = pages.IMAGES / "hotwords-by-number.png"
DATA = {"ocr_ppv4": "PP-OCRv4", "ocr_ppv6": "PP-OCRv6"}
MARKS = {True: "with word marks", False: "without word marks"}
BEAMS = (100, 10)
COUNTS = (1, 10, 100, 1000, 10000)
SETS = 4  # of each kind and size
UNREADABLE = 0.5  # a line is if more than this share of its characters is wrong without hotwords
FREQUENT, RARE = 2000, 14000  # ranks among the words of the text, by frequency
KINDS = ("frequent", "less frequent", "rare", "random letters")
SAID = (
    "The same for words of the lines that are not among the 2,000 most frequent ones: the hotwords of each line are "
    "its own such words, or those of all lines, alone or with others that nobody said:"
)
LETTERS, LENGTHS = list("abcdefghijklmnopqrstuvwxyz"), (2, 12)


class Words:
    """Random words that are not in the lines.

    Args:
        said: The words of the lines.
    """

    def __init__(self, said: set[str]) -> None:
        with lzma.open(FOLDER / "lm_text.txt.xz", "rt", encoding="utf-8") as file:
            counts = Counter(re.findall("[A-Za-z]+", file.read()))
        lowered = {word.lower() for word in said}
        ranks = [word for word, _ in counts.most_common()]
        self.frequent = {word.lower() for word in ranks[:FREQUENT]}
        self.unsaid = [word for word in ranks if word.lower() not in lowered]

    def draw(self, kind: str, count: int, seed: int) -> list[str]:
        """Return different random words of a kind; fewer frequent ones are there than 10,000."""
        rng = np.random.default_rng(seed)
        if kind == "random letters":
            sizes = rng.integers(LENGTHS[0], LENGTHS[1] + 1, count)
            return list(dict.fromkeys("".join(rng.choice(LETTERS, size)) for size in sizes))
        known = {
            "frequent": self.unsaid[:FREQUENT],
            "less frequent": self.unsaid[FREQUENT:RARE],
            "rare": self.unsaid[RARE:],
        }[kind]
        return [str(word) for word in rng.choice(known, min(count, len(known)), replace=False)]


class Lines:
    """The text lines of one network, decoded with and without hotwords."""

    def __init__(self, name: str, marks: bool, beam: int) -> None:
        data = lines(name)
        self.items: list[Array] = [data[n] for n in range(len(data))]
        self.texts = ["".join(data.tokens[token] for token in each) for each in data.references or ()]
        separator = data.tokens[data.space] if marks else None
        self.decoder = BeamDecoder(Vocabulary(data.tokens, data.blank, separator=separator), beam_width=beam)

    @cached_property
    def words(self) -> set[str]:
        """The words of the lines."""
        return {word for text in self.texts for word in text.split()}

    @cached_property
    def characters(self) -> int:
        """The number of characters of the lines."""
        return sum(map(len, self.texts))

    def edits(self, hotwords: list[str]) -> Array:
        """Return the wrong characters of each line with these hotwords."""
        decoder = self.decoder.with_settings(hotwords=hotwords)
        found = [decoder.decode(item)[0][0].text for item in self.items]
        return np.array([Levenshtein.distance(*pair) for pair in zip(found, self.texts, strict=True)])

    def edits_line_by_line(self, words: set[str]) -> int:
        """Return the wrong characters if the hotwords of each line are those of ``words`` that it has."""
        edits = 0
        for item, text in zip(self.items, self.texts, strict=True):
            hotwords = [word for word in dict.fromkeys(text.split()) if word in words]
            edits += Levenshtein.distance(self.decoder.decode(item, hotwords=hotwords)[0][0].text, text)
        return edits


def measure(name: str, marks: bool, beam: int) -> dict[str, Any]:
    """Return the error rate of one network's lines, and the points that hotwords add to it."""
    data = Lines(name, marks, beam)
    words = Words(data.words)
    plain = data.edits([])
    readable = plain <= UNREADABLE * np.array([len(text) for text in data.texts])
    rare = {word for word in data.words if word.isalpha() and word.lower() not in words.frequent}

    def points(edits: float) -> float:
        return round(float(100 * edits / data.characters), 3)

    unsaid: dict[str, dict[str, list[float]]] = {}
    unsaid_readable: dict[str, dict[str, list[float]]] = {}
    for kind in KINDS:
        for count in map(str, COUNTS):
            more = [data.edits(words.draw(kind, int(count), seed)) - plain for seed in range(SETS)]
            unsaid.setdefault(kind, {})[count] = [points(each.sum()) for each in more]
            unsaid_readable.setdefault(kind, {})[count] = [points(each[readable].sum()) for each in more]
    return {
        "data": name,
        "marks": marks,
        "beam": beam,
        "plain": points(plain.sum()),
        "characters": data.characters,
        "unreadable": int((~readable).sum()),
        "unsaid": unsaid,
        "unsaid_readable": unsaid_readable,
        "rare_words": len(rare),
        "rare": points((data.edits(sorted(rare)) - plain).sum()),
        "rare_among": {
            str(count): [
                points((data.edits([*sorted(rare), *mixture(words, count, seed)]) - plain).sum())
                for seed in range(SETS)
            ]
            for count in COUNTS
        },
        "line_by_line": points(data.edits_line_by_line(rare) - plain.sum()),
    }


def mixture(words: Words, count: int, seed: int) -> list[str]:
    """Return words of all kinds, in equal parts."""
    each = -(-count // len(KINDS))
    return list(dict.fromkeys(word for kind in KINDS for word in words.draw(kind, each, seed)))[:count]


def points_of(case: results.Results, count: int, of: str = "unsaid") -> list[float]:
    """Return the points that sets of ``count`` random words add to the error rate."""
    return [points for kind in KINDS for points in case[of][kind][str(count)]]


def points_text(case: results.Results, count: int) -> str:
    """Return the mean and the largest of these points, and the largest without unreadable lines."""
    points, readable = points_of(case, count), points_of(case, count, "unsaid_readable")
    return f"{np.mean(points):+.2f} ({max(points):+.2f}, {max(readable):+.2f})"


def unsaid_table(found: results.Results) -> str:
    """Return the points that hotwords add which nobody said, as a table in Markdown."""
    rows = (
        [
            DATA[case["data"]],
            MARKS[case["marks"]],
            str(case["beam"]),
            f"{case['plain']:.2f} %",
            *(points_text(case, count) for count in COUNTS),
        ]
        for case in found["cases"]
    )
    return markdown_table(("lines", "", "beam", "CER", *(f"{count:,}" for count in COUNTS)), rows, left=2)


def said_table(found: results.Results) -> str:
    """Return the points that hotwords take away which were said, as a table in Markdown."""
    among = (1000, 10000)
    rows = (
        [
            DATA[case["data"]],
            MARKS[case["marks"]],
            str(case["beam"]),
            f"{case['plain']:.2f} %",
            f"{case['line_by_line']:+.2f}",
            f"{case['rare']:+.2f}",
            *(f"{np.mean(case['rare_among'][str(count)]):+.2f}" for count in among),
        ]
        for case in found["cases"]
    )
    head = ("those of the line", "those of all lines", *(f"among {count:,} others" for count in among))
    return markdown_table(("lines", "", "beam", "CER", *head), rows, left=2)


def draw(found: results.Results, path: Path) -> None:
    """Draw the error rate against the number of random hotwords, one panel with word marks and one without."""
    figure, all_axes = panels(3.6, len(MARKS), sharey=True)
    for axes, (marks, title) in zip(all_axes, MARKS.items(), strict=True):
        cases = [case for case in found["cases"] if case["marks"] == marks and case["beam"] == max(BEAMS)]
        for case, color in zip(cases, (RED, BLUE), strict=True):
            draw_case(axes, case, color)
        axes.set_title(title, color=INK, fontsize=10)
        axes.set_xscale("log")
        axes.set_xticks(COUNTS, [f"{count:,}" for count in COUNTS])
        axes.set_xlabel("hotwords that nobody said", color=INK, fontsize=9)
        dress(axes)
    all_axes[0].set_ylabel("points of CER, against no hotwords", color=INK, fontsize=9)
    finish(figure, path, fontsize=8.5)


def draw_case(axes: Axes, case: results.Results, color: str) -> None:
    """Draw the curves of one network."""
    unsaid = np.array([points_of(case, count) for count in COUNTS])
    said = [np.mean(case["rare_among"][str(count)]) for count in COUNTS]
    name = DATA[case["data"]]
    axes.fill_between(COUNTS, unsaid.min(axis=1), unsaid.max(axis=1), color=color, alpha=0.15, linewidth=0)
    axes.plot(COUNTS, unsaid.mean(axis=1), color=color, label=name)
    axes.plot(COUNTS, said, color=color, linestyle="--", label=f"{name}, and {case['rare_words']} that were said")


def summary(found: results.Results) -> str:
    """Return all about the measurement, as a part of the page."""
    about = f"{found['sets']} sets of each kind and size; {found['date']}, commit {found['commit']}."
    return f"{unsaid_table(found)}\n\n{SAID}\n\n{said_table(found)}\n\n{about}"


def main() -> None:
    """Measure, save, draw and print."""
    begin = time.perf_counter()
    cases = [measure(name, marks, beam) for beam in BEAMS for name in DATA for marks in MARKS]
    found = {**machine.about(), "sets": SETS, "seconds": round(time.perf_counter() - begin, 1), "cases": cases}
    results.write(found, RESULTS)
    draw(found, FIGURE)
    console = Console(width=200)
    console.print(unsaid_table(found))
    console.print(said_table(found))


if __name__ == "__main__":
    main()
