"""Write spoken_sentences.npz: posteriors of recorded sentences, and of music, noise, silence and other speech.

The recordings are those of Debian's package pocketsphinx-testdata (BSD-2-Clause), the acoustic model is that of the
package hama 1.7.0 (Apache-2.0). Of the model's 191 classes those are kept that a sentence needs, or that some frame
finds likely. A number n stands for the log-probability -n / 16.

    python tests/golden/make_spoken_sentences.py          # needs both packages, soundfile and soxr
"""

import json
from pathlib import Path

import numpy as np
import soundfile

from ctckit.acoustic_models import listen, load_model

DATA = Path("/usr/share/pocketsphinx/test/data")
RATE = 16000
LIKELY = 0.05  # the probability from which a class is kept


def transcribed(folder):
    """Yield the recordings of a folder with their texts."""
    [transcripts] = folder.glob("*transcription")
    for line in transcripts.read_text().splitlines():
        text, _, name = line.removeprefix("<s>").partition("</s>")
        yield text.strip(), soundfile.read(folder / f"{name.strip(' ()')}.wav", dtype="float32")[0]


def raw(name):
    return np.fromfile(DATA / f"{name}.raw", "<i2").astype(np.float32) / 2**15


def music(seconds):
    """Notes of half a second with three overtones."""
    at = np.arange(RATE // 2) / RATE
    pitches = (261.6, 329.6, 392.0, 523.3, 440.0, 349.2, 293.7, 196.0)[: round(2 * seconds)]
    tones = [sum(np.sin(2 * np.pi * f * k * at) / k for k in (1, 2, 3, 4)) * np.exp(-4 * at) for f in pitches]
    return 0.1 * np.concatenate(tones).astype(np.float32)


def main():
    model = load_model("hama")
    spoken = [
        *transcribed(DATA / "librivox"),
        *transcribed(DATA / "cards"),
        ("go forward ten meters", raw("goforward")),
    ]
    others = {
        "speech": raw("something"),
        "music": music(3),
        "noise": (0.1 * np.random.default_rng(0).standard_normal(2 * RATE)).astype(np.float32),
        "silence": np.zeros(RATE, np.float32),
    }
    pieces = {**dict(spoken), **others}
    emitted = {name: listen(samples, model, rate=RATE).log_probs for name, samples in pieces.items()}
    spellings = {word: model.spell(word) for text, _ in spoken for word in text.split()}
    tokens = model.vocabulary.tokens
    needed = {
        model.vocabulary.separator,
        tokens[model.vocabulary.blank],
        *(t for ways in spellings.values() for t in ways),
    }
    likely = np.max([frames.max(axis=0) for frames in emitted.values()], axis=0) > np.log(LIKELY)
    kept = [k for k, token in enumerate(tokens) if likely[k] or token in needed]
    about = {
        "tokens": [tokens[k] for k in kept],
        "blank": kept.index(model.vocabulary.blank),
        "separator": model.vocabulary.separator,
        "frame_seconds": model.frame_seconds,
        "spellings": spellings,
    }
    arrays = {
        name: np.clip(np.round(-16 * frames[:, kept]), 0, 255).astype(np.uint8) for name, frames in emitted.items()
    }
    np.savez_compressed(Path(__file__).with_name("spoken_sentences.npz"), about=np.array(json.dumps(about)), **arrays)


if __name__ == "__main__":
    main()
