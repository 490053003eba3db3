"""Language models in the search: which models a decoder has, and the entries that they are asked for.

A decoder has at most one model of words and one of characters or tokens. During the search, it adds their weighted
log-probabilities to the score of a text (shallow fusion).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit import _checks
from ctckit._unicode import TextIndex
from ctckit.decoding.lexicon import Lexicon
from ctckit.decoding.settings import MAX_WEIGHT
from ctckit.errors import InvalidInputError
from ctckit.kernels.search.plan import Model, Ragged
from ctckit.language_models.base import SPACE, UNITS, LanguageModelLike
from ctckit.language_models.ngram import NGramModel
from ctckit.language_models.numbered import NumberedModel
from ctckit.vocabulary import Vocabulary

METHODS = ("begin", "score", "end")


@dataclass(frozen=True, eq=False)
class FusionModels:
    """The language models of a decoder.

    Attributes:
        given: In the order in which the user gave them; their weights have the same order.
    """

    given: tuple[LanguageModelLike, ...]

    def __deepcopy__(self, memo: Any) -> FusionModels:
        return self  # models never change

    @property
    def word_lm(self) -> LanguageModelLike | None:
        """The model of words."""
        return next((model for model in self.given if model.unit == "word"), None)

    @property
    def token_lm(self) -> LanguageModelLike | None:
        """The model of characters or tokens."""
        return next((model for model in self.given if model.unit != "word"), None)

    def weights(self, lm_weight: Any) -> dict[str, float]:
        """Return the two weights of a ``SearchPlan``: for one number it is that of all models.

        Raises:
            InvalidInputError: If a weight is not in 0..60, or there is not one for each model.
        """
        several = isinstance(lm_weight, (Sequence, np.ndarray))
        if several and len(lm_weight) != len(self.given):
            raise InvalidInputError(
                f"lm_weight has {len(lm_weight)} entries for {len(self.given)} language models; expected one for each."
            )
        found = {"word_lm_weight": 0.0, "token_lm_weight": 0.0}
        for n, model in enumerate(self.given):
            name, value = (f"lm_weight[{n}]", lm_weight[n]) if several else ("lm_weight", lm_weight)
            kind = "word_lm_weight" if model.unit == "word" else "token_lm_weight"
            found[kind] = _checks.number(value, name, 0.0, MAX_WEIGHT)
        if not self.given:
            _checks.number(lm_weight, "lm_weight", 0.0, MAX_WEIGHT)
        return found


def fusion_models(given: Any) -> FusionModels:
    """Return the language models that a user gives: none, one, or one of each kind.

    Raises:
        InvalidInputError: If one lacks a method or the unit of a language model, or two are of the same kind.
    """
    models = () if given is None else given
    alone = not isinstance(models, Iterable) or isinstance(models, str) or len(_missing(given)) < len(METHODS)
    models = (given,) if alone else tuple(models)
    for n, model in enumerate(models):
        _expect_model(model, "language_model" if alone else f"language_model[{n}]")
    kinds = ["word" if model.unit == "word" else "token" for model in models]
    if len(set(kinds)) < len(kinds):
        units = ", ".join(f'"{model.unit}"' for model in models)
        raise InvalidInputError(
            f"language_model has models of {units}; expected at most one of words and one of characters or tokens."
        )
    return FusionModels(models)


def _missing(model: Any) -> list[str]:
    """Return the methods that an object lacks to be a language model."""
    return [name for name in METHODS if not callable(getattr(model, name, None))]


def _expect_model(model: Any, name: str) -> None:
    missing = _missing(model)
    if isinstance(model, type) or len(missing) == len(METHODS):
        raise InvalidInputError(
            f"{name} is {model!r}; expected a language model. Load one: NGramModel.load(path), or make an object with "
            "the methods of ctckit.language_models.LanguageModel."
        )
    if missing:
        raise InvalidInputError(
            f"{name} is a {type(model).__name__} without {' and '.join(missing)}; expected the methods "
            f"{', '.join(METHODS)}, as in ctckit.language_models.LanguageModel."
        )
    unit = getattr(model, "unit", None)
    if unit not in UNITS:
        raise InvalidInputError(
            f"{name} is a {type(model).__name__} with unit = {unit!r}; expected what its entries are: "
            f"{', '.join(map(repr, UNITS))}."
        )


def numbered(model: LanguageModelLike) -> Model:
    """Return the model as the search asks it: an ``NGramModel`` in the C++ core, any other one in Python."""
    if isinstance(model, NGramModel) and all(
        getattr(type(model), name) is getattr(NGramModel, name) for name in METHODS
    ):
        return model.native
    return NumberedModel(model)


def token_lm_ids_of(model: LanguageModelLike, native: Model, vocabulary: Vocabulary) -> tuple[Ragged, int]:
    """Return the entries that a model of characters or tokens is asked for, for each class.

    Args:
        model: The model.
        native: The same, ``numbered``.
        vocabulary: The tokens.

    Returns:
        The entries as numbers; and the number of the entry for the boundary between words, −1 if there is none.

    Raises:
        InvalidInputError: If the model knows no token, or has no entry for the boundary between words.
    """
    if model.unit == "token":
        ids, space = _ids_of_tokens(native, vocabulary), -1
    else:
        ids, space = _ids_of_characters(native, getattr(model, "space", SPACE), vocabulary)
    unknown = native.unknown
    if all(each in (unknown, space) for one in ids for each in one):
        example = next((token for token in vocabulary.tokens if token), "")
        raise InvalidInputError(
            f"language_model knows no token of the vocabulary ({example!r}, for one). Is it of another language, in "
            f'capitals, or of another unit than "{model.unit}"?'
        )
    return Ragged.of(ids), space


def _ids_of_tokens(native: Model, vocabulary: Vocabulary) -> list[list[int]]:
    spoken = (token and token not in vocabulary.silent for token in vocabulary.tokens)
    pairs = zip(vocabulary.tokens, spoken, strict=True)
    return [[native.find(token)] if each else [] for token, each in pairs]


def _ids_of_characters(native: Model, written_space: str, vocabulary: Vocabulary) -> tuple[list[list[int]], int]:
    """Return the entries of the characters of each token.

    Where the model writes the space as another character, that character itself counts as unknown; so does a character
    whose bytes are several tokens.
    """
    unknown = native.unknown
    space = native.find(written_space)
    if vocabulary.has_words and space == unknown:
        raise InvalidInputError(
            f"language_model has no entry {written_space!r} for the boundary between words. Train it on texts with "
            'spaces, or use a vocabulary without marks of words. If it has another entry for the space, such as "_" or '
            '"▁", name it: NGramModel.load(path, space="_").'
        )

    def find(character: str) -> int:
        if character == " ":
            return space
        return unknown if character == written_space else native.find(character)

    ids = []
    for first, *others in vocabulary.word_parts:
        entries = [find(character) for character in _characters(first)]
        for part in others:
            entries += [space, *(find(character) for character in _characters(part))]
        ids.append(entries)
    return ids, space if vocabulary.has_words else -1


def _characters(part: str) -> str:
    """Return a part of a token with U+FFFD for the first byte of a character whose bytes are several tokens."""
    return re.sub("[\udcc0-\udcff]", "\ufffd", re.sub("[\udc80-\udcbf]", "", part))


def word_lm_ids_of(model: LanguageModelLike | None, native: Model | None, lexicon: Lexicon) -> npt.NDArray[np.int32]:
    """Return the (W,) entries of the lexicon's words in a model of words, ``numbered``; −1 without a model."""
    if isinstance(native, NumberedModel):
        return np.array(native.find_words(lexicon.words), dtype=np.int32)
    if native is None or not isinstance(model, NGramModel):
        return np.full(len(lexicon.words), -1, dtype=np.int32)
    entries = TextIndex(partial(_word_id, native), model if model.has_names else ())
    ids = (entries.find(word) for word in lexicon.words)
    return np.array([native.unknown if each is None else each for each in ids], dtype=np.int32)


def _word_id(native: Model, word: str) -> int | None:
    """Return the entry of a word; None if there is none."""
    found = native.find(word)
    return None if found == native.unknown else found
