"""Variants of CTC: other states, transitions and weights for the same recursion.

A ``CTCVariant`` says how a target becomes a token graph. Three primitives make all variants:

    states        tokens are repeated (minimum duration), wildcards are inserted, blanks are removed
    transitions   some are added or weighted (a path may hop over a wildcard; a wildcard has a penalty)
    weights       each state has a weight, which counts in every frame of the path in it (bias, prior, delay penalty)

The weight of a state is part of all transitions into it. The delay penalty depends on time, but its weights do not: a
token that begins in frame t counts in T − t frames. So a weight of λ · (tokens begun so far) on every state adds up to
λ · Σ_i (T − t_i).

``token_graphs`` builds the states of a whole batch at once; a single target is a batch of one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ctckit import _checks
from ctckit.errors import InvalidInputError
from ctckit.topology import (
    ADVANCE,
    FINAL,
    HOP_TO_BLANK,
    HOP_TO_TOKEN,
    IMPOSSIBLE,
    NUM_WEIGHTS,
    SKIP,
    START,
    STAY,
    Floats,
    Ints,
    Topology,
)

WILDCARD_PLACES = ("targets", "optional", "ends", "between", "everywhere")


@dataclass(frozen=True, eq=False)
class CTCVariant:
    """A variant of CTC: the rule that makes a token graph from a target. The defaults are plain CTC.

    Attributes:
        log_prior: (C,) subtracted from the log-probabilities of the classes: their posterior is divided by their prior.
            You may scale it. For less peaky outputs and for use with an external language model.
        blank_bias: Nats added to the blank's log-probability. A negative bias gives fewer blanks and longer tokens.
        delay_penalty: λ ≥ 0, in nats for each frame and token. A path's log-probability gains
            λ · Σ_i ((T − 1) / 2 − t_i), where token i begins in frame t_i. Tokens come earlier: for streaming, and for
            time stamps.
        min_frames: The smallest number of frames of a token.
        use_blank: False removes the blank: tokens, also equal neighbors, follow each other directly and fill all frames
            (as in an HMM).
        wildcards: The places of wildcards. A wildcard emits any classes, also blanks, for one or more frames. A target
            contains it as class C, one past the last class. "targets": where the targets contain one; every path passes
            through it. "optional": the same places, but a path may omit it. "ends": also before and after each target
            (W-CTC: the transcript covers only a part of the input). "between": also between all tokens (STC: the
            transcript may lack tokens). "everywhere": both. In the last three cases too, a path may omit any wildcard.
        wildcard_penalty: Nats for each wildcard that a path enters, independent of its duration.

    Raises:
        InvalidInputError: On values outside these ranges.

    Example:
        >>> from ctckit import CTCVariant
        >>> CTCVariant(delay_penalty=0.01).min_frames
        1

    Sources: Zeyer et al. 2021, Why does CTC result in peaky behavior? (log_prior); Yao et al. 2022, Delay-penalized
    CTC; Cai et al. 2022, W-CTC; Pratap et al. 2022, Star temporal classification.
    """

    log_prior: npt.ArrayLike | None = None
    blank_bias: float = 0.0
    delay_penalty: float = 0.0
    min_frames: int = 1
    use_blank: bool = True
    wildcards: str | None = None
    wildcard_penalty: float = 0.0

    def __post_init__(self) -> None:
        _checks.flag(self.use_blank, "use_blank")
        if isinstance(self.min_frames, bool) or not isinstance(self.min_frames, int) or self.min_frames < 1:
            raise InvalidInputError(f"min_frames is {self.min_frames!r}; expected a positive integer.")
        if self.wildcards is not None and self.wildcards not in WILDCARD_PLACES:
            raise InvalidInputError(f"wildcards is {self.wildcards!r}; expected None or one of {WILDCARD_PLACES}.")
        for name in ("blank_bias", "delay_penalty", "wildcard_penalty"):
            if not np.isfinite(getattr(self, name)):
                raise InvalidInputError(f"{name} is {getattr(self, name)!r}; expected a finite number.")
        for name in ("delay_penalty", "wildcard_penalty"):
            if getattr(self, name) < 0:
                raise InvalidInputError(f"{name} is {getattr(self, name)!r}; expected 0 or more.")

    def class_weights(self, classes: int, blank: int) -> Floats:
        """Return (C + 1,) what each class adds to its log-probability in a frame; the last entry is for the wildcard.

        Raises:
            InvalidInputError: If log_prior is not (C,) finite numbers.
        """
        weights = np.zeros(classes + 1)
        if self.log_prior is not None:
            prior = np.asarray(self.log_prior, dtype=np.float64)
            if prior.shape != (classes,) or not np.isfinite(prior).all():
                raise InvalidInputError(
                    f"log_prior has shape {prior.shape}; expected ({classes},), a finite number for each class."
                )
            weights[:classes] = -prior
        weights[blank] += self.blank_bias
        return weights


@dataclass(frozen=True, eq=False)
class TokenGraphs:
    """The token graphs of a batch, padded.

    Attributes:
        tokens: (B, M) int32, the token of each odd state; C is the wildcard; −1 beyond the lengths.
        lengths: (B,) int64, M_b; S_b = 2 M_b + 1 states.
        weights: (B, 7, 2M + 1) float64: natural logarithms of the weights of the transitions s − k → s for
            k = 0..4, of starting and of ending; see the names of the rows in topology.py.
        empty: (B,) float64, the weight of the path without frames: 0 or −∞.
        offset: (B,) float64, a constant to be added to the log-likelihood.
        blank: The class of the blank.
    """

    tokens: npt.NDArray[np.int32]
    lengths: Ints
    weights: Floats
    empty: Floats
    offset: Floats
    blank: int

    def topology(self, b: int) -> Topology:
        """Return the states of one item."""
        tokens = self.tokens[b, : self.lengths[b]]
        states = 2 * len(tokens) + 1
        labels = np.full(states, self.blank, dtype=np.int64)
        labels[1::2] = tokens
        weights = self.weights[b, :, :states]
        return Topology(labels, weights[:START], weights[START], weights[FINAL], float(self.empty[b]))


def token_graphs(
    targets: npt.NDArray[np.integer],
    target_lengths: npt.NDArray[np.integer],
    input_lengths: npt.NDArray[np.integer],
    variant: CTCVariant,
    *,
    classes: int,
    blank: int = 0,
) -> TokenGraphs:
    """Return the states of each target of a batch under a variant.

    Args:
        targets: (B, N) integers, padded; class C is the wildcard.
        target_lengths: (B,) tokens.
        input_lengths: (B,) frames; the delay penalty is measured from their middle.
        variant: How a target becomes states.
        classes: C.
        blank: The class of the blank.

    Returns:
        The token graphs, padded to the longest.

    Example:
        >>> import numpy as np
        >>> from ctckit import CTCVariant
        >>> from ctckit.variants import token_graphs
        >>> one = token_graphs(np.array([[3, 1]]), np.array([2]), np.array([9]), CTCVariant(min_frames=2), classes=4)
        >>> one.tokens.tolist()
        [[3, 3, 1, 1]]
    """
    inside = np.arange(targets.shape[1]) < target_lengths[:, None]
    wildcard, tokens, inside = classes, *_with_wildcards(targets, inside, variant, classes)
    item, position, lengths, fill = _spread(inside, np.where(tokens == wildcard, 1, variant.min_frames))
    width = int(lengths.max(initial=0))

    def padded(values: npt.NDArray[np.integer]) -> Ints:
        result = np.zeros((len(targets), width), dtype=np.int64)
        result[item, position] = values
        return result

    token, part = padded(tokens[inside][fill.source]), padded(fill.part)
    here = np.arange(width) < lengths[:, None]
    star = here & (token == wildcard)
    optional = star & (variant.wildcards != "targets")
    first = here & (part == 0)
    begun = np.cumsum(first & ~star, axis=1)
    empty = np.where(optional.sum(axis=1) == lengths, 0.0, IMPOSSIBLE)

    weights = np.full((len(targets), NUM_WEIGHTS, 2 * width + 1), IMPOSSIBLE)
    odd, even = weights[:, :, 1::2], weights[:, :, 0::2]
    _into_tokens(odd, token, first, here, optional, variant.use_blank)
    if variant.use_blank:
        _into_blanks(even, first, lengths, optional)
    _ends(weights, lengths, optional, variant.use_blank)

    of_class = variant.class_weights(classes, blank)
    odd[:, :FINAL] += (of_class[token] + variant.delay_penalty * begun)[:, None]
    odd[:, ADVANCE:FINAL] -= (variant.wildcard_penalty * star)[:, None]
    before = np.concatenate([np.zeros((len(targets), 1)), begun], axis=1)
    even[:, :FINAL] += (of_class[blank] + variant.delay_penalty * before)[:, None]
    count = begun.max(axis=1, initial=0)
    offset = -variant.delay_penalty * count * (np.asarray(input_lengths) + 1) / 2
    return TokenGraphs(np.where(here, token, -1).astype(np.int32), lengths, weights, empty, offset, blank)


@dataclass(frozen=True, eq=False)
class _Fill:
    source: Ints  # for each state of a token: the index of the token among all tokens of the batch
    part: Ints  # for each state of a token: the number of the copy of the token


def _with_wildcards(
    targets: npt.NDArray[np.integer], inside: npt.NDArray[np.bool_], variant: CTCVariant, wildcard: int
) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Insert wildcards into the targets; also return which entries count. One of two adjacent wildcards is dropped."""
    items, width = targets.shape
    if variant.wildcards not in ("ends", "between", "everywhere"):
        tokens, counted = targets.astype(np.int64), inside
    else:
        tokens = np.full((items, 2 * width + 1), wildcard, dtype=np.int64)
        tokens[:, 1::2] = targets
        counted = np.zeros(tokens.shape, dtype=bool)
        counted[:, 1::2] = inside
        lengths = inside.sum(axis=1)
        gap = np.arange(width + 1)
        ends = (gap == 0) | (gap == lengths[:, None])
        between = (gap > 0) & (gap < lengths[:, None])
        counted[:, 0::2] = {"ends": ends, "between": between, "everywhere": ends | between}[variant.wildcards]
    star = counted & (tokens == wildcard)
    last_counted = np.where(counted, np.arange(tokens.shape[1]), -1)
    previous = np.maximum.accumulate(last_counted, axis=1)
    before = np.concatenate([np.full((items, 1), -1), previous], axis=1)[:, :-1]
    after_star = np.take_along_axis(star, np.maximum(before, 0), axis=1) & (before >= 0)
    return tokens, counted & ~(star & after_star)


