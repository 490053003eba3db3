"""Language models: the interface (``base``), n-gram models (``ngram``), and their files (``files``)."""

from __future__ import annotations

from ctckit.language_models.base import LanguageModel
from ctckit.language_models.ngram import Discounts, NGramModel

__all__ = ["Discounts", "LanguageModel", "NGramModel"]
