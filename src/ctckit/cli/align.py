"""``ctckit align``: the time of each word of a text, in saved posteriors or in a recording."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from ctckit.cli.inputs import read_lines, read_posteriors, read_text
from ctckit.cli.options import (
    ACOUSTIC_MODEL,
    VOCABULARY_FILE,
    ChunkSeconds,
    VocabularyOptions,
    given_options,
    refuse_option,
)
from ctckit.cli.output import progress_bar, some
from ctckit.errors import DataError, InfeasibleTargetError, InvalidInputError

if TYPE_CHECKING:
    import numpy.typing as npt

    from ctckit.acoustic_models import AcousticModel
    from ctckit.alignment import Alignment, TimedText, Transcript
    from ctckit.vocabulary import Vocabulary

STAR = -1  # the wildcard for a word that cannot be spelled
ONE_TIER = {".srt": "lines", ".vtt": "lines", ".ctm": "words", ".txt": "words"}  # these files hold one tier


class Boundaries(str, Enum):
    """The rule that sets the start and the end of a token."""

    spike = "spike"
    midpoint = "midpoint"
    occupancy = "occupancy"


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
class RecordingOptions:
    """How to turn a recording into log-probabilities."""

    panel: ClassVar[str] = "Recordings"
    model: Annotated[str | None, ACOUSTIC_MODEL] = None
    chunk_seconds: ChunkSeconds = 30.0


@dataclass(frozen=True)
class OutputOptions:
    """What to write, and where."""

    panel: ClassVar[str] = "Output"
    out: Annotated[
        list[Path] | None,
        typer.Option(
            "--out",
            "-o",
            help="A file to write; its ending gives the format: .TextGrid, .eaf, .srt, .vtt, .ctm, .json, or .txt for "
            "Audacity. May be given several times. Without it the words are printed: start, end, confidence and word, "
            "separated by tabs.",
        ),
    ] = None
    tier: Annotated[
        Tier | None,
        typer.Option(
            help="Write only the lines of the text, the words or the tokens. By default all three; subtitles hold only "
            "lines, .ctm and .txt only words."
        ),
    ] = None
    boundaries: Annotated[Boundaries, typer.Option(help="The rule that sets the start and the end of a token.")] = (
        Boundaries.occupancy
    )
    offset: Annotated[float, typer.Option(min=0.0, help="The time of the first frame, in seconds.")] = 0.0
    figure: Annotated[
        Path | None, typer.Option(help="A figure of waveform, words and tokens to write: .png, .svg or .pdf.")
    ] = None
    between: Annotated[
        tuple[float, float] | None, typer.Option(help="The part that the figure shows: its first and last second.")
    ] = None


@dataclass(frozen=True)
class _Emission:
    """Log-probabilities of one input, with what is needed to align a text to them.

    Attributes:
        log_probs: (T, C) natural logarithms.
        vocabulary: The tokens of the C classes.
        frame_seconds: The length of a frame.
        duration_seconds: The length of the input.
        spellings: From a word to its spellings in tokens; None where words are spelled by their letters.
        recording: The audio file; None for posteriors.
    """

    log_probs: npt.NDArray[Any]
    vocabulary: Vocabulary
    frame_seconds: float
    duration_seconds: float
    spellings: Callable[[str], Sequence[Sequence[str]]] | None
    recording: Path | None = None


def align(
    source: Annotated[
        Path,
        typer.Argument(
            help="A recording (WAV, FLAC, OGG, MP3), or a .npz or .npy file of log-probabilities as ctckit decode "
            "reads.",
            metavar="RECORDING",
        ),
    ],
    text: Annotated[Path, typer.Argument(help="A UTF-8 file of the spoken text.", metavar="TEXT")],
    *,
    output: OutputOptions,
    recording: RecordingOptions,
    posteriors: PosteriorOptions,
    dictionary: Annotated[
        Path | None,
        typer.Option(
            "--dictionary",
            "-d",
            help="Pronunciations of words, in the format of the CMU dictionary. Where a word has several, including "
            "the model's own, the one that fits the audio best is used.",
        ),
    ] = None,
    replacements: Annotated[
        Path | None,
        typer.Option(
            help="A file of words that are spoken differently. Each line: a word, a tab and the spoken words."
        ),
    ] = None,
    edges: Annotated[
        bool, typer.Option("--edges", help="Allow speech before and after the text that the text does not contain.")
    ] = False,
) -> None:
    """Find the time of each word of a text."""
    from ctckit.alignment import timed_tiers
    from ctckit.alignment.writers import format_of

    for path in output.out or ():
        format_of(path)  # a wrong ending is an error before the work starts, not after it
    content = read_text(text)
    emission = _emission(source, recording, posteriors, dictionary)
    transcript, found = _aligned(emission, content, text, _read_replacements(replacements), edges)
    tiers = timed_tiers(
        found,
        transcript,
        emission.vocabulary,
        emission.frame_seconds,
        output.offset,
        boundaries=output.boundaries.value,
    )
    _write(output, tiers, emission)
    if output.figure is not None:
        _draw(output, output.figure, found, tiers["words"], emission)
    if not output.out:
        _print(tiers[output.tier.value if output.tier else "words"])


def _emission(
    source: Path, recording: RecordingOptions, posteriors: PosteriorOptions, dictionary: Path | None
) -> _Emission:
    if source.suffix.lower() in (".npz", ".npy"):
        if recording.model is not None:
            refuse_option("--model", f"{source} holds posteriors")
        return _from_posteriors(source, posteriors, dictionary)
    for option in given_options(posteriors):
        refuse_option(option, f"{source} is a recording, and this option is for posteriors")
    return _from_recording(source, recording, dictionary)


def _from_posteriors(path: Path, options: PosteriorOptions, dictionary: Path | None) -> _Emission:
    if options.vocabulary is None or options.frame_ms is None:
        missing = "--vocabulary" if options.vocabulary is None else "--frame-ms"
        raise InvalidInputError(f"{path} holds posteriors, which need {missing}.")
    if not 0 < options.frame_ms < float("inf"):
        raise InvalidInputError(f"--frame-ms is {options.frame_ms}; expected a positive number.")
    names, items = read_posteriors(path)
    item = options.item
    if item is None and len(items) > 1:
        raise InvalidInputError(f"{path} holds {len(items)} items: {some(names)}; expected --item with one of them.")
    if item is not None and item not in names:
        raise InvalidInputError(f"--item is {item!r}; {path} has {some(names)}.")
    log_probs = items[0 if item is None else names.index(item)]
    vocabulary = options.load(options.vocabulary)
    if len(vocabulary) != log_probs.shape[1]:
        raise DataError(
            f"{path} has C = {log_probs.shape[1]} classes, but {options.vocabulary} has {len(vocabulary)} tokens."
        )
    if dictionary is None and (vocabulary.word_start or vocabulary.continuation):
        raise InvalidInputError(
            f"{options.vocabulary} has pieces of words, in which a word can be written in many ways; expected "
            "--dictionary, with the pieces of each word."
        )
    seconds = options.frame_ms / 1000
    spellings = _spellings(vocabulary, dictionary, None)
    return _Emission(log_probs, vocabulary, seconds, len(log_probs) * seconds, spellings)


def _from_recording(path: Path, options: RecordingOptions, dictionary: Path | None) -> _Emission:
    from ctckit.acoustic_models import load_model

    if options.model is None:
        raise InvalidInputError(
            f"{path} is a recording, which needs --model, an acoustic model. Posteriors are read from .npz and .npy "
            "files."
        )
    model = load_model(options.model)
    spellings = _spellings(model.vocabulary, dictionary, model)
    emissions = _run_model(path, model, options.chunk_seconds)
    return _Emission(
        emissions.log_probs, model.vocabulary, model.frame_seconds, emissions.duration_seconds, spellings, path
    )


def _run_model(path: Path, model: AcousticModel, chunk_seconds: float) -> Any:
    from ctckit.acoustic_models import audio, listen

    with progress_bar("acoustic model", audio.duration_seconds(path)) as show:
        return listen(path, model, chunk_seconds=chunk_seconds, progress=show)


def _aligned(
    emission: _Emission, content: str, name: Path, replacements: Mapping[str, str], edges: bool
) -> tuple[Transcript, Alignment]:
    """Align the text; where words have several spellings, choose the best ones and align again."""
    from ctckit.alignment import SpellingChoice, Transcript, forced_align
    from ctckit.alignment.forced import why_impossible

    vocabulary = emission.vocabulary
    spell = None if emission.spellings is None else SpellingChoice(emission.spellings, vocabulary)

    def aligned() -> tuple[Transcript, Alignment]:
        transcript = Transcript(content, vocabulary, spell=spell, replacements=replacements, star=STAR)
        if not len(transcript.tokens):
            raise DataError(f"{name}: it contains nothing that can be spelled in the model's tokens.")
        target, frames = transcript.tokens, emission.log_probs
        try:
            [found] = forced_align(frames, target, blank=vocabulary.blank, star=STAR, edges=edges)
        except InfeasibleTargetError:
            why = why_impossible(target, len(frames), STAR)
            raise InfeasibleTargetError(f"{name}: the text cannot be emitted: {why} Is it of this recording?") from None
        return transcript, found

    transcript, found = aligned()
    _warn_unspelled(transcript)
    if spell is not None and spell.choose(transcript, found):
        transcript, found = aligned()
    return transcript, found


def _spellings(
    vocabulary: Vocabulary, dictionary: Path | None, model: AcousticModel | None
) -> Callable[[str], Sequence[Sequence[str]]] | None:
    """Return a function from a word to its spellings, the dictionary's first; None where letters spell the words."""
    from ctckit.alignment import PronouncingDictionary

    by_model = None if model is None else model.spell
    if dictionary is None and by_model is None:
        return None
    known = None if dictionary is None else PronouncingDictionary(dictionary, vocabulary)

    def spellings(word: str) -> Sequence[Sequence[str]]:
        word = word.lower().replace("’", "'")
        found = [] if known is None or word not in known else list(known[word])
        own = None if by_model is None else by_model(word)
        return list(dict.fromkeys([*found, *([] if own is None else [tuple(own)])]))

    return spellings


