"""A model over a recording of any length, in chunks that overlap: memory for samples and for the network is bounded."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ctckit import _checks
from ctckit.acoustic_models import audio
from ctckit.acoustic_models.audio import Samples
from ctckit.acoustic_models.model import AcousticModel
from ctckit.errors import InvalidInputError
from ctckit.vocabulary import Vocabulary

CHUNK_SECONDS = 30.0
CONTEXT_SECONDS = 5.0
SLACK = 4  # frames that a network may give less than there are


@dataclass(frozen=True, eq=False)
class Emissions:
    """What a model heard.

    Attributes:
        log_probs: (T, C) float32, natural logarithms.
        vocabulary: The C classes.
        frame_seconds: How long a frame lasts.
        duration_seconds: How long the recording is.
    """

    log_probs: npt.NDArray[np.float32]
    vocabulary: Vocabulary
    frame_seconds: float
    duration_seconds: float


def listen(
    recording: str | os.PathLike[str] | npt.NDArray[np.floating],
    model: AcousticModel,
    *,
    rate: int | None = None,
    chunk_seconds: float = CHUNK_SECONDS,
    context_seconds: float = CONTEXT_SECONDS,
    progress: Callable[[float], None] | None = None,
) -> Emissions:
    """Run a model over a recording.

    A recording longer than ``chunk_seconds + context_seconds`` is heard in chunks. The network hears each together with
    what lies around it, up to ``context_seconds`` on either side, and the frames of these surroundings are dropped. A
    network that looks further, or that normalises what it hears as a whole, then says something slightly different from
    what it would say about the recording at once. A shorter recording is heard at once. Chunks are shorter where the
    model takes only so much at once.

    Args:
        recording: A file, or (S,) samples in −1..1.
        model: See ``load_model``.
        rate: Samples a second, for an array.
        chunk_seconds: Length of a chunk, at most.
        context_seconds: Length of the surroundings on either side.
        progress: Called with the seconds heard so far.

    Raises:
        DataError: If the file cannot be read.
        InvalidInputError: If an argument is wrong, or the model gives other frames than it says.
        MissingDependencyError: If soundfile is not installed, or soxr where the recording has another rate.
    """
    _checks.number(chunk_seconds, "chunk_seconds", 0.1, float("inf"))
    _checks.number(context_seconds, "context_seconds", 0.0, float("inf"))
    if isinstance(recording, (str, os.PathLike)):
        pieces: Iterable[Samples] = audio.blocks(Path(recording), model.rate)
    else:
        pieces = _array_pieces(recording, rate, model.rate)
    chunk, context = _chunk_frames(model, chunk_seconds, context_seconds)
    found, heard = [np.zeros((0, len(model.vocabulary)), np.float32)], 0
    for samples, left, kept, end in _windows(pieces, model.frame_samples, chunk, context):
        found.append(_frames(model, samples, left, kept))
        heard = end
        if progress is not None:
            progress(heard / model.rate)
    return Emissions(np.concatenate(found), model.vocabulary, model.frame_seconds, heard / model.rate)


def _chunk_frames(model: AcousticModel, chunk_seconds: float, context_seconds: float) -> tuple[int, int]:
    """Frames of a chunk and of its surroundings on either side; together no more than the model takes at once."""
    frames_a_second = model.rate / model.frame_samples
    context = round(context_seconds * frames_a_second)
    chunk = max(1, round(min(chunk_seconds, 1e9) * frames_a_second))
    if model.most_samples is None:
        return chunk, context
    room = model.most_samples // model.frame_samples - 2 * context
    if room < 1:
        raise InvalidInputError(
            f"context_seconds is {context_seconds}, but the model takes {model.most_samples / model.rate:g} s at once; "
            "expected less than half of that."
        )
    return min(chunk, room), context


def _windows(
    pieces: Iterable[Samples], hop: int, chunk: int, context: int
) -> Iterator[tuple[Samples, int, int | None, int]]:
    """What is given to the network, how many frames of it come before the chunk, how many are the chunk's, its end.

    The last chunk keeps all frames that are left (None), and is longer than the context.
    """
    buffer = np.zeros(0, np.float32)
    first, left = 0, 0  # the recording's sample at which the buffer begins; frames before the chunk
    for piece in pieces:
        buffer = np.concatenate([buffer, piece])
        while len(buffer) > (left + chunk + context) * hop:
            yield buffer[: (left + chunk + context) * hop], left, chunk, first + (left + chunk) * hop
            dropped = max(0, left + chunk - context)
            buffer = buffer[dropped * hop :]
            first, left = first + dropped * hop, left + chunk - dropped
    if first or len(buffer):
        yield buffer, left, None, first + len(buffer)


def _frames(model: AcousticModel, samples: Samples, left: int, kept: int | None) -> npt.NDArray[np.float32]:
    frames = np.asarray(model.log_probs(samples))
    classes = len(model.vocabulary)
    if frames.ndim != 2 or frames.shape[1] != classes:
        raise InvalidInputError(
            f"model.log_probs gave an array of shape {frames.shape} for {len(samples)} samples; expected (T, C) with "
            f"the C = {classes} classes of its vocabulary."
        )
    count = len(samples) // model.frame_samples
    least, most = max(left + (kept or 0), count - SLACK), count + 2
    if not least <= len(frames) <= most:
        raise InvalidInputError(
            f"model.log_probs gave {len(frames)} frames for {len(samples)} samples; with frame_samples = "
            f"{model.frame_samples} expected {least} to {most}."
        )
    return frames[left : None if kept is None else left + kept].astype(np.float32)


def _array_pieces(recording: npt.NDArray[np.floating], rate: int | None, wanted: int) -> Iterator[Samples]:
    samples = _checks.floats(_checks.as_array(recording, "recording"), "recording", "(S)")
    if rate is None:
        raise InvalidInputError("recording is an array, but rate is None; expected its samples a second.")
    _checks.positive_integer(rate, "rate")
    block = audio.BLOCK_SECONDS * rate
    pieces = (samples[at : at + block].astype(np.float32) for at in range(0, len(samples), block))
    return audio.resampled(pieces, rate, wanted)
