"""Acoustic models: audio in, log-probabilities out. Each is a plug-in.

::

    model.py           AcousticModel; load_model finds one by the name of its plug-in
    audio.py           recordings as samples of one channel, at the sample rate of a model
    recordings.py      opens recordings: libsndfile, or FFmpeg's libraries
    chunked.py         listen, listen_in_chunks, Listener: run a model on audio of any length, in chunks that overlap
    saved.py           save_emissions, load_emissions: the output of a model in a file
    times.py           time_settings: the lag, and the quiet parts between sounds
    calibration.py     measure_lag: how late a model is, from recordings with labeled borders; with labels.py
    example/           example_recording: a sentence in the package, with the output of a model
    hama.py            the plug-in for the package hama: phonemes
    huggingface.py     the plug-in for folders of Hugging Face models for CTC

The packages that a model needs are imported when it is loaded.
"""

from __future__ import annotations

from ctckit.acoustic_models.calibration import MeasuredLag, measure_lag
from ctckit.acoustic_models.chunked import Chunk, Emissions, Listener, listen, listen_in_chunks
from ctckit.acoustic_models.example import ExampleRecording, example_recording
from ctckit.acoustic_models.model import AcousticModel, load_model

__all__ = [
    "AcousticModel",
    "Chunk",
    "Emissions",
    "ExampleRecording",
    "Listener",
    "MeasuredLag",
    "example_recording",
    "listen",
    "listen_in_chunks",
    "load_model",
    "measure_lag",
]
