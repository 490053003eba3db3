"""What forced alignment found: arrays. Spans, paths, confidences and pictures are made when they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit import _checks, _drawing
from ctckit.alignment import boundaries as borders
from ctckit.alignment.frames import frames_of
from ctckit.alignment.spans import TokenSpan, WordSpan, word_spans, words_of
from ctckit.alignment.transcript import Transcript
from ctckit.alignment.wildcards import WildcardGraph, path_of_spans
from ctckit.kernels.confidence import native as native_confidence
from ctckit.topology import Floats, Ints, ctc_topology
from ctckit.vocabulary import Vocabulary


@dataclass(frozen=True, eq=False, repr=False)
class Alignment:
    """The likeliest path of one target through its frames. ``print(alignment)`` draws it over time.

    Attributes:
        tokens: (N,) the target, wildcards included, as they were given.
        starts: (N,) int64, the first frame of each token.
        ends: (N,) int64, one past its last frame. A wildcard that took no frame has starts[i] = ends[i].
        token_log_probs: (N,) float64, mean log-probability of the token's class over its frames, nats; 0 for wildcards.
        log_prob: Σ_t of the path's log-probabilities, nats, in float64; frames in wildcards do not count.
        frames: T.
        blank: The class of the blank.
        star: The number of the wildcard.
    """

    tokens: npt.NDArray[np.integer[Any]]
    starts: Ints
    ends: Ints
    token_log_probs: Floats
    log_prob: float
    frames: int
    blank: int
    _source: Any  # (T, C) the frames, an array or a tensor on a GPU
    star: int = -1
    _graph: WildcardGraph | None = field(default=None)

    def __len__(self) -> int:
        """N."""
        return len(self.tokens)

    @cached_property
    def log_probs(self) -> npt.NDArray[Any]:
        """(T, C) the frames, for what is computed on demand; from a GPU they are copied at the first time."""
        given = self._source
        return given if isinstance(given, np.ndarray) else frames_of(given.cpu()).scores[0]

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled or copied has its frames in memory."""
        return {**self.__dict__, "_source": self.log_probs}

    @cached_property
    def frame_tokens(self) -> Ints:
        """(T,) the class that each frame emits; ``star`` in wildcards, those at the edges too."""
        if self._graph is not None:
            classes = self._graph.frame_tokens(self.frames)
            return np.where(classes == self._graph.classes, self.star, classes)
        labels = np.full(2 * len(self) + 1, self.blank, dtype=np.int64)
        labels[1::2] = self.tokens
        return labels[self.path]

    @property
    def path(self) -> Ints:
        """(T,) the state of each frame, as in topology.py: 2i + 1 is token i, 2i the blank before it."""
        return path_of_spans(self.starts, self.ends, self.frames)

    @cached_property
    def durations(self) -> Floats:
        """(2N + 1,) how many frames each state lasts, averaged over all paths; their sum is T.

        The average is over all paths that the target allows, each as likely as it is. Beyond 2,048 frames it is taken
        in windows that meet at tokens that most paths agree on. Wildcards at the edges count to the outer blanks.
        """
        if self._graph is None:
            topology = ctc_topology(self.tokens, blank=self.blank)
            return native_confidence.durations(self.log_probs, topology, self.path)
        graph = self._graph
        lasting = native_confidence.durations(graph.scores(self.log_probs), graph.topology, graph.path(self.frames))
        return graph.merged(lasting, len(self))

    @cached_property
    def confidences(self) -> Floats:
        """(N,) the posterior of each token against its single edits: another token in its place, or none.

        Its neighbours keep their frames; over the frames between them, every way to lay one class, or none, is summed.
        Near 0 where the text says what is not there. NaN for wildcards.
        """
        if self._graph is None:
            return native_confidence.confidences(self.log_probs, self.tokens, self.starts, self.ends, blank=self.blank)
        graph, result = self._graph, np.full(len(self), np.nan)
        there = graph.starts < graph.ends
        classes = np.where(graph.tokens == graph.classes, native_confidence.WILDCARD, graph.tokens)[there]
        sure = native_confidence.confidences(
            self.log_probs, classes, graph.starts[there], graph.ends[there], blank=self.blank
        )
        origin = graph.origin[there]
        inside = (origin >= 0) & (origin < len(self))
        result[origin[inside]] = sure[inside]
        return result

    @cached_property
    def spans(self) -> tuple[TokenSpan, ...]:
        """One ``TokenSpan`` for each token, with its confidence (None for wildcards)."""
        columns = (self.tokens, self.starts, self.ends, self.token_log_probs)
        rows = zip(*(column.tolist() for column in columns), _or_none(self.confidences), strict=True)
        return tuple(TokenSpan(*row) for row in rows)

    def boundaries(self, kind: str = "occupancy") -> Floats:
        """(N, 2) where each token begins and ends, in frames.

        Args:
            kind: "spike": the frames of the best path. "midpoint": neighbours meet halfway between their spikes, but a
                long pause is nobody's. "occupancy": the same between the average path's spikes; nearest to the truth
                where that was known (docs/guides/alignment.md).

        Raises:
            InvalidInputError: On another kind.
        """
        borders.expect_kind(kind)
        result = borders.spike(self.starts, self.ends)
        if kind == "spike":
            return result
        there = self.starts < self.ends  # a wildcard without frames stays where it is, and has no borders to share
        between = result if kind == "midpoint" else borders.average_spike(self.durations)
        result[there] = borders.midpoint(between[there], self.frames)
        return result

    def words(self, of: Transcript | Vocabulary, *, boundaries: str = "spike") -> tuple[WordSpan, ...]:
        """One ``WordSpan`` for each word.

        Args:
            of: The transcript that the target was made from: then every word of its text is there, as it is written. A
                word that has no token, or whose wildcard took no frame, has an empty span where it would have been
                (``aligned`` is False) and no confidence. Or the vocabulary, whose marks tell words apart.
            boundaries: See ``boundaries``; borders are rounded to whole frames.

        Raises:
            InvalidInputError: If the target is not that of the transcript.
        """
        starts, ends = self._rounded(boundaries)
        if isinstance(of, Vocabulary):
            spelled = words_of(self.tokens.tolist(), of)
        else:
            _checks.expect_instance(of, "of", Transcript, "a Transcript, or a Vocabulary")
            of.expect_tokens(self.tokens)
            spelled = [(word.text, list(word.positions)) for word in of.words]
        return word_spans(spelled, starts, ends, self.confidences)

    def _rounded(self, kind: str) -> tuple[Ints, Ints]:
        """Whole frames, at least one for each token that has any."""
        if kind == "spike":
            return self.starts, self.ends
        edges = np.rint(self.boundaries(kind)).astype(np.int64)
        there = self.starts < self.ends
        starts = np.minimum(edges[:, 0], self.frames - 1) if self.frames else edges[:, 0]
        return starts, np.where(there, np.maximum(edges[:, 1], starts + 1), starts)

    def draw(self, names: Sequence[str] | Vocabulary | None = None, *, width: int = 100) -> str:
        """The tokens over time, in characters, with how sure each is; at most five rows of ``width`` frames.

        Args:
            names: (C,) how each class is written, a ``Vocabulary`` say; by default its number. Wildcards are "*".
            width: Most columns.
        """
        _checks.positive_integer(width, "width")
        _checks.class_names(names, self.log_probs.shape[1])
        written = [self._written(token, names) for token in self.tokens.tolist()]
        head = f"{len(self)} tokens in {self.frames} frames: log p = {self.log_prob:.4f}"
        columns = self.starts.tolist(), self.ends.tolist(), self.confidences.tolist()
        return "\n".join([head, *_drawing.timeline(written, *columns, width=width)])

    def __str__(self) -> str:
        return self.draw()

    def __repr__(self) -> str:
        return f"Alignment({len(self)} tokens, {self.frames} frames, log_prob={self.log_prob!r})"

    def _written(self, token: int, names: Sequence[str] | Vocabulary | None) -> str:
        if self._graph is not None and token == self.star:
            return "*"
        return str(token) if names is None else names[token].replace(" ", "␣")


def _or_none(values: Floats) -> list[float | None]:
    return [None if np.isnan(value) else value for value in values.tolist()]
