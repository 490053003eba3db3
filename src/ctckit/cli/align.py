"""``ctckit align``: where each word of a text is, in saved posteriors or in a recording."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ctckit.cli.inputs import read_lines, read_posteriors, read_text, read_tokens
from ctckit.errors import DataError, InvalidInputError

if TYPE_CHECKING:
    import numpy.typing as npt

    from ctckit.acoustic_models import AcousticModel
    from ctckit.alignment import Alignment, TimedText, Transcript
    from ctckit.vocabulary import Vocabulary

STAR = -1  # stands for a word that cannot be spelled
ONE_TIER = {".srt": "lines", ".vtt": "lines", ".ctm": "words", ".txt": "words"}  # what these are given


class Boundaries(str, Enum):
    """Where a token begins and ends."""

    spike = "spike"
    midpoint = "midpoint"
    occupancy = "occupancy"


class Tier(str, Enum):
    """What is written."""

    lines = "lines"
    words = "words"
    tokens = "tokens"


@dataclass(frozen=True)
class _Source:
    """Frames, how their classes are written, and the ways to say a word in them."""

    log_probs: npt.NDArray[Any]
    vocabulary: Vocabulary
    frame_seconds: float
    duration_seconds: float
    spellings: Callable[[str], Sequence[Sequence[str]]] | None


def align(
    source: Annotated[
        Path,
        typer.Argument(
            help="A recording (WAV, FLAC, OGG, MP3), or a .npz file of log-probabilities as ctckit decode reads.",
            metavar="RECORDING",
        ),
    ],
    text: Annotated[Path, typer.Argument(help="What is said, in UTF-8.", metavar="TEXT")],
    out: Annotated[
        list[Path] | None,
        typer.Option(
            "--out",
            "-o",
            help="A file to write, by its ending: .TextGrid, .eaf, .srt, .vtt, .ctm, .json, or .txt for Audacity. "
            "Several times for several. Without any, the words are printed: start, end, confidence and word, by tabs.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            help="What hears the recording: hama, a folder of a Hugging Face model for CTC, or a plug-in.",
        ),
    ] = None,
    dictionary: Annotated[
        Path | None,
        typer.Option(
            "--dictionary",
            "-d",
            help="How words sound, in the manner of CMU's dictionary. Of several ways to say a word, the model's own "
            "among them, that is taken which is heard.",
        ),
    ] = None,
    vocabulary: Annotated[
        Path | None,
        typer.Option("--vocabulary", "-v", help="Of posteriors: the tokens of the classes, as for ctckit decode."),
    ] = None,
    frame_ms: Annotated[float | None, typer.Option(help="Of posteriors: how many milliseconds a frame lasts.")] = None,
    blank: Annotated[
        int | None, typer.Option(min=0, help="Of posteriors: the class of the blank; 0 by default.")
    ] = None,
    separator: Annotated[
        str | None, typer.Option(help='Of posteriors: the token between words, such as "|" or " ".')
    ] = None,
    item: Annotated[str | None, typer.Option(help="Of posteriors with several items: which.")] = None,
    offset: Annotated[float, typer.Option(min=0.0, help="When the first frame begins, in seconds.")] = 0.0,
    replacements: Annotated[
        Path | None, typer.Option(help="How words are spoken: a word, a tab and other words, one a line.")
    ] = None,
    edges: Annotated[
        bool, typer.Option("--edges", help="There may be speech before and behind the text that is not in it.")
    ] = False,
    boundaries: Annotated[Boundaries, typer.Option(help="Where a token begins and ends.")] = Boundaries.occupancy,
    tier: Annotated[
        Tier | None,
        typer.Option(
            help="Write only the lines of the text, the words or the tokens. By default all, but lines in subtitles "
            "and words in .ctm and .txt, which hold one thing."
        ),
    ] = None,
    chunk_seconds: Annotated[float, typer.Option(min=1.0, help="Of a recording: how much is heard at a time.")] = 30.0,
    figure: Annotated[
        Path | None, typer.Option(help="A picture of sound, words and tokens: .png, .svg or .pdf.")
    ] = None,
    between: Annotated[
        tuple[float, float] | None, typer.Option(help="What the picture shows: from which second to which.")
    ] = None,
) -> None:
    """Find where each word of a text is said."""
    from ctckit.alignment import SpellingChoice, Transcript, forced_align, timed_tiers, write_alignment
    from ctckit.alignment.writers import format_of

    for path in out or ():
        format_of(path)  # a wrong ending is better found before the work than after it
    content = read_text(text)
    if source.suffix.lower() == ".npz":
        _refuse_options({"--model": model}, f"{source} holds posteriors")
        heard = _posteriors(source, vocabulary, frame_ms, blank, separator, item, dictionary)
    else:
        unwanted = {"--vocabulary": vocabulary, "--frame-ms": frame_ms, "--blank": blank, "--separator": separator}
        _refuse_options({**unwanted, "--item": item}, f"{source} is a recording, of which the model says it")
        heard = _recording(source, model, dictionary, chunk_seconds)
    spell = None if heard.spellings is None else SpellingChoice(heard.spellings, heard.vocabulary)
    spoken = _replacements(replacements)

    def aligned() -> tuple[Transcript, Alignment]:
        said = Transcript(content, heard.vocabulary, spell=spell, replacements=spoken, star=STAR)
        if not len(said.tokens):
            raise DataError(f"{text}: there is nothing in it that the model could write.")
        [path] = forced_align(heard.log_probs, said.tokens, blank=heard.vocabulary.blank, star=STAR, edges=edges)
        return said, path

    transcript, found = aligned()
    _tell_unspelled(transcript)
    if spell is not None and spell.choose(transcript, found):
        transcript, found = aligned()
    tiers = timed_tiers(found, transcript, heard.vocabulary, heard.frame_seconds, offset, boundaries=boundaries.value)
    for path in out or ():
        write_alignment(
            path,
            _tiers_for(path, tiers, tier),
            duration_seconds=offset + heard.duration_seconds,
            media=None if source.suffix.lower() == ".npz" else source.name,
        )
    if figure is not None:
        _draw(figure, source, found, tiers["words"], heard, offset, between)
    if not out:
        _print(tiers[tier.value if tier else "words"])


def _posteriors(
    path: Path,
    vocabulary: Path | None,
    frame_ms: float | None,
    blank: int | None,
    separator: str | None,
    item: str | None,
    dictionary: Path | None,
) -> _Source:
    from ctckit.vocabulary import Vocabulary

    if vocabulary is None or frame_ms is None:
        missing = "--vocabulary" if vocabulary is None else "--frame-ms"
        raise InvalidInputError(f"{path} holds posteriors: expected {missing} beside it.")
    if not 0 < frame_ms < float("inf"):
        raise InvalidInputError(f"--frame-ms is {frame_ms}; expected a positive number.")
    names, items = read_posteriors(path)
    if item is None and len(items) > 1:
        raise InvalidInputError(f"{path} holds {len(items)} items: {_some(names)}; expected --item with one of them.")
    if item is not None and item not in names:
        raise InvalidInputError(f"--item is {item!r}; {path} has {_some(names)}.")
    log_probs = items[0 if item is None else names.index(item)]
    tokens = Vocabulary(read_tokens(vocabulary, blank), blank or 0, separator)
    if len(tokens) != log_probs.shape[1]:
        raise DataError(f"{path} has C = {log_probs.shape[1]} classes, but {vocabulary} has {len(tokens)} tokens.")
    seconds = frame_ms / 1000
    return _Source(log_probs, tokens, seconds, len(log_probs) * seconds, _spellings(tokens, dictionary, None))


def _recording(path: Path, model: str | None, dictionary: Path | None, chunk_seconds: float) -> _Source:
    from ctckit.acoustic_models import load_model

    if model is None:
        raise InvalidInputError(f"{path} is a recording: expected --model, what hears it. For posteriors: a .npz file.")
    acoustic = load_model(model)
    spellings = _spellings(acoustic.vocabulary, dictionary, acoustic)
    emissions = _listen(path, acoustic, chunk_seconds)
    return _Source(
        emissions.log_probs, acoustic.vocabulary, acoustic.frame_seconds, emissions.duration_seconds, spellings
    )


def _listen(path: Path, model: AcousticModel, chunk_seconds: float) -> Any:
    from rich.console import Console
    from rich.progress import Progress

    from ctckit.acoustic_models import audio, listen

    whole = audio.duration_seconds(path)
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("listening", total=whole)
        return listen(path, model, chunk_seconds=chunk_seconds, progress=lambda at: progress.update(task, completed=at))


def _spellings(
    vocabulary: Vocabulary, dictionary: Path | None, model: AcousticModel | None
) -> Callable[[str], Sequence[Sequence[str]]] | None:
    """From a word to the ways to say it, the dictionary's first; None where words are written in letters."""
    from ctckit.alignment import PronouncingDictionary

    by_model = None if model is None else model.spell
    if dictionary is None and by_model is None:
        return None
    spoken = None if dictionary is None else PronouncingDictionary(dictionary, vocabulary)

    def spellings(word: str) -> Sequence[Sequence[str]]:
        word = word.lower().replace("’", "'")
        found = [] if spoken is None or word not in spoken else list(spoken[word])
        own = None if by_model is None else by_model(word)
        return list(dict.fromkeys([*found, *([] if own is None else [tuple(own)])]))

    return spellings


