"""Drop-in replacement for pyctcdecode: change the import line; code, files and results keep their form.

::

    from ctckit.compat.pyctcdecode import build_ctcdecoder

    decoder = build_ctcdecoder(labels, "words.arpa")
    text = decoder.decode(logits)

Defects of the original are corrected; docs/guides/moving_from_other_decoders.md names each difference.
``build_ctcdecoder(…, strict=True)`` searches like the original and returns the same texts and scores.

``install()`` serves libraries that import pyctcdecode by themselves, such as transformers.
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
