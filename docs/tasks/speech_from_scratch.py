"""Train speech from scratch: recordings and texts go in, transcripts come out.

python speech_from_scratch.py [CORPUS [MINUTES]]

CORPUS has NAME.wav (or .flac, .ogg, .mp3) with its text in NAME.txt. Every tenth recording
is held out. MINUTES are of processor time. Without a corpus, the program espeak-ng speaks
300 strings of digits.
"""

import random
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

import ctckit
from ctckit.acoustic_models import AcousticModel, listen
from ctckit.acoustic_models.audio import blocks
from ctckit.diagnosis import TrainingWatch
from ctckit.ocr.comparing import ErrorRates, compare_lines
from ctckit.topology import frames_needed

RATE, HOP, WINDOW, MELS = (
    16_000,
    160,
    400,
    40,
)  # samples per second, per column, per window; bands
COLUMNS = 4  # columns of the spectrogram for each frame of the network: 40 ms


def speak_digits(folder: str, count: int = 300) -> None:
    """Write a corpus of spoken digits: three voices, slow and fast, high and low."""
    Path(folder).mkdir()
    rng = random.Random(0)
    words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    for n in range(count):
        text = " ".join(rng.choices(words, k=rng.randint(3, 6)))
        voice, speed, pitch = (
            rng.choice(["en-gb", "en-us", "en-gb-scotland"]),
            rng.randint(120, 200),
            rng.randint(20, 80),
        )
        options = [
            "-v",
            voice,
            "-s",
            str(speed),
            "-p",
            str(pitch),
            "-w",
            f"{folder}/{n:03}.wav",
        ]
        subprocess.run(["espeak-ng", *options, text], check=True)
        Path(f"{folder}/{n:03}.txt").write_text(text, encoding="utf-8")


def mel_filters() -> np.ndarray:
    """Return (257, MELS) triangles, evenly spaced on the mel scale."""
    edges = 700 * (
        10 ** (np.linspace(0, 2595 * np.log10(1 + 7600 / 700), MELS + 2) / 2595) - 1
    )
    hertz = np.linspace(0, RATE / 2, 257)[:, None]
    rising = (hertz - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - hertz) / (edges[2:] - edges[1:-1])
    return np.maximum(0, np.minimum(rising, falling)).astype(np.float32)


def spectrogram(samples: np.ndarray) -> torch.Tensor:
    """Return (columns, MELS) log-energies, each band with mean 0 and deviation 1."""
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(samples, (0, WINDOW)), WINDOW
    )[::HOP]
    energy = np.abs(np.fft.rfft(windows * np.hanning(WINDOW), 512)) ** 2 @ mel_filters()
    bands = np.log(energy + 1e-6)
    return torch.tensor(
        (bands - bands.mean(axis=0)) / (bands.std(axis=0) + 1e-3), dtype=torch.float32
    )