def _read_replacements(path: Path | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for n, line in enumerate(read_lines(path) if path is not None else (), 1):
        word, tab, spoken = line.partition("\t")
        if not tab or not word.strip() or not spoken.strip():
            raise DataError(f"{path}: line {n} is {line!r}; expected a word, a tab and the words that are spoken.")
        found[word.strip()] = spoken.strip()
    return found


def _warn_unspelled(transcript: Transcript) -> None:
    words = list(dict.fromkeys(word.text for word in transcript.unspelled))
    if words:
        typer.echo(
            f"ctckit: {some(words)} cannot be spelled in the model's tokens; each is aligned as a wildcard. "
            "Add spellings with --dictionary or --replacements.",
            err=True,
        )


def _tiers_for(
    path: Path, tiers: Mapping[str, tuple[TimedText, ...]], tier: Tier | None
) -> Mapping[str, Sequence[TimedText]]:
    """Return the tiers to write into a file with this ending."""
    one = tier.value if tier else ONE_TIER.get(path.suffix.lower())
    if one is None:
        return tiers
    return {one: tiers.get(one, tiers["words"]) if one != "lines" else _lines(path, tiers)}


def _lines(path: Path, tiers: Mapping[str, tuple[TimedText, ...]]) -> Sequence[TimedText]:
    """Return the lines of the text; for subtitles they are split to a readable length."""
    from ctckit.alignment import subtitle_lines
    from ctckit.alignment.writers.tiers import joined

    lines = tiers.get("lines", (joined(tiers["words"]),))
    if path.suffix.lower() not in (".srt", ".vtt"):
        return lines
    split: list[TimedText] = []
    words = iter(tiers["words"])
    for line in lines:
        split += subtitle_lines([next(words) for _ in line.text.split()])
    return split


def _write(output: OutputOptions, tiers: Mapping[str, tuple[TimedText, ...]], emission: _Emission) -> None:
    from ctckit.alignment import write_alignment

    for path in output.out or ():
        write_alignment(
            path,
            _tiers_for(path, tiers, output.tier),
            duration_seconds=output.offset + emission.duration_seconds,
            media=None if emission.recording is None else emission.recording.name,
        )


def _draw(output: OutputOptions, path: Path, found: Alignment, words: Sequence[TimedText], emission: _Emission) -> None:
    from ctckit.viz.alignment import draw_alignment, first_view

    offset = output.offset
    between = output.between or first_view(found, emission.frame_seconds, offset)
    sound: dict[str, Any] = {}
    if emission.recording is not None:
        from ctckit.acoustic_models import audio

        start = max(between[0], offset)
        samples, rate = audio.excerpt(emission.recording, start - offset, between[1] - offset)
        sound = {"waveform": samples, "rate": rate, "waveform_seconds": start}
    drawn = draw_alignment(
        found,
        emission.frame_seconds,
        offset_seconds=offset,
        words=words,
        names=emission.vocabulary,
        between=between,
        **sound,
    )
    try:
        drawn.savefig(path, dpi=130)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be written ({error}).") from error


def _print(entries: Sequence[TimedText]) -> None:
    for each in entries:
        confidence = "" if each.confidence is None else f"{each.confidence:.3f}"
        typer.echo(f"{each.start_seconds:.3f}\t{each.end_seconds:.3f}\t{confidence}\t{each.text}")
