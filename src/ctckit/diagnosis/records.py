"""The parts of a diagnosis: frozen records of what was measured, and the findings."""

from __future__ import annotations

import math
from dataclasses import dataclass

HARMLESS = ("healthy", "outlier-items")  # codes that do not explain a loss that will not fall


@dataclass(frozen=True)
class Finding:
    """One cause.

    Attributes:
        code: A stable name, such as "infeasible-data".
        seen: What was seen, with its figures: one sentence or two.
        remedy: What to do.
    """

    code: str
    seen: str
    remedy: str


@dataclass(frozen=True)
class InfeasibleItem:
    """An item whose frames cannot hold its target.

    Attributes:
        item: Its place in the batch.
        frames: T, its input length.
        tokens: N, its target length.
        repeats: Adjacent repeats: each needs a blank in between, so a frame of its own.
        missing: Frames that it lacks, N + repeats − T.
    """

    item: int
    frames: int
    tokens: int
    repeats: int
    missing: int


@dataclass(frozen=True)
class BlankShares:
    """How much of everything is the blank, 0..1; NaN where there was nothing to measure.

    Attributes:
        argmax: Share of the frames whose likeliest class is the blank.
        prob: Mean probability of the blank over the frames.
        occupancy: Mean of γ_t(blank): how often the targets ask for it. The loss pulls ``prob`` towards this.
        gradient: Σ|gradient| of the blank's logits over Σ|gradient| of all. At most a half: in each frame the gradient
            sums to 0.
        others_gradient: The same for all other classes together.
    """

    argmax: float
    prob: float
    occupancy: float
    gradient: float
    others_gradient: float


@dataclass(frozen=True)
class Peakiness:
    """How narrow the alignments are; NaN where there was nothing to measure.

    Attributes:
        entropy: Mean over the frames of −Σ_c γ_t(c) log γ_t(c), in nats: 0 where each frame's class is certain.
        frames_per_token: Σ_t (1 − γ_t(blank)) over the number of tokens: 1 is the peakiest.
        frames_available: Frames over tokens.
        tightest: The smallest T / (N + repeats) of an item: 1 is an item without any slack.
        information: Mutual information of frame and class, H(mean p) − mean H(p_t), in nats: 0 for a network whose
            output is the same in every frame, log C for one that is sure and uses all classes.
    """

    entropy: float
    frames_per_token: float
    frames_available: float
    tightest: float
    information: float


@dataclass(frozen=True)
class Reading:
    """What the arg-max reads (repeats merged, blanks removed), against the targets.

    Attributes:
        tokens_expected: Tokens in the targets of the measured items.
        tokens_read: Tokens read in these items.
        tokens_right: Tokens on which both agree, by the longest common subsequence.
        never_read: Classes in the targets that are read nowhere in the batch.
        never_in_targets: Classes, the blank aside, that are in no target of the batch.
        only_read: Classes that are read but in no target.
    """

    tokens_expected: int
    tokens_read: int
    tokens_right: int
    never_read: tuple[int, ...]
    never_in_targets: tuple[int, ...]
    only_read: tuple[int, ...]

    @property
    def share_read(self) -> float:
        """Tokens read over tokens expected; NaN without any."""
        return self.tokens_read / self.tokens_expected if self.tokens_expected else math.nan

    @property
    def agreement(self) -> float:
        """Tokens right over the mean of tokens expected and read, 0..1: babble scores low too; NaN without any."""
        tokens = self.tokens_expected + self.tokens_read
        return 2 * self.tokens_right / tokens if tokens else math.nan


@dataclass(frozen=True)
class Relabelled:
    """The loss if the labels meant something else.

    Attributes:
        name: What was tried, in words.
        items: Items that could be compared.
        as_given: Median loss per token of these items with the labels as given; +∞ where they have none.
        relabelled: The same with the labels changed.
        agreement: How well the changed labels agree with what the arg-max reads, 0..1, as in ``Reading``.
        blank: The class of the blank in this trial.
        shift: What was added to each label; None for a permutation.
        mapping: For a permutation, pairs (label, class that the network reads there), without those left alone.
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
        item: Its place in the batch.
        reasons: Codes of the findings that it belongs to.
    """

    item: int
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Record:
    """What one batch tells; the findings come most important first.

    Attributes:
        shape: (B, T, C) as read.
        blank: The class of the blank.
        read_as: What was corrected before measuring, in words; empty where nothing was.
        frames: The input lengths as read.
        measured: The items in the figures.
        left_out: The others.
        infeasible: The items whose frames cannot hold their targets.
        loss_per_token: For each item loss / max(N, 1) in nats; NaN for items left out.
        outliers: Items whose loss per token stands out, worst first.
        blank_shares: How much is blank.
        peakiness: How narrow the alignments are.
        reading: What the arg-max reads.
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
        """Whether any finding is more than a remark on a healthy batch."""
        return any(finding.code not in HARMLESS for finding in self.findings)

    def has(self, code: str) -> bool:
        """Whether a finding with this code is among them."""
        return any(finding.code == code for finding in self.findings)


def signed(shift: int) -> str:
    """A shift of labels as it is written in sentences.

    Example:
        >>> signed(1), signed(-1)
        ('+1', '−1')
    """
    return f"{shift:+d}".replace("-", "−")
