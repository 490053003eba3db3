"""Exact scores for the texts that a search ends with, and their order: the definition.

1.  Token sequences that are written alike are one text; its probability is the sum of theirs. The one with the best
    score stands for all.
2.  The texts are sorted by their exact scores. The beam loses the alignments that pass through dropped texts, so the
    order by mass is not that order.
3.  The first text is refined. The beam drops a text by its score at that moment, so a narrow beam can lose the right
    text over one token. Each token of the text is therefore questioned once more: where the frames between its
    neighbors give another token, or none, a higher posterior, that change is made if it improves the score. If the text
    after all changes has a better exact score, it takes the first place, and is refined again.

After a border, texts that have no alignment in the later frames are left out, if there are others.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit.kernels.search.plan import Border, Candidate, Decoded, Rescoring
from ctckit.kernels.search.reference_rescoring import log_add, log_prob_after, propose_refinements, rescore
from ctckit.kernels.search.reference_scorers import Scorers
from ctckit.topology import IMPOSSIBLE

NEGLIGIBLE = 14.0  # nats; a token sequence this far below another one of the same text is ignored
MAX_ROUNDS = 4
LEAST_GAIN = 1e-5  # nats; less may be a rounding error

Tokens = tuple[int, ...]


@dataclass
class Text:
    """A text of the beam.

    Attributes:
        variants: Its token sequences with their log masses, the largest first.
        score: The exact score.
        tokens: The token sequence that stands for all.
    """

    variants: dict[Tokens, float] = field(default_factory=dict)
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
        border: The border before the frames.
    """

    def __init__(
        self,
        scorers: Scorers,
        log_probs: npt.NDArray[Any],
        past: Tokens,
        first: int,
        last: int | None = None,
        border: Border | None = None,
    ) -> None:
        self._scorers = scorers
        self._blank = scorers.plan.blank
        self._log_probs = np.asarray(log_probs, dtype=np.float64)
        self._past = past
        self._border = border or Border()
        self._first, self._last = max(first, self._border.fixed), math.inf if last is None else last

    def best(self, beam: Sequence[Candidate], n: int) -> list[Decoded]:
        """Return the n best texts, the best one first.

        Args:
            beam: The texts of the beam by their mass, the largest first.
            n: The largest number of texts.
        """
        texts = self._joined(beam)
        for each in texts.values():
            self._score(each)
        by_score = sorted(texts.values(), key=lambda each: -each.score)
        placed = (each for each in (self.refined(text.tokens, texts) for text in by_score) if _is_placed(each))
        first = next(placed, None)
        if first is None:
            return [self._decoded(each.tokens, texts) for each in by_score[:1]]
        written = self._written(self._tokens(first))
        others = (self._decoded(text.tokens, texts) for text in by_score if self._written(text.tokens) != written)
        found = list(itertools.islice((each for each in others if _is_placed(each)), n - 1))
        return [first, *sorted(found, key=lambda each: -each.score(self._scorers.plan))]

    def _joined(self, beam: Sequence[Candidate]) -> dict[Tokens, Text]:
        """Return the texts by what is written."""
        texts: dict[Tokens, Text] = {}
        for each in beam:
            text = texts.setdefault(self._written(each.tokens), Text())
            if each.score >= max(text.variants.values(), default=IMPOSSIBLE) - NEGLIGIBLE:
                text.variants[each.tokens] = each.score
        return texts

    def _written(self, tokens: Tokens) -> Tokens:
        return self._scorers.written(self._past + tokens)

    def _score(self, text: Text) -> None:
        exact = {tokens: self._log_prob(tokens) for tokens in text.variants}
        alone = {tokens: log_prob + self._fusion_score(tokens) for tokens, log_prob in exact.items()}
        text.tokens = max(alone, key=lambda tokens: alone[tokens])
        text.score = self._with_variants(exact[text.tokens], text.tokens, text) + self._fusion_score(text.tokens)

    def _log_prob(self, tokens: Tokens) -> float:
        return log_prob_after(self._border, self._log_probs, tokens, self._blank)

    def _with_variants(self, log_prob: float, tokens: Tokens, text: Text | None) -> float:
        """Return the log-probability of a text: of these tokens, and of the others in the beam."""
        for other in () if text is None else text.variants:
            if other != tokens:
                log_prob = log_add(log_prob, self._log_prob(other))
        return log_prob

    def _fusion_score(self, tokens: Tokens) -> float:
        whole = self._past + tokens
        return self._scorers.plan.fusion_score(self._scorers.parts(whole), len(whole))

    def _decoded(self, tokens: Tokens, texts: Mapping[Tokens, Text]) -> Decoded:
        """Return the result for these tokens: the log-probability is that of the text."""
        found = rescore(self._log_probs, tokens, self._blank, self._border)
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
            if not (self._score_of(other) > self._score_of(best) and _is_placed(other)):
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
        log_probs = [self._log_prob(each) for each in (tokens, changed)]
        before, after = (self._scorers.score_word_by_word(self._past + each) for each in (tokens, changed))
        return log_probs[1] - log_probs[0] + after - before if after > IMPOSSIBLE else IMPOSSIBLE


def _is_placed(text: Decoded) -> bool:
    """Tell whether a text has an alignment."""
    return len(text.tokens) == 0 or bool(text.rescoring.ends[-1] > 0)
