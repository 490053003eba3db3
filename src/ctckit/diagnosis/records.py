"""The parts of a diagnosis: frozen records of the figures, and the findings."""

from __future__ import annotations

import math
from dataclasses import dataclass

HARMLESS = ("healthy", "outlier-items")  # codes that do not explain why a loss does not fall


@dataclass(frozen=True)
class Finding:
    """One cause.

    Attributes:
        code: A stable name, such as "infeasible-data".
        seen: The observation with its figures, in one sentence or two.
        remedy: What to do about it.

    Example:
        >>> import numpy as np
        >>> from ctckit import diagnose
        >>> [first, *others] = diagnose(np.zeros((2, 4, 5)), [[1, 2, 2, 3], [4, 0, 0, 0]], [4, 3], [4, 1]).findings
        >>> first.code
        'infeasible-data'
        >>> first.remedy.partition(";")[0]
        'Correct or leave out these items'
    """

    code: str
    seen: str
    remedy: str


@dataclass(frozen=True)
class InfeasibleItem:
    """An item whose target needs more frames than it has.

    Attributes:
        item: Its index in the batch.
        frames: T, its input length.
        tokens: N, its target length.
        repeats: Adjacent repeats. Each needs a blank between its two tokens, so one more frame.
        missing: Frames that it lacks, N + repeats − T.
    """

    item: int
    frames: int
    tokens: int
    repeats: int
    missing: int


@dataclass(frozen=True)
class BlankShares:
    """The shares of the blank, 0..1; NaN if there was nothing to measure.

    Attributes:
        argmax: Share of the frames whose most likely class is the blank.
        prob: Mean probability of the blank over the frames.
        occupancy: Mean of γ_t(blank): how often the targets require it. The loss moves ``prob`` towards this value.
        gradient: Σ|gradient| of the blank's logits over Σ|gradient| of all. At most a half: in each frame the gradient
            sums to 0.
        others_gradient: The same share for all other classes together.
    """

    argmax: float
    prob: float
    occupancy: float
    gradient: float
    others_gradient: float


@dataclass(frozen=True)
class Peakiness:
    """Measures of how narrow the alignments are; NaN if there was nothing to measure.

    Attributes:
        entropy: Mean over the frames of −Σ_c γ_t(c) log γ_t(c), in nats: 0 where each frame's class is certain.
        frames_per_token: Σ_t (1 − γ_t(blank)) divided by the number of tokens; 1 is the narrowest.
        frames_available: Frames divided by tokens.
        tightest: The smallest T / (N + repeats) of an item; at 1 an item has exactly the frames that it needs.
        information: Mutual information of frame and class, H(mean p) − mean H(p_t), in nats: 0 for a network whose
            output is the same in every frame, log C for one that is certain and uses all classes equally.
    """

    entropy: float
    frames_per_token: float
    frames_available: float
    tightest: float
    information: float


@dataclass(frozen=True)
class Reading:
    """The reading of the arg-max (repeats merged, blanks removed), compared with the targets.

    Attributes:
        tokens_expected: Tokens in the targets of the measured items.
        tokens_read: Tokens read in these items.
        tokens_right: Length of the longest common subsequence of reading and targets.
        never_read: Classes in the targets that are not read in any item of the batch.
        never_in_targets: Classes other than the blank that are in no target of the batch.
        only_read: Classes that are read but are in no target.
    """

    tokens_expected: int
    tokens_read: int
    tokens_right: int
    never_read: tuple[int, ...]
    never_in_targets: tuple[int, ...]
    only_read: tuple[int, ...]

    @property
    def share_read(self) -> float:
        """Tokens read divided by tokens expected; NaN without any."""
        return self.tokens_read / self.tokens_expected if self.tokens_expected else math.nan

    @property
    def agreement(self) -> float:
        """Tokens right divided by the mean of tokens expected and read, 0..1; NaN without any.

        It is low for readings that are too long as well.
        """
        tokens = self.tokens_expected + self.tokens_read
        return 2 * self.tokens_right / tokens if tokens else math.nan


@dataclass(frozen=True)
class Relabelled:
    """The loss with another meaning of the labels.

    Attributes:
        name: The change, in words.
        items: Number of items that could be compared.
        as_given: Median loss per token of these items with the labels as given; +∞ if these cannot be emitted.
        relabelled: The same with the labels changed.
        agreement: Agreement of the changed labels with the reading of the arg-max, 0..1, as in ``Reading``.
        blank: The class of the blank in this trial.
        shift: The number added to each label; None for a permutation.
        mapping: For a permutation, pairs (label, class that the network reads there), without unchanged labels.
    """

    name: str
    items: int
    as_given: float
    relabelled: float
    agreement: float
    blank: int
    shift: int | None = None
    mapping: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class LeftOut:
    """An item that is not in the figures.

    Attributes:
        item: Its index in the batch.
        reasons: Codes of the findings that concern it.
    """

    item: int
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Record:
    """The figures and findings of one batch, the most important finding first.

    Attributes:
        shape: (B, T, C) after corrections.
        blank: The class of the blank.
        read_as: The corrections before measuring, in words; empty without any.
        frames: The input lengths after corrections.
        measured: The items in the figures.
        left_out: The other items.
        infeasible: The items whose targets need more frames.
        loss_per_token: For each item loss / max(N, 1) in nats; NaN for items left out.
        outliers: Items with an unusually high loss per token, worst first.
        blank_shares: The shares of the blank.
        peakiness: Measures of how narrow the alignments are.
        reading: The reading of the arg-max.
        relabellings: The trials with other labels, best first.
        findings: The causes; at least one.
    """

    shape: tuple[int, int, int]
    blank: int
    read_as: tuple[str, ...]
    frames: tuple[int, ...]
    measured: tuple[int, ...]
    left_out: tuple[LeftOut, ...]
    infeasible: tuple[InfeasibleItem, ...]
    loss_per_token: tuple[float, ...]
    outliers: tuple[int, ...]
    blank_shares: BlankShares
    peakiness: Peakiness
    reading: Reading
    relabellings: tuple[Relabelled, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def cause(self) -> str:
        """The code of the most important finding."""
        return self.findings[0].code

    @property
    def explains_trouble(self) -> bool:
        """Whether any finding can explain why a loss does not fall."""
        return any(finding.code not in HARMLESS for finding in self.findings)

    def has(self, code: str) -> bool:
        """Return whether there is a finding with this code."""
        return any(finding.code == code for finding in self.findings)


def signed(shift: int) -> str:
    """Return a shift of labels as text, with a sign.

    Example:
        >>> from ctckit.diagnosis.records import signed
        >>> signed(1), signed(-1)
        ('+1', '−1')
    """
    return f"{shift:+d}".replace("-", "−")
