"""The exact probability of a text in float64, and the distance of a text from the reference."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np
from rapidfuzz.distance import Levenshtein

from benchmarks.common.arrays import Array

Tokens = Sequence[int]


def log_prob(log_probs: Array, tokens: Tokens, blank: int) -> float:
    """Return log p(tokens | x) in nats, summed over all alignments, by the forward recursion in float64 log space.

    This code is independent of ctckit's lattice, so that the reported score of no decoder has to be trusted.

    Args:
        log_probs: (T, C) natural log-probabilities.
        tokens: (N,) classes without blanks.
        blank: The class of the blank.
    """
    labels = np.full(2 * len(tokens) + 1, blank)
    labels[1::2] = tokens
    skip = np.zeros(len(labels), dtype=bool)  # over the blank between two different tokens
    skip[3::2] = labels[3::2] != labels[1:-2:2]
    emissions = np.asarray(log_probs, dtype=np.float64)[:, labels]
    alpha = np.full(len(labels), -np.inf)
    alpha[:2] = emissions[0, :2]
    for frame in emissions[1:]:
        advanced = np.concatenate(([-np.inf], alpha[:-1]))
        skipped = np.where(skip, np.concatenate(([-np.inf, -np.inf], alpha[:-2]))[: len(alpha)], -np.inf)
        alpha = np.logaddexp(np.logaddexp(alpha, advanced), skipped) + frame
    return float(np.logaddexp.reduce(alpha[-2:]))


def edits(found: Tokens, reference: Tokens) -> int:
    """Return the Levenshtein distance."""
    return int(Levenshtein.distance(list(found), list(reference)))


def words(tokens: Tokens, space: int) -> list[tuple[int, ...]]:
    """Return the runs of tokens between separators."""
    return [tuple(run) for is_space, run in groupby(tokens, lambda token: token == space) if not is_space]


def trimmed(tokens: Tokens, space: int) -> list[int]:
    """Return tokens without separators at the ends, and with one separator between words: what a reader sees."""
    result: list[int] = []
    for word in words(tokens, space):
        result.extend([space, *word] if result else word)
    return result


def errors(found: Sequence[Tokens], references: Sequence[Tokens], space: int, count_space: bool) -> dict[str, int]:
    """Return edits and sizes, added over items, in tokens and in words; separators count if ``count_space`` is True."""

    def plain(tokens: Tokens) -> list[int]:
        return trimmed(tokens, space) if count_space else [token for token in tokens if token != space]

    pairs = list(zip(found, references, strict=True))
    return {
        "token_edits": sum(edits(plain(a), plain(b)) for a, b in pairs),
        "tokens": sum(len(plain(b)) for _, b in pairs),
        "word_edits": sum(edits_of_words(words(a, space), words(b, space)) for a, b in pairs),
        "words": sum(len(words(b, space)) for _, b in pairs),
    }


def edits_of_words(found: list[tuple[int, ...]], reference: list[tuple[int, ...]]) -> int:
    """Return the Levenshtein distance with words as units."""
    number = {word: i for i, word in enumerate({*found, *reference})}
    return edits([number[word] for word in found], [number[word] for word in reference])
