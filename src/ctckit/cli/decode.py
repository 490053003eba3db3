"""``ctckit decode``: from saved posteriors to texts."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ctckit.cli.inputs import read_posteriors
from ctckit.cli.options import VOCABULARY_FILE, NBest, SearchOptions, VocabularyOptions
from ctckit.cli.output import echo_json

if TYPE_CHECKING:
    import numpy.typing as npt

    from ctckit import BeamDecoder, Hypothesis, Vocabulary

BATCH_SIZE = 32  # items decoded between two updates of the progress bar


def decode(
    posteriors: Annotated[
        Path,
        typer.Argument(
            help="A .npz file of natural log-probabilities: log_probs (B, T, C) and, if lengths differ, input_lengths "
            "(B,); or logp (Σ T, C) and offsets (B + 1,); or one array (T, C) for each item.",
            metavar="POSTERIORS.npz",
        ),
    ],
    *,
    vocabulary: Annotated[Path, VOCABULARY_FILE],
    classes: VocabularyOptions,
    search: SearchOptions,
    n_best: NBest = 1,
    frame_seconds: Annotated[
        float | None, typer.Option(min=0.0, help="The length of a frame: adds times in seconds to the JSON.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print scores, tokens, words and times as JSON.")] = False,
) -> None:
    """Decode saved posteriors by beam search.

    Prints one text a line.

    With --n-best above 1: item, rank, score and text. Tabs separate the columns.
    """
    names, items = read_posteriors(posteriors)
    decoder = search.decoder(classes.load(vocabulary))
    found = _decoded(decoder, items, n_best)
    if as_json:
        written = [
            _as_dict(name, each, decoder.vocabulary, frame_seconds) for name, each in zip(names, found, strict=True)
        ]
        echo_json(written)
        return
    for name, hypotheses in zip(names, found, strict=True):
        for rank, each in enumerate(hypotheses, 1):
            typer.echo(each.text if n_best == 1 else f"{name}\t{rank}\t{each.score:.4f}\t{each.text}")


def _decoded(decoder: BeamDecoder, items: Sequence[npt.NDArray[Any]], n_best: int) -> list[list[Hypothesis]]:
    from rich.console import Console
    from rich.progress import Progress

    from ctckit.decoding.padding import pad_frames

    found: list[list[Hypothesis]] = []
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("decoding", total=len(items))
        for start in range(0, len(items), BATCH_SIZE):
            batch, lengths = pad_frames(items[start : start + BATCH_SIZE])
            found += decoder.decode(batch, lengths, n_best=n_best)
            progress.update(task, completed=len(found))
    return found


def _as_dict(
    name: str, hypotheses: Iterable[Hypothesis], vocabulary: Vocabulary, frame_seconds: float | None
) -> dict[str, Any]:
    return {"item": name, "hypotheses": [_hypothesis_as_dict(each, vocabulary, frame_seconds) for each in hypotheses]}


def _hypothesis_as_dict(found: Hypothesis, vocabulary: Vocabulary, frame_seconds: float | None) -> dict[str, Any]:
    def place(text: str, span: Any) -> dict[str, Any]:
        where = {"text": text, "start": span.start, "end": span.end, "confidence": span.confidence}
        if frame_seconds is not None:
            where["start_seconds"], where["end_seconds"] = span.seconds(frame_seconds)
        return where

    return {
        "text": found.text,
        "log_prob": found.log_prob,
        "lm_log_prob": found.lm_log_prob,
        "score": found.score,
        "tokens": [place(vocabulary.name(span.token), span) for span in found.spans],
        "words": [place(word.text, word) for word in found.words],
    }
