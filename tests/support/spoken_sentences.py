"""Recordings made of recorded sentences: their posteriors, one after another, and where each sentence is."""

import json

import numpy as np

from ctckit import Vocabulary
from tests.support.paths import ROOT

FILE = np.load(ROOT / "tests" / "golden" / "spoken_sentences.npz")
ABOUT = json.loads(str(FILE["about"]))
VOCABULARY = Vocabulary(tuple(ABOUT["tokens"]), ABOUT["blank"], separator=ABOUT["separator"])
FRAME_SECONDS = ABOUT["frame_seconds"]
SPELLINGS = ABOUT["spellings"]
OTHERS = ("speech", "music", "noise", "silence")
SENTENCES = tuple(name for name in FILE.files if name not in ("about", *OTHERS))


def joined(pieces):
    """Return the log-probabilities of pieces, and the frames of each."""
    log_probs = [-FILE[name].astype(np.float32) / 16 for name in pieces]
    ends = np.cumsum([len(each) for each in log_probs])
    return np.concatenate(log_probs), list(zip(ends - [len(each) for each in log_probs], ends, strict=True))


def write_dictionary(path):
    """Write the pronunciations of the words of the sentences."""
    lines = [f"{word} {' '.join(sounds)}\n" for word, sounds in SPELLINGS.items()]
    path.write_text("".join(lines), encoding="utf-8")
