"""``ctckit decode``: from saved posteriors to texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ctckit._posterior_files import Item, read_items
from ctckit.cli.bulk.options import BulkOptions, recorded
from ctckit.cli.options import VOCABULARY_FILE, NBest, SearchOptions, VocabularyOptions, refuse_option
from ctckit.cli.output import echo_json, progress_bar
from ctckit.distributed.columns import text_columns
from ctckit.errors import CTCKitError, DataError, InvalidInputError

if TYPE_CHECKING:
    from ctckit import BeamDecoder, Hypothesis

BATCH_SIZE = 32  # items decoded between two updates of the progress bar


def decode(
    posteriors: Annotated[
        list[Path],
        typer.Argument(
            help="A .npz file of natural log-probabilities: log_probs (B, T, C) and, if lengths differ, input_lengths "
            "(B,); or logp (Σ T, C) and offsets (B + 1,); or one array (T, C) for each item. Or a .npy file, (T, C) or "
            "(B, T, C), or a folder of .npy files (T, C). With --shards any number of files with one item each.",
            metavar="POSTERIORS...",
        ),
    ],
    *,
    vocabulary: Annotated[Path, VOCABULARY_FILE],
    classes: VocabularyOptions,
    bulk: BulkOptions,
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

    Items that cannot be decoded are named at the end, and the exit code is 2; the others are decoded.
    """
    if bulk.shards is not None:
        if as_json:
            refuse_option("--json", "--shards is the folder for the texts")
        _decode_to_shards(posteriors, vocabulary, n_best, frame_seconds, classes, bulk, search)
        return
    bulk.refuse()
    if len(posteriors) != 1:
        raise InvalidInputError(f"{len(posteriors)} POSTERIORS are given; expected one, or --shards FOLDER for rows.")
    items = read_items(posteriors[0])
    decoder = search.decoder(classes.load(vocabulary))
    found = _decoded(decoder, items, n_best)
    decoded = [(name, each) for (name, _), each in zip(items, found, strict=True) if not isinstance(each, CTCKitError)]
    if as_json and decoded:
        echo_json(
            [
                {"item": name, "hypotheses": [text_columns(each, frame_seconds) for each in hypotheses]}
                for name, hypotheses in decoded
            ]
        )
    elif not as_json:
        _print(decoded, n_best)
    problems = [(name, each) for (name, _), each in zip(items, found, strict=True) if isinstance(each, CTCKitError)]
    if problems:
        raise _left_out(problems, len(items))


def _decode_to_shards(
    posteriors: Sequence[Path],
    vocabulary: Path,
    n_best: int,
    frame_seconds: float | None,
    classes: VocabularyOptions,
    bulk: BulkOptions,
    search: SearchOptions,
) -> None:
    from ctckit.bulk.inputs import Inputs
    from ctckit.cli.bulk.job import Job
    from ctckit.distributed.decode import SUFFIXES, DecodeColumns, DecodeWork

    def start() -> DecodeWork:
        return DecodeWork(search.decoder(classes.load(vocabulary)), n_best, frame_seconds, bulk.spans)

    settings = recorded(
        classes, search, command="decode", vocabulary=vocabulary, n_best=n_best, frame_seconds=frame_seconds
    )
    Job("decoding", start, Inputs(posteriors, SUFFIXES), DecodeColumns, settings).run(bulk, bulk.workers)


def _print(decoded: Iterable[tuple[str, list[Hypothesis]]], n_best: int) -> None:
    for name, hypotheses in decoded:
        for rank, each in enumerate(hypotheses, 1):
            typer.echo(each.text if n_best == 1 else f"{name}\t{rank}\t{each.score:.4f}\t{each.text}")


def _left_out(problems: Sequence[tuple[str, CTCKitError]], count: int) -> CTCKitError:
    if count == 1:
        return problems[0][1]
    names = [f"{name}: {error}" for name, error in problems]
    return DataError("\n  ".join([f"{len(problems)} of {count} items cannot be decoded:", *names]))


def _decoded(decoder: BeamDecoder, items: Sequence[Item], n_best: int) -> list[list[Hypothesis] | CTCKitError]:
    """Return the texts of each item, or why it cannot be decoded."""
    from ctckit._padding import pad_frames

    found: list[list[Hypothesis] | CTCKitError] = []

    def texts_of(part: Sequence[Item]) -> list[list[Hypothesis] | CTCKitError]:
        arrays = [each for _, each in part if not isinstance(each, CTCKitError)]
        if not arrays:
            return [each for _, each in part if isinstance(each, CTCKitError)]
        try:
            batch, lengths = pad_frames(arrays)
            texts = iter(decoder.decode(batch, lengths, n_best=n_best))
        except InvalidInputError as error:  # which item it is shows one at a time
            return [error] if len(part) == 1 else [found for each in part for found in texts_of([each])]
        return [each if isinstance(each, CTCKitError) else next(texts) for _, each in part]

    with progress_bar("decoding", len(items)) as show:
        for start in range(0, len(items), BATCH_SIZE):
            found += texts_of(items[start : start + BATCH_SIZE])
            show(len(found))
    return found
