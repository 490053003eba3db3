"""The part of a stream's text that is final, with its scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ctckit.decoding.placing import Places
from ctckit.kernels.search.plan import Decoded, Parts, Rescoring


@dataclass
class ClosedText:
    """The closed part of a text, one block for each cut.

    Attributes:
        blocks: Tokens and where they are.
        count: The number of tokens.
    """

    blocks: list[tuple[npt.NDArray[np.int32], Rescoring]] = field(default_factory=list)
    count: int = 0

    def append(self, tokens: npt.NDArray[np.int32], rescoring: Rescoring) -> None:
        """Add a block."""
        self.blocks.append((tokens, rescoring))
        self.count += len(tokens)

    def copy(self) -> ClosedText:
        """Return the same text; neither changes with the other."""
        return ClosedText(list(self.blocks), self.count)

    def last_blocks(self, least: int) -> list[tuple[npt.NDArray[np.int32], Rescoring]]:
        """Return the last blocks, with at least this many tokens if there are."""
        first, found = len(self.blocks), 0
        while first > 0 and found < least:
            first -= 1
            found += len(self.blocks[first][0])
        return self.blocks[first:]

    def last_tokens(self, least: int) -> npt.NDArray[np.int32]:
        """Return the tokens of the last blocks, at least this many if there are."""
        return np.concatenate([np.zeros(0, dtype=np.int32), *(tokens for tokens, _ in self.last_blocks(least))])

    def places(self, count: int) -> Places:
        """Return where the last ``count`` tokens are."""
        tokens, rescorings = _joined(self.last_blocks(count))
        surplus = len(tokens) - count
        whole = Places(tuple(tokens.tolist()), rescorings.starts, rescorings.ends, rescorings.confidences)
        return whole.without(whole.tokens[:surplus])

    @property
    def tokens(self) -> npt.NDArray[np.int32]:
        """All tokens."""
        return np.concatenate([np.zeros(0, dtype=np.int32), *(tokens for tokens, _ in self.blocks)])

    def decoded(self, parts: Parts) -> Decoded:
        """Join the blocks to one text with these parts; its log-probability is the sum of their contributions."""
        return Decoded(*_joined(self.blocks), parts)


def _joined(blocks: Sequence[tuple[npt.NDArray[np.int32], Rescoring]]) -> tuple[npt.NDArray[np.int32], Rescoring]:
    """Return the tokens of some blocks and their scores."""
    scores = [rescoring for _, rescoring in blocks]
    return np.concatenate([np.zeros(0, dtype=np.int32), *(tokens for tokens, _ in blocks)]), Rescoring(
        math.fsum(each.log_prob for each in scores) if len(scores) != 1 else scores[0].log_prob,
        np.concatenate([np.zeros(0, dtype=np.int64), *(each.starts for each in scores)]),
        np.concatenate([np.zeros(0, dtype=np.int64), *(each.ends for each in scores)]),
        np.concatenate([np.zeros(0), *(each.token_log_probs for each in scores)]),
        np.concatenate([np.zeros(0), *(each.confidences for each in scores)]),
    )
