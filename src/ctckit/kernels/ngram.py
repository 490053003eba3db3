"""N-gram models in the C++ core: two layouts, KenLM's files, own files, training. Models can be pickled."""

from __future__ import annotations

import copyreg
from typing import Any

from ctckit._native import (
    CompactNGram,
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
    "CompactNGram",
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


def _reduce(model: NGram | CompactNGram) -> tuple[Any, ...]:
    """Pickle a model as its mapped file, or as the content of a file."""
    if model.path:
        return _restore_mapped, (model.path, None, model.fingerprint)
    return _restore, (model.header(model.note) + model.body().tobytes(),)


def _restore(content: bytes) -> NGram | CompactNGram:
    try:
        return ngram_from_bytes(content)
    except FormatError as error:
        raise ModelFormatError(f"a pickled NGramModel: {error}") from None


def _reduce_kenlm(model: KenlmModel) -> tuple[Any, ...]:
    """Pickle a model in KenLM's file as its mapped file, with the words that were given."""
    given = model.has_names and not model.file_has_words
    words = [word for word in map(model.word, range(len(model))) if word] if given else []
    return _restore_mapped, (model.path, words, model.fingerprint)


def _restore_mapped(path: str, words: list[str] | None, fingerprint: int) -> LanguageModel:
    """Map a file of ctckit's own format (words: None) or of KenLM's; the fingerprint tells it from other files."""
    model: NGram | CompactNGram | KenlmModel
    try:
        model = ngram_from_file(path) if words is None else kenlm_from_file(path, words)
    except FormatError as error:
        raise ModelFormatError(
            f"a pickled NGramModel is the file {path}, which cannot be mapped here: {error} Pickles of mapped models "
            "hold only the path of their file: keep the file there, or load the model in the process that uses it."
        ) from None
    if model.fingerprint != fingerprint:
        raise ModelFormatError(
            f"a pickled NGramModel is the file {path}, which has changed since: it holds another model now."
        )
    return model


copyreg.pickle(NGram, _reduce)
copyreg.pickle(CompactNGram, _reduce)
copyreg.pickle(KenlmModel, _reduce_kenlm)
