"""What is wrong with a call or a folder, in words. All of it is said before anything is decoded or written."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit import _checks
from ctckit.compat import kenlm
from ctckit.errors import DataError, InvalidInputError

MODEL_SUFFIXES = (".arpa", ".bin", ".binary")


def labels(values: Sequence[str], is_bpe: bool) -> None:
    """Each label once; pieces without spaces."""
    first: dict[str, int] = {}
    for position, label in enumerate(values):
        if label in first:
            raise InvalidInputError(f"labels[{position}] is {label!r}, the same as labels[{first[label]}].")
        first[label] = position
        if is_bpe and " " in label:
            raise InvalidInputError(
                f"labels[{position}] is {label!r}: a space in an alphabet of pieces, where '▁' begins a word."
            )


def scores(values: Any, count: int) -> npt.NDArray[Any]:
    """(T, C) finite floating-point numbers or −∞, one column for each label."""
    array = _checks.floats(_checks.as_array(values, "logits"), "logits", "(T, C)")
    if array.shape[1] != count:
        raise InvalidInputError(
            f"logits has shape {array.shape} but the alphabet has {count} labels, the blank included; expected "
            f"(T, {count}). Where labels have no blank, one is appended at the end."
        )
    _checks.expect_scores(array, "logits")
    for t in np.flatnonzero(np.isneginf(array).all(axis=1))[:1]:
        raise InvalidInputError(f"logits[{t}] is −∞ in every class; expected a finite number in at least one.")
    return array


def strings(values: Any, name: str) -> list[str]:
    """A list of strings, and not one string, whose letters would count as its entries."""
    if isinstance(values, str):
        raise InvalidInputError(f"{name} is the string {values!r}; expected a list of strings. Pass [{values!r}].")
    found = list(values)
    for position, each in enumerate(found):
        if not isinstance(each, str):
            raise InvalidInputError(f"{name}[{position}] is {each!r}; expected a string.")
    return found


def beam(width: Any, prune: Any) -> None:
    """Something has to be left in the beam."""
    _checks.positive_integer(width, "beam_width")
    if not prune <= 0:
        raise InvalidInputError(f"beam_prune_logp is {prune!r}; expected nats below the best entry, 0 or less.")


def parameter(value: Any, name: str, kind: type) -> Any:
    """A number, or a truth value, of exactly that type."""
    if not isinstance(value, kind):
        raise InvalidInputError(f"{name} is {value!r}; expected a {kind.__name__}.")
    return value


def only_strict(what: str, why: str) -> InvalidInputError:
    """The error for what only the original's own search can do."""
    return InvalidInputError(f"{what} needs strict=True: {why}")


def json_object(content: str, what: str, keys: Collection[str]) -> dict[str, Any]:
    """A JSON object with exactly those keys."""
    try:
        found = json.loads(content)
    except json.JSONDecodeError as error:
        raise DataError(f"{what} is not JSON: {error}.") from None
    names = sorted(found) if isinstance(found, dict) else type(found).__name__
    if names != sorted(keys):
        raise DataError(f"{what} holds {names}; expected an object with the keys {sorted(keys)}.")
    return dict(found)


def folder(path: str | os.PathLike[str], expected: str) -> list[str]:
    """The names in a folder, without hidden ones."""
    try:
        names = os.listdir(path)
    except OSError as error:
        raise DataError(
            f"{os.fspath(path)} cannot be read: {error.strerror}; expected a folder with {expected}."
        ) from None
    return sorted(name for name in names if not name.startswith((".", "__")))


def incomplete(path: str | os.PathLike[str], names: Sequence[str], expected: str) -> DataError:
    """The error for a folder that holds other files than it should."""
    return DataError(f"{os.fspath(path)} holds {list(names)}; expected {expected}.")


def exists(path: str | os.PathLike[str]) -> DataError:
    """The error for a folder that would be overwritten."""
    return DataError(f"{os.fspath(path)} holds files already; expected no such folder. Save to another, or empty it.")


