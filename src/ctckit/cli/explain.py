"""``ctckit explain``: the lattice of a text, drawn in the terminal or as a live page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def explain(
    text: Annotated[str, typer.Option(help="The text whose lattice to draw.")] = "apple",
    frames: Annotated[
        int | None,
        typer.Option(min=0, max=10_000, help="The number of frames. By default a few for each character."),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(help="Write the live lattice to this file instead: an interactive page for a browser."),
    ] = None,
) -> None:
    """Draw the CTC lattice of a text: how likely each state is at each frame."""
    from ctckit.lattices import lattice
    from ctckit.viz.synthetic import synthetic_log_probs, synthetic_vocabulary

    if html is not None:
        from ctckit.viz.live_page import write_live_page

        typer.echo(f"{write_live_page(html, text=text, frames=frames)}   (open it in a browser)")
        return
    vocabulary = synthetic_vocabulary(text)
    target = vocabulary.encode(text)
    drawn = lattice(synthetic_log_probs(target, len(vocabulary), frames), target)
    typer.echo(drawn.draw(vocabulary))
    if not drawn.feasible:
        return
    typer.echo(
        "\nRows: the states, which are the characters and a blank (∅) before, between and after them. Columns: the\n"
        "frames. A darker cell: a path is more likely to be in this state at this frame. The frame scores are\n"
        "synthetic: one bump per character."
    )