def _spread(inside: npt.NDArray[np.bool_], copies: Ints) -> tuple[Ints, Ints, Ints, _Fill]:
    """Repeat each counted token; return its item and position, the lengths of the items, and the origins."""
    counts = copies[inside]
    source = np.repeat(np.arange(len(counts)), counts)
    starts = np.cumsum(counts) - counts
    part = np.arange(len(source)) - starts[source]
    item = np.nonzero(inside)[0][source]
    lengths = np.bincount(item, minlength=len(inside)).astype(np.int64)
    position = np.arange(len(source)) - (np.cumsum(lengths) - lengths)[item]
    return item, position, lengths, _Fill(source, part)


def _into_tokens(
    odd: Floats,
    token: Ints,
    first: npt.NDArray[np.bool_],
    here: npt.NDArray[np.bool_],
    optional: npt.NDArray[np.bool_],
    use_blank: bool,
) -> None:
    """Allow the transitions into tokens, (B, 7, M)."""
    last = here.copy()  # only the last state of a token may stay for more than one frame
    last[:, :-1] &= first[:, 1:] | ~here[:, 1:]
    odd[:, STAY][last] = 0.0
    if use_blank:
        odd[:, ADVANCE][first] = 0.0
    if token.shape[1] > 1:
        differs = token[:, 1:] != token[:, :-1]
        inner = here[:, 1:] & ~first[:, 1:]
        odd[:, SKIP, 1:][inner | (first[:, 1:] & (differs | (not use_blank)))] = 0.0
    if token.shape[1] > 2:
        differs = token[:, 2:] != token[:, :-2]
        odd[:, HOP_TO_TOKEN, 2:][first[:, 2:] & optional[:, 1:-1] & (differs | (not use_blank))] = 0.0


