"""From a recording to frames of log-probabilities: acoustic models as plug-ins.

::

    model.py           AcousticModel: what a front end gives; load_model finds it by the name of its plug-in
    audio.py           recordings, at the rate that a model wants
    listening.py       listen: a model over a recording of any length, in chunks that overlap
    pronunciation.py   dictionaries in the manner of CMU's, in the symbols of a model
    hama.py            the plug-in for the package hama: phonemes
    huggingface.py     the plug-in for folders of Hugging Face's models for CTC

Nothing heavy is imported before a model is loaded.
"""

from __future__ import annotations

from ctckit.acoustic_models.chunked import Emissions, listen
from ctckit.acoustic_models.model import AcousticModel, load_model
from ctckit.alignment.pronunciation import PronouncingDictionary

__all__ = ["AcousticModel", "Emissions", "PronouncingDictionary", "listen", "load_model"]
