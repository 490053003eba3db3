"""Exact scores for the texts that a search ends with, and their order: the definition.

1.  Token sequences that are written alike are one text; its probability is the sum of theirs. The one with the best
    score stands for all.
2.  The first place is decided among the *contenders*: the texts whose mass in the beam is at most 1.5 nats below the
    largest. The beam loses the alignments that pass through dropped texts, mostly some hundredths of a nat of a text's
    mass. If it lost much more of one contender than of another (more than 0.25 nats), all texts of the beam contend.
    The contenders do not depend on n, and neither does the first text.
3.  The first text is refined. The beam drops a text by its score at that moment, so a narrow beam can lose the right
    text over one token. Each token of the text is therefore questioned once more: where the frames between its
    neighbors give another token, or none, a higher posterior, that change is made if it improves the score. If the text
    after all changes has a better exact score, it takes the first place, and is refined again.
4.  The other texts follow by their exact scores.

The scores by which texts are compared come from ``reference_rescoring.log_prob_near``; the scores of the results are
exact.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit.kernels.search.plan import Candidate, Decoded, Rescoring
from ctckit.kernels.search.reference_rescoring import (
    log_prob_near,
    log_sum,
    propose_refinements,
    rescore,
)
from ctckit.kernels.search.reference_scorers import Scorers
from ctckit.topology import IMPOSSIBLE

CONTENDING, ALIKE = 1.5, 0.25  # nats
NEGLIGIBLE = 14.0  # nats; a token sequence this far below another one of the same text is ignored
MAX_ROUNDS = 4
LEAST_GAIN = 1e-5  # nats; less may be a rounding error

Tokens = tuple[int, ...]


@dataclass
class Text:
    """A text of the beam.

    Attributes:
        variants: Its token sequences with their log masses, the largest first.
        mass: The log-sum of these.
        score: The exact score.
        tokens: The token sequence that stands for all.
    """

    variants: dict[Tokens, float] = field(default_factory=dict)
    mass: float = IMPOSSIBLE
    score: float = IMPOSSIBLE
    tokens: Tokens = ()


class Ranking:
    """The texts of one search.

    Args:
        scorers: The scorers of the plan.
        log_probs: (T, C) the frames of the search.
        past: Tokens before those of the search.
        first: The first token of the search that may be refined.
        last: One past the last such token; by default all.
    """

    def __init__(
        self, scorers: Scorers, log_probs: npt.NDArray[Any], past: Tokens, first: int, last: int | None = None
    ) -> None:
        self._scorers = scorers
        self._blank = scorers.plan.blank
        self._log_probs = np.asarray(log_probs, dtype=np.float64)
        self._past = past
        self._first, self._last = first, math.inf if last is None else last
        self._known: Tokens = ()
        self._found: Rescoring | None = None

    def best(self, beam: Sequence[Candidate], n: int) -> list[Decoded]:
        """Return the n best texts, the best one first.

        Args:
            beam: The texts of the beam by their mass, the largest first.
            n: The largest number of texts.
        """
        texts = self._joined(beam)
        if not texts:
            return []
        by_mass = sorted(texts.items(), key=lambda each: -each[1].mass)
        self._known = next(iter(by_mass[0][1].variants))
        self._found = rescore(self._log_probs, self._known, self._blank)
        ranked = [text for _, text in by_mass]
        contenders = self._contenders(ranked)
        for text in ranked[len(contenders) : n]:
            self._score(text)
        best = max(contenders, key=lambda each: each.score)
        first = self.refined(best.tokens, texts)
        written = self._written(self._tokens(first))
        others = [text for key, text in by_mass[: max(n, len(contenders))] if key != written]
        others = sorted(others, key=lambda each: -each.score)[: n - 1]
        decoded = [self._decoded(each.tokens, texts) for each in others]
        return [first, *sorted(decoded, key=lambda each: -each.score(self._scorers.plan))]

    def _contenders(self, ranked: Sequence[Text]) -> Sequence[Text]:
        """Score the contenders and return them."""
        lost: list[float] = []
        for text in ranked:
            if text.mass < ranked[0].mass - CONTENDING and not max(lost) - min(lost) > ALIKE:
                break
            self._score(text)
            lost.append(float(text.score - text.mass))
        return ranked[: len(lost)]

    def _joined(self, beam: Sequence[Candidate]) -> dict[Tokens, Text]:
        """Return the texts by what is written."""
        texts: dict[Tokens, Text] = {}
        for each in beam:
            text = texts.setdefault(self._written(each.tokens), Text())
            if each.score >= max(text.variants.values(), default=IMPOSSIBLE) - NEGLIGIBLE:
                text.variants[each.tokens] = each.score
                text.mass = log_sum(text.mass, each.score)
        return texts

    def _written(self, tokens: Tokens) -> Tokens:
        return self._scorers.written(self._past + tokens)

    def _score(self, text: Text) -> None:
        near = {tokens: self._near(tokens) for tokens in text.variants}
        alone = {tokens: log_prob + self._fusion_score(tokens) for tokens, log_prob in near.items()}
        text.tokens = max(alone, key=lambda tokens: alone[tokens])
        text.score = self._with_variants(near[text.tokens], text.tokens, text) + self._fusion_score(text.tokens)

    def _near(self, tokens: Tokens) -> float:
        assert self._found is not None
        return log_prob_near(self._log_probs, self._known, self._found, tokens, self._blank)

    def _with_variants(self, log_prob: float, tokens: Tokens, text: Text | None) -> float:
        """Return the log-probability of a text: of these tokens, and of the others in the beam."""
        for other in () if text is None else text.variants:
            if other != tokens:
                log_prob = log_sum(log_prob, self._near(other))
        return log_prob

    def _fusion_score(self, tokens: Tokens) -> float:
        whole = self._past + tokens
        return self._scorers.plan.fusion_score(self._scorers.parts(whole), len(whole))

    def _decoded(self, tokens: Tokens, texts: Mapping[Tokens, Text]) -> Decoded:
        """Return the result for these tokens: the log-probability is that of the text."""
        found = rescore(self._log_probs, tokens, self._blank)
        log_prob = self._with_variants(found.log_prob, tokens, texts.get(self._written(tokens)))
        rescoring = Rescoring(log_prob, found.starts, found.ends, found.token_log_probs, found.confidences)
        parts = self._scorers.parts(self._past + tokens)
        return Decoded(np.array(tokens, dtype=np.int32), rescoring, parts)

    def _score_of(self, text: Decoded) -> float:
        return text.rescoring.log_prob + self._fusion_score(self._tokens(text))

    def _tokens(self, text: Decoded) -> Tokens:
        return tuple(text.tokens.tolist())

    def refined(self, tokens: Tokens, texts: Mapping[Tokens, Text] = MappingProxyType({})) -> Decoded:
        """Return a text after as many rounds of refinements as improve it; ``texts`` are those of the beam."""
        best = self._decoded(tokens, texts)
        for _ in range(MAX_ROUNDS):
            other = self._decoded(self._changed(self._tokens(best)), texts)
            if not self._score_of(other) > self._score_of(best):
                break
            self._last -= len(best.tokens) - len(other.tokens)  # all changes are before it
            best = other
        return best

    def _changed(self, tokens: Tokens) -> Tokens:
        """Return the tokens after all one-token changes that improve the score."""
        for position, token in propose_refinements(self._log_probs, tokens, self._blank):
            if not self._first <= position < self._last:
                continue
            changed = (*tokens[:position], *(() if token == self._blank else (token,)), *tokens[position + 1 :])
            if self._gain(tokens, changed) > LEAST_GAIN:
                tokens = changed
        return tokens

    def _gain(self, tokens: Tokens, changed: Tokens) -> float:
        """Return the difference of the scores, with each word chosen where it ends."""
        found = rescore(self._log_probs, tokens, self._blank)
        log_prob = log_prob_near(self._log_probs, tokens, found, changed, self._blank)
        before, after = (self._scorers.score_word_by_word(self._past + each) for each in (tokens, changed))
        return log_prob - found.log_prob + after - before if after > IMPOSSIBLE else IMPOSSIBLE
