"""The default search: pyctcdecode's calls served by ``BeamDecoder``.

pyctcdecode        BeamDecoder
alpha              lm_weight
beta               word_bonus, where there is a language model
unk_score_offset   oov_charge = −alpha · unk_score_offset · ln 10 / 6 for each letter of an unknown word. A word of six
                   letters, the usual length, is charged as much as any unknown word in the original
unigrams           lexicon; the model's other words are scored by the model and charged as unknown
hotwords           hotwords; a phrase counts as a whole, with hotword_weight for each of its words
beam_prune_logp    beam_threshold
token_min_logp     token_threshold
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit._padding import pad_frames
from ctckit.alignment.spans import words_of
from ctckit.compat import kenlm
from ctckit.compat.pyctcdecode import _checks
from ctckit.compat.pyctcdecode._beams import OutputBeam, WordFrames
from ctckit.compat.pyctcdecode._own_model import OwnModel
from ctckit.compat.pyctcdecode._strict_search import Pruning
from ctckit.compat.pyctcdecode.alphabet import BPE_TOKEN, Alphabet
from ctckit.compat.pyctcdecode.constants import AVG_TOKEN_LEN, LOG_BASE_CHANGE_FACTOR
from ctckit.compat.pyctcdecode.language_model import AbstractLanguageModel, LanguageModel
from ctckit.decoding.beam import BeamDecoder
from ctckit.decoding.hypothesis import Hypothesis
from ctckit.decoding.lexicon import Lexicon, lexicon_with_oov
from ctckit.decoding.settings import MAX_WEIGHT
from ctckit.language_models.ngram import NGramModel
from ctckit.vocabulary import Vocabulary

PROBABILITY_SLACK = 1e-3  # the rounding of a frame's sum in half precision

logger = logging.getLogger(__name__)


class DefaultSearch:
    """``BeamDecoder`` for one alphabet. The last decoder is kept for the next call.

    Args:
        alphabet: The labels.
    """

    def __init__(self, alphabet: Alphabet) -> None:
        self._alphabet = alphabet
        self._with_model: tuple[LanguageModel | None, BeamDecoder] | None = None
        self._ready: tuple[dict[str, float], BeamDecoder] | None = None

    def __reduce__(self) -> tuple[type[DefaultSearch], tuple[Alphabet]]:
        return DefaultSearch, (self._alphabet,)

    def decode(
        self,
        items: Sequence[npt.NDArray[Any]],
        model: AbstractLanguageModel | None,
        pruning: Pruning,
        hotwords: Sequence[str],
        hotword_weight: float,
        n_best: int | None = None,
    ) -> list[list[OutputBeam]]:
        """Return the texts of each item of (T, C) scores, best first: the whole beam, or its ``n_best`` best texts."""
        word_lm = _checks.model_of_words(model)
        decoder = self._decoder(word_lm, _settings(word_lm, pruning))
        if hotwords:
            weights = _hotword_weights(decoder.vocabulary, hotwords, hotword_weight)
            decoder = decoder.with_settings(hotwords=weights)
        if not items:
            return []
        log_probs, lengths = pad_frames([default_log_probs(each) for each in items])
        found = decoder.decode(log_probs, lengths, n_best=min(n_best or pruning.beam_width, pruning.beam_width))
        return [_beams(each, decoder.vocabulary, word_lm, pruning.beam_prune_logp) for each in found]

    def _decoder(self, model: LanguageModel | None, settings: dict[str, float]) -> BeamDecoder:
        """Return the last decoder if nothing has changed; keep its words if the model has not changed."""
        if self._with_model is None or self._with_model[0] is not model:
            self._with_model, self._ready = (model, self._new_decoder(model)), None
        if self._ready is None or self._ready[0] != settings:
            self._ready = settings, self._with_model[1].with_settings(**settings)
        return self._ready[1]

    def _new_decoder(self, model: LanguageModel | None) -> BeamDecoder:
        vocabulary = vocabulary_of(self._alphabet)
        if model is None:
            return BeamDecoder(vocabulary)
        _checks.words_end(vocabulary.has_words)
        given = model.kenlm_model
        if isinstance(given, OwnModel):
            found, words = given.given, _checks.words_for(given.words, model.unigrams)
        else:
            found = words = ngrams_of(model)
        return BeamDecoder(vocabulary, language_model=found, lexicon=_lexicon(words, model.unigrams, vocabulary))


def _lexicon(model: Iterable[str], unigrams: Sequence[str] | None, vocabulary: Vocabulary) -> Lexicon:
    """Return the words of a model: those of a list of unigrams are known, the others are charged.

    Without a list, or with an empty one, all words of the model are known.
    """
    letters = _letters_of(vocabulary)
    words = [word for word in model if word != kenlm.UNKNOWN and letters.issuperset(word)]
    known = set(unigrams or words)
    return lexicon_with_oov(
        [word for word in words if word in known], [word for word in words if word not in known], vocabulary
    )


def vocabulary_of(alphabet: Alphabet) -> Vocabulary:
    """Return the vocabulary of an alphabet, with its blank and its mark of words."""
    labels = alphabet.labels
    blank = labels.index("")
    if alphabet.is_bpe:
        marked = any(BPE_TOKEN in label for label in labels)
        return Vocabulary(tuple(labels), blank, word_start=BPE_TOKEN if marked else None)
    return Vocabulary(tuple(labels), blank, separator=" " if " " in labels else None)


def ngrams_of(model: LanguageModel) -> NGramModel:
    """Return the n-gram model of a ctckit ``kenlm.Model``, or read it from the file of a model of the kenlm package.

    A binary file of KenLM that does not hold its words is read again, with the list of unigrams.
    """
    given = model.kenlm_model
    ours = given if isinstance(given, kenlm.Model) else kenlm.Model(given.path)
    if ours.ngrams.has_names:
        return ours.ngrams
    path = str(ours.ngrams.source)
    return NGramModel.load(path, unit="word", unigrams=_checks.unigrams_for(path, model.unigrams))


def _settings(model: LanguageModel | None, pruning: Pruning) -> dict[str, float]:
    settings = {
        "beam_width": pruning.beam_width,
        "beam_threshold": pruning.beam_prune_logp,
        "token_threshold": pruning.token_min_logp,
    }
    if model is None:
        return {**settings, "word_bonus": 0.0}
    charge = -model.alpha * model.unk_score_offset * LOG_BASE_CHANGE_FACTOR / AVG_TOKEN_LEN
    return {**settings, "lm_weight": model.alpha, "word_bonus": model.beta, "oov_charge": charge}


def _letters_of(vocabulary: Vocabulary) -> set[str]:
    return set("".join(part for parts in vocabulary.word_parts for part in parts))


def _hotword_weights(vocabulary: Vocabulary, hotwords: Sequence[str], weight: float) -> dict[str, float]:
    """Return the hotwords that the vocabulary can write, with their weights."""
    letters = _letters_of(vocabulary)
    weights: dict[str, float] = {}
    for words in map(str.split, hotwords):
        phrase = " ".join(words)
        if not letters.issuperset("".join(words) if vocabulary.has_words else phrase):
            logger.warning("The hotword %r has letters that are not among the labels: it is left out.", phrase)
        elif words and weight != 0:
            weights[phrase] = min(max(weight * len(words), -MAX_WEIGHT), MAX_WEIGHT)
    return weights


def default_log_probs(scores: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return (T, C) log-probabilities: of probabilities if each frame is a distribution within 1e-3, else of logits."""
    if scores.dtype == np.float16:
        scores = scores.astype(np.float32)
    if scores.size and scores.min() >= 0 and np.abs(scores.sum(axis=1) - 1).max() <= PROBABILITY_SLACK:
        with np.errstate(divide="ignore"):  # the logarithm of 0 is −∞
            return np.asarray(np.log(np.minimum(scores, 1)))
    shifted = scores - scores.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def _beams(
    found: Sequence[Hypothesis], vocabulary: Vocabulary, model: LanguageModel | None, prune: float
) -> list[OutputBeam]:
    """Return the tuples of a beam. Tuples with the same text are added up; those far below the best are left out."""
    by_text: dict[str, list[Hypothesis]] = {}
    for each in found:
        by_text.setdefault(each.text, []).append(each)
    beams = [_beam(text, same, vocabulary, model) for text, same in by_text.items()]
    beams.sort(key=lambda beam: beam[4], reverse=True)
    return [beam for beam in beams if beam[4] >= beams[0][4] + prune]


def _beam(text: str, same: Sequence[Hypothesis], vocabulary: Vocabulary, model: LanguageModel | None) -> OutputBeam:
    words = _words(same[0], text, vocabulary)
    log_prob = _log_sum([each.log_prob for each in same])
    return OutputBeam(text, _state_after(words, model), words, log_prob, _log_sum([each.score for each in same]))


def _log_sum(values: Sequence[float]) -> float:
    return values[0] if len(values) == 1 else float(np.logaddexp.reduce(values))


def _words(found: Hypothesis, text: str, vocabulary: Vocabulary) -> list[WordFrames]:
    """Return the words with their frames; without a mark of words, the whole text is one word."""
    starts, ends = found.decoded.rescoring.starts.tolist(), found.decoded.rescoring.ends.tolist()
    if not vocabulary.has_words:
        return [(text, (starts[0], ends[-1]))] if text else []
    words = words_of(found.tokens, vocabulary)
    return [(word, (starts[members[0]], ends[members[-1]])) for word, members in words]


def _state_after(words: Sequence[tuple[str, Any]], model: LanguageModel | None) -> Any:
    if model is None:
        return None
    state = model.get_start_state()
    for word, _ in words:
        _, state = model.score(state, word)
    return state