def no_unigrams(path: str | os.PathLike[str]) -> DataError:
    """The error for an ARPA file without words."""
    return DataError(
        f"{os.fspath(path)} has no unigram with a back-off weight; expected an ARPA file of order 2 or more."
    )


def several(models: Sequence[Any]) -> list[Any]:
    """Two or more."""
    if len(models) < 2:
        raise InvalidInputError(f"language_models has {len(models)} entries; expected two or more.")
    return list(models)


def state_maker(model: Any) -> Callable[[], Any]:
    """The class of a model's states, for ctckit's models and for those of the kenlm package."""
    methods = ("BaseScore", "BeginSentenceWrite", "NullContextWrite", "order", "__contains__")
    missing = [name for name in methods if not hasattr(model, name)]
    module = sys.modules.get(type(model).__module__)
    state: Callable[[], Any] | None = getattr(module, "State", None)
    if missing or state is None:
        raise InvalidInputError(
            f"kenlm_model is {model!r}; expected an NGramModel, a ctckit.compat.kenlm.Model or a kenlm.Model."
        )
    return state


def kenlm_package(path: str | os.PathLike[str]) -> Any:
    """The kenlm package, to read its own binary files; ctckit's stand-in of that name does not count."""
    with contextlib.suppress(ModuleNotFoundError):
        package = importlib.import_module("kenlm")
        if package is not kenlm:
            return package
    raise DataError(
        f"{os.fspath(path)} is in KenLM's own binary format, which only the kenlm package reads. Install that, or give "
        "the ARPA file that it was made from."
    )


def huggingface_hub() -> Any:
    """The package huggingface_hub."""
    try:
        return importlib.import_module("huggingface_hub")
    except ModuleNotFoundError:
        raise ImportError(
            "load_from_hf_hub needs huggingface_hub, which is not installed. Install it: pip install huggingface_hub"
        ) from None


def free(name: str, is_free: bool) -> None:
    """A module's name that no other module has."""
    if not is_free:
        raise InvalidInputError(
            f"{name} is imported already, from {getattr(sys.modules[name], '__file__', 'somewhere else')}; expected no "
            f"such module. Call install() before anything imports it."
        )


def model_of_words(model: Any) -> Any:
    """None, or a ``LanguageModel`` whose texts are sentences: what ``BeamDecoder`` can work with."""
    weights = [getattr(model, name, None) for name in ("alpha", "beta", "unk_score_offset", "score_boundary")]
    if model is None:
        return None
    if None in weights or not hasattr(model, "kenlm_model"):
        raise only_strict(f"A {type(model).__name__}", "only a LanguageModel works with ctckit's own search.")
    if not model.score_boundary:
        raise only_strict("lm_score_boundary=False", "ctckit's own search takes a text for a sentence.")
    if not (model.alpha >= 0 and model.unk_score_offset <= 0):
        raise only_strict(
            f"alpha={model.alpha}, unk_score_offset={model.unk_score_offset}",
            "ctckit's own search takes an alpha of 0 or more and an unk_score_offset of 0 or less.",
        )
    return model


def words_end(has_words: bool) -> None:
    """A model of words is of use only where words end."""
    if not has_words:
        raise only_strict("A language model without ' ' or '▁' among the labels", "no word ever ends, all is one word.")


def no_start_state(state: Any) -> None:
    """``BeamDecoder`` begins where a text begins."""
    if state is not None:
        raise only_strict("lm_start_state", "to decode bit by bit without it, use BeamDecoder(…).stream().")


def arpa_of(model: Any) -> str:
    """The file that a model of the kenlm package was read from."""
    path = os.fsdecode(model.path)
    with open(path, "rb") as file:
        binary = file.read(8) == b"mmap lm "
    if binary:
        raise only_strict(
            f"{path} in KenLM's own binary format",
            "ctckit's own search reads ARPA files; give the one it was made from.",
        )
    return path


def has_model(kept: bool) -> None:
    """The decoder's language model has not been let go."""
    if not kept:
        raise InvalidInputError("The decoder's language model is gone after cleanup(); build the decoder again.")
