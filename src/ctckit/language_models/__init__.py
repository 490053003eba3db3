"""Language models: the interface (``base``), n-gram models (``ngram``), and their files (``files``).

``numbered`` makes any model one of numbers, as the search asks it.
"""

from __future__ import annotations

from ctckit.language_models.base import LanguageModel, LanguageModelLike
from ctckit.language_models.ngram import Discounts, NGramModel

__all__ = ["Discounts", "LanguageModel", "LanguageModelLike", "NGramModel"]
