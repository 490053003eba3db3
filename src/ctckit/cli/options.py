"""Options that several commands share, each declared once.

A group of options is a frozen dataclass: each field is one option, and ``panel`` is their title in the help. A command
takes a group as one parameter, and ``expand`` turns this parameter into the options of its fields::

    @dataclass(frozen=True)
    class SearchOptions:
        panel: ClassVar = "Beam search"
        beam_width: Annotated[int, typer.Option(min=1, help="…")] = 100

    def decode(posteriors: Annotated[Path, typer.Argument()], *, search: SearchOptions) -> None: ...

    app.command()(expand(decode))  # ctckit decode POSTERIORS --beam-width 100
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from copy import copy
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import Enum
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NoReturn, get_args, get_type_hints

import typer

from ctckit.cli.inputs import read_hotwords, read_lexicon
from ctckit.errors import InvalidInputError

if TYPE_CHECKING:
    from ctckit import BeamDecoder, NGramModel, Vocabulary


class Device(str, Enum):
    """Where to compute."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"
    mps = "mps"


class ByteTokens(str, Enum):
    """Which tokens are bytes."""

    fallback = "fallback"
    level = "level"


DeviceOption = Annotated[Device, typer.Option(help="Where to compute.")]
NBest = Annotated[int, typer.Option(min=1, help="How many texts to return for each item, best first.")]
# decode needs a vocabulary, align only for posteriors: the annotation is shared, the type and the default are not
VOCABULARY_FILE = typer.Option(
    "--vocabulary",
    "-v",
    help="The tokens of the classes: a text with one token a line (or a token, a space and its class), vocab.json, "
    "tokenizer.json, or the .vocab file of SentencePiece.",
)
# train and evaluate take the same data sets
LINES = typer.Argument(
    help="Lines with their texts: a folder of images, with name.gt.txt beside name.png; pages, ALTO or PAGE XML beside "
    "their images; a .tsv or .csv table of path and text; or Parquet with images and texts."
)
# align needs an acoustic model only for recordings, transcribe always
ACOUSTIC_MODEL = typer.Option(
    "--model",
    "-m",
    help="The acoustic model: hama, the folder of a Hugging Face CTC model, or the name of a plug-in.",
)
ChunkSeconds = Annotated[float, typer.Option(min=1.0, help="The length of the pieces that the model gets at a time.")]


def expand(command: Callable[..., None]) -> Callable[..., None]:
    """Return the command in typer's form: each parameter that is a group of options becomes one parameter per field.

    Args:
        command: A function whose parameters are annotated with ``typer.Argument``, ``typer.Option`` or a dataclass.

    Returns:
        A function with the signature that typer reads; it builds the dataclasses and calls ``command``.
    """
    groups: dict[str, Any] = {}
    parameters: list[Parameter] = []
    for name, parameter in signature(command, eval_str=True).parameters.items():
        if is_dataclass(parameter.annotation):
            groups[name] = parameter.annotation
            parameters += _parameters_of(parameter.annotation)
        else:
            parameters.append(parameter.replace(kind=Parameter.KEYWORD_ONLY))

    @wraps(command)
    def run(**values: Any) -> None:
        for name, group in groups.items():
            values[name] = group(**{field.name: values.pop(field.name) for field in fields(group)})
        command(**values)

    run.__signature__ = signature(run).replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _parameters_of(group: Any) -> list[Parameter]:
    hints = get_type_hints(group, include_extras=True)
    parameters = []
    for field in fields(group):
        kind, option = get_args(hints[field.name])
        option = copy(option)
        option.rich_help_panel = group.panel
        annotation = Annotated[kind, option]  # type: ignore[valid-type]
        parameters.append(Parameter(field.name, Parameter.KEYWORD_ONLY, default=field.default, annotation=annotation))
    return parameters


