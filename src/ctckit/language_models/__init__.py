"""Language models: what they are (``base``), n-gram models (``ngram``), the files they are read from (``files``)."""

from __future__ import annotations

from ctckit.language_models.ngram import Discounts, NGramModel

__all__ = ["Discounts", "NGramModel"]
