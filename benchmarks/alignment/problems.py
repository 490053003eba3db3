"""What is aligned: outputs of real networks, and synthetic recordings of any length."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.common import posteriors
from benchmarks.common.arrays import Array

WRONG = 0.03  # the share of a recording's frames in which a wrong class is the likeliest
SPREAD = 2.0  # the standard deviation of the logits
CHUNK = 20_000  # frames that are made at a time


@dataclass(frozen=True, eq=False)
class Problem:
    """Items of one model, with their texts.

    Attributes:
        log_probs: (ΣT, C) float32 natural log-probabilities of all items, concatenated.
        offsets: (items + 1,) the frame at which each item begins.
        tokens: (ΣN,) int32 the classes of the texts.
        token_offsets: (items + 1,) the token at which each text begins.
        blank: The class of the blank.
    """

    log_probs: Array
    offsets: Array
    tokens: Array
    token_offsets: Array
    blank: int

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def frames(self, item: int) -> Array:
        """Return the log-probabilities of an item, (T, C)."""
        return self.log_probs[self.offsets[item] : self.offsets[item + 1]]

    def target(self, item: int) -> Array:
        """Return the text of an item, (N,)."""
        return self.tokens[self.token_offsets[item] : self.token_offsets[item + 1]]

    @property
    def cells(self) -> int:
        """The number of states × frames of all items, Σ T (2 N + 1)."""
        return int(np.diff(self.offsets) @ (2 * np.diff(self.token_offsets) + 1))

    def save(self, path: Path) -> None:
        """Write the problem to a file; all worker processes read the same bits."""
        np.savez(path, **{**vars(self), "blank": np.array(self.blank)})

    @staticmethod
    def load(path: Path) -> Problem:
        """Read a problem that ``save`` wrote."""
        with np.load(path) as arrays:
            return Problem(**{**arrays, "blank": int(arrays["blank"])})


def joined(items: list[tuple[Array, Array]], blank: int) -> Problem:
    """Concatenate the frames and the texts of all items."""
    frames, texts = zip(*items, strict=True)
    offsets, token_offsets = (np.cumsum([0, *map(len, each)]) for each in (frames, texts))
    return Problem(np.ascontiguousarray(np.concatenate(frames)), offsets, np.concatenate(texts), token_offsets, blank)


def needed(tokens: Array) -> int:
    """Return the smallest number of frames for a text: N + adjacent repeats."""
    return len(tokens) + int((tokens[1:] == tokens[:-1]).sum())


def read_items(name: str) -> tuple[list[tuple[Array, Array]], int]:
    """Return items of a real network with their correct texts, and the blank. Texts that do not fit are left out."""
    found = posteriors.SETS[name]()
    texts = [np.array(text, dtype=np.int32) for text in found.references or ()]
    pairs = [(found[i], text) for i, text in enumerate(texts) if len(text) and needed(text) <= len(found[i])]
    return pairs, found.blank


def real(name: str, items: int | None) -> Problem:
    """Return the first items of a real network."""
    pairs, blank = read_items(name)
    return joined(pairs[:items], blank)


def in_a_row(name: str, frames: int) -> Problem:
    """Return one item: the concatenated items of a real network, repeated until there are enough frames."""
    pairs, blank = read_items(name)
    times = -(-frames // sum(len(frames_of_item) for frames_of_item, _ in pairs))
    log_probs = np.concatenate([frames_of_item for frames_of_item, _ in pairs] * times)
    return joined([(log_probs, np.concatenate([text for _, text in pairs] * times))], blank)


def recording(frames: int, tokens: int, classes: int, height: float, quiet: float = 0.0, seed: int = 0) -> Problem:
    """Return one synthetic item: one or two frames for each token, blanks between them, and noise.

    Args:
        frames: T; without the silent frames at least 2 N.
        tokens: N.
        classes: C; the blank is 0.
        height: How much higher the logit of the correct class is.
        quiet: The share of frames at the beginning that have no token.
        seed: The seed of the random numbers.
    """
    rng = np.random.default_rng(seed)
    text = rng.integers(1, classes, tokens)
    first = int(quiet * frames)
    starts = np.sort(rng.integers(first, frames - 2 * tokens + 1, tokens)) + 2 * np.arange(tokens)
    right = np.zeros(frames + 1, dtype=np.int64)
    right[starts] = text
    longer = starts[rng.random(tokens) < 0.5]
    right[longer + 1] = right[longer]  # a second frame; the next token begins two frames later at the earliest
    right = np.where(rng.random(frames + 1) < WRONG, rng.integers(0, classes, frames + 1), right)[:frames]
    log_probs = np.empty((frames, classes), dtype=np.float32)
    for begin in range(0, frames, CHUNK):
        part = log_probs[begin : begin + CHUNK]
        part[:] = rng.standard_normal(part.shape, dtype=np.float32) * np.float32(SPREAD)
        part[np.arange(len(part)), right[begin : begin + CHUNK]] += np.float32(height)
        top = part.max(axis=1, keepdims=True)
        part -= top + np.log(np.exp(part - top).sum(axis=1, keepdims=True))
    return joined([(log_probs, text.astype(np.int32))], 0)


SURE, UNSURE = 10.0, 4.0
BUDGET_SECONDS = 6.0  # for one aligner on one case: a slow one takes part in fewer rounds
QUICK_ITEMS, QUICK_SHARE = 6, 20  # of a quick run: the number of items, and how many times shorter recordings are


def made(frames: int, tokens: int, classes: int, height: float, quiet: float = 0.0) -> Callable[[bool], Problem]:
    """Return a function that makes a recording, a shorter one in a quick run."""

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
class Case:
    """A case: its key in the results, words for the page, a function that makes it (argument: quick), the aligners."""

    name: str
    about: str
    make: Callable[[bool], Problem]
    peers: tuple[str, ...] = EVERYONE
    real: bool = False


CASES = (
    Case("lines", "text lines", lambda quick: real("ocr_ppv4", QUICK_ITEMS if quick else None), BATCHED, True),
    Case("clips", "recordings, phonemes", lambda quick: real("speech", QUICK_ITEMS if quick else None), BATCHED, True),
    Case("joined", "text lines in a row", lambda quick: in_a_row("ocr_ppv4", 1 if quick else 30_000), EVERYONE, True),
    Case("sure", "a recording of ten minutes", made(30_000, 6_000, 32, SURE)),
    Case("unsure", "the same, a network with low confidence", made(30_000, 6_000, 32, UNSURE)),
    Case("late", "ten minutes, silent for six", made(30_000, 3_000, 32, SURE, quiet=0.6)),
    Case("classes", "ten minutes, 1,024 classes", made(30_000, 6_000, 1024, SURE)),
    Case("hour", "a recording of an hour", made(180_000, 40_000, 32, SURE), HOURS),
    Case("million", "a million frames", made(1_000_000, 200_000, 32, SURE), ("ctckit",)),
)
