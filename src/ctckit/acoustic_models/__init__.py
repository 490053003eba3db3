"""Acoustic models: audio in, log-probabilities out. Each is a plug-in.

::

    model.py           AcousticModel: audio in, log-probabilities out; load_model finds one by the name of its plug-in
    audio.py           recordings, at the sample rate of a model
    chunked.py         listen: a model over a recording of any length, in chunks that overlap
    hama.py            the plug-in for the package hama: phonemes
    huggingface.py     the plug-in for folders of Hugging Face's models for CTC

Nothing heavy is imported before a model is loaded.
"""

from __future__ import annotations

from ctckit.acoustic_models.chunked import Emissions, listen
from ctckit.acoustic_models.model import AcousticModel, load_model

__all__ = ["AcousticModel", "Emissions", "listen", "load_model"]
