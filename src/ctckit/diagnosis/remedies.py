"""The texts of the longer remedies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ctckit.diagnosis.inputs import Problem
from ctckit.diagnosis.records import Peakiness, Relabelled, signed
from ctckit.topology import Ints

TIGHT = 2.0  # with fewer frames per token there is hardly room for a blank between tokens
RARE = 0.1  # up to this share, infeasible items can be left out without harm

CHARSET = (
    "Encode these targets with the charset that the network was trained with: the same characters in the same order, "
    "the blank included. Save the charset with the weights; never build it again from a set of characters."
)
DIVERGED = (
    "All items: the weights have diverged. Start again from the last good weights with a learning rate a third as "
    "high, clip the gradients to a norm of 1 to 5, and try 32-bit floats if half precision is on."
)
SPOILT_ITEM = (
    "Only some items: check their inputs for NaN, for a division by a zero deviation (a constant image, silence), "
    "for a logarithm of zero, for a length of zero."
)
CONSTANT = (
    "Normal before training begins. After some hundred steps: check that the learning rate is not 0 (a scheduler), the "
    "parameters are in the optimizer, gradients reach the first layer, and the inputs differ (normalized, not all 0)."
)


def wrong_blank(trial: Relabelled) -> str:
    """Return the remedy for a network that was trained with another blank."""
    change = f" and {signed(trial.shift)} on each label" if trial.shift else ""
    return f"Pass blank={trial.blank}{change}: what the network was trained with. Keep it with the charset."


def labels(lowest: int, highest: int, classes: int) -> str:
    """Return the remedy for labels outside 0..C−1."""
    if lowest < 0:
        return f"A label of {lowest} looks like padding: target_lengths must count the tokens in front of it only."
    if highest == classes:
        return (
            f"The highest label is C = {classes}: one class too few. The network needs a class for each token and one "
            f"for the blank, or the labels are one too high."
        )
    return f"The network needs more than {highest} classes, or the targets come from another charset."


def blanks(tokens: Sequence[Ints], problem: Problem) -> str:
    """Return the remedy for blanks among the tokens: counted padding, a charset without a blank, inserted blanks."""
    blank, last = problem.blank, problem.shape[2] - 1
    if all(_only_at_the_end(each, blank) for each in tokens):
        return "They are all at the end: target_lengths counts the padding. Count the tokens only."
    if all(len(each) % 2 and (each[::2] == blank).all() for each in tokens):
        return "They are between the tokens: leave them out, CTC inserts them itself."
    inside = [problem.tokens(item) for item in range(problem.shape[0])]
    if blank == 0 and not any((each == last).any() for each in inside):
        return (
            f"The labels seem to count from 0, where the blank is, and never reach {last}: encode the characters from "
            f"1 on, or, if the network was trained so, pass blank={last}."
        )
    return f"A target holds tokens only. If {blank} is one of your tokens, pass the class of the blank as blank=…."


def _only_at_the_end(tokens: Ints, blank: int) -> bool:
    is_blank = tokens == blank
    return bool((np.diff(is_blank.astype(np.int8)) >= 0).all())


def infeasible(count: int, items: int) -> str:
    """Return the remedy for targets that need more frames."""
    if count <= max(1, RARE * items):
        return (
            'Correct or leave out these items; infeasible="zero" leaves them out of the loss. One such item makes the '
            "mean infinite."
        )
    return (
        "So many items are not errors in the data: there are too few frames. Subsample less in time, use wider images "
        "or a shorter hop, or larger units of text; check that texts belong to their inputs."
    )


def blank_phase(peakiness: Peakiness) -> str:
    """Return the remedy for a network that emits only blanks."""
    tight = (
        f" There are only {peakiness.frames_available:.1f} frames per token: subsample less."
        if peakiness.frames_available < TIGHT
        else ""
    )
    return (
        "Blank phase: normal in the first steps, tens to hundreds of them (the demo leaves it at step 130), while the "
        "loss still falls, if slowly. If it lasts past 300: (1) can it learn ten items by heart? If not, texts and "
        "inputs do not belong together or gradients do not arrive. (2) Learning rate: three times higher, then three "
        "times lower, with a warm-up. (3) Normalize the inputs. (4) Short items first. (5) Start the blank's bias at "
        f"−2.{tight}"
    )
