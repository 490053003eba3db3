"""From the arguments of a ``BeamDecoder`` to a ``SearchPlan``: the one place where plans are made."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ctckit import _checks
from ctckit.decoding.fusion import FusionModels, numbered, token_lm_ids_of, word_lm_ids_of
from ctckit.decoding.hotwords import PhraseSpelling, hotwords_of
from ctckit.decoding.lexicon import Lexicon, Spellings, lexicon_of, lexicon_of_model
from ctckit.decoding.settings import ON_UNSPELLABLE, plan_fields
from ctckit.errors import InvalidInputError
from ctckit.kernels.search.plan import NO_LISTS, Ragged, SearchPlan
from ctckit.vocabulary import Vocabulary


def known_words(
    lexicon: Iterable[str] | Spellings | None, models: FusionModels, vocabulary: Vocabulary
) -> Lexicon | None:
    """Return the lexicon: the one given, or else the words of the model of words; None without either.

    A ``Lexicon`` is returned as it is.

    Raises:
        InvalidInputError: If the words do not fit the vocabulary, or it has no mark of words.
    """
    if models.word_lm is not None and not vocabulary.has_words:
        raise InvalidInputError(
            "language_model is a model of words, but vocabulary has no mark of words, so that no word ever ends. Say "
            'separator=…, word_start=… or continuation=… of the Vocabulary, or use a model of characters (unit="char").'
        )
    if isinstance(lexicon, Lexicon):
        return lexicon
    if lexicon is not None:
        return lexicon_of(lexicon, vocabulary)
    return None if models.word_lm is None else lexicon_of_model(models.word_lm, vocabulary)


def build_plan(
    vocabulary: Vocabulary,
    models: FusionModels,
    lexicon: Lexicon | None,
    spelling: PhraseSpelling,
    settings: Mapping[str, Any],
) -> SearchPlan:
    """Make the plan of a decoder.

    Args:
        vocabulary: The tokens.
        models: The language models.
        lexicon: The known words, or None.
        spelling: How hotwords are spelled.
        settings: All settings by their names.

    Raises:
        InvalidInputError: On the first argument that is wrong or does not fit the others.
    """
    token_lm, word_lm = (None if each is None else numbered(each) for each in (models.token_lm, models.word_lm))
    ids, space = NO_LISTS, -1
    if models.token_lm is not None and token_lm is not None:
        ids, space = token_lm_ids_of(models.token_lm, token_lm, vocabulary)
    has_words, has_lexicon = vocabulary.has_words, lexicon is not None
    return SearchPlan(
        classes=len(vocabulary),
        blank=vocabulary.blank,
        has_words=has_words,
        letters=spelling.alphabet.of_classes,
        token_lm=token_lm,
        token_lm_ids=ids,
        token_lm_space=space,
        word_lm=word_lm,
        has_lexicon=has_lexicon,
        words=NO_LISTS if lexicon is None else Ragged.of(lexicon.spellings),
        word_names=NO_LISTS if lexicon is None else lexicon.names,
        class_names=_class_names(vocabulary) if lexicon is not None and lexicon.own_spellings else NO_LISTS,
        word_lm_ids=np.zeros(0, np.int32) if lexicon is None else word_lm_ids_of(models.word_lm, word_lm, lexicon),
        oov_words=0 if lexicon is None else lexicon.oov_words,
        **_hotword_fields(settings, spelling),
        **plan_fields(settings, models.weights, has_words=has_words, has_lexicon=has_lexicon),
    )


def _class_names(vocabulary: Vocabulary) -> Ragged:
    """Return the characters of each class as numbers, with 0 between words."""
    names = ["\0".join(map(vocabulary.letters, parts)) for parts in vocabulary.word_parts]
    return Ragged.of([ord(each) for each in name] for name in names)


def changed_plan(
    plan: SearchPlan, models: FusionModels, spelling: PhraseSpelling, settings: Mapping[str, Any]
) -> SearchPlan:
    """Return the plan with changed settings; those that are not given stay. With hotwords come all their settings.

    Raises:
        InvalidInputError: On a value that is out of range.
    """
    fields = plan_fields(settings, models.weights, has_words=plan.has_words, has_lexicon=plan.has_lexicon)
    return replace(plan, **_hotword_fields(settings, spelling), **fields)


@dataclass(frozen=True)
class FromModel:
    """What a decoder has because it has a model of words: a part of it goes when the model has no weight.

    Attributes:
        lexicon: Whether the known words are those of the model.
        word_bonus: Whether the bonus is the default for a model of words.
    """

    lexicon: bool
    word_bonus: bool


def settings_of(plan: SearchPlan, models: FusionModels, from_model: FromModel) -> dict[str, Any]:
    """Return the settings of a plan by their names, without hotwords; those that are defaults of a model are left out.

    Args:
        plan: The plan, with the models whose weight is 0.
        models: The language models.
        from_model: What the decoder has because of its model of words.
    """
    settings: dict[str, Any] = {
        "beam_width": plan.beam_width,
        "lm_boundary": plan.lm_boundary,
        "token_bonus": plan.token_bonus,
        "oov_charge": None if plan.oov_charge == math.inf else plan.oov_charge,
        "token_threshold": plan.token_threshold,
        "beam_threshold": plan.beam_threshold,
    }
    weights = [plan.word_lm_weight if model.unit == "word" else plan.token_lm_weight for model in models.given]
    if weights:
        settings["lm_weight"] = weights[0] if len(weights) == 1 else weights
    if not from_model.word_bonus and plan.has_words:
        settings["word_bonus"] = plan.word_bonus
    return settings


def without_weightless(plan: SearchPlan, from_model: FromModel) -> SearchPlan:
    """Return the plan without the models whose weight is 0, and without all that is there because of them."""
    changes: dict[str, Any] = {}
    if plan.token_lm is not None and plan.token_lm_weight == 0:
        changes |= {"token_lm": None, "token_lm_ids": NO_LISTS, "token_lm_space": -1}
    if plan.word_lm is not None and plan.word_lm_weight == 0:
        no_words = from_model.lexicon
        words = NO_LISTS if no_words else Ragged.of(plan.words.lists()[: len(plan.words) - plan.oov_words])
        ids = np.full(len(words), -1, dtype=np.int32)
        changes |= {"word_lm": None, "word_lm_ids": ids, "words": words, "oov_words": 0}
        changes |= {"word_names": Ragged.of(plan.word_names.lists()[: len(words)])}
        changes |= {"has_lexicon": plan.has_lexicon and not no_words}
        changes |= {"word_bonus": 0.0} if from_model.word_bonus else {}
    return replace(plan, **changes) if changes else plan


def _hotword_fields(settings: Mapping[str, Any], spelling: PhraseSpelling) -> dict[str, Any]:
    if "hotwords" not in settings:
        return {}
    given = settings["hotwords"]
    on_unspellable = _checks.choice(settings["on_unspellable"], "on_unspellable", ON_UNSPELLABLE)
    patterns, weights = hotwords_of(
        () if given is None else given,
        spelling,
        weight=settings["hotword_weight"],
        on_unspellable=on_unspellable,
    )
    return {"hotwords": patterns, "hotword_weights": weights}
