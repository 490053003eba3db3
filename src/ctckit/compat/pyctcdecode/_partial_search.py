"""The strict search in parts: the beams go in and out between the parts, as in pyctcdecode's development version."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy.typing as npt

from ctckit.compat.pyctcdecode._beams import NULL_FRAMES, Beam, Frames, LMBeam
from ctckit.compat.pyctcdecode._strict_search import NO_LABEL, Entry, StrictSearch, Text, Words, in_order

ModelScores = dict[str, tuple[float, Any]]
"""For each text its score by the language model, and the model's state after it."""


class PartialSearch(StrictSearch):
    """The strict search in one part of an item.

    Args:
        *args: Those of ``StrictSearch``.
        known: The scores of texts in earlier parts; those of new texts are added.
    """

    def __init__(self, *args: Any, known: ModelScores) -> None:
        super().__init__(*args)
        self._known = known

    def run_part(
        self, beams: Iterable[Beam | LMBeam], log_probs: npt.NDArray[Any], first: int, complete: bool, is_end: bool
    ) -> list[LMBeam]:
        """Search in (T, C) log-probabilities from frame ``first`` on, and return the beams after it, best first.

        Args:
            beams: The beams before the part.
            log_probs: The frames of the part.
            first: The number of the first one.
            complete: Whether the unfinished words are complete.
            is_end: Whether the texts end; then the unfinished words are complete, too.
        """
        self._beam = [self._entry(each) for each in beams]
        self._push(log_probs, first)
        if complete or is_end:
            return [
                LMBeam(string, "", "", None, in_order(words), NULL_FRAMES, log_prob, total)
                for total, (string, words, _, log_prob) in self._finished(is_end)
            ]
        return [self._lm_beam(entry, total) for total, entry in self._best(self._scored(self._beam))]

    def _entry(self, beam: Beam | LMBeam) -> Entry:
        text = self._texts[""]
        for word in (*beam.text.split(), *beam.next_word.split()):
            text = self._followed(text, word)
        label = NO_LABEL if beam.last_char is None else self._labels.texts.index(beam.last_char)
        part = self._part(beam.partial_word)
        return text, part, label, _linked(beam.text_frames), *beam.partial_frames, beam.logit_score

    def _lm_beam(self, entry: Entry, total: Any) -> LMBeam:
        text, part, label, words, start, end, log_prob = entry
        last = None if label == NO_LABEL else self._labels.texts[label]
        frames = in_order(words)
        return LMBeam(text.string, "", part.string, last, frames, (start, end), float(log_prob), float(total))

    def _model_score(self, before: Text, word: str, string: str) -> tuple[float, Any]:
        if string not in self._known:
            self._known[string] = super()._model_score(before, word, string)
        return self._known[string]


def _linked(frames: Sequence[Frames]) -> Words:
    words: Words = ()
    for each in frames:
        words = (words, each)
    return words
