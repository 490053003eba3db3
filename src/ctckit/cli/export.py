"""``ctckit export``: a model for programs without torch."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from ctckit.cli.requirements import need_export


class Output(str, Enum):
    """What an ONNX file computes."""

    log_probs = "log_probs"
    probs = "probs"


def export(
    model: Annotated[Path, typer.Argument(help="A model folder, as ctckit train or demo writes it.")],
    *,
    onnx: Annotated[Path, typer.Option("--onnx", help="The ONNX file to write, name.onnx.")],
    output: Annotated[
        Output,
        typer.Option(
            help="What the file computes: natural logarithms of probabilities; or probabilities, as other readers of "
            "PP-OCR's files expect."
        ),
    ] = Output.log_probs,
    int8: Annotated[
        bool,
        typer.Option(
            "--int8",
            help="Compute with whole numbers of 8 bits: smaller, often faster, a few more errors. With --lines.",
        ),
    ] = False,
    lines: Annotated[
        Path | None,
        typer.Option(
            help="Lines with texts, as for ctckit train: the character error rate on them is shown.", show_default=False
        ),
    ] = None,
) -> None:
    """Write a model as an ONNX file, which reads without torch.

    The log-probabilities of the file are compared with those of the model. ctckit read --model name.onnx reads with it,
    and so does any program with ONNX Runtime, on lines that are cut like those of the training: see the guide "Leave
    PyTorch: ONNX".
    """
    need_export("ctckit export")
    from ctckit.ocr.export.exporting import export_onnx

    result = export_onnx(model, onnx, output=output.value, int8=int8, lines=lines)
    typer.echo(result.summary)
    typer.echo(f"File:  {onnx}\nNext:  ctckit read IMAGE... --model {onnx}")
