"""What the command says at its end: numbers, and the lines that probably were not said."""

from __future__ import annotations

from collections.abc import Sequence

import typer

DOES_NOT_FIT = 3  # the exit code of --fail-below
MOST_NAMED = 20


def tell(sentence: str) -> None:
    """Print a sentence to standard error."""
    typer.echo(f"ctckit: {sentence}", err=True)


def tell_suspicious(lines: Sequence[str], below: float) -> None:
    """Print the first suspicious lines to standard error."""
    if not lines:
        return
    tell(f"{len(lines):,} suspicious, with a confidence below {below:g}:")
    for line in lines[:MOST_NAMED]:
        typer.echo(f"  {line}", err=True)
    if len(lines) > MOST_NAMED:
        typer.echo(f"  and {len(lines) - MOST_NAMED:,} more", err=True)
