"""What is aligned: posteriors of real networks, and recordings that are made up, of any length."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.common import posteriors as data
from benchmarks.loss.workloads import Array

WRONG = 0.03  # of the frames of a recording: another class than the right one stands out
SPREAD = 2.0  # standard deviation of its logits
CHUNK = 20_000  # frames made at a time


@dataclass(frozen=True, eq=False)
class Problem:
    """Items of one model, with their texts.

    Attributes:
        log_probs: (ΣT, C) float32 natural log-probabilities of all items, one after another.
        offsets: (items + 1,) where each begins.
        tokens: (ΣN,) int32 the texts' classes.
        token_offsets: (items + 1,) where each begins.
        blank: Its class.
    """

    log_probs: Array
    offsets: Array
    tokens: Array
    token_offsets: Array
    blank: int

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def frames(self, item: int) -> Array:
        """(T, C)."""
        return self.log_probs[self.offsets[item] : self.offsets[item + 1]]

    def target(self, item: int) -> Array:
        """(N,)."""
        return self.tokens[self.token_offsets[item] : self.token_offsets[item + 1]]

    @property
    def cells(self) -> int:
        """States × frames of all items, Σ T (2 N + 1)."""
        return int(np.diff(self.offsets) @ (2 * np.diff(self.token_offsets) + 1))

    def save(self, path: Path) -> None:
        """Write it where the aligners' processes read it: they all get the same bits."""
        np.savez(path, **{**vars(self), "blank": np.array(self.blank)})

    @staticmethod
    def load(path: Path) -> Problem:
        """Read what ``save`` wrote."""
        with np.load(path) as arrays:
            return Problem(**{**arrays, "blank": int(arrays["blank"])})


def joined(items: list[tuple[Array, Array]], blank: int) -> Problem:
    """Frames and text of each item, one after another."""
    frames, texts = zip(*items, strict=True)
    offsets, token_offsets = (np.cumsum([0, *map(len, each)]) for each in (frames, texts))
    return Problem(np.ascontiguousarray(np.concatenate(frames)), offsets, np.concatenate(texts), token_offsets, blank)


def needed(tokens: Array) -> int:
    """The least frames: N + adjacent repeats."""
    return len(tokens) + int((tokens[1:] == tokens[:-1]).sum())


def read_items(name: str) -> tuple[list[tuple[Array, Array]], int]:
    """Items of a real network with their right texts, where they fit; and the blank."""
    found = data.SETS[name]()
    texts = [np.array(text, dtype=np.int32) for text in found.references or ()]
    pairs = [(found[i], text) for i, text in enumerate(texts) if len(text) and needed(text) <= len(found[i])]
    return pairs, found.blank


def real(name: str, items: int | None) -> Problem:
    """The first so many items of a real network."""
    pairs, blank = read_items(name)
    return joined(pairs[:items], blank)


def in_a_row(name: str, frames: int) -> Problem:
    """One item: those of a real network one after another, again and again."""
    pairs, blank = read_items(name)
    times = -(-frames // sum(len(rows) for rows, _ in pairs))
    rows = np.concatenate([rows for rows, _ in pairs] * times)
    return joined([(rows, np.concatenate([text for _, text in pairs] * times))], blank)


def recording(frames: int, tokens: int, classes: int, height: float, quiet: float = 0.0, seed: int = 0) -> Problem:
    """One made-up item: one or two frames for each token, blanks between, among noise.

    Args:
        frames: T; without the quiet ones at least 2 N.
        tokens: N.
        classes: C; the blank is 0.
        height: By how much the right class's logit stands out.
        quiet: The share of the frames at the beginning that has no token.
        seed: Of all that is random.
    """
    rng = np.random.default_rng(seed)
    text = rng.integers(1, classes, tokens)
    first = int(quiet * frames)
    starts = np.sort(rng.integers(first, frames - 2 * tokens + 1, tokens)) + 2 * np.arange(tokens)
    right = np.zeros(frames + 1, dtype=np.int64)
    right[starts] = text
    longer = starts[rng.random(tokens) < 0.5]
    right[longer + 1] = right[longer]  # a second frame: the next token begins two frames later at the earliest
    right = np.where(rng.random(frames + 1) < WRONG, rng.integers(0, classes, frames + 1), right)[:frames]
    rows = np.empty((frames, classes), dtype=np.float32)
    for begin in range(0, frames, CHUNK):
        part = rows[begin : begin + CHUNK]
        part[:] = rng.standard_normal(part.shape, dtype=np.float32) * np.float32(SPREAD)
        part[np.arange(len(part)), right[begin : begin + CHUNK]] += np.float32(height)
        top = part.max(axis=1, keepdims=True)
        part -= top + np.log(np.exp(part - top).sum(axis=1, keepdims=True))
    return joined([(rows, text.astype(np.int32))], 0)


SURE, UNSURE = 10.0, 4.0
BUDGET_SECONDS = 6.0  # for one aligner on one row: a slow one takes part in fewer rounds
QUICK_ITEMS, QUICK_SHARE = 6, 20  # of a quick run: so many items; recordings so many times shorter


def made(frames: int, tokens: int, classes: int, height: float, quiet: float = 0.0) -> Callable[[bool], Problem]:
    """A recording, shorter in a quick run."""

    def make(quick: bool) -> Problem:
        share = QUICK_SHARE if quick else 1
        return recording(frames // share, tokens // share, classes, height, quiet)

    return make


EVERYONE = (
    "ctckit",
    "ctckit AVX2",
    "ctckit as torchaudio",
    "torchaudio",
    "hirschberg-viterbi",
    "hirschberg-viterbi pruned",
    "ctc-segmentation",
)
BATCHED = (
    "ctckit",
    "ctckit AVX2",
    "ctckit 2 threads",
    "ctckit one by one",
    *EVERYONE[2:6],
    "hirschberg-viterbi full",
    "hirschberg-viterbi raw",
    "ctc-segmentation",
)
HOURS = ("ctckit", "ctckit AVX2", "hirschberg-viterbi", "hirschberg-viterbi pruned", "ctc-segmentation")


@dataclass(frozen=True)
class Row:
    """A task: its key in the results, words for the page, how to make it (given: whether quick), who takes part."""

    name: str
    about: str
    make: Callable[[bool], Problem]
    peers: tuple[str, ...] = EVERYONE
    real: bool = False


ROWS = (
    Row("lines", "text lines", lambda quick: real("ocr_ppv4", QUICK_ITEMS if quick else None), BATCHED, True),
    Row("clips", "recordings, phonemes", lambda quick: real("speech", QUICK_ITEMS if quick else None), BATCHED, True),
    Row("joined", "text lines in a row", lambda quick: in_a_row("ocr_ppv4", 1 if quick else 30_000), EVERYONE, True),
    Row("sure", "a recording of ten minutes", made(30_000, 6_000, 32, SURE)),
    Row("unsure", "the same, a network that is hardly sure of anything", made(30_000, 6_000, 32, UNSURE)),
    Row("late", "ten minutes, silent for six", made(30_000, 3_000, 32, SURE, quiet=0.6)),
    Row("classes", "ten minutes, 1,024 classes", made(30_000, 6_000, 1024, SURE)),
    Row("hour", "a recording of an hour", made(180_000, 40_000, 32, SURE), HOURS),
    Row("million", "a million frames", made(1_000_000, 200_000, 32, SURE), ("ctckit",)),
)
