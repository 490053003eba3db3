"""What a decoder found."""

from __future__ import annotations

from dataclasses import dataclass

from ctckit.alignment import TokenSpan


@dataclass(frozen=True)
class Hypothesis:
    """One reading of a sequence of frames.

    Attributes:
        tokens: The classes read, without blanks.
        log_prob: log p(tokens | x) in nats, summed over all alignments: the number that ``ctc_loss`` gives, negated.
        spans: One ``TokenSpan`` for each token, in frames.
    """

    tokens: tuple[int, ...]
    log_prob: float
    spans: tuple[TokenSpan, ...]
