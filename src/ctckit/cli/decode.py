"""``ctckit decode``: from saved posteriors to texts; and the options that ``ctckit read`` shares with it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ctckit.cli.inputs import read_lines, read_posteriors, read_tokens
from ctckit.errors import DataError, InvalidInputError

if TYPE_CHECKING:
    import numpy.typing as npt

    from ctckit import BeamDecoder, Hypothesis, NGramModel, Vocabulary

AT_ONCE = 32  # items decoded between two looks at the progress bar

Models = Annotated[
    list[Path] | None,
    typer.Option("--lm", help="A language model, .arpa (.gz, .xz) or .ctclm; twice for words and characters."),
]
Weights = Annotated[list[float] | None, typer.Option("--lm-weight", help="Its weight, 0.3 by default; one for each.")]
Hotwords = Annotated[
    Path | None, typer.Option(help="Words or phrases to favour, one a line; a tab and nats behind it: its own weight.")
]
HotwordWeight = Annotated[float, typer.Option(help="Nats for one occurrence of a hotword.")]
BeamWidth = Annotated[int, typer.Option(min=1, help="Texts kept from frame to frame.")]
Separator = Annotated[str | None, typer.Option(help='The token between words, such as "|" or " ".')]


def decode(
    posteriors: Annotated[
        Path,
        typer.Argument(
            help="A .npz file of natural log-probabilities: log_probs (B, T, C) and, if need be, input_lengths (B,); "
            "or logp (Σ T, C) and offsets (B + 1,); or an array (T, C) for each item.",
            metavar="POSTERIORS.npz",
        ),
    ],
    vocabulary: Annotated[
        Path,
        typer.Option(
            "--vocabulary",
            "-v",
            help="The tokens of the classes: one a line, or in a .json file a list, or an object of token: class. An "
            "empty one for the blank.",
        ),
    ],
    blank: Annotated[
        int | None,
        typer.Option(
            min=0, help="The class of the blank, whatever the vocabulary calls it; by default 0, called empty."
        ),
    ] = None,
    separator: Separator = None,
    word_start: Annotated[str | None, typer.Option(help='What begins a token that begins a word: "▁".')] = None,
    continuation: Annotated[str | None, typer.Option(help='What begins a token that goes on in one: "##".')] = None,
    lm: Models = None,
    lm_weight: Weights = None,
    lm_unit: Annotated[
        list[str] | None, typer.Option(help="word, char or token; by default what the file says or looks like.")
    ] = None,
    word_bonus: Annotated[
        float | None, typer.Option(help="Nats for each word; 2 with a model of words, else 0.")
    ] = None,
    token_bonus: Annotated[float, typer.Option(help="Nats for each token.")] = 0.0,
    lexicon: Annotated[
        Path | None,
        typer.Option(
            help="The words that are known, one a line; a tab and tokens between spaces behind: its spelling."
        ),
    ] = None,
    oov_charge: Annotated[float, typer.Option(help="Nats for each letter of a word that is not known.")] = 0.25,
    closed: Annotated[bool, typer.Option("--closed", help="Forbid words that are not known.")] = False,
    hotwords: Hotwords = None,
    hotword_weight: HotwordWeight = 10.0,
    beam_width: BeamWidth = 100,
    token_threshold: Annotated[
        float, typer.Option(help="Log-probability below which a class begins no token.")
    ] = float("-inf"),
    beam_threshold: Annotated[float, typer.Option(help="Nats below the best at which a text is dropped.")] = float(
        "-inf"
    ),
    n_best: Annotated[int, typer.Option(min=1, help="Texts for each item.")] = 1,
    frame_seconds: Annotated[
        float | None, typer.Option(min=0.0, help="Length of a frame: times in seconds too.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Scores, tokens, words and times, as JSON.")] = False,
) -> None:
    """Decode saved posteriors by beam search. Prints a text a line; of several: item, rank, score and text, by tabs."""
    from ctckit import BeamDecoder, Vocabulary

    names, items = read_posteriors(posteriors)
    tokens = read_tokens(vocabulary, blank)
    decoder = BeamDecoder(
        Vocabulary(tokens, blank or 0, separator, word_start, continuation),
        beam_width=beam_width,
        language_model=load_models(lm, lm_unit),
        lm_weight=_weights(lm_weight),
        word_bonus=word_bonus,
        token_bonus=token_bonus,
        lexicon=None if lexicon is None else _lexicon(lexicon),
        oov_charge=None if closed else oov_charge,
        hotwords=None if hotwords is None else read_hotwords(hotwords, hotword_weight),
        token_threshold=token_threshold,
        beam_threshold=beam_threshold,
    )
    found = _decoded(decoder, items, n_best)
    if as_json:
        written = [
            _as_dict(name, each, decoder.vocabulary, frame_seconds) for name, each in zip(names, found, strict=True)
        ]
        typer.echo(json.dumps(written, ensure_ascii=False, indent=2))
        return
    for name, hypotheses in zip(names, found, strict=True):
        for rank, each in enumerate(hypotheses, 1):
            typer.echo(each.text if n_best == 1 else f"{name}\t{rank}\t{each.score:.4f}\t{each.text}")


def load_models(paths: Sequence[Path] | None, units: Sequence[str] | None = None) -> list[NGramModel] | None:
    """The language models of ``--lm``."""
    from ctckit import NGramModel

    if not paths:
        return None
    if units and len(units) != len(paths):
        raise InvalidInputError(
            f"--lm-unit is given {len(units)} times for {len(paths)} models; expected one for each."
        )
    named: Sequence[str | None] = units or [None] * len(paths)
    return [NGramModel.load(path, unit=unit) for path, unit in zip(paths, named, strict=True)]


def beam_decoder(
    vocabulary: Vocabulary,
    models: Sequence[Path] | None,
    weights: Sequence[float] | None,
    hotwords: Path | None,
    hotword_weight: float,
    beam_width: int,
    separator: str | None,
) -> BeamDecoder | None:
    """What ``ctckit read`` decodes with; None where nothing asks for more than the best path."""
    from dataclasses import replace

    from ctckit import BeamDecoder

    if not models and hotwords is None:
        return None
    return BeamDecoder(
        replace(vocabulary, separator=separator),
        beam_width=beam_width,
        language_model=load_models(models),
        lm_weight=_weights(weights),
        hotwords=None if hotwords is None else read_hotwords(hotwords, hotword_weight),
    )


def _weights(given: Sequence[float] | None) -> float | list[float]:
    from ctckit.decoding.settings import LM_WEIGHT

    if not given:
        return LM_WEIGHT
    return given[0] if len(given) == 1 else list(given)


def _decoded(decoder: BeamDecoder, items: Sequence[npt.NDArray[Any]], n_best: int) -> list[list[Hypothesis]]:
    from rich.console import Console
    from rich.progress import Progress

    from ctckit.decoding.padding import pad_frames

    found: list[list[Hypothesis]] = []
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("decoding", total=len(items))
        for at in range(0, len(items), AT_ONCE):
            batch, lengths = pad_frames(items[at : at + AT_ONCE])
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
        "tokens": [place(vocabulary[span.token], span) for span in found.spans],
        "words": [place(word.text, word) for word in found.words],
    }


def _lexicon(path: Path) -> list[str] | dict[str, list[list[str]]]:
    """Words, or words with spellings; one that stands on several lines has several."""
    lines = [line.split("\t") for line in read_lines(path)]
    if all(len(line) == 1 for line in lines):
        return [word for (word,) in lines]
    spelled: dict[str, list[list[str]]] = {}
    for n, line in enumerate(lines, 1):
        if len(line) != 2 or not line[1].split():
            raise DataError(f"{path}: line {n} is {chr(9).join(line)!r}; expected a word, a tab and its tokens.")
        spelled.setdefault(line[0], []).append(line[1].split())
    return spelled


def read_hotwords(path: Path, weight: float) -> dict[str, float]:
    """Hotwords, each with its own weight or the general one."""
    found: dict[str, float] = {}
    for n, line in enumerate(read_lines(path), 1):
        phrase, tab, own = line.partition("\t")
        try:
            found[phrase] = float(own) if tab else weight
        except ValueError:
            raise DataError(f"{path}: line {n} is {line!r}; expected a phrase, or a phrase, a tab and nats.") from None
    return found
