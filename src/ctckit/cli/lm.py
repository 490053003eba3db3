"""``ctckit lm``: train, inspect, convert and test n-gram language models."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ctckit.cli.requirements import need_ocr
from ctckit.errors import DataError, InvalidInputError

if TYPE_CHECKING:
    from ctckit.language_models.ngram import NGramModel

ORDERS = {"word": 3, "char": 6, "token": 3}

app = typer.Typer(
    help="Train, inspect, convert and test n-gram language models.", no_args_is_help=True, add_completion=False
)


class Layout(str, Enum):
    """The layout of ctckit's own format."""

    compact = "compact"
    fast = "fast"


class Unit(str, Enum):
    """The unit of a model's entries."""

    word = "word"
    char = "char"
    token = "token"


Model = Annotated[
    Path,
    typer.Argument(
        help="A model: ARPA (also packed by gzip, xz or bzip2), a binary file of KenLM, or .ctclm.", metavar="MODEL"
    ),
]
Text = Annotated[
    Path,
    typer.Argument(
        help="UTF-8 text, one sentence a line; may be packed by gzip, xz or bzip2. Or a folder of lines or pages, as "
        "for ctckit train, or a page (.xml): their texts."
    ),
]
Lowercase = Annotated[bool, typer.Option("--lowercase", help="Convert the text to lower case.")]
UnitOfModel = Annotated[
    Unit | None,
    typer.Option(
        help="The unit of its entries. By default the unit that the file states; an ARPA file states none, and its "
        "entries suggest one."
    ),
]
Unigrams = Annotated[
    Path | None,
    typer.Option(
        help="A text file with the words of a KenLM file that does not hold them (build_binary -v), separated by white "
        "space."
    ),
]


@app.command()
def train(
    text: Text,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The model to write: .arpa, .arpa.gz, .arpa.xz, or ctckit's own .ctclm.")
    ],
    order: Annotated[
        int | None,
        typer.Option(min=1, max=16, help="Length of the longest n-grams. By default 3; 6 for characters."),
    ] = None,
    unit: Annotated[Unit, typer.Option(help="The unit of the n-grams. Tokens are separated by spaces.")] = Unit.word,
    lowercase: Lowercase = False,
    space: Annotated[str, typer.Option(help="With --unit char: the entry for a space.")] = "|",
    prune: Annotated[
        str,
        typer.Option(
            help='Drop n-grams with a count up to this number, given for each order from 1: "0 0 1" drops 3-grams '
            "that occur once."
        ),
    ] = "",
) -> None:
    """Train a model on a text, with interpolated modified Kneser-Ney smoothing, as KenLM's lmplz does."""
    from ctckit.language_models.ngram import NGramModel

    began = time.perf_counter()
    model = NGramModel.train(
        _lines(text, lowercase),
        order=order or ORDERS[unit.value],
        unit=unit.value,
        space=space,
        prune=_numbers(prune),
        progress=True,
    )
    model.save(out)
    typer.echo(f"{out}: {_described(model)}, in {time.perf_counter() - began:.1f} s")
    orders = [n for n, each in enumerate(model.discounts or (), 1) if each.fallback]
    if orders:
        typer.echo(
            f"The text is too small or too regular to estimate the discounts of order {', '.join(map(str, orders))}: "
            "0.5, 1 and 1.5 are used.",
            err=True,
        )


@app.command()
def info(model: Model, unit: UnitOfModel = None, unigrams: Unigrams = None) -> None:
    """Check a whole model and print its order, its size and its counts."""
    from ctckit.kernels.ngram import CompactNGram

    loaded = _load(model, unit, unigrams)
    typer.echo(f"{model}: {_described(loaded)}")
    for order, count in enumerate(loaded.counts, 1):
        typer.echo(f"{order:>6}-grams  {count:>13,}")
    if loaded.source is not None:
        typer.echo("format         KenLM's binary file, mapped")
    elif isinstance(loaded.native, CompactNGram):
        typer.echo(f"format         compact, mapped; {loaded.native.log_prob_bits} bits for each log p")
    typer.echo(f"in memory      {loaded.native.bytes / 1e6:>10.1f} MB")
    typer.echo(f"log p(<unk>)   {loaded.unknown_log_prob:>10.2f}")


