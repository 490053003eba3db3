"""Compute the posteriors that the live lattice offers, src/ctckit/viz/live/posteriors.npz.

    pip install --no-deps hama==1.7.0          # phonemes from a waveform; Apache-2.0
    python docs/_figures/live_posteriors.py cards/003.wav

The file holds posteriors of three inputs. Two are handwritten strings, composed from real digits and read by the
recognizer of ``ctckit demo``: one at many steps of the training, and one that the trained recognizer reads wrongly. The
third is the word "seven" from a recording in Debian's package pocketsphinx-testdata (Carnegie Mellon University;
BSD-2): the posteriors of hama's phoneme recognizer, and the outline of the waveform. The training takes a few minutes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from ctckit.ocr.data.synthetic import CHARSET, DigitBatches, held_out_strings, load_digit_slice
from ctckit.ocr.networks.crnn import CRNN, CRNNConfig
from ctckit.ocr.training.evaluation import compute_log_probs
from ctckit.ocr.training.loop import TrainingConfig, train
from ctckit.ocr.training.progress import TrainingProgress
from ctckit.ocr.training.record import TrainingRecord
from ctckit.vocabulary import Vocabulary

OUT = Path(__file__).parents[2] / "src" / "ctckit" / "viz" / "live" / "posteriors.npz"
READ, MISREAD = "35200", "3480"  # the first of the held-out strings with these texts
STEPS = [*range(0, 260, 10), 280, 300, 350, 400, 500, 600, 800, 1000, 1200, 1400, 1600]
SEVEN = slice(4, 30)  # its frames of 20 ms in the recording "seven of clubs"
PIECES_PER_FRAME = 8
KEPT = 0.02  # a phoneme whose probability stays below this in every frame goes into the class "…"

Arrays = dict[str, np.ndarray]


class Watch(TrainingProgress):
    """Records the log-probabilities of some lines every ten steps of a training."""

    def __init__(self, model: CRNN, images: list[np.ndarray]) -> None:
        super().__init__()
        self._model, self._images = model, images
        self.seen: dict[int, list[np.ndarray]] = {}
        self.look(0)

    def look(self, step: int) -> None:
        """Compute and keep the lines' log-probabilities at this step."""
        self.seen[step] = [each.numpy() for each in compute_log_probs(self._model, self._images)]

    def show(self, step: int, record: TrainingRecord) -> None:
        """Report a step; ``train`` calls this."""
        super().show(step, record)
        self.look(step)


def digits() -> Arrays:
    """Return the posteriors of the handwritten strings; the training is that of ``ctckit demo``."""
    vocabulary = Vocabulary.from_characters(CHARSET)
    held_out = held_out_strings()
    images = [next(line.image for line in held_out if line.text == text) for text in (READ, MISREAD)]
    torch.manual_seed(0)
    model = CRNN(CRNNConfig(num_classes=len(vocabulary)))
    source = DigitBatches(load_digit_slice("train+validation"), vocabulary, batch_size=64, seed=0)
    watch = Watch(model, images)
    config = TrainingConfig(steps=STEPS[-1], learning_rate=3e-3, weight_decay=0.05, seed=0)
    train(model, source, vocabulary, config=config, progress=watch)
    return {
        "read": np.stack([watch.seen[step][0] for step in STEPS]).astype(np.float16),
        "read_steps": np.array(STEPS),
        "read_image": images[0],
        "misread": watch.seen[STEPS[-1]][1].astype(np.float16),
        "misread_image": images[1],
    }


def word(recording: Path) -> Arrays:
    """Return the posteriors of the spoken word.

    All phonemes that stay unlikely are summed into one class; every other probability keeps its value.
    """
    from hama.asr import ASRModel, read_wav_mono

    model = ASRModel()
    wave, rate = read_wav_mono(recording)
    feeds = {"waveform": wave.reshape(1, -1).astype(np.float32), "waveform_lengths": np.array([len(wave)])}
    (log_probs,) = model.session.run(["log_probs"], feeds)
    probs = np.exp(log_probs[0, SEVEN].astype(np.float64))
    probs /= probs.sum(axis=1, keepdims=True)
    likely = [c for c in np.flatnonzero(probs.max(axis=0) >= KEPT) if c != model.blank_id]
    kept = probs[:, [model.blank_id, *likely]]
    rest = np.maximum(1 - kept.sum(axis=1, keepdims=True), 1e-6)
    frame = rate // 50
    piece = wave[SEVEN.start * frame : SEVEN.stop * frame].reshape(-1, frame // PIECES_PER_FRAME)
    outline = np.stack([piece.min(axis=1), piece.max(axis=1)], axis=1) / np.abs(piece).max()
    return {
        "word": np.log(np.concatenate([kept, rest], axis=1)).astype(np.float16),
        "word_names": np.array(["", *(model.decoder_tokens[c] for c in likely), "…"]),
        "word_wave": np.round(127 * outline).astype(np.int8),
    }


def main() -> None:
    """Write posteriors.npz."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recording", type=Path, help="003.wav of pocketsphinx-testdata")
    arguments = parser.parse_args()
    np.savez_compressed(OUT, **digits(), **word(arguments.recording))


if __name__ == "__main__":
    main()
