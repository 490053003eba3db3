"""``ctckit diagnose``: why a network does not learn from a batch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ctckit._posterior_files import read_batch
from ctckit.cli.output import echo_json


def diagnose(
    batch: Annotated[
        Path,
        typer.Argument(
            help="A .npz file of logits (B, T, C), targets (B, N), input_lengths (B,) and target_lengths (B,).",
            metavar="FILE.npz",
        ),
    ],
    blank: Annotated[int, typer.Option(min=0, help="The class of the blank.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print all measurements as JSON.")] = False,
) -> None:
    """Explain why a network does not learn from a batch, and what to do about it."""
    from ctckit.diagnosis import diagnose as diagnose_batch

    found = diagnose_batch(**read_batch(batch), blank=blank)
    if as_json:
        echo_json(found.to_dict())
    else:
        typer.echo(str(found))
