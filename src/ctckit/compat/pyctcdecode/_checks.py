"""Checks of calls and folders, and their messages. They run before anything is decoded or written."""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit import _checks
from ctckit.compat.pyctcdecode._own_model import OwnModel
from ctckit.errors import DataError, InvalidInputError, MissingFileError

ORIGINAL_SUFFIXES = (".arpa", ".bin", ".binary")  # of the models that the original reads
MODEL_SUFFIXES = (*ORIGINAL_SUFFIXES, ".ctclm")


def labels(values: Sequence[str], is_bpe: bool) -> None:
    """Each label occurs once; pieces have no spaces."""
    first: dict[str, int] = {}
    for position, label in enumerate(values):
        if label in first:
            raise InvalidInputError(f"labels[{position}] is {label!r}, the same as labels[{first[label]}].")
        first[label] = position
        if is_bpe and " " in label:
            raise InvalidInputError(
                f"labels[{position}] is {label!r}: expected no space in an alphabet of pieces, where '▁' begins a word."
            )


def scores(values: Any, count: int) -> npt.NDArray[Any]:
    """Return (T, C) floating-point scores, finite or −∞, one column for each label. Whole numbers are accepted."""
    array = _checks.as_array(values, "logits")
    if array.dtype.kind in "iu":
        array = array.astype(np.float64)
    array = _checks.floats(array, "logits", "(T, C)")
    if array.shape[1] != count:
        raise InvalidInputError(
            f"logits has shape {array.shape} but the alphabet has {count} labels, the blank included; expected "
            f"(T, {count}). If the labels have no blank, one is appended at the end."
        )
    _checks.expect_scores(array, "logits")
    for t in np.flatnonzero(np.isneginf(array).all(axis=1))[:1]:
        raise InvalidInputError(f"logits[{t}] is −∞ in every class; expected a finite number in at least one.")
    return array


def strings(values: Any, name: str) -> list[str]:
    """Return a list of strings. A single string is an error, because its letters would be the entries."""
    if isinstance(values, str):
        raise InvalidInputError(f"{name} is the string {values!r}; expected a list of strings. Pass [{values!r}].")
    found = list(values)
    for position, each in enumerate(found):
        if not isinstance(each, str):
            raise InvalidInputError(f"{name}[{position}] is {each!r}; expected a string.")
    return found


def beam(width: Any, prune: Any) -> None:
    """The beam keeps at least one entry."""
    _checks.positive_integer(width, "beam_width")
    if not prune <= 0:
        raise InvalidInputError(f"beam_prune_logp is {prune!r}; expected nats below the best entry, 0 or less.")


def parameter(value: Any, name: str, kind: type) -> Any:
    """Return a value of exactly one type."""
    if not isinstance(value, kind):
        raise InvalidInputError(f"{name} is {value!r}; expected a {kind.__name__}.")
    return value


def only_strict(what: str, why: str) -> InvalidInputError:
    """Return the error for what only the strict search can do."""
    return InvalidInputError(f"{what} needs strict=True: {why}")


def is_strict(strict: bool) -> None:
    """Decoding in parts is the strict search."""
    if not strict:
        raise only_strict("partial_decode_beams", "to decode bit by bit without it, use BeamDecoder(…).stream().")


def json_object(content: str, what: str, keys: Collection[str]) -> dict[str, Any]:
    """Return a JSON object with exactly these keys."""
    try:
        found = json.loads(content)
    except json.JSONDecodeError as error:
        raise DataError(f"{what} is not JSON: {error}.") from None
    names = sorted(found) if isinstance(found, dict) else type(found).__name__
    if names != sorted(keys):
        raise DataError(f"{what} holds {names}; expected an object with the keys {sorted(keys)}.")
    return dict(found)


def folder(path: str | os.PathLike[str], expected: str) -> list[str]:
    """Return the names in a folder, without hidden ones."""
    try:
        names = os.listdir(path)
    except OSError as error:
        kind = MissingFileError if isinstance(error, FileNotFoundError) else DataError
        raise kind(f"{os.fspath(path)} cannot be read: {error.strerror}; expected a folder with {expected}.") from None
    return sorted(name for name in names if not name.startswith((".", "__")))


def incomplete(path: str | os.PathLike[str], names: Sequence[str], expected: str) -> DataError:
    """Return the error for a folder with other files than expected."""
    return DataError(f"{os.fspath(path)} holds {list(names)}; expected {expected}.")


