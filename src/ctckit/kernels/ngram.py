"""N-gram models in the C++ core: the automaton, KenLM's files, own files, training. Models can be pickled."""

from __future__ import annotations

import copyreg
from collections.abc import Callable
from typing import Any

from ctckit._native import (
    FormatError,
    KenlmModel,
    LanguageModel,
    NGram,
    NGramTrainer,
    kenlm_from_file,
    ngram_from_arpa,
    ngram_from_bytes,
    ngram_from_file,
)
from ctckit.errors import ModelFormatError

__all__ = [
    "FormatError",
    "KenlmModel",
    "LanguageModel",
    "NGram",
    "NGramTrainer",
    "kenlm_from_file",
    "ngram_from_arpa",
    "ngram_from_bytes",
    "ngram_from_file",
]


def _reduce(model: NGram) -> tuple[Callable[[bytes], NGram], tuple[bytes]]:
    """Pickle a model as the content of its file."""
    return _restore, (model.header(model.note) + model.body().tobytes(),)


def _restore(content: bytes) -> NGram:
    try:
        return ngram_from_bytes(content)
    except FormatError as error:
        raise ModelFormatError(f"a pickled NGramModel: {error}") from None


def _reduce_mapped(model: KenlmModel) -> tuple[Any, ...]:
    """Pickle a model in KenLM's file as the path of the file, and what tells it from other files."""
    given = model.has_names and not model.file_has_words
    words = [word for word in map(model.word, range(len(model))) if word] if given else []
    return _restore_mapped, (model.path, words, model.fingerprint)


def _restore_mapped(path: str, words: list[str], fingerprint: int) -> KenlmModel:
    try:
        model = kenlm_from_file(path, words)
    except FormatError as error:
        raise ModelFormatError(
            f"a pickled NGramModel is the file {path}, which cannot be mapped here: {error} Pickles of KenLM's files "
            "hold only their path: keep the file there, or load the model in the process that uses it."
        ) from None
    if model.fingerprint != fingerprint:
        raise ModelFormatError(
            f"a pickled NGramModel is the file {path}, which has changed since: it holds another model now."
        )
    return model


copyreg.pickle(NGram, _reduce)
copyreg.pickle(KenlmModel, _reduce_mapped)
