"""Tests whether the labels fit better with another charset or another blank. The loss decides.

This works only for a network that has learned something. Before, every labeling has the same loss, and no trial wins.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from ctckit.diagnosis.inputs import Problem, one_item
from ctckit.diagnosis.records import Relabelled, signed
from ctckit.kernels.loss import native
from ctckit.topology import Floats, Ints, collapse, frames_needed

FEWEST_OCCURRENCES = 3  # a class that is misread once or twice may be an error of the network
MAJORITY = 0.6  # share of a class's occurrences that must be read as the same other class; then the loss decides
COMPARED = 0.5  # share of the items with tokens for which a trial must have valid labels

Relabel = Callable[[Ints], Ints]


def try_other_labels(problem: Problem) -> tuple[Relabelled, ...]:
    """Return the loss under each other labeling that can be compared, best first."""
    trials = [*_shifts(problem), *_permutation(problem)]
    if not trials:
        return ()
    tallies = [_Tally() for _ in trials]
    compared = 0
    for scores, tokens in _items(problem):
        compared += 1
        given = loss_per_token(scores, tokens, problem.blank)
        for (trial, relabel), tally in zip(trials, tallies, strict=True):
            other = relabel(tokens)
            if trial.blank != problem.blank or (other != tokens).any():
                tally.add(given, scores, other, trial.blank)
    results = [
        tally.result(trial)
        for (trial, _), tally in zip(trials, tallies, strict=True)
        if tally.relabelled and (trial.mapping or len(tally.relabelled) >= COMPARED * compared)
    ]
    return tuple(sorted(results, key=lambda each: each.relabelled))


@dataclass
class _Tally:
    """Sums of a trial over the items for which it has valid labels."""

    as_given: list[float] = field(default_factory=list)
    relabelled: list[float] = field(default_factory=list)
    tokens: int = 0
    right: int = 0

    def add(self, given: float, scores: Floats, tokens: Ints, blank: int) -> None:
        cost = loss_per_token(scores, tokens, blank)
        if not np.isfinite(cost):
            return
        read = collapse(scores.argmax(axis=1), blank=blank)
        self.as_given.append(given)
        self.relabelled.append(cost)
        self.tokens += len(tokens) + len(read)
        self.right += common_tokens(tokens.tolist(), read)

    def result(self, trial: Relabelled) -> Relabelled:
        return replace(
            trial,
            items=len(self.relabelled),
            as_given=float(np.median(self.as_given)),
            relabelled=float(np.median(self.relabelled)),
            agreement=2 * self.right / self.tokens,
        )


def loss_per_token(scores: Floats, tokens: Ints, blank: int) -> float:
    """Return −log p(tokens) / N; +∞ for labels that are not tokens, or that need more frames."""
    classes = scores.shape[1]
    if ((tokens < 0) | (tokens >= classes) | (tokens == blank)).any() or len(scores) < frames_needed(tokens):
        return float("inf")
    return float(native.ctc_loss(scores[None], one_item(scores, tokens, blank), input_kind="scores")[0]) / len(tokens)


def common_tokens(left: Iterable[int], right: Iterable[int]) -> int:
    """Return the length of the longest common subsequence. The bits of one integer hold a column of the table.

    Example:
        >>> common_tokens([1, 2, 3, 4], [2, 4, 4, 1])
        2

    Source: Hyyrö, Bit-Parallel LCS-length Computation Revisited, AWOCA 2004.
    """
    places: dict[int, int] = {}
    bit = 1
    for token in left:
        places[token] = places.get(token, 0) | bit
        bit <<= 1
    every = bit - 1
    column = every
    for token in right:
        matched = column & places.get(token, 0)
        column = ((column + matched) | (column - matched)) & every
    return (every ^ column).bit_count()


def _items(problem: Problem) -> Iterator[tuple[Floats, Ints]]:
    """Yield the items that have tokens and valid logits; their labels may be invalid."""
    for item in filter(problem.length_is_possible, range(problem.shape[0])):
        tokens, scores = problem.tokens(item), problem.scores(item)
        if len(tokens) and scores is not None:
            yield scores, tokens


def _shifts(problem: Problem) -> Iterator[tuple[Relabelled, Relabel]]:
    """Yield the trials with each label one higher or lower, and with the blank at either end of the classes."""
    last = problem.shape[2] - 1
    for blank in dict.fromkeys((problem.blank, 0, last)):
        for shift in (0, 1, -1):
            if shift == 0 and blank == problem.blank:
                continue
            parts = [f"labels {signed(shift)}"] if shift else []
            parts += [f"blank = {blank}"] if blank != problem.blank else []
            yield Relabelled(", ".join(parts), 0, 0.0, 0.0, 0.0, blank, shift), partial(np.add, shift)


def _permutation(problem: Problem) -> Iterator[tuple[Relabelled, Relabel]]:
    """Yield the labeling that the network's own reading suggests, if it reads whole classes as others."""
    pairs: Counter[tuple[int, int]] = Counter()
    for scores, tokens in _items(problem):
        read = collapse(scores.argmax(axis=1), blank=problem.blank)
        if len(read) == len(tokens):  # then tokens and reading correspond one to one
            pairs.update(zip(tokens.tolist(), read, strict=True))
    meant = _consistently_read_as(pairs)
    moved = {label: cls for label, cls in meant.items() if label != cls}
    if not moved or {cls - label for label, cls in moved.items()} in ({1}, {-1}):  # _shifts has these
        return
    aligned = sum(pairs.values())
    moved_tokens = sum(count for (label, _), count in pairs.items() if label in moved)
    # Either most tokens are read as others, or some classes are exchanged among themselves. Other cases are errors.
    if 2 * moved_tokens < aligned and set(moved.values()) != set(moved):
        return

    def relabel(tokens: Ints) -> Ints:
        return np.array([moved.get(label, label) for label in tokens.tolist()], dtype=np.int64)

    mapping = tuple(sorted(moved.items()))
    yield Relabelled("classes exchanged", 0, 0.0, 0.0, 0.0, problem.blank, None, mapping), relabel


def _consistently_read_as(pairs: Counter[tuple[int, int]]) -> dict[int, int]:
    """Return for each frequent label the class that it is mostly read as."""
    totals: Counter[int] = Counter()
    for (label, _), count in pairs.items():
        totals[label] += count
    return {
        label: cls
        for (label, cls), count in sorted(pairs.items())
        if totals[label] >= FEWEST_OCCURRENCES and count >= MAJORITY * totals[label]
    }
