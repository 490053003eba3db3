"""Wildcards: from targets with stars to token graphs, and from paths on these graphs back to the targets.

A wildcard stands for anything. In each frame its score is that of the frame's best class. So it is never better than
the path of the best classes, and it takes frames only if the target would cost more than the penalty there. All scores
are relative to the best class of their frame, so that the wildcard's score is 0. A small cost for each frame,
``PER_FRAME``, decides ties for the target, so that a wildcard ends where its neighbor begins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit.kernels.batch import TargetBatch
from ctckit.topology import Floats, Ints, Topology
from ctckit.variants import CTCVariant, TokenGraphs, token_graphs

STAR_PENALTY = 8.0  # nats; see docs/guides/alignment.md
PER_FRAME = 1e-3  # nats; see above


@dataclass(frozen=True, eq=False)
class WildcardGraph:
    """The token graph of one item, and the best path on it.

    Attributes:
        topology: The states; a wildcard's class is C.
        starts: (M,) first frame of each token of the graph.
        ends: (M,) one past its last frame.
        origin: (M,) the position of each token in the target of N tokens; −1 and N are the wildcards at the edges.
        classes: C.
    """

    topology: Topology
    starts: Ints
    ends: Ints
    origin: Ints
    classes: int

    @property
    def tokens(self) -> Ints:
        """(M,) the classes of the graph's tokens."""
        return self.topology.labels[1::2]

    def spans(self, count: int) -> tuple[Ints, Ints]:
        """Return (N,) first frames and (N,) ends of the target's tokens; a star after a star has an empty span."""
        starts, ends = np.full(count, -1), np.full(count, -1)
        inside = (self.origin >= 0) & (self.origin < count)
        starts[self.origin[inside]], ends[self.origin[inside]] = self.starts[inside], self.ends[inside]
        merged = np.flatnonzero(starts < 0)
        before = np.searchsorted(self.origin, merged) - 1  # the star that they were merged with
        starts[merged] = ends[merged] = self.ends[before]
        return starts, ends

    def path(self, frames: int) -> Ints:
        """Return (T,) the states of the path."""
        return path_of_spans(self.starts, self.ends, frames)

    def frame_tokens(self, frames: int) -> Ints:
        """Return (T,) the class of each frame, C for wildcards."""
        return np.asarray(self.topology.labels[self.path(frames)])

    def log_prob(self, log_probs: npt.NDArray[Any]) -> float:
        """Return the sum of the path's log-probabilities over the frames that are not in wildcards."""
        classes = self.frame_tokens(len(log_probs))
        frame = np.flatnonzero(classes != self.classes)
        return float(log_probs[frame, classes[frame]].astype(np.float64).sum())

    def scores(self, log_probs: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return (T, C + 1) relative scores; the last column is the wildcard's."""
        relative = relative_scores(log_probs[None], np.array([len(log_probs)]))[0]
        return np.concatenate([relative, np.zeros_like(relative, shape=(len(relative), 1))], axis=1)

    def merged(self, durations: Floats, count: int) -> Floats:
        """Return (2N + 1,) durations of the target's states; wildcards at the edges are part of the outer blanks.

        Args:
            durations: (2M + 1,) durations of the graph's states.
            count: N.
        """
        token = np.clip(2 * self.origin + 1, 0, 2 * count)
        blank = np.concatenate([[0], np.clip(2 * self.origin + 2, 0, 2 * count)])
        result = np.zeros(2 * count + 1)
        np.add.at(result, token, durations[1::2])
        np.add.at(result, blank, durations[0::2])
        return result


def path_of_spans(starts: Ints, ends: Ints, frames: int) -> Ints:
    """Return (T,) the state of each frame: 2i + 1 within token i, 2i in the blanks before it."""
    t = np.arange(frames)
    begun = np.searchsorted(starts, t, side="right")
    within = t < np.append(0, ends)[begun]
    return np.asarray(2 * begun - within)


def relative_scores(log_probs: npt.NDArray[Any], input_lengths: Ints) -> npt.NDArray[Any]:
    """Return (B, T, C) the scores minus the best score of their frame; 0 beyond the lengths."""
    best = log_probs.max(axis=2, initial=-np.inf, keepdims=True)
    inside = (np.arange(log_probs.shape[1]) < input_lengths[:, None])[:, :, None]
    usable = inside & np.isfinite(best)
    result = log_probs - np.where(usable, best, 0)
    if not inside.all():
        result[~inside[:, :, 0]] = 0
    return np.asarray(result)


def wildcard_graphs(batch: TargetBatch, classes: int, *, edges: bool, penalty: float) -> tuple[TokenGraphs, list[Ints]]:
    """Return the token graphs of a batch whose wildcards are class C, and the origin of their tokens in the targets.

    Args:
        batch: Checked targets and lengths.
        classes: C.
        edges: Whether to put a wildcard before and behind each target.
        penalty: Nats for entering a wildcard.
    """
    sequences, origins = [], []
    for b in range(len(batch)):
        tokens, origin = batch.target(b), np.arange(batch.target_lengths[b])
        if edges:
            first = int(len(tokens) == 0 or tokens[0] != classes)
            tokens = np.concatenate([[classes] * first, tokens, [classes]]).astype(np.int64)
            origin = np.arange(-first, len(tokens) - first)
        star = tokens == classes
        kept = ~(star & np.concatenate([[False], star[:-1]]))  # a star after a star adds nothing
        sequences.append(tokens[kept])
        origins.append(origin[kept])
    lengths = np.array([len(each) for each in sequences], dtype=np.int64)
    targets = np.zeros((len(sequences), int(lengths.max(initial=0))), dtype=np.int64)
    for target, each in zip(targets, sequences, strict=True):
        target[: len(each)] = each
    variant = CTCVariant(wildcards="optional", wildcard_penalty=penalty)
    built = token_graphs(targets, lengths, batch.input_lengths, variant, classes=classes, blank=batch.blank)
    built.weights[:, 0, 1::2][built.tokens == classes] -= PER_FRAME
    return built, origins
