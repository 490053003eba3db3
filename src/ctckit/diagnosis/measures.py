"""The figures of a batch, item by item in float64: losses, occupancies, gradients, and the reading of the arg-max."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ctckit.diagnosis.inputs import Problem, one_item
from ctckit.diagnosis.records import BlankShares, InfeasibleItem, LeftOut, Peakiness, Reading
from ctckit.diagnosis.relabelling import common_tokens, try_other_labels
from ctckit.diagnosis.result import Diagnosis
from ctckit.kernels.loss import native
from ctckit.topology import Floats, Ints, adjacent_repeats, collapse

FEWEST_FOR_OUTLIERS = 8  # fewer items do not show which loss is usual
OUTLIER_DEVIATIONS = 6.0  # robust standard deviations above the median; losses have long tails, so 3 would be too few
DEVIATION = 1.4826  # median absolute deviation to standard deviation, for a normal distribution


def measure(problem: Problem) -> Diagnosis:
    """Return all figures of a diagnosis, without findings."""
    sums = _Sums(problem.shape[2], problem.blank)
    losses = np.full(problem.shape[0], np.nan)
    faults: dict[int, tuple[str, ...]] = {}
    for item in range(problem.shape[0]):
        scores, tokens = problem.scores(item), problem.tokens(item)
        read = collapse(scores.argmax(axis=1), blank=problem.blank) if scores is not None else []
        if scores is not None:
            sums.add_output(scores, read)
        item_faults = _faults(problem, item, scores)
        if scores is not None and not item_faults:
            loss, occupancy = loss_and_occupancy(scores, tokens, problem.blank)
            if np.isfinite(loss):
                losses[item] = loss / max(1, len(tokens))
                sums.add_target(scores, occupancy, tokens, read)
            else:
                item_faults = ("masked-classes",)
        if item_faults:
            faults[item] = item_faults
    return Diagnosis(
        shape=problem.shape,
        blank=problem.blank,
        read_as=problem.read_as,
        frames=tuple(problem.frames.tolist()),
        measured=tuple(item for item in range(problem.shape[0]) if item not in faults),
        left_out=tuple(LeftOut(item, reasons) for item, reasons in faults.items()),
        infeasible=infeasible_items(problem),
        loss_per_token=tuple(losses.tolist()),
        outliers=_outliers(losses, problem.shape[2]),
        blank_shares=sums.blank_shares(),
        peakiness=sums.peakiness(),
        reading=sums.reading(_labels(problem)),
        relabellings=try_other_labels(problem),
    )


def loss_and_occupancy(scores: Floats, tokens: Ints, blank: int) -> tuple[float, Floats]:
    """Return −log p(tokens) and γ (T, C), for scores that are log-probabilities."""
    gradient = np.empty((1, *scores.shape))
    losses = native.ctc_loss(scores[None], one_item(scores, tokens, blank), input_kind="scores", gradient=gradient)
    return float(losses[0]), -gradient[0]


def infeasible_items(problem: Problem) -> tuple[InfeasibleItem, ...]:
    """Return the items whose lengths are possible, but whose target needs more frames."""
    found = []
    for item in filter(problem.length_is_possible, range(problem.shape[0])):
        tokens, frames = problem.tokens(item), int(problem.frames[item])
        repeats = adjacent_repeats(tokens)
        missing = len(tokens) + repeats - frames
        if missing > 0:
            found.append(InfeasibleItem(item, frames, len(tokens), repeats, missing))
    return tuple(found)


def _faults(problem: Problem, item: int, scores: Floats | None) -> tuple[str, ...]:
    """Return the codes of the reasons to leave an item out of the figures."""
    frames, count = int(problem.frames[item]), int(problem.target_lengths[item])
    countable = 0 <= count <= problem.targets.shape[1]
    tokens = problem.tokens(item) if countable else problem.targets[item, :0]
    possible = problem.length_is_possible(item)
    classes = problem.shape[2]
    checks = {
        "lengths-not-in-frames": frames > problem.shape[1],
        "lengths-out-of-range": frames < 0 or not countable,
        "labels-out-of-range": bool(((tokens < 0) | (tokens >= classes)).any()),
        "blank-in-target": bool((tokens == problem.blank).any()),
        "infeasible-data": possible and frames < len(tokens) + adjacent_repeats(tokens),
        "not-finite": scores is None and 0 <= frames <= problem.shape[1],
    }
    return tuple(code for code, wrong in checks.items() if wrong)


def _labels(problem: Problem) -> set[int]:
    """Return the classes in the targets of the batch, without the blank."""
    labels = {int(label) for item in range(problem.shape[0]) for label in problem.tokens(item)}
    return {label for label in labels if 0 <= label < problem.shape[2] and label != problem.blank}


def _outliers(losses: Floats, classes: int) -> tuple[int, ...]:
    """Return items whose loss per token is far above the others', and above that of a guess among all classes."""
    known = losses[np.isfinite(losses)]
    if len(known) < FEWEST_FOR_OUTLIERS:
        return ()
    median = float(np.median(known))
    deviation = DEVIATION * float(np.median(np.abs(known - median)))
    limit = max(median + OUTLIER_DEVIATIONS * deviation, float(np.log(max(2, classes))))
    out = np.flatnonzero(losses > limit)  # NaN is never above
    return tuple(int(item) for item in out[np.argsort(-losses[out], kind="stable")])


