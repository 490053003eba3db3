"""The n-gram model in the C++ core: its automaton, its files, its training."""

from __future__ import annotations

from ctckit._native import (
    FormatError,
    NGram,
    NGramTrainer,
    ngram_from_arpa,
    ngram_from_bytes,
    ngram_from_file,
)

__all__ = ["FormatError", "NGram", "NGramTrainer", "ngram_from_arpa", "ngram_from_bytes", "ngram_from_file"]
