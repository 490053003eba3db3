"""Recordings as samples of one channel at the rate of a model, resampled with SoX's resampler."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit import _checks
from ctckit._warning import warn
from ctckit.acoustic_models.recordings import BLOCK_SECONDS, Channels, Recording, opened
from ctckit.errors import InvalidInputError

__all__ = ["BLOCK_SECONDS", "Samples", "blocks", "duration_seconds", "excerpt", "resampled"]

SILENT = 1e-4  # of the energy of the loudest channel
CANCELED = 1e-2  # of the mean energy of the channels, in their mean
Samples = npt.NDArray[np.float32]


def duration_seconds(path: Path) -> float:
    """Return the length of a recording, in seconds."""
    with opened(path) as file:
        return file.seconds


def form(path: Path) -> tuple[float, int, int]:
    """Return the length of a recording in seconds, its samples per second, and its channels."""
    with opened(path) as file:
        return file.seconds, file.rate, file.channels


def blocks(path: Path, rate: int, channel: int | None = None) -> Iterator[Samples]:
    """Yield a recording in pieces: (S,) float32 samples in −1..1 at this rate.

    Args:
        path: WAV, FLAC, OGG, MP3 and what else libsndfile reads; with the package av also MP4, M4A, AAC, WebM and
            what else FFmpeg reads. Of a video, its first sound track.
        rate: Samples per second.
        channel: The channel, counted from 1. None: the mean of the channels that are not silent; or the first of them,
            with a warning, if they cancel each other, as in a stereo recording with one side inverted.

    Raises:
        DataError: If the file cannot be read.
        InvalidInputError: If the recording does not have the channel.
        MissingDependencyError: If soundfile is not installed, or soxr and the recording has another rate, or av and
            libsndfile does not read the file.
    """
    chosen = _choice(path, channel)
    with opened(path) as file:
        mono = (piece[:, chosen].mean(axis=1, dtype=np.float32) for piece in file.pieces())
        yield from resampled(mono, file.rate, rate)


def _choice(path: Path, channel: int | None) -> list[int]:
    """Return the indices of the channels to use."""
    with opened(path) as file:
        if channel is not None:
            _expect_channel(path, file, channel)
            return [channel - 1]
        if file.channels == 1:
            return [0]
        return _heard(path, file.pieces(), file.channels)


def _expect_channel(path: Path, file: Recording, channel: int) -> None:
    if not 1 <= _checks.positive_integer(channel, "channel") <= file.channels:
        raise InvalidInputError(f"channel is {channel}, but {path} has {file.channels}; expected 1..{file.channels}.")


def _heard(path: Path, pieces: Iterable[Channels], channels: int) -> list[int]:
    """Return the channels that are not silent; only the first of them if they cancel each other."""
    products = np.zeros((channels, channels))
    for piece in pieces:
        products += piece.astype(np.float64).T @ piece
    energy = products.diagonal()
    heard = [k for k in range(channels) if energy[k] > SILENT * energy.max()]
    if not heard:
        return list(range(channels))
    mean_energy = products[np.ix_(heard, heard)].mean()  # that of the mean of these channels
    if mean_energy < CANCELED * energy[heard].mean():
        warn(
            f"{path}: channels {_names(heard)} cancel each other, so channel {heard[0] + 1} is used. Choose one with "
            "--channel (channel=)."
        )
        return heard[:1]
    return heard


def _names(channels: Sequence[int]) -> str:
    return " and ".join(str(k + 1) for k in channels)


class Resampler:
    """Brings samples to another rate, piece by piece.

    Args:
        rate: Samples per second of what comes.
        wanted: Samples per second of what goes.

    Raises:
        MissingDependencyError: If the rates differ and soxr is not installed.
    """

    def __init__(self, rate: int, wanted: int) -> None:
        self._stream: Any = None
        if rate == wanted:
            return
        try:
            import soxr
        except ModuleNotFoundError as error:
            raise _checks.missing(error, f"resampling from {rate} to {wanted} samples a second", "audio") from error
        self._stream = soxr.ResampleStream(rate, wanted, 1, dtype="float32")

    def push(self, samples: Samples, *, last: bool = False) -> Samples:
        """Return the samples that are ready; ``last``: nothing follows."""
        if self._stream is None:
            return samples
        found: Samples = self._stream.resample_chunk(samples, last=last)
        return found


def resampled(pieces: Iterable[Samples], rate: int, wanted: int) -> Iterator[Samples]:
    """Yield the samples at another rate."""
    resampler = Resampler(rate, wanted)
    for piece in pieces:
        yield resampler.push(piece)
    if rate != wanted:
        yield resampler.push(np.zeros(0, dtype=np.float32), last=True)


def excerpt(path: Path, start_seconds: float, end_seconds: float, channel: int | None = None) -> tuple[Samples, int]:
    """Return the samples between two times at the recording's own rate, and that rate.

    Args:
        path: The recording.
        start_seconds: The time of the first sample.
        end_seconds: The time behind the last sample.
        channel: As in ``blocks``; with None, channels are chosen by this part of the recording.

    Example:
        Cut a word out::

            samples, rate = excerpt(Path("talk.wav"), word.start_seconds, word.end_seconds)
            soundfile.write("word.wav", samples, rate)
    """
    with opened(path) as file:
        if channel is not None:
            _expect_channel(path, file, channel)
        first = max(0, round(start_seconds * file.rate))
        count = max(0, round(end_seconds * file.rate) - first)
        found = [np.zeros((0, file.channels), np.float32)]
        for piece in file.pieces(first) if count else ():
            found.append(piece[:count])
            count -= len(found[-1])
            if not count:
                break
        samples = np.concatenate(found)
        chosen = _heard(path, [samples], file.channels) if channel is None else [channel - 1]
        return samples[:, chosen].mean(axis=1, dtype=np.float32), file.rate
