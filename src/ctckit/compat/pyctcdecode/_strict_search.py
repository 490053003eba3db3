"""The strict search: pyctcdecode's own search, rule by rule. Same candidates in the same order, same sums.

Texts and parts of words are nodes, and each node knows its continuations. So a step builds and hashes no strings; the
original builds and hashes whole texts. The oddities are the original's: classes are visited in the order of a hash
table; one flag for all entries of the beam says that a word begins after "▁"; a text gets the frames of the alignment
that was merged last; the last word may be empty.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit.compat.pyctcdecode._beams import NULL_FRAMES, Frames, OutputBeam
from ctckit.compat.pyctcdecode.alphabet import BPE_TOKEN, Alphabet
from ctckit.compat.pyctcdecode.constants import MIN_TOKEN_CLIP_P
from ctckit.compat.pyctcdecode.language_model import AbstractLanguageModel, HotwordScorer

NO_LABEL = -1  # the last label of the first entry
TEXT_SHIFT = 44  # bits below the number of a text in a merge key; they hold parts times labels


@dataclass(frozen=True)
class Pruning:
    """The limits of a search: what is not tried, and what is not kept."""

    beam_width: int
    beam_prune_logp: float
    token_min_logp: float
    prune_history: bool


class Text:
    """The complete words of a text, and their score."""

    __slots__ = ("after", "base", "fusion_score", "lm_score", "state", "string", "tail")

    def __init__(self, string: str, tail: tuple[str, ...], number: int) -> None:
        self.string = string
        self.tail = tail  # the last words, those that the language model can see
        self.base = number << TEXT_SHIFT  # the merge key of a candidate: this + its part's base + its label
        self.after: dict[str, Text] = {}
        self.lm_score = 0.0  # by the language model
        self.fusion_score = 0.0  # lm_score and hotwords
        self.state: Any = None


class Part:
    """The beginning of a word, and its score until the word is complete."""

    __slots__ = ("after", "base", "score", "string")

    def __init__(self, string: str, score: float, base: int) -> None:
        self.string = string
        self.score = score
        self.base = base
        self.after: dict[int, Part] | None = None  # most parts are never continued


Words = tuple[Any, ...]
"""The frames of complete words as a linked list: () or (the words before, (start, end))."""
Finished = tuple[str, Words, Any, float]
"""A text without an unfinished word: the text, the frames of its words, the model's state, its log-probability."""
Entry = tuple[Text, Part, int, Words, int, int, Any]
"""An entry of the beam: text, part, last label, frames of its words, start and end of the part, log-probability."""


class Labels:
    """The properties of each label that the search uses."""

    def __init__(self, alphabet: Alphabet) -> None:
        labels = alphabet.labels
        first = {label: index for index, label in reversed(list(enumerate(labels)))}
        self.texts = labels
        self.same = [first[label] for label in labels]  # equal labels count as one
        self.blank = first.get("", NO_LABEL - 1)
        self.is_bpe = alphabet.is_bpe
        self.breaks = [label.startswith(BPE_TOKEN) if alphabet.is_bpe else label == " " for label in labels]
        self.pieces = [_piece(label) if alphabet.is_bpe else "" for label in labels]


def _piece(label: str) -> str:
    """Return a label that begins a word, without the marks."""
    return label.removeprefix(BPE_TOKEN).removesuffix(BPE_TOKEN)


