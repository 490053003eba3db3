"""POST /align: a text, with a recording or with log-probabilities → the times of lines, words and tokens."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Annotated, Any, TypeAlias

import numpy.typing as npt
from fastapi import Depends, File, Form, UploadFile
from fastapi.concurrency import run_in_threadpool
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from ctckit.alignment import align_lines, timed_utterances
from ctckit.errors import DataError, InvalidInputError
from ctckit.service.answers import expect_known_parameters
from ctckit.service.openapi import ALIGN, answers
from ctckit.service.payloads import array_of, recording_file
from ctckit.service.schemas import AlignAnswer
from ctckit.service.service import Service

Nothing: TypeAlias = SkipJsonSchema[None]  # a form can leave a field out; it has no null
Seconds: TypeAlias = Annotated[float, Field(gt=0, le=10)]
Spellings = Callable[[str], Sequence[Sequence[str]]]


def add_align(service: Service) -> None:
    """Add the route to the app."""

    @service.app.post(
        "/align",
        response_model=AlignAnswer,
        responses=answers(ALIGN),
        dependencies=[Depends(expect_known_parameters)],
        summary="Align a text to a recording.",
    )
    async def align(
        text: Annotated[
            str, Form(min_length=1, max_length=1_000_000, description="What was said: one utterance a line.")
        ],
        recording: Annotated[UploadFile | Nothing, File(description="A recording: WAV, FLAC, OGG, MP3.")] = None,
        log_probs: Annotated[UploadFile | Nothing, File(description="A .npy file of log-probabilities (T, C).")] = None,
        frame_seconds: Annotated[Seconds | Nothing, Form(description="The length of a frame.")] = None,
    ) -> Any:
        """Give `recording`; or `log_probs` and, without an acoustic model, `frame_seconds`.

        Speech and noise that are in no line may be between the lines.

        `curl -F "text=<talk.txt" -F recording=@talk.wav http://127.0.0.1:8000/align`
        """
        given = recording or log_probs
        if given is None or (recording and log_probs):
            raise InvalidInputError("give either recording or log_probs, a file.")
        content = await given.read()
        aligned = _of_recording if given is recording else _of_log_probs
        return await service.answered(run_in_threadpool(aligned, service, content, text, frame_seconds))


def _of_recording(service: Service, content: bytes, text: str, frame_seconds: float | None) -> dict[str, Any]:
    from ctckit.acoustic_models import audio, listen

    acoustic = service.models.acoustic
    if acoustic is None:
        raise InvalidInputError("this service has no acoustic model; send log_probs, or start it with one.")
    if frame_seconds is not None:
        raise InvalidInputError("frame_seconds is given, but the acoustic model knows it; leave it out.")
    most = service.limits.recording_seconds

    def expect_short(seconds: float) -> None:
        if seconds > most:
            raise DataError(f"recording: lasts {seconds:.0f} seconds or more; this service takes at most {most:g}.")

    with recording_file(content, "recording") as path:
        expect_short(audio.duration_seconds(path))
        with service.one_at_a_time:  # some formats do not say how long they are: it shows on the way
            heard = listen(path, acoustic, progress=expect_short, **service.models.listening)
    return _aligned(service, heard.log_probs, text, heard.frame_seconds, heard.duration_seconds)


def _of_log_probs(service: Service, content: bytes, text: str, frame_seconds: float | None) -> dict[str, Any]:
    limits, models = service.limits, service.models
    log_probs = array_of(content, name="log_probs", classes=len(models.vocabulary), most_frames=limits.frames)
    if frame_seconds is None:
        if models.acoustic is None:
            raise InvalidInputError("frame_seconds is not given; expected the length of a frame, in seconds.")
        frame_seconds = models.acoustic.frame_seconds
    return _aligned(service, log_probs, text, frame_seconds, None)


def _aligned(
    service: Service, log_probs: npt.NDArray[Any], text: str, frame_seconds: float, duration: float | None
) -> dict[str, Any]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise InvalidInputError("text has no line; expected what was said.")
    models = service.models
    lag = 0.0 if models.acoustic is None else models.acoustic.lag or 0.0
    found = align_lines(log_probs, lines, models.vocabulary, spellings=_spellings(service))
    tiers = timed_utterances(found, models.vocabulary, frame_seconds, lag_seconds=lag, duration_seconds=duration)
    return {
        name: [{key: value for key, value in asdict(each).items() if key != "before"} for each in tier]
        for name, tier in tiers.items()
    }


def _spellings(service: Service) -> Spellings | None:
    acoustic = service.models.acoustic
    if acoustic is None or acoustic.spell is None:
        return None
    spell = acoustic.spell

    def spellings(word: str) -> list[Sequence[str]]:
        with service.one_at_a_time:
            found = spell(word.lower())
        return [] if found is None else [found]

    return spellings