def _replacements(path: Path | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for n, line in enumerate(read_lines(path) if path is not None else (), 1):
        word, tab, spoken = line.partition("\t")
        if not tab or not word.strip() or not spoken.strip():
            raise DataError(f"{path}: line {n} is {line!r}; expected a word, a tab and the words that are spoken.")
        found[word.strip()] = spoken.strip()
    return found


def _tell_unspelled(transcript: Transcript) -> None:
    words = list(dict.fromkeys(word.text for word in transcript.unspelled))
    if words:
        typer.echo(
            f"ctckit: {_some(words)} cannot be spelled in the model's tokens; a wildcard stands for each. "
            "A --dictionary or --replacements can spell them.",
            err=True,
        )


def _tiers_for(
    path: Path, tiers: Mapping[str, tuple[TimedText, ...]], tier: Tier | None
) -> Mapping[str, Sequence[TimedText]]:
    """What a file of this ending is given."""
    one = tier.value if tier else ONE_TIER.get(path.suffix.lower())
    if one is None:
        return tiers
    return {one: tiers.get(one, tiers["words"]) if one != "lines" else _lines(path, tiers)}


def _lines(path: Path, tiers: Mapping[str, tuple[TimedText, ...]]) -> Sequence[TimedText]:
    """The lines of the text; in subtitles cut to what one can read."""
    from ctckit.alignment import subtitle_lines
    from ctckit.alignment.writers.tiers import joined

    lines = tiers.get("lines", (joined(tiers["words"]),))
    if path.suffix.lower() not in (".srt", ".vtt"):
        return lines
    cut: list[TimedText] = []
    words = iter(tiers["words"])
    for line in lines:
        cut += subtitle_lines([next(words) for _ in line.text.split()])
    return cut


def _draw(
    path: Path,
    source: Path,
    found: Alignment,
    words: Sequence[TimedText],
    heard: _Source,
    offset: float,
    between: tuple[float, float] | None,
) -> None:
    from ctckit.viz.alignment import draw_alignment, first_view

    between = between or first_view(found, heard.frame_seconds, offset)
    sound: dict[str, Any] = {}
    if source.suffix.lower() != ".npz":
        from ctckit.acoustic_models import audio

        begin = max(between[0], offset)
        samples, rate = audio.excerpt(source, begin - offset, between[1] - offset)
        sound = {"waveform": samples, "rate": rate, "waveform_seconds": begin}
    drawn = draw_alignment(
        found,
        heard.frame_seconds,
        offset_seconds=offset,
        words=words,
        names=heard.vocabulary,
        between=between,
        **sound,
    )
    try:
        drawn.savefig(path, dpi=130)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be written ({error}).") from error


def _print(entries: Sequence[TimedText]) -> None:
    for each in entries:
        sure = "" if each.confidence is None else f"{each.confidence:.3f}"
        typer.echo(f"{each.start_seconds:.3f}\t{each.end_seconds:.3f}\t{sure}\t{each.text}")


def _refuse_options(given: Mapping[str, object], why: str) -> None:
    for option, value in given.items():
        if value is not None:
            raise InvalidInputError(f"{option} is given, but {why}.")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
