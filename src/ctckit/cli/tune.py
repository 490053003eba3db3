"""``ctckit tune``: the best settings of a decoder on posteriors whose texts are known, as a file of settings."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ctckit._posterior_files import npy_files, read_posteriors
from ctckit.cli.inputs import read_text
from ctckit.cli.options import VOCABULARY_FILE, SearchOptions, VocabularyOptions
from ctckit.errors import DataError, InvalidInputError

if TYPE_CHECKING:
    from ctckit.cli.trials import Trials

INTERRUPTED = 130


class Metric(str, Enum):
    """The errors to count."""

    cer = "cer"
    wer = "wer"


def tune(
    posteriors: Annotated[
        list[Path],
        typer.Argument(
            help="Files or folders of natural log-probabilities, as ctckit decode reads them.", metavar="POSTERIORS..."
        ),
    ],
    *,
    texts: Annotated[
        Path,
        typer.Option(
            "--texts", "-t", help="The true texts, in UTF-8: one line for each item of the files, in their order."
        ),
    ],
    vocabulary: Annotated[Path, VOCABULARY_FILE],
    out: Annotated[Path, typer.Option("--out", "-o", help="The file of settings to write (JSON).")],
    classes: VocabularyOptions,
    search: SearchOptions,
    metric: Annotated[Metric, typer.Option(help="Count errors of characters or of words.")] = Metric.cer,
    grid: Annotated[
        list[str] | None,
        typer.Option(
            help='A setting to tune, with its first values: "lm_weight=0,0.5,1". May be given several times. By '
            "default the weights of the models, word_bonus with a model of words, and token_bonus with a model of "
            "characters or tokens."
        ),
    ] = None,
    refinements: Annotated[
        int, typer.Option(min=0, help="How often to continue around the best point with half the step.")
    ] = 2,
    folds: Annotated[
        int, typer.Option(min=0, help="The parts of a cross-validation, which gives the error on held-out items.")
    ] = 0,
) -> None:
    """Choose lm_weight, word_bonus and other settings on posteriors whose texts are known.

    Prints the errors, and writes the best settings. ctckit decode, read and transcribe take them with --settings.

    Do not use the texts of your test set.

    After an interruption the same command continues: what it has tried is in a file beside --out until it ends.
    """
    from ctckit.cli.trials import Trials
    from ctckit.decoding import tuning, write_settings

    if not out.absolute().parent.is_dir():
        raise DataError(f"{out}: there is no folder {out.parent}. Make it, or choose another file.")
    items = [item for path in posteriors for item in read_posteriors(path)[1]]
    references = _read_references(texts, len(items))
    decoder = search.decoder(classes.load(vocabulary))
    axes = tuning.axes_of(decoder, _read_grid(grid))
    files = [*posteriors, texts, vocabulary, *search.files()]
    key = _key([metric, axes, classes, search, metadata.version("ctckit")], files)
    trials = Trials(Path(f"{out}.trials"), key, list(axes), len(items))
    if trials.replaced:
        typer.echo(f"ctckit: {trials.path} is of another command, or of changed files: starting anew.", err=True)
    units = max(1, sum(len(text.split() if metric is Metric.wer else text) for text in references))
    try:
        with trials.kept(), _shown(trials, units) as progress:
            found = tuning.tune(
                decoder,
                items,
                references,
                metric=metric.value,
                grid=axes,
                refinements=refinements,
                folds=folds,
                progress=progress,
                trials=trials,
            )
    except KeyboardInterrupt:
        typer.echo(f"\nInterrupted. {_so_far(trials, units)}. Continue: the same command.", err=True)
        raise typer.Exit(INTERRUPTED) from None
    write_settings(out, found.decoder.settings)
    trials.path.unlink(missing_ok=True)
    typer.echo(found.draw())
    typer.echo(f"Settings: {out}\nNext:     ctckit decode POSTERIORS --settings {out} and the same other options")


def _read_references(path: Path, items: int) -> list[str]:
    lines = [line.removesuffix("\r") for line in read_text(path).removesuffix("\n").split("\n")]
    if len(lines) != items:
        raise DataError(
            f"{path}: it has {len(lines)} lines for {items} items; expected the text of each item on a line."
        )
    return lines


def _read_grid(given: Sequence[str] | None) -> dict[str, list[float]] | None:
    grid: dict[str, list[float]] = {}
    for each in given or ():
        name, _, values = each.partition("=")
        try:
            grid[name.strip()] = [float(value) for value in values.split(",")]
        except ValueError:
            raise InvalidInputError(
                f'--grid is {each!r}; expected a setting and its values: "lm_weight=0,0.5,1".'
            ) from None
    return grid or None


def _key(options: Sequence[object], files: Sequence[Path]) -> str:
    """Return what tells apart commands with different results: a digest of options and of the contents of files.

    The contents of a folder are those of the .npy files in it.
    """
    digest = hashlib.blake2b(repr(options).encode(), digest_size=16)
    parts = [each for path in files for each in (npy_files(path) if path.is_dir() else [path])]
    for each in parts:
        with each.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _so_far(trials: Trials, units: int) -> str:
    if not len(trials):
        return "No setting was tried yet"
    settings, errors = trials.best()
    return f"{len(trials)} settings were tried; fewest errors so far: {100 * errors / units:.2f} % with {settings}"


@contextmanager
def _shown(trials: Trials, units: int) -> Iterator[Callable[[int], None]]:
    """Show the progress while the block runs."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    off = not sys.stderr.isatty()
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=off) as progress:
        task = progress.add_task(_so_far(trials, units), total=None)
        yield lambda count: progress.update(task, description=_so_far(trials, units))
