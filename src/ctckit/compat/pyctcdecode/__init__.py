"""pyctcdecode's names on ctckit's search: change the import line, keep the code, the files and the tuples.

::

    from ctckit.compat.pyctcdecode import build_ctcdecoder

    decoder = build_ctcdecoder(labels, "words.arpa")
    text = decoder.decode(logits)

Where the original has a defect this does the right thing; docs/guides/moving_from_other_decoders.md names each
difference. ``build_ctcdecoder(…, strict=True)`` searches as the original does, for its texts and its scores.

``install()`` is for libraries that import pyctcdecode by themselves, such as transformers.
"""

from __future__ import annotations

from ctckit.compat.pyctcdecode._install import install, uninstall
from ctckit.compat.pyctcdecode.alphabet import Alphabet
from ctckit.compat.pyctcdecode.decoder import BeamSearchDecoderCTC, build_ctcdecoder
from ctckit.compat.pyctcdecode.language_model import (
    AbstractLanguageModel,
    HotwordScorer,
    LanguageModel,
    MultiLanguageModel,
)

__all__ = [
    "AbstractLanguageModel",
    "Alphabet",
    "BeamSearchDecoderCTC",
    "HotwordScorer",
    "LanguageModel",
    "MultiLanguageModel",
    "build_ctcdecoder",
    "install",
    "uninstall",
]