class Listener(nn.Module):
    """Convolutions, recurrent layers, a linear layer: (B, columns, MELS) to (B, T, C)."""

    def __init__(self, classes: int, width: int = 128) -> None:
        super().__init__()
        self.first = nn.Conv1d(MELS, width, 11, stride=COLUMNS, padding=5)
        self.second = nn.Conv1d(width, width, 5, padding=2)
        self.recurrent = nn.GRU(
            width, width, 2, batch_first=True, bidirectional=True, dropout=0.3
        )
        self.classes = nn.Linear(2 * width, classes)
        self.dropout = nn.Dropout(0.2)

    def forward(
        self, columns: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits and the frames of each item."""
        frames = (lengths - 1) // COLUMNS + 1
        features = nn.functional.gelu(self.first(columns.transpose(1, 2)))
        features = self.dropout(nn.functional.gelu(self.second(features))).transpose(1, 2)
        packed = pack_padded_sequence(
            features, frames, batch_first=True, enforce_sorted=False
        )
        features, _ = pad_packed_sequence(self.recurrent(packed)[0], batch_first=True)
        return self.classes(self.dropout(features)), frames


def masked(columns: torch.Tensor) -> torch.Tensor:
    """Return a spectrogram with random stretches and bands set to 0 (SpecAugment)."""
    columns = columns.clone()
    for axis, most in ((0, len(columns) // 8), (0, len(columns) // 8), (1, 8), (1, 8)):
        size = int(torch.randint(0, most + 1, ()))
        start = int(torch.randint(0, columns.shape[axis] - size + 1, ()))
        columns.narrow(axis, start, size).zero_()
    return columns


def batches(items: list, size: int = 8) -> list[list]:
    """Return items of about the same length together, in random order."""
    by_length = sorted(
        items, key=lambda item: len(item[0]) * (0.9 + 0.2 * float(torch.rand(())))
    )
    groups = [by_length[n : n + size] for n in range(0, len(by_length), size)]
    return [groups[n] for n in torch.randperm(len(groups))]


def acoustic_model(network: Listener, vocabulary: ctckit.Vocabulary) -> AcousticModel:
    """Return the network as the functions of ctckit for recordings take it."""
    network.eval()

    def log_probs(samples: np.ndarray) -> np.ndarray:
        columns = spectrogram(samples)[None]
        with torch.inference_mode():
            logits, _ = network(columns, torch.tensor([columns.shape[1]]))
        return logits[0].log_softmax(dim=1).numpy()

    return AcousticModel(vocabulary, RATE, COLUMNS * HOP, log_probs)


def main(corpus: str = "", minutes: str = "4") -> None:
    """Train for some minutes, then transcribe what was held out."""
    torch.manual_seed(0)
    if not corpus:
        corpus = "spoken-digits"
        speak_digits(corpus)
    # 1. Recordings and texts; the characters of the texts are the classes.
    sounds = sorted(
        p for p in Path(corpus).iterdir() if p.suffix in {".wav", ".flac", ".ogg", ".mp3"}
    )
    texts = [
        re.sub(
            r"[^\w ]|_|\d", " ", p.with_suffix(".txt").read_text(encoding="utf-8").lower()
        )
        for p in sounds
    ]
    texts = [" ".join(text.split()) for text in texts]
    vocabulary = ctckit.Vocabulary.from_characters(
        sorted({" ", *"".join(texts)}), separator=" "
    )
    heard = [spectrogram(np.concatenate(list(blocks(path, RATE)))) for path in sounds]
    items = list(zip(heard, map(vocabulary.encode, texts), texts, sounds, strict=True))
    # 2. Leave out texts that need more frames than their recordings have.
    items = [
        item for item in items if 0 < frames_needed(item[1]) <= len(item[0]) // COLUMNS
    ]
    held_out, learned = items[::10], [item for n, item in enumerate(items) if n % 10]
    hours = sum(len(columns) for columns, *_ in learned) * HOP / RATE / 3600
    print(
        f"{len(learned)} recordings, {hours:.2f} hours, {len(vocabulary)} classes", end="; "
    )
    print(f"{len(held_out)} held out")
    # 3. Train. The watch explains a loss that does not fall.
    network = Listener(len(vocabulary))
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.02)
    watch, start, passes, share = TrainingWatch(), time.process_time(), 0, 0.0
    while share < 1:
        network.train()
        losses = []
        for batch in batches(learned):
            share = (time.process_time() - start) / 60 / float(minutes)
            rate = 2e-3 * min(
                1, 20 * share + 0.01, max(0.0, 1.25 * (1 - share))
            )  # up, level, down to 0
            optimizer.param_groups[0]["lr"] = rate
            columns = pad_sequence([masked(each) for each, *_ in batch], batch_first=True)
            targets = pad_sequence(
                [torch.tensor(tokens) for _, tokens, *_ in batch], batch_first=True
            )
            target_lengths = torch.tensor([len(tokens) for _, tokens, *_ in batch])
            logits, frames = network(
                columns, torch.tensor([len(each) for each, *_ in batch])
            )
            loss = ctckit.ctc_loss(logits, targets, frames, target_lengths)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            watch(loss.item(), logits, targets, frames, target_lengths)
            losses.append(loss.item())
            if share >= 1:
                break
        passes += 1
        if passes % 10 == 1 or share >= 1:
            print(f"pass {passes}: loss {np.mean(losses):.3f}", flush=True)
    # 4. Transcribe what was held out, without and with a language model of the texts.
    model = acoustic_model(network, vocabulary)
    frames = [listen(path, model).log_probs for *_, path in held_out]
    truth = [text for _, _, text, _ in held_out]
    greedy = [
        vocabulary.decode(ctckit.greedy_decode(each[None])[0].tokens) for each in frames
    ]
    words = ctckit.NGramModel.train(
        [text for _, _, text, _ in learned], order=6, unit="char"
    )
    decoder = ctckit.BeamDecoder(
        vocabulary, language_model=words, lm_weight=0.5, beam_width=50
    )
    decoded = [best.text for [best] in decoder.decode(frames)]
    for name, found in (("best path", greedy), ("with a language model", decoded)):
        rates = ErrorRates.of(compare_lines(truth, truth, found))
        wrong = f"{rates.cer:.1%} of the characters and {rates.wer:.1%} of the words"
        print(f"{name}: {wrong} are wrong")
    for said, read in list(zip(truth, decoded, strict=True))[:3]:
        print(f"said: {said}\nread: {read}")
    torch.save(
        {"network": network.state_dict(), "characters": vocabulary.tokens[1:]},
        "listener.pt",
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
