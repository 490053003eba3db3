"""``ctckit demo``: train on handwritten digit strings and write a report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ctckit.cli.requirements import need_ocr


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the report, the model and sample lines.")] = Path("demo-report"),
    steps: Annotated[int, typer.Option(min=1, help="Training steps of 64 strings.")] = 1600,
    strings: Annotated[int, typer.Option(min=1, help="Held-out strings to read.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same result.")] = 0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the report, the model and the lines in the folder.")
    ] = False,
) -> None:
    """Train on handwritten digit strings, read held-out ones, and write a report. Takes a few minutes."""
    need_ocr("ctckit demo")
    from rich.console import Console

    from ctckit.ocr.demo.run import run_demo

    result = run_demo(out, steps=steps, strings=strings, seed=seed, console=Console(), overwrite=overwrite)
    typer.echo(f"\nReport:  {result.report}   (open it in a browser)\nModel:   {result.model}")
    typer.echo(f"Next:    ctckit read {result.samples / '*.png'} --model {result.model}")
