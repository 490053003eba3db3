"""A recorded sentence of 2.8 seconds, and what the phoneme recognizer of the package ``hama`` said of it.

``LICENSE`` has the origin and the license of the two files.
"""

from __future__ import annotations

import io
import wave
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from ctckit.acoustic_models.chunked import Emissions
from ctckit.vocabulary import Vocabulary

_FRAME_SECONDS = 0.02


@dataclass(frozen=True, eq=False)
class ExampleRecording:
    """A recording with its text and the log-probabilities of a network.

    Attributes:
        samples: (samples,) float32, −1 to 1.
        rate: Samples in a second.
        text: What is said.
        emissions: The log-probabilities of sounds, in frames of 20 ms.

    Example:
        >>> from ctckit.acoustic_models import example_recording
        >>> example = example_recording()
        >>> f"{len(example.samples) / example.rate:.1f} s: {example.text}"
        '2.8 s: Go forward ten meters.'
    """

    samples: npt.NDArray[np.float32]
    rate: int
    text: str
    emissions: Emissions


def example_recording() -> ExampleRecording:
    """Return a recorded sentence that is in the package: to try alignment and decoding without a model.

    The sounds are those of the International Phonetic Alphabet, ``<wb>`` stands between words, and "" is the blank.

    >>> from ctckit import greedy_decode
    >>> from ctckit.acoustic_models import example_recording
    >>> example = example_recording()
    >>> example.text, example.rate, len(example.samples), example.emissions.log_probs.shape
    ('Go forward ten meters.', 16000, 44580, (140, 191))
    >>> sounds = example.emissions.vocabulary
    >>> greedy_decode(example.emissions.log_probs, vocabulary=sounds)[0].text
    'ɡo fɔɹwɝ tɛn mitɝz'
    """
    folder = files(__name__)
    with wave.open(io.BytesIO(folder.joinpath("go_forward.wav").read_bytes())) as file:
        rate = file.getframerate()
        samples = (np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768).astype(np.float32)
    with np.load(io.BytesIO(folder.joinpath("go_forward.npz").read_bytes())) as arrays:
        log_probs, labels = arrays["log_probs"].astype(np.float64), arrays["labels"].tolist()
    log_probs -= np.logaddexp.reduce(log_probs, axis=1, keepdims=True)  # float16 is a little off
    sounds = Vocabulary(tuple(labels), labels.index(""), separator="<wb>")
    emissions = Emissions(log_probs.astype(np.float32), sounds, _FRAME_SECONDS, len(samples) / rate)
    return ExampleRecording(samples, rate, "Go forward ten meters.", emissions)
