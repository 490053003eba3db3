"""``ctckit read``: the texts of line images."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ctckit.cli.options import Device, DeviceOption, NBest, SearchOptions, WordMarks
from ctckit.cli.requirements import need_ocr

if TYPE_CHECKING:
    from ctckit.ocr.recognizer import Reading


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
    device: DeviceOption = Device.cpu,
    marks: WordMarks,
    search: SearchOptions,
) -> None:
    """Read line images.

    Prints the text; with several images, path and text.

    With --n-best above 1: path, rank, score and text. Tabs separate the columns.

    By default the best path is read. With --n-best above 1, or an option of the beam search, that search decodes.
    """
    need_ocr("ctckit read")
    from ctckit.ocr.recognizer import Recognizer

    recognizer = Recognizer.load(model, device=device.value)
    beam_search = n_best > 1 or search != SearchOptions()
    decoder = search.decoder(marks.mark(recognizer.vocabulary)) if beam_search else None
    found = recognizer.read_n_best(images, n_best, decoder=decoder)
    if as_json:
        typer.echo(json.dumps(_as_json(images, found, n_best), ensure_ascii=False, indent=2))
    else:
        _print(images, found, n_best)


def _as_json(images: Sequence[Path], found: Sequence[Sequence[Reading]], n_best: int) -> list[dict[str, object]]:
    if n_best == 1:
        return [{"path": str(path), **asdict(best)} for path, (best,) in zip(images, found, strict=True)]
    return [
        {"path": str(path), "readings": [asdict(reading) for reading in readings]}
        for path, readings in zip(images, found, strict=True)
    ]


def _print(images: Sequence[Path], found: Sequence[Sequence[Reading]], n_best: int) -> None:
    for path, readings in zip(images, found, strict=True):
        for rank, reading in enumerate(readings, 1):
            if n_best > 1:
                typer.echo(f"{path}\t{rank}\t{reading.score:.4f}\t{reading.text}")
            else:
                typer.echo(reading.text if len(images) == 1 else f"{path}\t{reading.text}")