def exists(path: str | os.PathLike[str]) -> DataError:
    """Return the error for a folder that would be overwritten."""
    return DataError(f"{os.fspath(path)} holds files already; expected no such folder. Save to another, or empty it.")


def no_unigrams(path: str | os.PathLike[str]) -> DataError:
    """Return the error for an ARPA file without words."""
    return DataError(
        f"{os.fspath(path)} has no unigram with a back-off weight; expected an ARPA file of order 2 or more."
    )


def several(models: Sequence[Any]) -> list[Any]:
    """Return two or more models as a list."""
    if len(models) < 2:
        raise InvalidInputError(f"language_models has {len(models)} entries; expected two or more.")
    return list(models)


def state_maker(model: Any) -> Callable[[], Any]:
    """Return the class of a model's states, for models of ctckit and of the kenlm package."""
    methods = ("BaseScore", "BeginSentenceWrite", "NullContextWrite", "order", "__contains__")
    missing = [name for name in methods if not hasattr(model, name)]
    module = sys.modules.get(type(model).__module__)
    state: Callable[[], Any] | None = getattr(module, "State", None)
    if missing or state is None:
        raise InvalidInputError(
            f"kenlm_model is {model!r}; expected an NGramModel, a ctckit.compat.kenlm.Model, a kenlm.Model, or an "
            "object with the methods of ctckit.language_models.LanguageModel."
        )
    return state


def huggingface_hub() -> Any:
    """Return the package huggingface_hub."""
    try:
        return importlib.import_module("huggingface_hub")
    except ModuleNotFoundError:
        raise ImportError(
            "load_from_hf_hub needs huggingface_hub, which is not installed. Install it: pip install huggingface_hub"
        ) from None


def free(name: str, is_free: bool) -> None:
    """No other module has this name."""
    if not is_free:
        raise InvalidInputError(
            f"{name} is imported already, from {getattr(sys.modules[name], '__file__', 'somewhere else')}; expected no "
            f"such module. Call install() before anything imports it."
        )


def model_of_words(model: Any) -> Any:
    """Return a model that ``BeamDecoder`` can use: None, or a ``LanguageModel`` of whole sentences."""
    weights = [getattr(model, name, None) for name in ("alpha", "beta", "unk_score_offset", "score_boundary")]
    if model is None:
        return None
    if None in weights or not hasattr(model, "kenlm_model"):
        raise only_strict(
            f"A {type(model).__name__}",
            "ctckit's own search takes a LanguageModel here, or any object with begin, score and end "
            "(ctckit.language_models.LanguageModel).",
        )
    if not model.score_boundary:
        raise only_strict("lm_score_boundary=False", "ctckit's own search treats a text as a sentence.")
    if not (model.alpha >= 0 and model.unk_score_offset <= 0):
        raise only_strict(
            f"alpha={model.alpha}, unk_score_offset={model.unk_score_offset}",
            "ctckit's own search takes an alpha of 0 or more and an unk_score_offset of 0 or less.",
        )
    return model


def words_end(has_words: bool) -> None:
    """A model of words needs a vocabulary in which words end."""
    if not has_words:
        raise only_strict("A language model without ' ' or '▁' among the labels", "no word ever ends, all is one word.")


def no_start_state(state: Any) -> None:
    """``BeamDecoder`` starts at the beginning of a text."""
    if state is not None:
        raise only_strict("lm_start_state", "to decode bit by bit without it, use BeamDecoder(…).stream().")


def unigrams_for(path: str, unigrams: list[str] | None) -> list[str]:
    """Return the words for a binary file of KenLM without words."""
    if not unigrams:
        raise InvalidInputError(
            f"{path} does not hold its words (build_binary -v), and no unigrams are given; expected unigrams=[…], the "
            "words it was built from. Only strict=True works without them."
        )
    return unigrams


def words_for(words: Any, unigrams: Any) -> Any:
    """Return the words that a model of the user's own can be asked for: those that it lists, or else the unigrams."""
    found = unigrams if words is None else words
    if not found:
        raise InvalidInputError(
            "The language model lists no words (__iter__), and no unigrams are given; expected unigrams=[…]. Only "
            "strict=True works without them."
        )
    return found


def has_file(model: Any) -> None:
    """A model can be copied into a folder."""
    if isinstance(model, OwnModel):
        raise InvalidInputError(
            f"The language model is a {type(model.given).__name__}, which has no file to save. Pickle the decoder."
        )


def has_model(kept: bool) -> None:
    """The decoder's language model was not released."""
    if not kept:
        raise InvalidInputError("The decoder's language model is gone after cleanup(); build the decoder again.")
