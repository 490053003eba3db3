"""Would the labels fit better if they meant something else? Tried, by the loss, not guessed.

Only a network that has learned something can tell: until then every labelling costs the same, and no trial wins.
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

FEWEST_OCCURRENCES = 3  # a class read otherwise once or twice may be a slip of the network
MAJORITY = 0.6  # share of a class's occurrences that must be read as the same other class; the loss has the last word
COMPARED = 0.5  # share of the items with tokens that a trial must be able to label at all

Relabel = Callable[[Ints], Ints]


def try_other_labels(problem: Problem) -> tuple[Relabelled, ...]:
    """The loss under each other labelling that can be compared, best first."""
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
    """What a trial adds up to over the items that it can label."""

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
    """−log p(tokens) / N; +∞ for labels that are no tokens, or do not fit the frames."""
    classes = scores.shape[1]
    if ((tokens < 0) | (tokens >= classes) | (tokens == blank)).any() or len(scores) < frames_needed(tokens):
        return float("inf")
    return float(native.ctc_loss(scores[None], one_item(scores, tokens, blank), input_kind="scores")[0]) / len(tokens)


def common_tokens(left: Iterable[int], right: Iterable[int]) -> int:
    """Length of the longest common subsequence, a column of the table at a time in the bits of one integer.

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
    """Items with tokens and with numbers for logits; the labels may be anything."""
    for item in filter(problem.length_is_possible, range(problem.shape[0])):
        tokens, scores = problem.tokens(item), problem.scores(item)
        if len(tokens) and scores is not None:
            yield scores, tokens


def _shifts(problem: Problem) -> Iterator[tuple[Relabelled, Relabel]]:
    """Each label one up or down, and the blank at either end of the classes."""
    last = problem.shape[2] - 1
    for blank in dict.fromkeys((problem.blank, 0, last)):
        for shift in (0, 1, -1):
            if shift == 0 and blank == problem.blank:
                continue
            parts = [f"labels {signed(shift)}"] if shift else []
            parts += [f"blank = {blank}"] if blank != problem.blank else []
            yield Relabelled(", ".join(parts), 0, 0.0, 0.0, 0.0, blank, shift), partial(np.add, shift)


def _permutation(problem: Problem) -> Iterator[tuple[Relabelled, Relabel]]:
    """The labelling that the network's own reading suggests, where it reads whole classes as others."""
    pairs: Counter[tuple[int, int]] = Counter()
    for scores, tokens in _items(problem):
        read = collapse(scores.argmax(axis=1), blank=problem.blank)
        if len(read) == len(tokens):  # then token and reading stand side by side
            pairs.update(zip(tokens.tolist(), read, strict=True))
    meant = _consistently_read_as(pairs)
    moved = {label: cls for label, cls in meant.items() if label != cls}
    if not moved or {cls - label for label, cls in moved.items()} in ({1}, {-1}):  # the shifts have their own trials
        return
    aligned = sum(pairs.values())
    moved_tokens = sum(count for (label, _), count in pairs.items() if label in moved)
    # Either most tokens are read otherwise, or some classes change places among themselves. Anything else is errors.
    if 2 * moved_tokens < aligned and set(moved.values()) != set(moved):
        return

    def relabel(tokens: Ints) -> Ints:
        return np.array([moved.get(label, label) for label in tokens.tolist()], dtype=np.int64)

    mapping = tuple(sorted(moved.items()))
    yield Relabelled("classes exchanged", 0, 0.0, 0.0, 0.0, problem.blank, None, mapping), relabel


def _consistently_read_as(pairs: Counter[tuple[int, int]]) -> dict[int, int]:
    """For each label seen often enough, the class that it is nearly always read as."""
    totals: Counter[int] = Counter()
    for (label, _), count in pairs.items():
        totals[label] += count
    return {
        label: cls
        for (label, cls), count in sorted(pairs.items())
        if totals[label] >= FEWEST_OCCURRENCES and count >= MAJORITY * totals[label]
    }
