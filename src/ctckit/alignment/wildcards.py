"""Wildcards: how a target with stars becomes a chain of states, and what is found on it is told of the target.

A wildcard stands for anything. In a frame it scores what the frame's best class does: so it is never better than a path
that says what the network says, and takes over only where the target would cost more than the penalty. All scores are
therefore taken relative to the best class of their frame, where the wildcard's is 0. Among equals a hair a frame,
``PER_FRAME``, decides for the target, so that a wildcard ends where its neighbour begins.
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
    """The chain of one item, and the path on it.

    Attributes:
        topology: The states; a wildcard's class is C.
        starts: (M,) first frame of each of its tokens.
        ends: (M,) one past the last.
        origin: (M,) where each token stands in the target of N tokens: −1 and N are the wildcards at the edges.
        classes: C.
    """

    topology: Topology
    starts: Ints
    ends: Ints
    origin: Ints
    classes: int

    @property
    def tokens(self) -> Ints:
        """(M,) their classes."""
        return self.topology.labels[1::2]

    def spans(self, count: int) -> tuple[Ints, Ints]:
        """(N,) first frames and (N,) ends of the target's tokens; a star beside a star has an empty span."""
        starts, ends = np.full(count, -1), np.full(count, -1)
        inside = (self.origin >= 0) & (self.origin < count)
        starts[self.origin[inside]], ends[self.origin[inside]] = self.starts[inside], self.ends[inside]
        left = np.flatnonzero(starts < 0)
        before = np.searchsorted(self.origin, left) - 1  # the star beside them
        starts[left] = ends[left] = self.ends[before]
        return starts, ends

    def path(self, frames: int) -> Ints:
        """(T,) its states."""
        return path_of_spans(self.starts, self.ends, frames)

    def frame_tokens(self, frames: int) -> Ints:
        """(T,) the class of each frame, C for wildcards."""
        return np.asarray(self.topology.labels[self.path(frames)])

    def log_prob(self, log_probs: npt.NDArray[Any]) -> float:
        """Σ of the log-probabilities of the frames that are not in wildcards."""
        classes = self.frame_tokens(len(log_probs))
        frame = np.flatnonzero(classes != self.classes)
        return float(log_probs[frame, classes[frame]].astype(np.float64).sum())

    def scores(self, log_probs: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """(T, C + 1) what the chain's states score, the wildcard's column included."""
        relative = relative_scores(log_probs[None], np.array([len(log_probs)]))[0]
        return np.concatenate([relative, np.zeros_like(relative, shape=(len(relative), 1))], axis=1)

    def merged(self, durations: Floats, count: int) -> Floats:
        """(2N + 1,) of the target's states from (2M + 1,) of the chain's; the edges belong to the outer blanks."""
        token = np.clip(2 * self.origin + 1, 0, 2 * count)
        blank = np.concatenate([[0], np.clip(2 * self.origin + 2, 0, 2 * count)])
        result = np.zeros(2 * count + 1)
        np.add.at(result, token, durations[1::2])
        np.add.at(result, blank, durations[0::2])
        return result


def path_of_spans(starts: Ints, ends: Ints, frames: int) -> Ints:
    """(T,) the state of each frame, 2i + 1 within token i, and the blank behind the last token begun elsewhere."""
    t = np.arange(frames)
    begun = np.searchsorted(starts, t, side="right")
    within = t < np.append(0, ends)[begun]
    return np.asarray(2 * begun - within)


def relative_scores(log_probs: npt.NDArray[Any], input_lengths: Ints) -> npt.NDArray[Any]:
    """(B, T, C) each frame less its best class; 0 beyond the lengths."""
    best = log_probs.max(axis=2, initial=-np.inf, keepdims=True)
    inside = (np.arange(log_probs.shape[1]) < input_lengths[:, None])[:, :, None]
    usable = inside & np.isfinite(best)
    result = log_probs - np.where(usable, best, 0)
    if not inside.all():
        result[~inside[:, :, 0]] = 0
    return np.asarray(result)


def wildcard_graphs(batch: TargetBatch, classes: int, *, edges: bool, penalty: float) -> tuple[TokenGraphs, list[Ints]]:
    """The chains of a batch whose wildcards are class C, and where their tokens stand in the targets.

    Args:
        batch: Checked targets and lengths.
        classes: C.
        edges: A wildcard before and behind each.
        penalty: Nats for entering one.
    """
    rows, origins = [], []
    for b in range(len(batch)):
        tokens, origin = batch.target(b), np.arange(batch.target_lengths[b])
        if edges:
            first = int(len(tokens) == 0 or tokens[0] != classes)
            tokens = np.concatenate([[classes] * first, tokens, [classes]]).astype(np.int64)
            origin = np.arange(-first, len(tokens) - first)
        star = tokens == classes
        kept = ~(star & np.concatenate([[False], star[:-1]]))  # one beside another says nothing
        rows.append(tokens[kept])
        origins.append(origin[kept])
    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    targets = np.zeros((len(rows), int(lengths.max(initial=0))), dtype=np.int64)
    for target, row in zip(targets, rows, strict=True):
        target[: len(row)] = row
    variant = CTCVariant(wildcards="optional", wildcard_penalty=penalty)
    built = token_graphs(targets, lengths, batch.input_lengths, variant, classes=classes, blank=batch.blank)
    built.weights[:, 0, 1::2][built.tokens == classes] -= PER_FRAME
    return built, origins
