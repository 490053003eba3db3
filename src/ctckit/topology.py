"""CTC itself: the states of a target, and the transitions between them.

A target ``y`` of N tokens becomes a graph of S = 2N + 1 states: a blank before, between and after the tokens::

    state   0   1    2   3    4   5    6          for y = c, a, a
    class   ∅   c    ∅   a    ∅   a    ∅

In each frame the path is in one state and emits that state's class. From one frame to the next it takes a
transition:

    stay      s → s          a token or a blank lasts another frame
    advance   s → s + 1      the next state
    skip      s → s + 2      over a blank, from a token to the next token

A skip is allowed only into a token that differs from the token before it. Two equal neighbors (states 3 and 5 above)
need the blank between them, or the collapse would merge them. A path starts in one of the first two states and ends
in one of the last two.

The kernels know nothing else about CTC. Variants of CTC (variants.py) are other states, transitions and weights for the
same recursion. They may use two more transitions, which pass over a whole token:

    hop to a blank    s → s + 3    from a token to the blank after the next token
    hop to a token    s → s + 4    from a token to the token after the next

Source: Graves et al., Connectionist Temporal Classification, ICML 2006, section 4.1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

IMPOSSIBLE = -np.inf

# Rows of an array of transition weights (…, 7, S): the transition s − k → s stands in row k, then start and final.
STAY, ADVANCE, SKIP, HOP_TO_BLANK, HOP_TO_TOKEN, START, FINAL = range(7)
NUM_WEIGHTS = 7


@dataclass(frozen=True, eq=False)
class Topology:
    """A graph of S states. Every weight is a natural logarithm; a forbidden transition has the weight −∞.

    Attributes:
        labels: (S,) the class that each state emits.
        transitions: (K, S) weight of the transition s − k → s at [k, s]; K = 3 (stay, advance, skip) or 5 (and the two
            hops).
        start: (S,) weight of starting in s.
        final: (S,) weight of ending in s.
        empty: Weight of the path without any frame: 0 for an empty target, else −∞.
    """

    labels: Ints
    transitions: Floats
    start: Floats
    final: Floats
    empty: float

    @property
    def num_states(self) -> int:
        """S, the number of states."""
        return len(self.labels)

    @property
    def stay(self) -> Floats:
        """(S,) weight of the transition s → s."""
        return np.asarray(self.transitions[STAY])

    @property
    def advance(self) -> Floats:
        """(S,) weight of the transition s − 1 → s."""
        return np.asarray(self.transitions[ADVANCE])

    @property
    def skip(self) -> Floats:
        """(S,) weight of the transition s − 2 → s."""
        return np.asarray(self.transitions[SKIP])

    @property
    def frames_needed(self) -> int:
        """The number of states on the shortest path from a start to an end; 0 where a path may have no frame."""
        if self.empty > IMPOSSIBLE:
            return 0
        shortest = np.where(self.start > IMPOSSIBLE, 1.0, np.inf)
        for s in range(self.num_states):
            for k in range(1, min(len(self.transitions), s + 1)):
                if self.transitions[k, s] > IMPOSSIBLE:
                    shortest[s] = min(shortest[s], shortest[s - k] + 1)
        return int(shortest[self.final > IMPOSSIBLE].min())


def ctc_topology(target: npt.ArrayLike, *, blank: int = 0) -> Topology:
    """Return the states and transitions of plain CTC.

    Args:
        target: (N,) integers, the classes of the tokens, none of them the blank.
        blank: The class of the blank.

    Returns:
        A topology of S = 2N + 1 states.

    Example:
        >>> from ctckit.topology import ctc_topology
        >>> ctc_topology([3, 1, 1]).labels.tolist()
        [0, 3, 0, 1, 0, 1, 0]
        >>> ctc_topology([3, 1, 1]).skip.tolist()
        [-inf, -inf, -inf, 0.0, -inf, -inf, -inf]
    """
    tokens = np.asarray(target, dtype=np.int64).reshape(-1)
    states = 2 * len(tokens) + 1
    labels = np.full(states, blank, dtype=np.int64)
    labels[1::2] = tokens

    transitions = np.full((3, states), IMPOSSIBLE)
    transitions[STAY] = 0.0
    transitions[ADVANCE, 1:] = 0.0
    transitions[SKIP, 3::2][tokens[1:] != tokens[:-1]] = 0.0  # into the tokens that differ from the one before
    start = np.full(states, IMPOSSIBLE)
    start[:2] = 0.0
    final = np.full(states, IMPOSSIBLE)
    final[-2:] = 0.0
    return Topology(labels, transitions, start, final, empty=IMPOSSIBLE if len(tokens) else 0.0)


def adjacent_repeats(target: npt.ArrayLike) -> int:
    """Return how often a token equals the one before it.

    Example:
        >>> from ctckit.topology import adjacent_repeats
        >>> adjacent_repeats([1, 16, 16, 12, 5])
        1
    """
    tokens = np.asarray(target).reshape(-1)
    return int(np.count_nonzero(tokens[1:] == tokens[:-1]))


def frames_needed(target: npt.ArrayLike) -> int:
    """Return the smallest number of frames that can emit a target under plain CTC: N + adjacent repeats.

    Example:
        >>> from ctckit.topology import frames_needed
        >>> frames_needed([1, 16, 16, 12, 5])
        6
    """
    return int(np.asarray(target).size) + adjacent_repeats(target)


def collapse(path: npt.ArrayLike, *, blank: int = 0) -> list[int]:
    """Return the target of a path of classes: repeats are merged, then blanks are removed.

    Args:
        path: (T,) integers, one class for each frame.
        blank: The class of the blank.

    Example:
        >>> from ctckit.topology import collapse
        >>> collapse([0, 3, 3, 0, 1, 0, 1])
        [3, 1, 1]
    """
    classes = np.asarray(path, dtype=np.int64).reshape(-1)
    first_of_run = np.ones(len(classes), dtype=bool)
    first_of_run[1:] = classes[1:] != classes[:-1]
    return [int(c) for c in classes[first_of_run & (classes != blank)]]
