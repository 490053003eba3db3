"""Recordings as samples, read with libsndfile and resampled with SoX's resampler."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit import _checks
from ctckit.errors import DataError, MissingFileError

BLOCK_SECONDS = 10
Samples = npt.NDArray[np.float32]


def duration_seconds(path: Path) -> float:
    """Return the length of a recording, in seconds."""
    with _opened(path) as file:
        return float(file.frames / file.samplerate)


def form(path: Path) -> tuple[float, int, int]:
    """Return the length of a recording in seconds, its samples per second, and its channels."""
    with _opened(path) as file:
        return float(file.frames / file.samplerate), int(file.samplerate), int(file.channels)


def blocks(path: Path, rate: int) -> Iterator[Samples]:
    """Yield a recording in pieces: (S,) float32 samples in −1..1 at this rate, the mean of its channels.

    Raises:
        DataError: If the file cannot be read.
        MissingDependencyError: If soundfile is not installed, or soxr and the recording has another rate.
    """
    with _opened(path) as file:
        yield from resampled(_mono(path, file), file.samplerate, rate)


def _mono(path: Path, file: Any) -> Iterator[Samples]:
    """Yield the mean of the channels of an open recording, in pieces."""
    pieces = file.blocks(BLOCK_SECONDS * file.samplerate, dtype="float32", always_2d=True)
    try:
        for piece in pieces:
            yield piece.mean(axis=1, dtype=np.float32)
    except RuntimeError as error:  # LibsndfileError is one
        raise DataError(f"{path}: it cannot be read to its end ({error}). Convert it again.") from None


def resampled(pieces: Iterable[Samples], rate: int, wanted: int) -> Iterator[Samples]:
    """Yield the samples at another rate."""
    if rate == wanted:
        yield from pieces
        return
    try:
        import soxr
    except ModuleNotFoundError as error:
        raise _checks.missing(error, f"resampling from {rate} to {wanted} samples a second", "audio") from error
    stream = soxr.ResampleStream(rate, wanted, 1, dtype="float32")
    for piece in pieces:
        yield stream.resample_chunk(piece)
    yield stream.resample_chunk(np.zeros(0, dtype=np.float32), last=True)


def excerpt(path: Path, start_seconds: float, end_seconds: float) -> tuple[Samples, int]:
    """Return the samples between two times at the recording's own rate, and that rate.

    Example:
        Cut a word out::

            samples, rate = excerpt(Path("talk.wav"), word.start_seconds, word.end_seconds)
            soundfile.write("word.wav", samples, rate)
    """
    with _opened(path) as file:
        rate = int(file.samplerate)
        first = min(max(0, round(start_seconds * rate)), file.frames)
        file.seek(first)
        samples = file.read(max(0, round(end_seconds * rate) - first), dtype="float32", always_2d=True)
        return samples.mean(axis=1, dtype=np.float32), rate


def _opened(path: Path) -> Any:
    try:
        import soundfile
    except ModuleNotFoundError as error:
        raise _checks.missing(error, "reading a recording", "audio") from error
    if not path.is_file():
        raise MissingFileError(f"{path}: there is no such file.")
    try:
        return soundfile.SoundFile(path)
    except soundfile.LibsndfileError as error:
        raise DataError(
            f"{path}: not a recording that libsndfile reads ({error.error_string}) Expected WAV, FLAC, OGG or MP3, for "
            "example; convert it."
        ) from None
