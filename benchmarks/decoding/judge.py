"""Hypotheses are judged by their exact probability and by their distance from the reference."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.common.arrays import Array
from benchmarks.common.posteriors import DataSet
from benchmarks.decoding import exact
from benchmarks.decoding.tuning import OTHER, half

DIGITS = 6  # of the log-probabilities that are saved


class Judge:
    """Judges the hypotheses of a case. Each probability is computed once."""

    def __init__(self, data: DataSet) -> None:
        self.data = data
        self.known: dict[tuple[int, tuple[int, ...]], float] = {}

    def log_prob(self, item: int, tokens: list[int]) -> float:
        """Return the exact log-probability of a text."""
        key = (item, tuple(tokens))
        if key not in self.known:
            self.known[key] = exact.log_prob(self.data[item], tokens, self.data.blank)
        return self.known[key]

    def errors(self, items: list[int], tokens: list[list[int]]) -> dict[str, int]:
        """Return edits and sizes, added over these items."""
        references = self.data.references or ()
        return exact.errors(tokens, [references[i] for i in items], self.data.space, self.data.count_space)

    def edits(self, tokens: list[list[int]]) -> Array:
        """Return the edits of each item, (items, 2): in tokens and in words."""
        each = [self.errors([i], [found]) for i, found in enumerate(tokens)]
        return np.array([(errors["token_edits"], errors["word_edits"]) for errors in each])

    def sizes(self) -> Array:
        """Return the sizes of the references, (items, 2): in tokens and in words."""
        each = [self.errors([i], [[]]) for i in range(len(self.data))]
        return np.array([(errors["tokens"], errors["words"]) for errors in each])

    def figures(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Return what is saved of a pass over all items."""
        tokens = answer["tokens"]
        log_probs = [self.log_prob(i, each) for i, each in enumerate(tokens)]
        result: dict[str, Any] = {"log_probs": [round(each, DIGITS) for each in log_probs]}
        if answer["claims"][0] is not None:
            pairs = zip(answer["claims"], log_probs, strict=True)
            worst = max(abs(claim - true) / max(1.0, abs(true)) for claim, true in pairs)
            result["claim_error"] = float(f"{worst:.2g}")
        if self.data.references:
            result["errors"] = {
                name: self.errors(items, [tokens[i] for i in items])
                for name in OTHER
                if (items := half(len(tokens), name))
            }
        return result
