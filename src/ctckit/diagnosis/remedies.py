"""What to do about it: the remedies that need more than a line."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ctckit.diagnosis.inputs import Problem
from ctckit.diagnosis.records import Peakiness, Relabelled, signed
from ctckit.topology import Ints

TIGHT = 2.0  # frames per token below which a blank between tokens hardly fits
RARE = 0.1  # a share of infeasible items that can be left out without loss

CHARSET = (
    "Encode these targets with the charset that the network was trained with: the same characters in the same order, "
    "the blank included. Save the charset beside the weights, never build it anew from a set of characters."
)
DIVERGED = (
    "All items: the weights have diverged. Start again from the last good weights with a learning rate a third as "
    "high, clip the gradients to a norm of 1 to 5, and try 32-bit floats if half precision is on."
)
SPOILT_ITEM = (
    "Only some items: look at their inputs for NaN, for a division by a zero deviation (a constant image, silence), "
    "for a logarithm of zero, for a length of zero."
)
CONSTANT = (
    "Normal before training begins. After some hundred steps: look whether the learning rate is 0 (a scheduler), the "
    "parameters are in the optimiser, gradients reach the first layer, and the inputs differ (normalised, not all 0)."
)


def wrong_blank(trial: Relabelled) -> str:
    """For a network that was trained with another blank."""
    change = f" and {signed(trial.shift)} on each label" if trial.shift else ""
    return f"Pass blank={trial.blank}{change}: what the network was trained with. Keep it with the charset."


def labels(lowest: int, highest: int, classes: int) -> str:
    """For labels outside 0..C−1."""
    if lowest < 0:
        return f"A label of {lowest} looks like padding: target_lengths must count the tokens in front of it only."
    if highest == classes:
        return (
            f"The highest label is C = {classes}: one class too few. The network needs a class for each token and one "
            f"for the blank, or the labels are one too high."
        )
    return f"The network needs more than {highest} classes, or the targets come from another charset."


def blanks(tokens: Sequence[Ints], problem: Problem) -> str:
    """For blanks among the tokens: padding that is counted, a charset without a blank, or blanks put in by hand."""
    blank, last = problem.blank, problem.shape[2] - 1
    if all(_only_at_the_end(each, blank) for each in tokens):
        return "They all stand at the end: target_lengths counts the padding. Count the tokens only."
    if all(len(each) % 2 and (each[::2] == blank).all() for each in tokens):
        return "They stand between the tokens: leave them out, CTC puts them in by itself."
    inside = [problem.tokens(item) for item in range(problem.shape[0])]
    if blank == 0 and not any((each == last).any() for each in inside):
        return (
            f"The labels seem to count from 0, where the blank is, and never reach {last}: encode the characters from "
            f"1 on, or, if the network was trained so, say blank={last}."
        )
    return f"A target holds tokens only. If {blank} is a token of yours, say blank=… for the class that is not."


def _only_at_the_end(tokens: Ints, blank: int) -> bool:
    is_blank = tokens == blank
    return bool((np.diff(is_blank.astype(np.int8)) >= 0).all())


def infeasible(count: int, items: int) -> str:
    """For targets that do not fit."""
    if count <= max(1, RARE * items):
        return (
            'Correct or leave out these items; infeasible="zero" leaves them out of the loss. One such item makes the '
            "mean infinite."
        )
    return (
        "So many are not bad items: there are too few frames. Subsample less in time, use wider images or a shorter "
        "hop, or larger units of text; look whether texts belong to their inputs."
    )


def blank_phase(peakiness: Peakiness) -> str:
    """For a network that says only blank."""
    tight = (
        f" There are only {peakiness.frames_available:.1f} frames per token: subsample less."
        if peakiness.frames_available < TIGHT
        else ""
    )
    return (
        "Blank phase: normal in the first steps, tens to hundreds of them (the demo leaves it at step 130), while the "
        "loss still falls, if slowly. If it lasts past 300: (1) can it learn ten items by heart? If not, texts and "
        "inputs do not belong together or gradients do not arrive. (2) Learning rate: three times higher, then three "
        "times lower, with a warm-up. (3) Normalise the inputs. (4) Short items first. (5) Start the blank's bias at "
        f"−2.{tight}"
    )
