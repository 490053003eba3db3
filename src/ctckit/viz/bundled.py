"""The posteriors in the package, for the live lattice; ``docs/_figures/live_posteriors.py`` computed them."""

from __future__ import annotations

from importlib.resources import files

import numpy as np

from ctckit.viz.live_posterior import LivePosterior
from ctckit.vocabulary import Vocabulary

_DIGITS = Vocabulary.from_characters("0123456789")


def shipped_posteriors() -> dict[str, LivePosterior]:
    """By key: a reader's string at each step of its training, one that it misreads, and a recorded word."""
    with (files("ctckit.viz") / "live" / "posteriors.npz").open("rb") as file, np.load(file) as arrays:
        found = {name: arrays[name] for name in arrays.files}
    return {
        "digits": LivePosterior(
            "handwritten string, as its reader learns",
            found["read"],
            _DIGITS,
            "35200",
            "Composed of digits that the network never saw. Play the training: at first all classes are about equally "
            "likely, then it says nothing but blanks, then digits.",
            steps=found["read_steps"].tolist(),
            image=found["read_image"],
            credit="Handwritten digits: Alpaydın and Kaynak, UCI repository, through scikit-learn.",
        ),
        "misread": LivePosterior(
            "handwritten string, misread",
            found["misread"],
            _DIGITS,
            "3480",
            "The trained reader takes the first digit for a 5. What would the loss do about it? See the gradient.",
            image=found["misread_image"],
        ),
        "word": LivePosterior(
            "recorded word: “seven”",
            found["word"],
            Vocabulary(tuple(found["word_names"].tolist())),
            "s ɛ v ə n",
            "The network says a phoneme once it has heard it, in one or two frames of 20 ms. "
            "<wb> is a boundary of words, … all phonemes that are never likely.",
            wave=found["word_wave"] / 127,
            credit=(
                "Recording: pocketsphinx-testdata, Carnegie Mellon University, BSD-2. "
                "Phonemes: the recogniser of hama 1.7.0, Apache-2.0."
            ),
        ),
    }