def given_options(group: Any) -> list[str]:
    """Return the options of a group that differ from their defaults, as they are written on the command line."""
    given = [field.name for field in fields(group) if getattr(group, field.name) != field.default]
    return [f"--{name.replace('_', '-')}" for name in given]


def refuse_option(option: str, why: str) -> NoReturn:
    """Raise the error of an option that does not apply here."""
    raise InvalidInputError(f"{option} is given, but {why}.")


@dataclass(frozen=True)
class WordMarks:
    """How the tokens show where words begin and end; at most one may be given."""

    panel: ClassVar[str] = "Marks of words"
    separator: Annotated[str | None, typer.Option(help='The token between words, such as "|" or " ".')] = None
    word_start: Annotated[
        str | None, typer.Option(help='The prefix of tokens that begin a word, such as "▁" (SentencePiece).')
    ] = None
    continuation: Annotated[
        str | None, typer.Option(help='The prefix of tokens that continue a word, such as "##" (WordPiece).')
    ] = None

    def mark(self, vocabulary: Vocabulary) -> Vocabulary:
        """Return the vocabulary with these marks."""
        return replace(vocabulary, separator=self.separator, word_start=self.word_start, continuation=self.continuation)


@dataclass(frozen=True)
class VocabularyOptions(WordMarks):
    """How to read a vocabulary file."""

    panel: ClassVar[str] = "Vocabulary"
    blank: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="The class of the blank; its token in the file does not matter. One more than the file has: the blank "
            "comes after its tokens. By default the token with a usual name: empty, <blank>, <blk>, <pad> and others.",
        ),
    ] = None
    silent: Annotated[
        list[str] | None,
        typer.Option(help='A token without a text, such as "<unk>" or "</s>". May be given several times.'),
    ] = None
    byte_tokens: Annotated[
        ByteTokens | None,
        typer.Option(
            help="Which tokens are bytes: fallback, those like <0xE7>; level, all, in the alphabet of GPT-2. By "
            "default as the file shows it."
        ),
    ] = None

    def expect_only(self, possible: Collection[str], why: str) -> None:
        """Refuse the options that would do nothing: all but the possible ones."""
        for option in fields(self):
            if getattr(self, option.name) is not None and option.name not in possible:
                refuse_option(f"--{option.name.replace('_', '-')}", why)

    def load(self, path: Path) -> Vocabulary:
        """Return the vocabulary of a file."""
        from ctckit import Vocabulary

        return Vocabulary.load(
            path,
            blank=self.blank,
            separator=self.separator,
            word_start=self.word_start,
            continuation=self.continuation,
            silent=self.silent or (),
            byte_tokens=None if self.byte_tokens is None else self.byte_tokens.value,
        )


