"""``lattice``: all alignments of one target with its frames, and the quantities that follow from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit import _checks, _drawing
from ctckit.errors import InfeasibleTargetError
from ctckit.kernels.loss import reference, reference_exact
from ctckit.topology import IMPOSSIBLE, Floats, Ints, Topology, ctc_topology
from ctckit.vocabulary import Vocabulary


@dataclass(frozen=True, eq=False)
class Lattice:
    """All alignments of one target with one sequence of frames.

    π is a path of states that the topology allows. score(π) = Σ_t log_probs[t, label(π_t)] plus the weights of the
    path's transitions.

    Attributes:
        log_probs: (T, C) float64, the scores.
        target: (N,) int64, the tokens.
        topology: The S = 2N + 1 states and their transitions.
        alpha: (T, S) float64, log-sum of the paths from the start to state s at frame t, with the emission of frame t.
        beta: (T, S) float64, log-sum of the paths from state s at frame t to the end, without the emission of frame t.

    ``print(lattice)`` draws the occupancy in characters.

    Example:
        >>> import numpy as np
        >>> from ctckit import lattice
        >>> item = lattice(np.log(np.full((3, 3), 1 / 3)), [1, 2])     # "ab" in three frames; all classes are as likely
        >>> round(np.exp(item.log_likelihood) * 27)                    # of the 27 paths
        5
        >>> item.occupancy.shape, item.occupancy[1].round(2).tolist()  # the states ∅ a ∅ b ∅ in the second frame
        ((3, 5), [0.0, 0.4, 0.2, 0.4, 0.0])
        >>> item.best_path().tolist()
        [1, 3, 4]
    """

    log_probs: Floats
    target: Ints
    topology: Topology
    alpha: Floats
    beta: Floats

    @cached_property
    def log_likelihood(self) -> float:
        """Log p(target) = log Σ_π exp(score(π)), in nats; −∞ where no path exists."""
        return reference.log_likelihood(self.alpha, self.topology)

    @cached_property
    def occupancy(self) -> Floats:
        """(T, S) p(state s at frame t | target): each frame sums to 1; all 0 where no path exists."""
        if reference_exact.is_needed(self.log_probs, -self.log_likelihood):
            return reference_exact.solve(self.log_probs, self.topology, normalize=False).occupancy
        return reference.occupancy(self.alpha, self.beta, self.log_likelihood)

    @property
    def feasible(self) -> bool:
        """Whether any path exists."""
        return self.log_likelihood > IMPOSSIBLE

    @cached_property
    def token_occupancy(self) -> Floats:
        """(T, C) p(class c at frame t | target): the occupancy summed over the states of each class.

        The gradient of −log p(target) is softmax − token_occupancy for logits, −token_occupancy for scores.
        """
        result = np.zeros_like(self.log_probs)
        np.add.at(result.T, self.topology.labels, self.occupancy.T)
        return result

    def best_path(self) -> Ints:
        """Return (T,) the states of the most likely path (Viterbi).

        Ties: stay wins over advance, advance wins over skip, a later end state wins over an earlier one.

        Raises:
            InfeasibleTargetError: If no path exists.
        """
        self._expect_feasible()
        path, _ = reference.viterbi(self.log_probs, self.topology)
        return path

    def sample(self, rng: np.random.Generator | int | None = None) -> Ints:
        """Return (T,) the states of one path, drawn from p(π | target).

        Args:
            rng: A NumPy generator, or a seed for one.

        Raises:
            InfeasibleTargetError: If no path exists.
        """
        self._expect_feasible()
        generator = np.random.default_rng(rng)
        frames = len(self.alpha)
        path = np.empty(frames, dtype=np.int64)
        if frames:
            path[0] = generator.choice(self.topology.num_states, p=self.occupancy[0] / self.occupancy[0].sum())
        for t in range(1, frames):
            steps = self._transition_probs(t)[:, path[t - 1]]
            path[t] = path[t - 1] + generator.choice(len(steps), p=steps / steps.sum())
        return path

    def entropy(self) -> float:
        """Return the entropy of p(π | target) in nats: 0 where one path has all the probability, NaN without a path.

        By the chain rule it is H(π_0) + Σ_t H(π_t | π_{t−1}).
        """
        if not self.feasible:
            return float("nan")
        if len(self.alpha) == 0:
            return 0.0
        total = _entropy(self.occupancy[0])
        for t in range(1, len(self.alpha)):
            steps = self._transition_probs(t)
            total += float(self.occupancy[t - 1] @ np.apply_along_axis(_entropy, 0, steps))
        return total

    def state_names(self, names: Sequence[str] | Vocabulary | None = None) -> list[str]:
        """Return (S,) the name of each state: from ``names`` by its class, or the class itself; ∅ for the blank."""
        _checks.class_names(names, self.log_probs.shape[1])
        labels = self.topology.labels.tolist()
        if names is None:
            return ["∅" if s % 2 == 0 else str(label) for s, label in enumerate(labels)]
        return [names[label] or "∅" for label in labels]

    def transition_occupancy(self, t: int) -> Floats:
        """Return (K, S) p(the path leaves s by stay, advance, skip … from frame t − 1 to t | target), for 1 ≤ t < T."""
        return np.asarray(self.occupancy[t - 1] * self._transition_probs(t))

    def arrow_occupancy(self, t: int) -> Floats:
        """Return ``transition_occupancy(t)``; the older name."""
        return self.transition_occupancy(t)

    def draw(self, names: Sequence[str] | Vocabulary | None = None, *, width: int = 100) -> str:
        """Return the occupancy drawn in characters: a line for each state, a column for each frame.

        Args:
            names: (C,) the name of each class, for example a ``Vocabulary``; default: its number, and ∅ for the blank.
            width: The largest number of columns for the frames; longer lattices merge neighboring frames.

        Returns:
            Several lines of text.
        """
        _checks.positive_integer(width, "width")
        written = self.state_names(names)
        frames, states = self.alpha.shape
        lines = [
            f"lattice of {' '.join(written[1::2]) or 'the empty target'}: {frames} frames × {states} states, "
            f"log p = {self.log_likelihood:.4f}"
        ]
        if not self.feasible:
            return f"{lines[0]} ({self._why_no_path()})"
        lines += _drawing.grid(self.occupancy.T, written, width=width, head="frame")
        best = [written[s] for s in self.best_path()]
        if frames <= width and all(len(each) == 1 for each in best):
            margin = max(len("frame"), *map(len, written))
            lines.append(f"{'best':>{margin}} {''.join(best)}")
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.draw()

    def _repr_html_(self) -> str:
        return _drawing.html(self.draw())

    def _transition_probs(self, t: int) -> Floats:
        """Return (K, S) p(stay, advance, skip … | state s at frame t − 1); 0 for states that no path visits."""
        emission = self.log_probs[t, self.topology.labels]
        going = reference.departures(self.beta[t] + emission, self.topology)
        visited = self.beta[t - 1] > IMPOSSIBLE
        return np.where(visited, np.exp(going - np.where(visited, self.beta[t - 1], 0.0)), 0.0)

    def _expect_feasible(self) -> None:
        if not self.feasible:
            raise InfeasibleTargetError(f"target cannot be emitted: {self._why_no_path()}.", (0,))

    def _why_no_path(self) -> str:
        frames, needed = len(self.log_probs), self.topology.frames_needed
        if frames < needed:
            return f"no path: {len(self.target)} tokens need {needed} frames, log_probs has {frames}"
        return "no path: each passes a class whose log_probs are −∞ in its frame"


def lattice(log_probs: npt.ArrayLike | Any, target: npt.ArrayLike | Any, *, blank: int = 0) -> Lattice:
    """Return the lattice of ``target`` and the frames of ``log_probs``: all their alignments.

    Args:
        log_probs: (T, C) scores of the classes in each frame: natural logarithms, not normalized again; −∞ is allowed.
            NumPy array or torch CPU tensor of any floating-point type; the arithmetic is float64.
        target: (N,) integers, classes other than the blank.
        blank: The class of the blank.

    Returns:
        A ``Lattice``: alpha, beta, occupancy, log_likelihood, best_path(), sample(), entropy().

    Raises:
        InvalidInputError: On a wrong rank or type, a class outside 0..C−1, a blank in the target, NaN or +∞.

    Example:
        >>> from ctckit import lattice
        >>> import numpy as np
        >>> probs = np.array([[0.6, 0.4], [0.6, 0.4]])  # blank, "a"
        >>> item = lattice(np.log(probs), [1])
        >>> round(float(np.exp(item.log_likelihood)), 2)  # aa + a∅ + ∅a
        0.64
        >>> item.occupancy.round(3).tolist()  # the states ∅ a ∅, frame by frame
        [[0.375, 0.625, 0.0], [0.0, 0.625, 0.375]]

    Source: Graves et al. 2006, section 4.1.
    """
    scores = _checks.floats(_checks.as_array(log_probs, "log_probs"), "log_probs", "(T, C)").astype(np.float64)
    _checks.class_index(blank, "blank", scores.shape[1])
    tokens = _checks.one_target(target, scores.shape[1], blank)
    _checks.expect_scores(scores, "log_probs")
    topology = ctc_topology(tokens, blank=blank)
    alpha, beta = reference.forward(scores, topology), reference.backward(scores, topology)
    return Lattice(scores, tokens, topology, alpha, beta)


def _entropy(probs: Floats) -> float:
    positive = probs[probs > 0]
    return float(-(positive * np.log(positive)).sum())
