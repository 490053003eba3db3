"""Open recordings: by libsndfile, or by PyAV (FFmpeg's libraries) for what libsndfile does not read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ctckit import _checks
from ctckit.errors import DataError, MissingDependencyError, MissingFileError

BLOCK_SECONDS = 10
MOST_BLOCK = 1 << 22  # samples: above, the rate is that of a damaged file
Channels = npt.NDArray[np.float32]  # (S, channels)


class Recording(Protocol):
    """An open recording.

    Attributes:
        rate: Samples per second.
        channels: The number of its channels.
        seconds: Its length; approximate for some formats.
    """

    rate: int
    channels: int
    seconds: float

    def pieces(self, first: int = 0) -> Iterator[Channels]:
        """Yield (S, channels) the samples from the one with this index on. May be called once.

        Raises:
            DataError: If the file is damaged.
        """
        ...


@contextmanager
def opened(path: Path) -> Iterator[Recording]:
    """Open a recording.

    Raises:
        DataError: If there is no such file, or it is no recording.
        MissingDependencyError: If soundfile is not installed; or PyAV, and libsndfile does not read the file.
    """
    try:
        import soundfile
    except ModuleNotFoundError as error:
        raise _checks.missing(error, "reading a recording", "audio") from error
    if not path.is_file():
        raise MissingFileError(f"{path}: there is no such file.")
    try:
        file = soundfile.SoundFile(path)
    except soundfile.LibsndfileError as error:
        with _opened_by_av(path, error.error_string) as recording:
            yield recording
        return
    with file:
        yield _SoundFile(path, file)


class _SoundFile:
    def __init__(self, path: Path, file: Any) -> None:
        self._path, self._file = path, file
        self.rate, self.channels = int(file.samplerate), int(file.channels)
        self.seconds = file.frames / file.samplerate

    def pieces(self, first: int = 0) -> Iterator[Channels]:
        try:
            if self._file.seekable():
                self._file.seek(min(first, self._file.frames))
                first = 0
            yield from _without_first(first, self._pieces())
        except RuntimeError as error:  # LibsndfileError is one
            raise _damaged(self._path, error) from None

    def _pieces(self) -> Iterator[Channels]:
        while len(piece := self._file.read(_block(self.rate), dtype="float32", always_2d=True)):
            yield piece


@contextmanager
def _opened_by_av(path: Path, why: str) -> Iterator[Recording]:
    refused = f"{path}: not a recording that libsndfile reads ({why.rstrip()})"
    try:
        import av
    except ModuleNotFoundError as error:
        needed = _checks.missing(error, f"{refused}; reading MP4, M4A, AAC, WebM and others", "media")
        if isinstance(needed, MissingDependencyError) and path.suffix.lower() in MEDIA:
            raise needed from None
        raise DataError(
            f"{refused} Expected WAV, FLAC, OGG or MP3; or others with the package av. Install it with "
            'pip install "ctckit[media]", or convert the file.'
        ) from None
    try:
        with av.open(str(path), metadata_errors="replace") as container:  # of titles that are not in UTF-8
            if not container.streams.audio:
                raise DataError(f"{path}: it has no sound; expected a recording, or a video with a sound track.")
            sound = container.streams.audio[0]
            if sound.codec_context is None or not sound.rate or not sound.channels:
                raise DataError(f"{refused}, and its sound is in no form that FFmpeg knows. Convert it again.")
            yield _Media(path, av, container, sound)
    except av.FFmpegError as error:
        raise DataError(
            f"{refused}, nor one that FFmpeg reads ({error.strerror}). Expected WAV, FLAC, OGG or MP3, for example; "
            "convert it."
        ) from None


class _Media:
    def __init__(self, path: Path, av: Any, container: Any, stream: Any) -> None:
        self._path, self._av, self._container, self._stream = path, av, container, stream
        self.rate, self.channels = int(stream.rate), int(stream.channels)
        self.seconds = (container.duration or 0) / av.time_base

    def pieces(self, first: int = 0) -> Iterator[Channels]:
        yield from _without_first(first, self._pieces())

    def _pieces(self) -> Iterator[Channels]:
        layout, floats, form = self._stream.layout, None, None
        try:
            for frame in self._container.decode(self._stream):
                if floats is None:
                    yield from self._silence_before(frame)
                own = frame.format.name, frame.layout.name, frame.sample_rate
                if own != form:  # a resampler takes frames of one form
                    yield from self._converted(floats, None)
                    floats, form = self._av.AudioResampler(format="fltp", layout=layout, rate=self.rate), own
                yield from self._converted(floats, frame)
            yield from self._converted(floats, None)
        except self._av.FFmpegError as error:
            raise _damaged(self._path, error) from None

    def _silence_before(self, first: Any) -> Iterator[Channels]:
        """Yield silence until the first frame: times count from the start of the file, of the picture in a video."""
        late = (first.time or 0.0) - (self._container.start_time or 0) / self._av.time_base
        samples, block = round(late * self.rate), _block(self.rate)
        for begin in range(0, samples, block):
            yield np.zeros((min(block, samples - begin), self.channels), np.float32)

    def _converted(self, floats: Any, frame: Any) -> Iterator[Channels]:
        for each in floats.resample(frame) if floats is not None else ():
            yield each.to_ndarray().T.astype(np.float32, copy=False)


MEDIA = (".mp4", ".m4a", ".m4b", ".m4v", ".mov", ".mkv", ".webm", ".aac", ".wma", ".amr", ".3gp", ".gsm", ".avi", ".ts")


def _block(rate: int) -> int:
    return min(BLOCK_SECONDS * rate, MOST_BLOCK)


def _without_first(count: int, pieces: Iterator[Channels]) -> Iterator[Channels]:
    for piece in pieces:
        if count < len(piece):
            yield piece[count:]
        count = max(0, count - len(piece))


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(f"{path}: it cannot be read to its end ({error}). Convert it again.")