@dataclass(frozen=True)
class SearchOptions:
    """The settings of the beam search."""

    panel: ClassVar[str] = "Beam search"
    lm: Annotated[
        list[Path] | None,
        typer.Option(
            help="A language model: ARPA (.gz, .xz), KenLM's binary or .ctclm. May be given twice: one model of words, "
            "one of characters or tokens."
        ),
    ] = None
    lm_weight: Annotated[
        list[float] | None, typer.Option(help="The weight of the model, 0.3 by default. Given once, or once per model.")
    ] = None
    lm_unit: Annotated[
        list[str] | None,
        typer.Option(
            help="The unit of the model: word, char or token. By default the unit stated in the file, or the one that "
            "its entries suggest."
        ),
    ] = None
    lm_boundary: Annotated[
        bool | None,
        typer.Option(
            "--lm-boundary/--no-lm-boundary",
            help="Each item is a whole text, with the model's <s> and </s>; or it may be a part of one.",
            show_default="lm-boundary",
        ),
    ] = None
    word_bonus: Annotated[
        float | None, typer.Option(help="Nats for each word. By default 2 with a model of words, otherwise 0.")
    ] = None
    token_bonus: Annotated[float | None, typer.Option(help="Nats for each token.", show_default="0.0")] = None
    lexicon: Annotated[
        Path | None,
        typer.Option(
            help="A file of the known words, one a line. A line may add a tab and the spelling: tokens with spaces "
            "between them."
        ),
    ] = None
    oov_charge: Annotated[
        float | None,
        typer.Option(help="Nats for each letter of an unknown word, subtracted.", show_default="0.25"),
    ] = None
    closed: Annotated[bool, typer.Option("--closed", help="Forbid unknown words.")] = False
    hotwords: Annotated[
        Path | None,
        typer.Option(help="A file of words or phrases to favor, one a line. A line may add a tab and its own weight."),
    ] = None
    hotword_weight: Annotated[
        float | None,
        typer.Option(
            help="Nats for each occurrence of a hotword without a weight of its own. By default up to 10, less for "
            "short ones and in large sets."
        ),
    ] = None
    beam_width: Annotated[
        int | None,
        typer.Option(min=1, help="How many texts the search keeps at each frame.", show_default="100"),
    ] = None
    token_threshold: Annotated[
        float | None,
        typer.Option(help="A class with a log-probability below this begins no token.", show_default="-inf"),
    ] = None
    beam_threshold: Annotated[
        float | None,
        typer.Option(
            help="Texts whose score is this far below the best are dropped: negative nats.", show_default="-inf"
        ),
    ] = None
    settings: Annotated[
        Path | None,
        typer.Option(
            help="A file of settings, as ctckit tune writes it: weights, bonuses, beam. Options that are given take "
            "the place of its settings."
        ),
    ] = None

    def decoder(
        self, vocabulary: Vocabulary, *, models: Sequence[NGramModel] | None = None, lexicon: Any = None
    ) -> BeamDecoder:
        """Return a beam decoder with these settings.

        Args:
            vocabulary: The tokens.
            models: What ``models()`` returned, if it is loaded already.
            lexicon: The known words as ``BeamDecoder`` takes them; by default those of ``--lexicon``.
        """
        from ctckit import BeamDecoder

        if lexicon is None and self.lexicon is not None:
            lexicon = read_lexicon(self.lexicon)
        return BeamDecoder(
            vocabulary,
            language_model=self.models() if models is None else models,
            lexicon=lexicon,
            hotwords=None if self.hotwords is None else read_hotwords(self.hotwords, self.hotword_weight),
            **self._settings(),
        )

    def files(self) -> list[Path]:
        """Return the files that are given."""
        return [*(self.lm or ()), *(path for path in (self.lexicon, self.hotwords, self.settings) if path is not None)]

    def _settings(self) -> dict[str, Any]:
        """Return the settings of the file and, in their place, those of the options that are given."""
        from ctckit._warning import warn
        from ctckit.decoding import read_settings
        from ctckit.decoding.settings_file import NAMES

        settings = {} if self.settings is None else read_settings(self.settings)
        if "lm_weight" in settings and not self.lm:
            warn(f"{self.settings} has lm_weight, but no model is given. Give it with --lm.")
        given = {name: value for name in NAMES if (value := getattr(self, name)) is not None}
        if self.closed:
            if self.oov_charge is not None:
                refuse_option("--oov-charge", "--closed forbids unknown words")
            given["oov_charge"] = None
        if self.lm_weight is not None and len(self.lm_weight) == 1:
            given["lm_weight"] = self.lm_weight[0]
        return {**settings, **given}

    def models(self) -> list[NGramModel]:
        """Return the language models."""
        from ctckit import NGramModel

        paths, units = self.lm or (), self.lm_unit
        if units and len(units) != len(paths):
            raise InvalidInputError(
                f"--lm-unit is given {len(units)} times for {len(paths)} models; expected one for each."
            )
        named: Sequence[str | None] = units or [None] * len(paths)
        return [NGramModel.load(path, unit=unit) for path, unit in zip(paths, named, strict=True)]
