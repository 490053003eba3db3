"""The causes. Each function examines the figures and yields its findings, if any; the most important come first."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ctckit.diagnosis import remedies
from ctckit.diagnosis.inputs import Problem
from ctckit.diagnosis.records import Finding, Relabelled, signed
from ctckit.diagnosis.result import Diagnosis
from ctckit.topology import Ints

MOST_NAMED = 5  # items or classes listed in one sentence
BLANK_SHARE = 0.95  # arg-max share that counts as "nearly all blank". Trained line and speech models have 0.6 to 0.9;
READ_SHARE = 0.1  # with long silence they have more, but they read their tokens. A blank phase reads almost none.
SAME_OUTPUT = 0.02  # nats. The demo's network: 0.006 untrained, 0.02 to 0.06 in its blank phase, then 0.4 to 1.0
DROP = 1.5  # the loss must fall by this factor for another labeling to be accepted, …
DROP_NATS = 1.0  # … and by this much per token, so that 0.003 against 0.001 proves nothing; and READS, below
READS = 0.5  # agreement of reading and targets from which we say that a network reads
MOSTLY_EMPTY = 0.5  # share of empty targets that is unlikely to be intended
ALMOST_ONE = 1e-2  # in half precision the sum of probabilities is at most this far from 1

Check = Callable[[Diagnosis, Problem], Iterator[Finding]]


def find_causes(figures: Diagnosis, problem: Problem) -> tuple[Finding, ...]:
    """Return all findings, most important first; "healthy" or "no-finding" if there is none."""
    found = [finding for check in CHECKS for finding in check(figures, problem)]
    return tuple(found) or (_all_clear(figures),)


def _axes(_: Diagnosis, problem: Problem) -> Iterator[Finding]:
    items, frames, classes = problem.shape
    if problem.axes == "time-major":
        yield Finding(
            "time-major",
            f"logits has shape {(frames, items, classes)}, and there are {items} lengths: it is (T, B, C), time first.",
            "Pass logits.transpose(0, 1) (NumPy: logits.swapaxes(0, 1)), or use ctckit.compat.torch.ctc_loss, which "
            "takes time first. The rest of this page uses these axes.",
        )
    if problem.axes == "classes-not-last":
        yield Finding(
            "classes-not-last",
            f"logits has shape {(items, classes, frames)}, the longest input length is {frames}, and the highest label "
            f"is below {classes}: it is (B, C, T), as a convolution over time returns it.",
            "Pass logits.transpose(1, 2). The rest of this page uses these axes.",
        )


def _swapped(_: Diagnosis, problem: Problem) -> Iterator[Finding]:
    if problem.swapped:
        yield Finding(
            "lengths-swapped",
            f"Not all targets fit with input_lengths {_span(problem.target_lengths)} and target_lengths "
            f"{_span(problem.input_lengths)}; with the two exchanged, all fit the {problem.shape[1]} frames.",
            "The order is (logits, targets, input_lengths, target_lengths). The rest of this page exchanges them.",
        )


def _units(figures: Diagnosis, problem: Problem) -> Iterator[Finding]:
    lengths, most = problem.input_lengths, problem.shape[1]
    over = np.flatnonzero(lengths > most)
    longest = int(lengths.max(initial=0))
    if problem.unit > 1:
        yield Finding(
            "lengths-not-in-frames",
            f"input_lengths reach {longest}, logits has T = {most} frames: {longest / most:.4g} times as many. They "
            f"look like pixels or samples, counted before the network's subsampling.",
            f"Divide as the network does, here by about {problem.unit:.4g} with its rounding, or take the lengths from "
            f"the network. The rest of this page divides by {problem.unit:.4g}, rounding up.",
        )
    elif over.size:
        yield Finding(
            "lengths-not-in-frames",
            f"{_items(over, len(lengths))} more frames than logits: input_lengths[{over[0]}] is {lengths[over[0]]}, "
            f"T = {most}.",
            "Where lengths exceed T by one or two frames, the division rounds otherwise than the network (a stride of "
            "2 with padding gives ceil(L / 2), without it floor); far beyond, they belong to other items.",
        )
    elif (by := _divided_twice(figures, problem)) > 1:
        yield Finding(
            "lengths-not-in-frames",
            f"The longest of input_lengths is {longest}, logits has T = {most} frames, and {len(figures.infeasible)} "
            f"of {len(lengths)} targets do not fit; with lengths {by} times as long all would.",
            "Check whether the lengths are divided by the subsampling twice, or by more than the network divides.",
        )


def _divided_twice(figures: Diagnosis, problem: Problem) -> int:
    """Return the factor by which all lengths must grow so that every target fits, or 1 if there is none."""
    longest = int(problem.frames.max(initial=0))
    times = problem.shape[1] // max(1, longest)
    fit = all(each.tokens + each.repeats <= each.frames * times for each in figures.infeasible)
    mostly = 2 * len(figures.infeasible) >= len(problem.frames)  # fewer are just a few bad items
    return times if figures.infeasible and mostly and fit else 1


def _relabeled(figures: Diagnosis, _: Problem) -> Iterator[Finding]:
    accepted = [trial for trial in figures.relabellings if _is_accepted(trial)]
    if not accepted:
        return
    best = accepted[0]
    given = f"{best.as_given:.2f}" if math.isfinite(best.as_given) else "infinite"
    costs = f"costs {best.relabelled:.2f} nats per token, as given {given} (medians of {best.items} items)."
    if best.blank != figures.blank:
        shifted = f" and labels {signed(best.shift)}" if best.shift else ""
        yield Finding(
            "wrong-blank",
            f"The network has learned another blank: with blank = {best.blank}{shifted} a target {costs}",
            remedies.wrong_blank(best),
        )
    elif best.mapping:
        pairs = ", ".join(f"{label} → {cls}" for label, cls in best.mapping[:MOST_NAMED])
        more = f" and {len(best.mapping) - MOST_NAMED} more" if len(best.mapping) > MOST_NAMED else ""
        yield Finding(
            "charset-mismatch",
            f"The network reads whole classes as others: {pairs}{more}. With these labels a target {costs}",
            remedies.CHARSET,
        )
    else:
        yield Finding(
            "charset-mismatch",
            f"The labels are shifted by one: with {best.name} a target {costs}",
            remedies.CHARSET,
        )


def _is_accepted(trial: Relabelled) -> bool:
    """Return whether a labeling has so low a loss, and is read so well, that the network was trained with it."""
    cheaper = trial.relabelled * DROP <= trial.as_given and trial.relabelled + DROP_NATS <= trial.as_given
    return cheaper and trial.agreement >= READS


def _lengths(figures: Diagnosis, problem: Problem) -> Iterator[Finding]:
    out = _left_out(figures, "lengths-out-of-range")
    if out:
        first = out[0]
        yield Finding(
            "lengths-out-of-range",
            f"{_items(out, len(problem.frames))} impossible lengths: input_lengths[{first}] is "
            f"{problem.input_lengths[first]}, target_lengths[{first}] is {problem.target_lengths[first]}; there are "
            f"{problem.targets.shape[1]} columns of targets.",
            "Lengths are counts: 0..T frames, 0..N tokens. Targets cut to a width need their lengths cut as well.",
        )


def _labels(figures: Diagnosis, problem: Problem) -> Iterator[Finding]:
    out = _left_out(figures, "labels-out-of-range")
    if not out:
        return
    classes = problem.shape[2]
    labels = np.concatenate([problem.tokens(item) for item in out])
    first = problem.tokens(out[0])
    place = int(np.flatnonzero((first < 0) | (first >= classes))[0])
    yield Finding(
        "labels-out-of-range",
        f"{_items(out, len(problem.frames))} labels that are no classes: targets[{out[0]}, {place}] is {first[place]}; "
        f"with C = {classes} the classes are 0..{classes - 1}.",
        remedies.labels(int(labels.min()), int(labels.max()), classes),
    )


def _blanks(figures: Diagnosis, problem: Problem) -> Iterator[Finding]:
    out = _left_out(figures, "blank-in-target")
    if not out:
        return
    tokens = [problem.tokens(item) for item in out]
    place = int(np.flatnonzero(tokens[0] == problem.blank)[0])
    yield Finding(
        "blank-in-target",
        f"{_items(out, len(problem.frames))} the blank among the tokens: targets[{out[0]}, {place}] is "
        f"{problem.blank}.",
        remedies.blanks(tokens, problem),
    )


def _not_finite(figures: Diagnosis, problem: Problem) -> Iterator[Finding]:
    out = _left_out(figures, "not-finite")
    if not out:
        return
    item = out[0]
    x = problem.logits[item, : int(problem.frames[item])].astype(np.float64)
    frame = int(np.flatnonzero(~np.isfinite(x.max(axis=1)))[0])
    value = x[frame].max()
    what = "only −∞" if np.isneginf(value) else ("NaN" if np.isnan(value) else "+∞")
    yield Finding(
        "not-finite",
        f"{_items(out, len(problem.frames))} logits that give no probabilities: frame {frame} of item {item} "
        f"{'has' if np.isneginf(value) else 'holds'} {what}.",
        remedies.DIVERGED if len(out) == len(problem.frames) else remedies.SPOILT_ITEM,
    )


def _probs(_: Diagnosis, problem: Problem) -> Iterator[Finding]:
    last = np.minimum(problem.frames, problem.shape[1]) - 1
    known = np.flatnonzero(last >= 0)
    x = problem.logits[known, last[known]].astype(np.float64)  # one frame of each item is enough
    if len(x) and x.shape[1] > 1 and bool((x >= 0).all() and (np.abs(x.sum(axis=1) - 1) < ALMOST_ONE).all()):
        yield Finding(
            "probs-not-logits",
            "The frames are not negative and sum to 1: these are probabilities. Read as logits they are nearly equal, "
            "so the loss cannot fall far.",
            "Take the softmax off the network's end, or pass the logarithm of the probabilities.",
        )


def _infeasible(figures: Diagnosis, problem: Problem) -> Iterator[Finding]:
    if not figures.infeasible:
        return
    first = figures.infeasible[0]
    repeats = f"{first.repeats} adjacent repeat{'' if first.repeats == 1 else 's'}"
    missing = max(each.missing for each in figures.infeasible)
    yield Finding(
        "infeasible-data",
        f"{len(figures.infeasible)} of {len(problem.frames)} items cannot be emitted: targets[{first.item}] has "
        f"{first.tokens} tokens with {repeats} and needs {first.tokens + first.repeats} frames of {first.frames}."
        + (f" The worst lacks {missing} frames." if missing > 1 else ""),
        remedies.infeasible(len(figures.infeasible), len(problem.frames)),
    )


def _masked(figures: Diagnosis, problem: Problem) -> Iterator[Finding]:
    out = _left_out(figures, "masked-classes")
    if out:
        yield Finding(
            "masked-classes",
            f"{_items(out, len(problem.frames))} enough frames, but each alignment passes a class whose logits are −∞.",
            "Mask only classes that occur in no target, and never the blank.",
        )


def _empty(figures: Diagnosis, problem: Problem) -> Iterator[Finding]:
    empty = int((problem.target_lengths == 0).sum())
    if empty and empty >= MOSTLY_EMPTY * len(problem.frames):
        yield Finding(
            "empty-targets",
            f"{empty} of {len(problem.frames)} targets are empty: from these a network learns to emit only blanks.",
            "Find out where the texts are lost: a charset without any of the characters, or lengths that are not set.",
        )


def _blank_phase(figures: Diagnosis, _: Problem) -> Iterator[Finding]:
    shares, reading = figures.blank_shares, figures.reading
    if not (shares.argmax >= BLANK_SHARE and reading.share_read <= READ_SHARE):
        return
    where = "its output is the same in every frame" if _same_output(figures) else "it has not found the tokens yet"
    yield Finding(
        "blank-phase",
        f"The network emits the blank in {_percent(shares.argmax)} of the frames and reads {reading.tokens_read} of "
        f"{reading.tokens_expected} tokens: {where}. Blank has probability {shares.prob:.2f} (the targets ask for "
        f"{shares.occupancy:.2f}) and {_percent(shares.gradient)} of the gradient.",
        remedies.blank_phase(figures.peakiness),
    )


def _constant(figures: Diagnosis, _: Problem) -> Iterator[Finding]:
    if _same_output(figures) and not any(_blank_phase(figures, _)) and figures.reading.tokens_expected:
        yield Finding(
            "constant-output",
            f"The output is the same in every frame of every item: frame and class share "
            f"{figures.peakiness.information:.3f} nats of information, of {math.log(figures.shape[2]):.2f} possible.",
            remedies.CONSTANT,
        )


def _same_output(figures: Diagnosis) -> bool:
    return figures.peakiness.information < SAME_OUTPUT


def _outliers(figures: Diagnosis, _: Problem) -> Iterator[Finding]:
    if figures.outliers and figures.reading.agreement >= READS:
        worst = figures.outliers[0]
        median = float(np.nanmedian(figures.loss_per_token))
        yield Finding(
            "outlier-items",
            f"{_items(figures.outliers, figures.shape[0])} losses that stand out: item {worst} costs "
            f"{figures.loss_per_token[worst]:.2f} nats per token, the median is {median:.2f}.",
            "Look at these items: a wrong transcript, a wrong image, or the hard cases worth having more of.",
        )


def _all_clear(figures: Diagnosis) -> Finding:
    reading = figures.reading
    if reading.agreement >= READS:
        return Finding(
            "healthy",
            f"Nothing stands out: {reading.tokens_right} of {reading.tokens_expected} tokens are read right.",
            "None needed.",
        )
    return Finding(
        "no-finding",
        f"The batch is sound, and none of the known causes shows: {reading.tokens_right} of "
        f"{reading.tokens_expected} tokens are read right.",
        "While the loss falls, continue. If it does not: check that texts belong to their inputs, try another learning "
        "rate, and check that the network can learn ten items by heart.",
    )


CHECKS: Sequence[Check] = (
    _axes,
    _swapped,
    _units,
    _relabeled,
    _lengths,
    _labels,
    _blanks,
    _not_finite,
    _probs,
    _infeasible,
    _masked,
    _empty,
    _blank_phase,
    _constant,
    _outliers,
)


def _left_out(figures: Diagnosis, code: str) -> list[int]:
    return [each.item for each in figures.left_out if code in each.reasons]


def _items(which: Sequence[int] | Ints, of: int) -> str:
    """Return the subject of a sentence, such as "3 of 64 items (0, 5, 9) have"."""
    named = ", ".join(str(int(item)) for item in which[:MOST_NAMED])
    more = ", …" if len(which) > MOST_NAMED else ""
    return f"{len(which)} of {of} item{'' if of == 1 else 's'} ({named}{more}) {'has' if len(which) == 1 else 'have'}"


def _span(values: Ints) -> str:
    return f"{values.min()}..{values.max()}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
