"""Runs a model on a recording of any length, in chunks that overlap; the memory for samples and network is bounded."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ctckit import _checks
from ctckit.acoustic_models import audio
from ctckit.acoustic_models.audio import Samples
from ctckit.acoustic_models.model import AcousticModel
from ctckit.errors import DataError, InvalidInputError
from ctckit.vocabulary import Vocabulary

CHUNK_SECONDS = 30.0
CONTEXT_SECONDS = 5.0
Window = tuple[Samples, int, int | None, int]  # an input of the network, see _windows
SLACK = 4  # a network may return this many frames less than the samples have


@dataclass(frozen=True, eq=False)
class Emissions:
    """The log-probabilities of a model for a recording.

    Attributes:
        log_probs: (T, C) float32, natural logarithms.
        vocabulary: The C classes.
        frame_seconds: Length of a frame, in seconds.
        duration_seconds: Length of the recording, in seconds.

    Example:
        >>> from ctckit.acoustic_models import example_recording
        >>> emissions = example_recording().emissions
        >>> emissions.log_probs.shape, len(emissions.vocabulary), emissions.frame_seconds
        ((140, 191), 191, 0.02)
        >>> round(emissions.duration_seconds, 2)
        2.79
    """

    log_probs: npt.NDArray[np.float32]
    vocabulary: Vocabulary
    frame_seconds: float
    duration_seconds: float


@dataclass(frozen=True, eq=False)
class Chunk:
    """The log-probabilities of the next part of a recording.

    Attributes:
        log_probs: (T, C) float32, natural logarithms.
        end_seconds: The end of this part in the recording, in seconds.

    Example:
        >>> from ctckit.acoustic_models import Chunk
        >>> import numpy as np
        >>> Chunk(np.zeros((50, 3), np.float32), end_seconds=1.0).log_probs.shape
        (50, 3)
    """

    log_probs: npt.NDArray[np.float32]
    end_seconds: float


def listen(
    recording: str | os.PathLike[str] | npt.NDArray[np.floating],
    model: AcousticModel,
    *,
    rate: int | None = None,
    channel: int | None = None,
    chunk_seconds: float = CHUNK_SECONDS,
    context_seconds: float = CONTEXT_SECONDS,
    batch_size: int = 1,
    progress: Callable[[float], None] | None = None,
) -> Emissions:
    """Return the log-probabilities of a model for a recording.

    A recording longer than ``chunk_seconds + context_seconds`` is computed in chunks. The input of the network is a
    chunk with its context, up to ``context_seconds`` on either side; the frames of the context are dropped. The result
    differs slightly from that for the whole recording if the network uses more context, or if it normalizes its input
    as a whole. A shorter recording is computed at once. Chunks are shorter if the model has a limit for its input.

    Args:
        recording: A file, or (S,) samples in −1..1.
        model: See ``load_model``.
        rate: Samples per second, for an array.
        channel: The channel of a file, counted from 1. None: see ``audio.blocks``.
        chunk_seconds: Largest length of a chunk.
        context_seconds: Length of the context on either side.
        batch_size: Most chunks that the network computes at a time; more than one is faster on a GPU.
        progress: Called with the number of seconds that are finished.

    Raises:
        DataError: If the file cannot be read, or has no samples.
        InvalidInputError: If an argument is wrong, or the model returns an array of another shape than it declares.
        MissingDependencyError: If a package is missing that reads or resamples the recording; see ``audio.blocks``.

    Example:
        >>> from ctckit.acoustic_models import AcousticModel, listen
        >>> import numpy as np
        >>> from ctckit import Vocabulary, greedy_decode
        >>> def log_probs(samples):                                   # a network that calls sound "a"
        ...     loud = np.abs(samples[: len(samples) // 100 * 100].reshape(-1, 100)).mean(axis=1) > 0.1
        ...     return np.log(np.where(loud[:, None], [0.1, 0.9], [0.9, 0.1])).astype(np.float32)
        >>> model = AcousticModel(Vocabulary.from_characters("a"), rate=1000, frame_samples=100, log_probs=log_probs)
        >>> sound = np.repeat([0.0, 0.5, 0.0], 400).astype(np.float32)
        >>> emissions = listen(sound, model, rate=1000)
        >>> emissions.log_probs.shape, emissions.frame_seconds, emissions.duration_seconds
        ((12, 2), 0.1, 1.2)
        >>> [(span.start, span.end) for span in greedy_decode(emissions.log_probs)[0].spans]
        [(4, 8)]
    """
    found, seconds = [np.zeros((0, len(model.vocabulary)), np.float32)], 0.0
    for chunk in listen_in_chunks(
        recording,
        model,
        rate=rate,
        channel=channel,
        chunk_seconds=chunk_seconds,
        context_seconds=context_seconds,
        batch_size=batch_size,
    ):
        found.append(chunk.log_probs)
        seconds = chunk.end_seconds
        if progress is not None:
            progress(seconds)
    if not seconds and isinstance(recording, (str, os.PathLike)):
        raise DataError(f"{os.fspath(recording)}: it has no samples, its length is 0 seconds; expected a recording.")
    return Emissions(np.concatenate(found), model.vocabulary, model.frame_seconds, seconds)


def listen_in_chunks(
    recording: str | os.PathLike[str] | npt.NDArray[np.floating],
    model: AcousticModel,
    *,
    rate: int | None = None,
    channel: int | None = None,
    chunk_seconds: float = CHUNK_SECONDS,
    context_seconds: float = CONTEXT_SECONDS,
    batch_size: int = 1,
) -> Iterator[Chunk]:
    """Return an iterator over the log-probabilities of a recording, chunk by chunk, in bounded memory.

    Together, the chunks are the result of ``listen``, which has the same arguments and errors; a recording without
    samples is no error here.

    Example:
        >>> from ctckit.acoustic_models import AcousticModel, listen, listen_in_chunks
        >>> import numpy as np
        >>> from ctckit import BeamDecoder, Vocabulary
        >>> def log_probs(samples):                                   # a network that calls sound "a"
        ...     loud = np.abs(samples[: len(samples) // 100 * 100].reshape(-1, 100)).mean(axis=1) > 0.1
        ...     return np.log(np.where(loud[:, None], [0.1, 0.9], [0.9, 0.1])).astype(np.float32)
        >>> model = AcousticModel(Vocabulary.from_characters("a"), rate=1000, frame_samples=100, log_probs=log_probs)
        >>> sound = np.tile(np.repeat([0.0, 0.5], 5000), 10).astype(np.float32)           # 100 seconds
        >>> stream = BeamDecoder(model.vocabulary).stream()
        >>> for chunk in listen_in_chunks(sound, model, rate=1000):
        ...     stream.push(chunk.log_probs)
        >>> whole = BeamDecoder(model.vocabulary).decode(listen(sound, model, rate=1000).log_probs)[0][0]
        >>> stream.finish().text == whole.text
        True
    """
    _checks.number(chunk_seconds, "chunk_seconds", 0.1, float("inf"))
    _checks.number(context_seconds, "context_seconds", 0.0, float("inf"))
    if _checks.positive_integer(batch_size, "batch_size") > 1 and model.log_probs_of_batch is None:
        raise InvalidInputError(f"batch_size is {batch_size}, but the model computes one chunk at a time; expected 1.")
    if isinstance(recording, (str, os.PathLike)):
        pieces: Iterable[Samples] = audio.blocks(Path(recording), model.rate, channel)
    else:
        pieces = _array_pieces(recording, rate, model.rate)
    windows = _Windows(model.frame_samples, *_chunk_frames(model, chunk_seconds, context_seconds))
    return _chunks(model, windows.of(pieces), batch_size)


class Listener:
    """Runs a model on audio that is still coming, such as that of a microphone.

    Together, its chunks are those of ``listen_in_chunks`` for the whole audio. A chunk is ready ``context_seconds``
    after its end.

    Args:
        model: See ``load_model``.
        rate: Samples per second of the audio.
        chunk_seconds: Length of a chunk: short ones come soon, long ones cost less.
        context_seconds: What the model hears on either side of a chunk.

    Example:
        >>> import numpy as np
        >>> from ctckit.acoustic_models import AcousticModel, Listener
        >>> from ctckit import Vocabulary
        >>> def knows_nothing(samples):
        ...     return np.log(np.full((len(samples) // 100, 2), 0.5, np.float32))
        >>> model = AcousticModel(Vocabulary.from_characters("a"), 1000, 100, knows_nothing)    # 10 frames a second
        >>> listener = Listener(model, rate=1000, chunk_seconds=0.5, context_seconds=0.2)
        >>> microphone = np.zeros((10, 100), np.float32)
        >>> [chunk.end_seconds for samples in microphone for chunk in listener.push(samples)]
        [0.5]
        >>> [chunk.end_seconds for chunk in listener.finish()]
        [1.0]

        Captions::

            listener, stream = Listener(model, rate=48000), decoder.stream()
            for samples in microphone:
                for chunk in listener.push(samples):
                    stream.push(chunk.log_probs)
                print(stream.partial().text)

    Raises:
        InvalidInputError: On arguments out of range.
        MissingDependencyError: If the rate is not the model's, and the package soxr is not installed.
    """

    def __init__(
        self, model: AcousticModel, *, rate: int, chunk_seconds: float = 1.0, context_seconds: float = 0.5
    ) -> None:
        _checks.positive_integer(rate, "rate")
        _checks.number(chunk_seconds, "chunk_seconds", 0.1, float("inf"))
        _checks.number(context_seconds, "context_seconds", 0.0, float("inf"))
        self._model = model
        self._resampler = audio.Resampler(rate, model.rate)
        self._windows = _Windows(model.frame_samples, *_chunk_frames(model, chunk_seconds, context_seconds))

    def push(self, samples: npt.NDArray[np.floating]) -> list[Chunk]:
        """Add samples, (S,) in −1..1, and return the chunks that are ready.

        Raises:
            InvalidInputError: If they are of another form, or not finite.
        """
        checked = _checks.floats(_checks.as_array(samples, "samples"), "samples", "(S)")
        if not np.isfinite(checked).all():
            raise InvalidInputError("samples has values that are not finite; expected samples in −1..1.")
        piece = self._resampler.push(checked.astype(np.float32))
        return list(_chunks(self._model, self._windows.push(piece)))

    def finish(self) -> list[Chunk]:
        """Return the last chunks; the audio has ended."""
        rest = self._resampler.push(np.zeros(0, np.float32), last=True)
        return list(_chunks(self._model, self._windows.of([rest])))


def _chunks(model: AcousticModel, windows: Iterable[Window], batch_size: int = 1) -> Iterator[Chunk]:
    return (
        Chunk(_kept(model, frames, len(samples), left, kept), end / model.rate)
        for batch in _batches(windows, batch_size)
        for (samples, left, kept, end), frames in zip(batch, _computed(model, batch), strict=True)
    )


def _chunk_frames(model: AcousticModel, chunk_seconds: float, context_seconds: float) -> tuple[int, int]:
    """Return the frames of a chunk and of its context on either side, within the model's limit for its input."""
    frames_a_second = model.rate / model.frame_samples
    context = round(context_seconds * frames_a_second)
    chunk = max(1, round(min(chunk_seconds, 1e9) * frames_a_second))
    if model.most_samples is None:
        return chunk, context
    limit = model.most_samples // model.frame_samples - 2 * context
    if limit < 1:
        raise InvalidInputError(
            f"context_seconds is {context_seconds}, but the model takes {model.most_samples / model.rate:g} s at most; "
            "expected less than half of that."
        )
    return min(chunk, limit), context


class _Windows:
    """The inputs of the network: samples, frames before the chunk, frames of the chunk, end of the chunk.

    The last chunk keeps all remaining frames (None), and is longer than the context.
    """

    def __init__(self, hop: int, chunk: int, context: int) -> None:
        self._hop, self._chunk, self._context = hop, chunk, context
        self._buffer = np.zeros(0, np.float32)
        self._first, self._left = 0, 0  # the first sample of the buffer; frames before the chunk

    def push(self, piece: Samples) -> Iterator[Window]:
        """Yield the windows that are complete with these samples."""
        hop, chunk, context = self._hop, self._chunk, self._context
        self._buffer = np.concatenate([self._buffer, piece])
        while len(self._buffer) > (self._left + chunk + context) * hop:
            left = self._left
            yield self._buffer[: (left + chunk + context) * hop], left, chunk, self._first + (left + chunk) * hop
            dropped = max(0, left + chunk - context)
            self._buffer = self._buffer[dropped * hop :]
            self._first, self._left = self._first + dropped * hop, left + chunk - dropped

    def of(self, pieces: Iterable[Samples]) -> Iterator[Window]:
        """Yield the windows of these samples, to the end."""
        for piece in pieces:
            yield from self.push(piece)
        if self._first or len(self._buffer):
            yield self._buffer, self._left, None, self._first + len(self._buffer)


def _batches(windows: Iterable[Window], size: int) -> Iterator[list[Window]]:
    """Yield neighboring windows of the same length, at most ``size`` at a time."""
    for _, same in groupby(windows, key=lambda window: len(window[0])):
        while batch := list(islice(same, size)):
            yield batch


def _computed(model: AcousticModel, batch: Sequence[Window]) -> Iterable[npt.NDArray[np.float32]]:
    if len(batch) == 1 or model.log_probs_of_batch is None:
        return (np.asarray(model.log_probs(samples)) for samples, *_ in batch)
    return np.asarray(model.log_probs_of_batch(np.stack([samples for samples, *_ in batch])))


def _kept(
    model: AcousticModel, frames: npt.NDArray[np.float32], samples: int, left: int, kept: int | None
) -> npt.NDArray[np.float32]:
    """Return the frames of a chunk without those of its context."""
    classes = len(model.vocabulary)
    if frames.ndim != 2 or frames.shape[1] != classes:
        raise InvalidInputError(
            f"model.log_probs returned an array of shape {frames.shape} for {samples} samples; expected (T, C) "
            f"with the C = {classes} classes of its vocabulary."
        )
    count = samples // model.frame_samples
    least, most = max(left + (kept or 0), count - SLACK), count + 2
    if not least <= len(frames) <= most:
        raise InvalidInputError(
            f"model.log_probs returned {len(frames)} frames for {samples} samples; with frame_samples = "
            f"{model.frame_samples} expected {least} to {most}."
        )
    return frames[left : None if kept is None else left + kept].astype(np.float32)


def _array_pieces(recording: npt.NDArray[np.floating], rate: int | None, wanted: int) -> Iterator[Samples]:
    samples = _checks.floats(_checks.as_array(recording, "recording"), "recording", "(S)")
    if rate is None:
        raise InvalidInputError("recording is an array, but rate is None; expected the samples per second.")
    _checks.positive_integer(rate, "rate")
    block = audio.BLOCK_SECONDS * rate
    pieces = (samples[at : at + block].astype(np.float32) for at in range(0, len(samples), block))
    return audio.resampled(pieces, rate, wanted)
