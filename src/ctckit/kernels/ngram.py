"""The n-gram model in the C++ core: its automaton, its files, its training. Models can be pickled."""

from __future__ import annotations

import copyreg
from collections.abc import Callable

from ctckit._native import (
    FormatError,
    NGram,
    NGramTrainer,
    ngram_from_arpa,
    ngram_from_bytes,
    ngram_from_file,
)
from ctckit.errors import ModelFormatError

__all__ = ["FormatError", "NGram", "NGramTrainer", "ngram_from_arpa", "ngram_from_bytes", "ngram_from_file"]


def _reduce(model: NGram) -> tuple[Callable[[bytes], NGram], tuple[bytes]]:
    """Pickle a model as the content of its file."""
    return _restore, (model.header(model.note) + model.body().tobytes(),)


def _restore(content: bytes) -> NGram:
    try:
        return ngram_from_bytes(content)
    except FormatError as error:
        raise ModelFormatError(f"a pickled NGramModel: {error}") from None


copyreg.pickle(NGram, _reduce)