class StrictSearch:
    """The strict search in one item.

    Args:
        labels: The labels of the alphabet.
        model: A model of words, or None.
        hotwords: The scorer of the hotwords.
        pruning: The limits of the search.
        start_state: The model's state before the item; None: the model's own start state.
    """

    def __init__(
        self,
        labels: Labels,
        model: AbstractLanguageModel | None,
        hotwords: HotwordScorer,
        pruning: Pruning,
        start_state: Any = None,
    ) -> None:
        self._labels = labels
        self._model = model
        self._hotwords = hotwords
        self._pruning = pruning
        self._history = max(1, (1 if model is None else model.order) - 1)
        self._break_next = False  # set after a label that ends in "▁"; one flag for all entries, as in the original
        text, part = Text("", (), 0), Part("", hotwords.score_partial_token(""), 0)
        text.state = model.get_start_state() if start_state is None and model is not None else start_state
        self._texts = {"": text}
        self._parts = {"": part}
        self._beam: list[Entry] = [(text, part, NO_LABEL, (), *NULL_FRAMES, 0.0)]

    def run(self, log_probs: npt.NDArray[Any]) -> list[OutputBeam]:
        """Search in (T, C) log-probabilities and return the texts of the last beam, best first."""
        self._push(log_probs)
        return [
            OutputBeam(
                " ".join(string.split()),
                state,
                list(zip(string.split(), in_order(words), strict=False)),
                log_prob,
                total,
            )
            for total, (string, words, state, log_prob) in self._finished(is_end=True)
        ]

    def _push(self, log_probs: npt.NDArray[Any], first: int = 0) -> None:
        """Search in the next (T, C) log-probabilities, those of frame ``first`` and after it."""
        for frame, scores in enumerate(_as_numbers(log_probs), first):
            likely = _likely(log_probs[frame - first], self._pruning.token_min_logp)
            merged = _merged(entry for index in likely for entry in self._read(index, frame, scores[index]))
            self._beam = [entry for _, entry in self._best(self._scored(merged))]
            if self._pruning.prune_history:
                self._beam = list(_with_different_futures(self._beam))

    def _read(self, index: int, frame: int, log_prob: Any) -> Iterator[Entry]:
        """Yield every entry of the beam with one more frame of a label."""
        labels = self._labels
        label, is_bpe, breaks = labels.same[index], labels.is_bpe, labels.breaks[index]
        for text, part, last, words, start, end, score in self._beam:
            if label == labels.blank:
                yield text, part, label, words, start, end, score + log_prob
            elif label == last:
                yield text, part, label, words, start, frame + 1, score + log_prob
            elif breaks or (is_bpe and self._break_next):
                new_words = (words, (start, end)) if part.string else words
                frames = (frame, frame + 1) if is_bpe else NULL_FRAMES
                new_part = self._part(labels.pieces[index])
                yield self._followed(text, part.string), new_part, label, new_words, *frames, score + log_prob
                self._break_next = is_bpe and labels.texts[index].endswith(BPE_TOKEN)
            else:
                new_part = (part.after and part.after.get(index)) or self._continued(part, index)
                yield text, new_part, label, words, frame if start < 0 else start, frame + 1, score + log_prob

    def _continued(self, part: Part, index: int) -> Part:
        new = self._part(part.string + self._labels.texts[index])
        if part.after is None:
            part.after = {}
        part.after[index] = new
        return new

    def _part(self, string: str) -> Part:
        known = self._parts.get(string)
        if known is None:
            base = len(self._parts) * len(self._labels.texts)
            known = self._parts[string] = Part(string, self._part_score(string), base)
        return known

    def _part_score(self, part: str) -> float:
        if self._model is None or part in self._hotwords:
            return self._hotwords.score_partial_token(part)
        return self._model.score_partial_token(part)

    def _followed(self, text: Text, word: str) -> Text:
        """Return the text with one more word, if there is a word."""
        if not word:
            return text
        known = text.after.get(word)
        if known is None:
            known = text.after[word] = self._text(text, word)
        return known

    def _text(self, before: Text, word: str) -> Text:
        string = _joined(before.string, word)
        if string in self._texts:
            return self._texts[string]
        tail = (*before.tail, *word.split())[-self._history :]
        text = self._texts[string] = Text(string, tail, len(self._texts))
        text.fusion_score = self._hotwords.score(string)
        if self._model is not None:
            text.lm_score, text.state = self._model_score(before, word, string)
            text.fusion_score = text.lm_score + text.fusion_score
        return text

    def _model_score(self, before: Text, word: str, string: str) -> tuple[float, Any]:
        """Return the model's score of a text ``string``, which is ``before`` and a word, and its state after it."""
        assert self._model is not None
        score, state = self._model.score(before.state, word)
        return before.lm_score + score, state

    def _scored(self, entries: Iterable[Entry]) -> list[tuple[Any, Entry]]:
        if self._model is None:
            return [(entry[6] + entry[0].fusion_score + entry[1].score, entry) for entry in entries]
        return [(entry[6] + (entry[0].fusion_score + entry[1].score), entry) for entry in entries]

    def _best(self, scored: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
        """Return the best, in order; equal ones keep their order."""
        least = max(score for score, _ in scored) + self._pruning.beam_prune_logp
        scored = [each for each in scored if each[0] >= least]
        scored.sort(key=itemgetter(0), reverse=True)
        return scored[: self._pruning.beam_width]

    def _finished(self, is_end: bool) -> list[tuple[float, Finished]]:
        """Return the texts, best first, with their total scores.

        The unfinished word counts as a word. Where the text ends, it is the last word, even if it is empty.
        """
        merged: dict[str, tuple[Text, str, Words, Any]] = {}
        for text, part, _, words, start, end, score in self._beam:
            string = _joined(text.string, part.string)
            if part.string:
                words = (words, (start, end))
            if string in merged:
                score = _log_add(merged[string][3], score)
            merged[string] = text, part.string, words, score
        close = self._with_last_word if is_end else self._with_next_word
        return self._best([close(string, *found) for string, found in merged.items()])

    def _with_last_word(
        self, string: str, text: Text, part: str, words: Words, log_prob: Any
    ) -> tuple[float, Finished]:
        hotwords = self._hotwords.score(string)
        if self._model is None:
            return float(log_prob + hotwords), (string, words, None, float(log_prob))
        score, state = self._model.score(text.state, part, is_last_word=True)
        return float(log_prob + (text.lm_score + score + hotwords)), (string, words, state, float(log_prob))

    def _with_next_word(
        self, string: str, text: Text, part: str, words: Words, log_prob: Any
    ) -> tuple[float, Finished]:
        after = self._followed(text, part)
        return float(log_prob + after.fusion_score), (string, words, after.state, float(log_prob))


def _as_numbers(log_probs: npt.NDArray[Any]) -> Any:
    """Return the frames as lists of Python's floats, which are faster, where these are the same numbers."""
    return log_probs.tolist() if log_probs.dtype == np.float64 else log_probs


def _likely(scores: npt.NDArray[Any], least: float) -> set[int]:
    # The order of this set is the order of the candidates, so it must be built as in the original.
    return set(np.flatnonzero(scores >= least).tolist()) | {int(scores.argmax())}


def _merged(candidates: Iterable[Entry]) -> Iterable[Entry]:
    """Add up candidates with the same text, part and label, in the place of the first, with the frames of the last."""
    found: dict[int, Entry] = {}
    for entry in candidates:
        key = entry[0].base + entry[1].base + entry[2]
        before = found.get(key)
        found[key] = entry if before is None else (*entry[:6], _log_add(before[6], entry[6]))
    return found.values()


def _with_different_futures(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Yield the best entry of those that have the same future: no later frame can tell them apart."""
    seen = set()
    for entry in entries:
        future = entry[0].tail, entry[1], entry[2]
        if future not in seen:
            seen.add(future)
            yield entry


def _log_add(first: Any, second: Any) -> Any:
    if first >= second:
        return first + math.log(1 + math.exp(second - first))
    return second + math.log(1 + math.exp(first - second))


def _joined(text: str, word: str) -> str:
    return f"{text} {word}" if text and word else text or word


def in_order(words: Words) -> list[Frames]:
    found: list[Frames] = []
    while words:
        words, frames = words
        found.append(frames)
    return found[::-1]


def strict_log_probs(logits: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return log-probabilities: of probabilities if the mean of the frames' sums is 1 within 1e-9, else of logits.

    No probability is below 1e-15.
    """
    if len(logits) and math.isclose(logits.sum(axis=1).mean(), 1):
        return np.asarray(np.log(np.clip(logits, MIN_TOKEN_CLIP_P, 1)))
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return np.asarray(np.clip(log_probs, np.log(MIN_TOKEN_CLIP_P), 0))
