"""``ctckit serve``: a model behind an address."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from ctckit.cli.acoustic_options import AcousticOptions
from ctckit.cli.options import SearchOptions, VocabularyOptions, WordMarks
from ctckit.cli.requirements import need_reading, need_service
from ctckit.errors import InvalidInputError

if TYPE_CHECKING:
    from ctckit.service import Limits, Models

RECORD_FILE = "model.json"  # of a model folder; the module that writes them needs torch
STOP_SECONDS = 30  # for requests that are under way


@dataclass(frozen=True)
class LimitOptions:
    """The bounds of a service."""

    panel: ClassVar[str] = "Limits"
    max_body: Annotated[int, typer.Option(min=1, help="The largest body of a request, in MiB.")] = 32
    max_pixels: Annotated[int, typer.Option(min=1, help="The most pixels of an image.")] = 20_000_000
    max_frames: Annotated[int, typer.Option(min=1, help="The most frames of log-probabilities.")] = 100_000
    max_seconds: Annotated[float, typer.Option(min=0.1, help="The longest recording.")] = 600.0
    max_requests: Annotated[
        int, typer.Option(min=1, help="The most requests under way; for more the answer is 503 with Retry-After.")
    ] = 256
    max_streams: Annotated[int, typer.Option(min=1, help="The most streams that are open.")] = 32
    body_seconds: Annotated[
        float, typer.Option(min=0.1, help="How long a body may take to come, and a stream may be silent.")
    ] = 30.0
    answer_seconds: Annotated[float, typer.Option(min=0.1, help="How long an answer may take.")] = 60.0
    window: Annotated[
        float, typer.Option(min=0.0, help="How long a request waits for others to be computed with it, in ms.")
    ] = 5.0
    batch_items: Annotated[int, typer.Option(min=1, help="The most items that are computed together.")] = 32

    def limits(self) -> Limits:
        """Return them as the service takes them."""
        from ctckit.service import Limits

        return Limits(
            body_bytes=self.max_body << 20,
            pixels=self.max_pixels,
            frames=self.max_frames,
            recording_seconds=self.max_seconds,
            requests=self.max_requests,
            streams=self.max_streams,
            body_seconds=self.body_seconds,
            answer_seconds=self.answer_seconds,
            window_seconds=self.window / 1000,
            batch=self.batch_items,
        )


def serve(
    *,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            help="A recognizer of lines: a model folder, an ONNX file, ppocr-v6-small. Or an acoustic model: hama, the "
            "folder of a Hugging Face CTC model, the name of a plug-in.",
        ),
    ] = None,
    vocabulary: Annotated[
        Path | None,
        typer.Option("--vocabulary", "-v", help="Without a model: the tokens of log-probabilities that clients send."),
    ] = None,
    host: Annotated[
        str, typer.Option(help="The address to listen at; 0.0.0.0 is every one of this machine.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 is any free one.")] = 8000,
    classes: VocabularyOptions,
    acoustics: AcousticOptions,
    search: SearchOptions,
    limits: LimitOptions,
) -> None:
    """Serve a model over HTTP: read line images, decode log-probabilities, align recordings, and live streams.

    /docs describes the routes. Stop it with Ctrl-C or SIGTERM: it finishes what is under way.
    """
    need_service("ctckit serve")
    import uvicorn

    from ctckit.service import create_app

    app = create_app(_models(model, vocabulary, classes, acoustics, search), limits.limits())
    uvicorn.run(
        app,
        host=host,
        port=port,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=STOP_SECONDS,
        ws_max_size=limits.max_body << 20,
    )


def _models(
    model: str | None,
    vocabulary: Path | None,
    classes: VocabularyOptions,
    acoustics: AcousticOptions,
    search: SearchOptions,
) -> Models:
    from ctckit.service import Models

    if (model is None) == (vocabulary is None):
        raise InvalidInputError("give either --model, or --vocabulary for log-probabilities that clients send.")
    if vocabulary is not None:
        return Models(search.decoder(classes.load(vocabulary)))
    assert model is not None
    if _is_recognizer(model):
        need_reading("ctckit serve", Path(model))
        from ctckit.ocr.recognizer import Recognizer

        classes.expect_only([mark.name for mark in fields(WordMarks)], f"{model} has the tokens and the blank")
        recognizer = Recognizer.load(model, device=acoustics.device.value)
        decoder = search.decoder(classes.mark(recognizer.vocabulary))
        return Models(decoder, recognizer, search=search != SearchOptions())
    classes.expect_only((), f"{model} has its vocabulary")
    acoustic = acoustics.load(model)
    return Models(search.decoder(acoustic.vocabulary), acoustic=acoustic, listening=acoustics.reading())


def _is_recognizer(model: str) -> bool:
    from ctckit.ocr.bundled import BUNDLED

    path = Path(model)
    is_missing_folder = path.name != model and not path.exists()  # names of acoustic models have no slash
    return model in BUNDLED or path.suffix.lower() == ".onnx" or (path / RECORD_FILE).is_file() or is_missing_folder
