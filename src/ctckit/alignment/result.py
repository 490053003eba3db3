"""The result of forced alignment: arrays. Spans, paths, confidences and drawings are computed on demand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit import _checks, _drawing
from ctckit._json import Entries, all_as_json, as_json
from ctckit.alignment import boundaries as borders
from ctckit.alignment.frames import frames_of
from ctckit.alignment.spans import (
    Spans,
    TokenSpan,
    WordSpan,
    tokens_as_json,
    tokens_from_json,
    word_spans,
    words_as_json,
    words_of,
)
from ctckit.alignment.transcript import Transcript
from ctckit.alignment.wildcards import WildcardGraph, path_of_spans
from ctckit.errors import InvalidInputError
from ctckit.kernels.confidence import native as native_confidence
from ctckit.topology import Floats, Ints, ctc_topology
from ctckit.vocabulary import Vocabulary


@dataclass(frozen=True)
class NoFrames:
    """Stands for the frames of an alignment that has none.

    Attributes:
        shape: (T, C).
    """

    shape: tuple[int, int]


@dataclass(frozen=True, eq=False, repr=False)
class Alignment:
    """The most likely path of one target through its frames. ``print(alignment)`` draws it over time.

    Two alignments are equal if their attributes below are equal, bit by bit.

    Attributes:
        tokens: (N,) the target as given, wildcards included.
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
        """(T, C) the frames, copied from a GPU on first use; confidences and boundaries are computed from them.

        Raises:
            InvalidInputError: If the alignment is from ``from_dict``, and so has no frames.
        """
        given = self._source
        if isinstance(given, NoFrames):
            raise InvalidInputError(
                "this alignment was made by from_dict, and its dict has no frames and no average path. Ask the "
                'alignment that to_dict was called on, or call to_dict(average_path=True), or use "spike" boundaries.'
            )
        return given if isinstance(given, np.ndarray) else frames_of(given.cpu()).scores[0]

    def __getstate__(self) -> dict[str, Any]:
        """Return the state for pickling and copying, with the frames in memory."""
        return {**self.__dict__, "_source": self._source if isinstance(self._source, NoFrames) else self.log_probs}

    @cached_property
    def frame_tokens(self) -> Ints:
        """(T,) the class that each frame emits; ``star`` in wildcards, also in those at the edges."""
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
        """(2N + 1,) the frames that each state lasts, averaged over all paths; their sum is T.

        The average is over all paths of the target, weighted by their probabilities. Beyond 2,048 frames it is computed
        in windows that meet at tokens on which most paths agree. Wildcards at the edges are part of the outer blanks.
        """
        if self._graph is None:
            topology = ctc_topology(self.tokens, blank=self.blank)
            return native_confidence.durations(self.log_probs, topology, self.path)
        graph = self._graph
        lasting = native_confidence.durations(graph.scores(self.log_probs), graph.topology, graph.path(self.frames))
        return graph.merged(lasting, len(self))

    @cached_property
    def confidences(self) -> Floats:
        """(N,) the posterior of each token against its alternatives: another token in its place, or none.

        The neighbors keep their frames. Over the frames between them, all alignments of one class, or of none, are
        summed. Near 0 if the token is not in the recording. NaN for wildcards.
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
    def spans(self) -> Spans[TokenSpan]:
        """One ``TokenSpan`` for each token, with its confidence (None for wildcards).

        ``spans(unit="seconds", stride=…)`` returns them in seconds or pixels, see :class:`~ctckit.alignment.Spans`.
        """
        columns = (self.tokens, self.starts, self.ends, self.token_log_probs)
        fields = zip(*(column.tolist() for column in columns), _or_none(self.confidences), strict=True)
        return Spans(TokenSpan(*each) for each in fields)

    def boundaries(self, kind: str = "occupancy") -> Floats:
        """Return (N, 2) the start and end of each token, in frames.

        Args:
            kind: "spike": the frames of the best path. "midpoint": borders halfway between the spikes of neighbors; a
                long pause belongs to no token. "occupancy": the same with the spikes of the average path, which was the
                most accurate in our measurements (docs/guides/alignment.md).

        Raises:
            InvalidInputError: If the kind is another.
        """
        borders.expect_kind(kind)
        result = borders.spike(self.starts, self.ends)
        if kind == "spike":
            return result
        there = self.starts < self.ends  # a wildcard without frames keeps its place and has no borders
        between = result if kind == "midpoint" else borders.average_spike(self.durations)
        result[there] = borders.midpoint(between[there], self.frames)
        return result

    def words(self, of: Transcript | Vocabulary, *, boundaries: str = "spike") -> Spans[WordSpan]:
        """Return one ``WordSpan`` for each word.

        Args:
            of: The transcript that the target was made from: every word of its text is returned, as it is written. A
                word that has no token, or whose wildcard took no frame, has an empty span at its place in the text
                (``aligned`` is False) and no confidence. Or the vocabulary, whose separators or word marks divide the
                tokens into words.
            boundaries: See ``boundaries``; borders are rounded to whole frames.

        Returns:
            The words in frames; a call of the result, ``words(of)(unit="seconds", stride=…)``, returns them in seconds
            or pixels, see :class:`~ctckit.alignment.Spans`.

        Raises:
            InvalidInputError: If the target is not that of the transcript.
        """
        starts, ends = self.borders(boundaries)
        if isinstance(of, Vocabulary):
            spelled = words_of(self.tokens.tolist(), of)
        else:
            _checks.expect_instance(of, "of", Transcript, "a Transcript, or a Vocabulary")
            of.expect_tokens(self.tokens)
            spelled = [(word.text, list(word.positions)) for word in of.words]
        return word_spans(spelled, starts, ends, self.confidences)

    def borders(self, kind: str) -> tuple[Ints, Ints]:
        """Return ``boundaries(kind)`` in whole frames, at least one frame for each token that has any."""
        if kind == "spike":
            return self.starts, self.ends
        edges = np.rint(self.boundaries(kind)).astype(np.int64)
        there = self.starts < self.ends
        starts = np.minimum(edges[:, 0], self.frames - 1) if self.frames else edges[:, 0]
        return starts, np.where(there, np.maximum(edges[:, 1], starts + 1), starts)

    def to_dict(self, vocabulary: Vocabulary | None = None, *, average_path: bool = False) -> dict[str, Any]:
        """Return the alignment without its frames as an object that ``json.dumps(…, allow_nan=False)`` takes.

        Args:
            vocabulary: Adds the texts of the tokens, and the words.
            average_path: Whether to add the durations of the average path, which ``boundaries`` needs.

        Returns:
            "log_prob", "spans" with frames and confidences, and what else ``from_dict`` needs. Infinities and NaN are
            the strings "inf", "-inf" and "nan".
        """
        wild = self._graph is not None or "frame_tokens" in self._kept
        return {
            "type": "Alignment",
            "log_prob": as_json(self.log_prob),
            "frames": self.frames,
            "classes": int(self._source.shape[1]),
            "blank": int(self.blank),
            "star": int(self.star),
            "spans": tokens_as_json(self.spans, vocabulary),
            **({} if vocabulary is None else {"words": words_as_json(self.words(vocabulary))}),
            "frame_tokens": self.frame_tokens.tolist() if wild else None,
            "durations": all_as_json(self.durations) if average_path or "durations" in self._kept else None,
        }

    @property
    def _kept(self) -> Mapping[str, Any]:
        """What an alignment without frames has from its dict."""
        return self.__dict__ if isinstance(self._source, NoFrames) else {}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Alignment:
        """Return the alignment that ``to_dict`` was called on: an equal one, without the frames.

        Raises:
            InvalidInputError: Names the first entry that is missing or wrong.

        Example:
            >>> import numpy as np
            >>> from ctckit import Alignment
            >>> import json
            >>> from ctckit.alignment import forced_align
            >>> [found] = forced_align(np.log([[0.7, 0.3], [0.2, 0.8], [0.9, 0.1]]), [1])
            >>> again = Alignment.from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False)))
            >>> again == found, again.spans == found.spans
            (True, True)
        """
        entries = Entries(data, "Alignment")
        found, frames = tokens_from_json(entries.items("spans")), entries.integer("frames", 0)
        for n, (start, end) in enumerate(zip(found.starts.tolist(), found.ends.tolist(), strict=True)):
            if not start <= end <= frames:
                raise InvalidInputError(f"data['spans'][{n}] is {start}..{end}; expected frames in 0..{frames}.")
        made = cls(
            found.tokens,
            found.starts,
            found.ends,
            found.log_probs,
            entries.number("log_prob"),
            frames,
            entries.integer("blank", 0),
            NoFrames((frames, entries.integer("classes", 1))),
            entries.integer("star"),
        )
        made.__dict__["confidences"] = found.confidences
        sizes = {"frame_tokens": frames, "durations": 2 * len(made) + 1}
        for name, read in (("frame_tokens", entries.integers), ("durations", entries.numbers)):
            if entries[name] is None:
                continue
            made.__dict__[name] = read(name)
            if len(entries[name]) != sizes[name]:
                raise InvalidInputError(f"data[{name!r}] has {len(entries[name])} entries; expected {sizes[name]}.")
        return made

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Alignment):
            return NotImplemented
        numbers = ("log_prob", "frames", "blank", "star")
        arrays = ("tokens", "starts", "ends", "token_log_probs")
        return all(getattr(self, name) == getattr(other, name) for name in numbers) and all(
            np.array_equal(getattr(self, name), getattr(other, name)) for name in arrays
        )

    def __hash__(self) -> int:
        return hash((self.log_prob, self.frames, len(self)))

    def draw(self, names: Sequence[str] | Vocabulary | None = None, *, width: int = 100) -> str:
        """Return a drawing in characters: tokens and their confidences over time, up to five lines of ``width`` frames.

        Args:
            names: (C,) the text of each class, for example a ``Vocabulary``; by default its number. Wildcards are "*".
            width: Largest number of columns.
        """
        _checks.positive_integer(width, "width")
        _checks.class_names(names, self._source.shape[1])
        written = [self._written(token, names) for token in self.tokens.tolist()]
        head = f"{len(self)} tokens in {self.frames} frames: log p = {self.log_prob:.4f}"
        columns = self.starts.tolist(), self.ends.tolist(), self.confidences.tolist()
        return "\n".join([head, *_drawing.timeline(written, *columns, width=width)])

    def __str__(self) -> str:
        return self.draw()

    def _repr_html_(self) -> str:
        return _drawing.html(self.draw())

    def __repr__(self) -> str:
        return f"Alignment({len(self)} tokens, {self.frames} frames, log_prob={self.log_prob!r})"

    def _written(self, token: int, names: Sequence[str] | Vocabulary | None) -> str:
        if token == self.star:
            return "*"
        name = names.name(token) if isinstance(names, Vocabulary) else str(token) if names is None else names[token]
        return name.replace(" ", "␣")


def _or_none(values: Floats) -> list[float | None]:
    return [None if np.isnan(value) else value for value in values.tolist()]
