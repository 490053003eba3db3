"""An acoustic model for tests that measures loudness: ten frames a second; loudness 0.1 is "a", 0.2 is "b", …"""

import os
import time

import numpy as np

from ctckit import Vocabulary
from ctckit.acoustic_models import AcousticModel
from tests.support import plugin_package

RATE, FRAME_SAMPLES = 1000, 100
LETTERS = " abcdefg"
VOCABULARY = Vocabulary.from_characters(LETTERS, separator=" ")
LOUDNESS = {"": 0.0, **{letter: 0.1 * n for n, letter in enumerate(LETTERS, 1)}}


def samples_of(text, gap=1, lead=0):
    """Two frames a letter and ``gap`` frames of silence behind each, ``lead`` frames of silence before all."""
    frames = [0.0] * lead
    for letter in text:
        frames += [LOUDNESS[letter]] * 2 + [0.0] * gap
    return np.repeat(frames, FRAME_SAMPLES).astype(np.float32)  # of no pitch: it survives a resampler


def log_probs(samples):
    whole = samples[: len(samples) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)
    loudness = np.abs(whole).mean(axis=1)
    distance = np.abs(loudness[:, None] - np.array(list(LOUDNESS.values()))) * 60
    return (-distance - np.log(np.exp(-distance).sum(axis=1, keepdims=True))).astype(np.float32)


def load(argument):
    """The model; ``argument`` is its lag."""
    return AcousticModel(VOCABULARY, RATE, FRAME_SAMPLES, log_probs, lag=float(argument) if argument else None)


def load_speller(argument):
    """A model whose words are spelled backwards, and that cannot spell what begins with ``argument``."""

    def spell(word):
        return None if argument and word.startswith(argument) else tuple(reversed(word))

    return AcousticModel(VOCABULARY, RATE, FRAME_SAMPLES, log_probs, spell)


calls = []  # what load_counted and its models did


def load_counted(argument):
    """A model that notes in ``calls`` when it is loaded and run. With ``STUCK`` set, its second run does not end."""
    calls.append("load")

    def counted(samples):
        if "STUCK" in os.environ and "listen" in calls:
            time.sleep(60)
        calls.append("listen")
        return log_probs(samples)

    return AcousticModel(VOCABULARY, RATE, FRAME_SAMPLES, counted)


def load_nonsense(argument):
    return argument


def install(folder, **entries):
    """Install a package with these acoustic models; ``folder`` has to be on the path."""
    plugin_package.install(folder, "tiny-acoustic-model", "ctckit.acoustic_models", **entries)