@dataclass
class _Sums:
    """Sums over the items."""

    classes: int
    blank: int
    output_frames: int = 0
    blank_argmax: int = 0
    probs_entropy: float = 0.0
    read_classes: set[int] = field(default_factory=set)
    target_frames: int = 0
    occupancy_entropy: float = 0.0
    token_frames: float = 0.0
    blank_occupancy: float = 0.0
    blank_pull: float = 0.0
    all_pull: float = 0.0
    tokens_expected: int = 0
    tokens_read: int = 0
    tokens_right: int = 0
    tightest: float = np.inf

    def __post_init__(self) -> None:
        self.probs = np.zeros(self.classes)

    def add_output(self, scores: Floats, read: list[int]) -> None:
        """Add an item with valid logits; its target may be invalid."""
        probs = np.exp(scores)
        self.output_frames += len(scores)
        self.probs += probs.sum(axis=0)
        self.blank_argmax += int((scores.argmax(axis=1) == self.blank).sum())
        self.probs_entropy += float(_entropies(probs).sum())
        self.read_classes.update(read)

    def add_target(self, scores: Floats, occupancy: Floats, tokens: Ints, read: list[int]) -> None:
        """Add an item with a finite loss."""
        pull = np.abs(np.exp(scores) - occupancy)
        self.target_frames += len(scores)
        self.occupancy_entropy += float(_entropies(occupancy).sum())
        self.blank_occupancy += float(occupancy[:, self.blank].sum())
        self.blank_pull += float(pull[:, self.blank].sum())
        self.all_pull += float(pull.sum())
        self.tokens_expected += len(tokens)
        self.tokens_read += len(read)
        self.tokens_right += common_tokens(tokens.tolist(), read)
        if len(tokens):
            self.token_frames += float((1.0 - occupancy[:, self.blank]).sum())
            self.tightest = min(self.tightest, len(scores) / (len(tokens) + adjacent_repeats(tokens)))

    def blank_shares(self) -> BlankShares:
        gradient = _ratio(self.blank_pull, self.all_pull)
        return BlankShares(
            argmax=_ratio(self.blank_argmax, self.output_frames),
            prob=_ratio(float(self.probs[self.blank]), self.output_frames),
            occupancy=_ratio(self.blank_occupancy, self.target_frames),
            gradient=gradient,
            others_gradient=1.0 - gradient,
        )

    def peakiness(self) -> Peakiness:
        frames = max(1, self.output_frames)
        mean_entropy = float(_entropies(self.probs[None] / frames).sum())
        information = max(0.0, mean_entropy - self.probs_entropy / frames)
        return Peakiness(
            entropy=max(_ratio(self.occupancy_entropy, self.target_frames), 0.0),  # rounding; NaN stays NaN
            frames_per_token=_ratio(self.token_frames, self.tokens_expected),
            frames_available=_ratio(self.target_frames, self.tokens_expected),
            tightest=self.tightest if np.isfinite(self.tightest) else np.nan,
            information=information if self.output_frames else np.nan,
        )

    def reading(self, labels: set[int]) -> Reading:
        tokens = set(range(self.classes)) - {self.blank}
        return Reading(
            tokens_expected=self.tokens_expected,
            tokens_read=self.tokens_read,
            tokens_right=self.tokens_right,
            never_read=tuple(sorted(labels - self.read_classes)),
            never_in_targets=tuple(sorted(tokens - labels)),
            only_read=tuple(sorted(self.read_classes - labels)),
        )


def _entropies(probs: Floats) -> Floats:
    """Return −Σ p log p of each row, in nats; 0 log 0 is 0, and probabilities that rounding left below 0 count as 0."""
    positive = np.maximum(probs, np.finfo(np.float64).tiny)
    return np.asarray(-(np.maximum(probs, 0.0) * np.log(positive)).sum(axis=1))


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else np.nan