def _into_blanks(even: Floats, first: npt.NDArray[np.bool_], lengths: Ints, optional: npt.NDArray[np.bool_]) -> None:
    """Allow the transitions into blanks, (B, 7, M + 1). A token of several states has no blank inside."""
    places = np.arange(even.shape[2])
    exists = np.zeros((len(lengths), even.shape[2]), dtype=bool)
    exists[:, :-1] = first
    exists |= places == lengths[:, None]
    even[:, STAY][exists] = 0.0
    even[:, ADVANCE][exists & (places > 0)] = 0.0
    if even.shape[2] > 2:
        even[:, HOP_TO_BLANK, 2:][exists[:, 2:] & optional[:, 1:]] = 0.0


def _ends(weights: Floats, lengths: Ints, optional: npt.NDArray[np.bool_], use_blank: bool) -> None:
    """Allow starts and ends: in the outermost states, and next to an optional wildcard at either end."""
    start, final = weights[:, START], weights[:, FINAL]
    last = 2 * lengths

    def allow(boundary: Floats, items: npt.NDArray[np.bool_], states: Ints) -> None:
        boundary[np.flatnonzero(items), states[items]] = 0.0

    first = np.zeros_like(lengths)
    some, more = lengths > 0, lengths > 1
    blanks = ~some | use_blank  # an empty target emits blanks in every variant
    weights[~some, STAY, 0] = 0.0
    allow(start, blanks, first)
    allow(final, blanks, last)
    allow(start, some, first + 1)
    allow(final, some, last - 1)
    if optional.shape[1]:
        at_start = optional[:, 0]
        at_end = np.take_along_axis(optional, np.maximum(lengths - 1, 0)[:, None], axis=1)[:, 0]
        allow(start, some & at_start & use_blank, first + 2)
        allow(start, more & at_start, first + 3)
        allow(final, more & at_end, last - 3)