@app.command()
def convert(
    model: Model,
    out: Annotated[Path, typer.Argument(help="The model to write; the ending of its name gives the format.")],
    unit: UnitOfModel = None,
    unigrams: Unigrams = None,
    layout: Annotated[
        Layout,
        typer.Option(
            help="The layout of a .ctclm: compact, or fast, which is several times as large and a little faster."
        ),
    ] = Layout.compact,
    quantize: Annotated[
        int | None,
        typer.Option(
            min=2,
            max=16,
            help="Round log-probabilities and back-offs to 2^QUANTIZE values each, for a smaller .ctclm; usual is 8.",
        ),
    ] = None,
) -> None:
    """Convert a model to another format: ARPA, or ctckit's own .ctclm, which is memory-mapped."""
    loaded = _load(model, unit, unigrams)
    loaded.save(out, layout=layout.value, quantize=quantize)
    typer.echo(f"{out}: {_described(loaded)}, {out.stat().st_size / 1e6:,.1f} MB")


@app.command()
def score(
    model: Model, text: Text, lowercase: Lowercase = False, unit: UnitOfModel = None, unigrams: Unigrams = None
) -> None:
    """Print the perplexity of a text under a model, with and without the entries that the model does not know."""
    loaded = _load(model, unit, unigrams)
    lines = entries = unknown = 0
    all_nats = unknown_nats = 0.0
    for line in _lines(text, lowercase):
        found = line.split() if loaded.unit == "token" else loaded.entries(line)
        if not found:
            continue
        lines += 1
        entries += len(found)
        state = loaded.start
        for each in found:
            nats, state = loaded.score(state, each)
            all_nats += nats
            if each not in loaded:
                unknown += 1
                unknown_nats += nats
        all_nats += loaded.end(state)
    if not lines:
        raise DataError(f"{text}: there is no text.")
    known = math.exp(-(all_nats - unknown_nats) / (entries - unknown + lines))
    typer.echo(
        f"{lines:,} lines, {entries:,} entries, {unknown:,} of them unknown ({unknown / entries:.2%})\n"
        f"log p        {all_nats:.2f}\n"
        f"perplexity   {math.exp(-all_nats / (entries + lines)):.2f}   (with the end of each line)\n"
        f"known only   {known:.2f}   (without unknown entries)"
    )


def _load(path: Path, unit: Unit | None, unigrams: Path | None) -> NGramModel:
    from ctckit.language_models.files import spinner
    from ctckit.language_models.ngram import NGramModel

    with spinner(f"loading {path}", True):
        words = None if unigrams is None else (word for line in _lines(unigrams, False) for word in line.split())
        model = NGramModel.load(path, unit=unit.value if unit else None, unigrams=words)
        _ = model.native  # building it checks the whole model
    return model


def _lines(path: Path, lowercase: bool) -> Iterator[str]:
    from ctckit.language_models.files import lines_of

    lines = _texts_of_lines(path) if path.is_dir() or path.suffix.lower() == ".xml" else lines_of(path)
    return (line.lower() for line in lines) if lowercase else lines


def _texts_of_lines(source: Path) -> Iterator[str]:
    """Yield the texts of line images and pages, in the form in which ctckit train learns them by default."""
    need_ocr("reading the texts of lines and pages")
    from ctckit.ocr.data.pairs import Pair
    from ctckit.ocr.data.rules import LineRules
    from ctckit.ocr.data.sources import find_pairs

    rules = LineRules()
    return (rules.normalized(each.written) for each in find_pairs(source) if isinstance(each, Pair))


def _numbers(text: str) -> list[int]:
    try:
        return [int(each) for each in text.replace(",", " ").split()]
    except ValueError:
        raise InvalidInputError(f'prune is {text!r}; expected numbers like "0 0 1".') from None


def _described(model: NGramModel) -> str:
    names = {"word": "words", "char": "characters", "token": "tokens"}
    return f"order {model.order}, {len(model):,} {names[model.unit]}, {sum(model.counts):,} n-grams"
