"""From what a user says to a ``SearchPlan``: every argument of ``BeamDecoder``, checked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ctckit import _checks
from ctckit.decoding import lexicon as words
from ctckit.decoding.lexicon import HEAVIEST, Lexicon, Spellings
from ctckit.errors import InvalidInputError
from ctckit.kernels.search.plan import NOTHING, Ragged, SearchPlan
from ctckit.language_models.ngram import NGramModel
from ctckit.vocabulary import Vocabulary

MOST_TEXTS = 1 << 20  # a beam wider than this is a mistake
# Defaults that made text lines better and not worse under a model of words of another domain (tune them).
LM_WEIGHT = 0.3
WORD_BONUS = 2.0  # with a model of words, which would rather have fewer of them
OOV_CHARGE = 0.25
SETTINGS = (
    "beam_width",
    "lm_weight",
    "lm_boundary",
    "word_bonus",
    "token_bonus",
    "oov_charge",
    "token_threshold",
    "beam_threshold",
)


@dataclass(frozen=True, eq=False)
class Models:
    """The language models by what they are asked for: words, or characters or tokens.

    Attributes:
        given: In the order in which they were given, which is that of their weights.
    """

    given: tuple[NGramModel, ...]

    @property
    def word(self) -> NGramModel | None:
        """The model of words."""
        return next((model for model in self.given if model.unit == "word"), None)

    @property
    def fine(self) -> NGramModel | None:
        """The model of characters or tokens."""
        return next((model for model in self.given if model.unit != "word"), None)

    def weights(self, lm_weight: Any) -> dict[str, float]:
        """The weights of a plan."""
        several = isinstance(lm_weight, (Sequence, np.ndarray))
        if several and len(lm_weight) != len(self.given):
            raise InvalidInputError(
                f"lm_weight has {len(lm_weight)} entries for {len(self.given)} language models; expected one for each."
            )
        found = {"word_weight": 0.0, "fine_weight": 0.0}
        for n, model in enumerate(self.given):
            name, value = (f"lm_weight[{n}]", lm_weight[n]) if several else ("lm_weight", lm_weight)
            found["word_weight" if model.unit == "word" else "fine_weight"] = _checks.number(value, name, 0.0, HEAVIEST)
        if not self.given:
            _checks.number(lm_weight, "lm_weight", 0.0, HEAVIEST)
        return found


def vocabulary_of(given: Any, blank: int | None) -> Vocabulary:
    """A vocabulary, or one made of its tokens."""
    if not isinstance(given, Vocabulary):
        return Vocabulary(given, 0 if blank is None else blank)
    if blank is not None and blank != given.blank:
        raise InvalidInputError(f"blank is {blank}, but vocabulary says {given.blank}. Leave blank out.")
    return given


def models_of(given: Any) -> Models:
    """The language models: none, one, or one of each kind."""
    models = (given,) if isinstance(given, NGramModel) else () if given is None else given
    if not isinstance(models, Iterable) or isinstance(models, str):
        models = [given]
    models = tuple(models)
    for n, model in enumerate(models):
        if not isinstance(model, NGramModel):
            name = "language_model" if given is model or models == (given,) else f"language_model[{n}]"
            raise InvalidInputError(f"{name} is {model!r}; expected an NGramModel. Load one: NGramModel.load(path).")
    kinds = ["word" if model.unit == "word" else "fine" for model in models]
    if len(set(kinds)) < len(kinds):
        units = ", ".join(f'"{model.unit}"' for model in models)
        raise InvalidInputError(
            f"language_model has models of {units}; expected at most one of words and one of characters or tokens."
        )
    return Models(models)


def known_words(lexicon: Iterable[str] | Spellings | None, models: Models, vocabulary: Vocabulary) -> Lexicon | None:
    """The words of the lexicon, by default those of the model of words; None where words are not told apart."""
    if models.word is not None and not vocabulary.has_words:
        raise InvalidInputError(
            "language_model is a model of words, but vocabulary has no mark of words, so that no word ever ends. Say "
            'separator=…, word_start=… or continuation=… of the Vocabulary, or use a model of characters (unit="char").'
        )
    if lexicon is not None:
        return words.lexicon_of(lexicon, vocabulary)
    return None if models.word is None else words.lexicon_of_model(models.word, vocabulary)


def make_plan(
    vocabulary: Vocabulary,
    models: Models,
    known: Lexicon | None,
    hotwords: Iterable[str] | Mapping[str, float] | None,
    hotword_weight: float,
) -> SearchPlan:
    """All but the settings, which ``with_settings`` puts in."""
    alphabet = words.Alphabet.of(vocabulary) if known is None else known.alphabet
    fine_ids, fine_space = (NOTHING, -1) if models.fine is None else words.fine_ids_of(models.fine, vocabulary)
    patterns, weights = words.hotwords_of(() if hotwords is None else hotwords, hotword_weight, alphabet, known)
    return SearchPlan(
        classes=len(vocabulary),
        blank=vocabulary.blank,
        beam_width=1,
        has_words=vocabulary.has_words,
        letters=alphabet.of_classes,
        fine_model=None if models.fine is None else models.fine.native,
        fine_ids=fine_ids,
        fine_space=fine_space,
        word_model=None if models.word is None else models.word.native,
        has_lexicon=known is not None,
        words=NOTHING if known is None else Ragged.of(known.spellings),
        word_ids=np.zeros(0, dtype=np.int32) if known is None else words.word_ids_of(models.word, known),
        hotwords=patterns,
        hotword_weights=weights,
    )


def with_settings(plan: SearchPlan, models: Models, settings: Mapping[str, Any]) -> SearchPlan:
    """The plan with other numbers; those that are not given stay."""
    for name in settings:
        if name not in SETTINGS:
            raise InvalidInputError(f"{name!r} is no setting of a decoder; expected some of {', '.join(SETTINGS)}.")
    changed: dict[str, Any] = {}
    if "beam_width" in settings:
        changed["beam_width"] = _checks.positive_integer(settings["beam_width"], "beam_width")
        _checks.number(settings["beam_width"], "beam_width", 1, MOST_TEXTS)
    if "lm_weight" in settings:
        changed |= models.weights(settings["lm_weight"])
    if "lm_boundary" in settings:
        changed["lm_boundary"] = _checks.flag(settings["lm_boundary"], "lm_boundary")
    for name in ("token_bonus", "word_bonus"):
        if name in settings:
            changed[name] = _checks.number(settings[name], name, -HEAVIEST, HEAVIEST)
    for name in ("token_threshold", "beam_threshold"):
        if name in settings:
            changed[name] = _checks.number(settings[name], name, -math.inf, 0.0)
    if "oov_charge" in settings:
        changed["oov_charge"] = _oov_charge(settings["oov_charge"], plan)
    if changed.get("word_bonus") and not plan.has_words:
        raise InvalidInputError(
            f"word_bonus is {changed['word_bonus']:g}, but vocabulary has no mark of words. Say separator=…, "
            "word_start=… or continuation=… of the Vocabulary, or use token_bonus."
        )
    return replace(plan, **changed)


def _oov_charge(value: float | None, plan: SearchPlan) -> float:
    if value is not None:
        return _checks.number(value, "oov_charge", 0.0, HEAVIEST)
    if not plan.has_lexicon:
        raise InvalidInputError(
            "oov_charge=None forbids unknown words, but no words are known. Give a lexicon or a model of words."
        )
    return math.inf
