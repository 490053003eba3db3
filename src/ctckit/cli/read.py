"""``ctckit read``: the texts of line images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ctckit.cli.options import Device, DeviceOption, NBest, SearchOptions, WordMarks
from ctckit.cli.output import echo_json
from ctckit.cli.requirements import need_ocr
from ctckit.errors import DataError

if TYPE_CHECKING:
    from ctckit.ocr.recognizer import LineImage, Reading, Recognizer


def read(
    images: Annotated[list[Path], typer.Argument(help="Images of one text line each.", metavar="IMAGE...")],
    *,
    model: Annotated[Path, typer.Option("--model", "-m", help="A model folder, as ctckit train or demo writes it.")],
    n_best: NBest = 1,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print text, log-probability, confidence, spans and score as JSON; with --n-best above 1, a list of "
            '"readings" for each image.',
        ),
    ] = False,
    max_width: Annotated[
        int, typer.Option(min=1, help="The most columns of an image, scaled to the height of the model.")
    ] = 8192,
    device: DeviceOption = Device.cpu,
    marks: WordMarks,
    search: SearchOptions,
) -> None:
    """Read line images.

    Prints the text; with several images, path and text.

    With --n-best above 1: path, rank, score and text. Tabs separate the columns.

    Images that cannot be read are named at the end, and the exit code is 2; the others are read.

    By default the best path is read. With --n-best above 1, or an option of the beam search, that search decodes.
    """
    need_ocr("ctckit read")
    from ctckit.ocr.recognizer import Recognizer

    recognizer = Recognizer.load(model, device=device.value)
    beam_search = n_best > 1 or search != SearchOptions()
    decoder = search.decoder(marks.mark(recognizer.vocabulary)) if beam_search else None
    prepared, problems = _prepare(recognizer, images, max_width)
    readable = [path for path, _ in prepared]
    found = recognizer.read_n_best([image for _, image in prepared], n_best, decoder=decoder)
    if as_json:
        echo_json(_as_json(readable, found, n_best))
    else:
        _print(readable, found, n_best, alone=len(images) == 1)
    if problems:
        raise DataError("\n  ".join(problems if len(images) == 1 else [_count(problems, images), *problems]))


def _prepare(
    recognizer: Recognizer, images: Sequence[Path], max_width: int
) -> tuple[list[tuple[Path, LineImage]], list[str]]:
    """Return the images that can be read, with their paths, and the messages about the others."""
    prepared, problems = [], []
    for path in images:
        try:
            prepared.append((path, recognizer.prepare(path, max_width=max_width)))
        except DataError as error:
            problems.append(str(error))
    return prepared, problems


def _count(problems: Sequence[str], images: Sequence[Path]) -> str:
    return f"{len(problems)} of {len(images)} images cannot be read:"


def _as_json(images: Sequence[Path], found: Sequence[Sequence[Reading]], n_best: int) -> list[dict[str, object]]:
    if n_best == 1:
        return [{"path": str(path), **asdict(best)} for path, (best,) in zip(images, found, strict=True)]
    return [
        {"path": str(path), "readings": [asdict(reading) for reading in readings]}
        for path, readings in zip(images, found, strict=True)
    ]


def _print(images: Sequence[Path], found: Sequence[Sequence[Reading]], n_best: int, *, alone: bool) -> None:
    for path, readings in zip(images, found, strict=True):
        for rank, reading in enumerate(readings, 1):
            if n_best > 1:
                typer.echo(f"{path}\t{rank}\t{reading.score:.4f}\t{reading.text}")
            else:
                typer.echo(reading.text if alone else f"{path}\t{reading.text}")
