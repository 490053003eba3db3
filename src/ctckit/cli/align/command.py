"""``ctckit align``: the time of each word of a text, in saved posteriors, in a recording, or in a corpus."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ctckit.cli.align.aligner import Aligned, Aligner
from ctckit.cli.align.files import expect_writable, write_all, write_tiers
from ctckit.cli.align.options import CorpusOptions, OutputOptions, PosteriorOptions, RecordingOptions, TextOptions
from ctckit.cli.align.report import write_recording_report
from ctckit.cli.align.sources import Sources
from ctckit.cli.align.summary import DOES_NOT_FIT, tell, tell_suspicious
from ctckit.cli.bulk.options import ShardOptions
from ctckit.cli.options import given_options, refuse_option
from ctckit.cli.output import some
from ctckit.cli.subtitle_options import SubtitleOptions
from ctckit.cli.times import LagOptions, calibrate, expect_calibration
from ctckit.errors import DataError, InvalidInputError

if TYPE_CHECKING:
    from ctckit.alignment import TimedText


def align(
    source: Annotated[
        Path,
        typer.Argument(
            help="A recording (WAV, FLAC, OGG, MP3; with the package av also MP4, M4A, WebM and others); a .npz or "
            ".npy file of log-probabilities as ctckit decode reads, or of --save-emissions; or a folder of recordings "
            "with their texts.",
            metavar="RECORDING",
        ),
    ],
    text: Annotated[
        Path | None,
        typer.Argument(
            help="A UTF-8 file of the spoken text; or subtitles (.srt, .vtt), a TextGrid or an ELAN file, whose texts "
            "get new times. A folder has the texts beside its recordings.",
            metavar="TEXT",
        ),
    ] = None,
    *,
    output: OutputOptions,
    subtitles: SubtitleOptions,
    texts: TextOptions,
    recording: RecordingOptions,
    lag: LagOptions,
    corpus: CorpusOptions,
    shards: ShardOptions,
    posteriors: PosteriorOptions,
) -> None:
    """Find the time of each word of a text.

    Anything may lie between the lines of the text, before and behind it: pauses, music, speech that it does not have.
    A summary on standard error counts lines and words, and lists the lines that probably were not said.
    """
    if texts.dictionary_only and not texts.dictionary:
        raise InvalidInputError("--dictionary-only needs --dictionary, the file with the pronunciations.")
    if lag.calibrate:
        _calibrate(source, text, output, recording, texts)
        return
    aligner = Aligner(recording, posteriors, texts, output, subtitles, lag=lag)
    if shards.shards is not None:
        from ctckit.cli.align.shards import align_to_shards

        if text is not None:
            raise InvalidInputError(f"TEXT is {text}, but with --shards each recording has its text beside it.")
        align_to_shards(source, aligner, corpus, shards)
        return
    shards.refuse()
    if source.is_dir():
        from ctckit.cli.align.corpus import align_corpus

        if text is not None:
            raise InvalidInputError(f"TEXT is {text}, but {source} is a folder, which has the texts in it.")
        align_corpus(source, aligner, corpus)
        return
    for option in given_options(corpus):
        refuse_option(option, f"{source} is not a folder")
    if text is None:
        raise InvalidInputError("TEXT is missing; expected a file with the spoken text.")
    _expect_writable(output, recording)
    found = aligner.align(source, text, emissions=recording.save_emissions)
    _warn_unspelled(found.unspelled, texts)
    if not output.out:
        _print(found.tiers[output.tier.value if output.tier else "words"])
    _warn_before_zero(found, output.offset)
    suspicious = found.summary.suspicious
    tell(f"{found.summary}.")
    tell_suspicious([f"line {each}" for each in suspicious], found.summary.below)
    write_all(_writers(output, subtitles, found))
    if output.fail_below is not None and suspicious:
        raise typer.Exit(DOES_NOT_FIT)


def _warn_before_zero(found: Aligned, offset: float) -> None:
    if offset >= 0:
        return
    said = [span for line in found.lines for span in line.words]
    lost = sum(span.aligned and word.end_seconds == 0.0 for span, word in zip(said, found.tiers["words"], strict=True))
    if lost:
        which = (
            "first word lies before 0 and has no time"
            if lost == 1
            else f"first {lost} words lie before 0 and have no times"
        )
        tell(f"with --offset {offset:g}, the {which}.")


def _calibrate(
    folder: Path, text: Path | None, output: OutputOptions, recording: RecordingOptions, texts: TextOptions
) -> None:
    path = expect_calibration(folder, text, recording.model, output.out)
    sources = Sources(recording, PosteriorOptions(), texts.dictionaries, dictionary_only=texts.dictionary_only)
    model = sources.model(recording.model or "")
    calibrate(folder, recording.model, model, sources.spellings(model), path)


def _expect_writable(output: OutputOptions, recording: RecordingOptions) -> None:
    """Raise an error before the work starts, not after it, if a file cannot be written."""
    from ctckit.alignment.writers import format_of

    for path in output.out or ():
        format_of(path)
    kept = recording.save_emissions
    if kept is not None and kept.suffix.lower() != ".npz":
        raise InvalidInputError(f"--save-emissions is {kept}; expected a file whose name ends in .npz.")
    others = [path for path in (output.figure, output.report, kept) if path is not None]
    expect_writable([*(output.out or ()), *others])


def _writers(output: OutputOptions, subtitles: SubtitleOptions, found: Aligned) -> dict[Path, Callable[[Path], None]]:
    writers: dict[Path, Callable[[Path], None]] = {
        path: partial(write_tiers, found=found, output=output, subtitles=subtitles) for path in output.out or ()
    }
    if output.figure is not None:
        writers[output.figure] = partial(_draw, found=found, output=output)
    if output.report is not None:
        writers[output.report] = partial(write_recording_report, found=found, offset=output.offset)
    return writers


def _warn_unspelled(words: Sequence[str], texts: TextOptions) -> None:
    if words:
        numbers = any(map(str.isdigit, "".join(words))) and texts.numbers is None
        tell(
            f"{some(words)} cannot be spelled in the model's tokens; each is aligned as a wildcard. "
            f"Add spellings with --dictionary or --replacements{', or read numbers with --numbers' * numbers}."
        )


def _draw(path: Path, found: Aligned, output: OutputOptions) -> None:
    from ctckit.viz.alignment import draw_alignment, first_view

    source, offset, alignment = found.source, output.offset, found.lines[0].alignment
    between = output.between or first_view(alignment, source.frame_seconds, offset)
    sound: dict[str, Any] = {}
    if source.recording is not None:
        from ctckit.acoustic_models import audio

        start = max(between[0], offset)
        samples, rate = audio.excerpt(source.recording, start - offset, between[1] - offset, source.channel)
        sound = {"waveform": samples, "rate": rate, "waveform_seconds": start}
    drawn = draw_alignment(
        alignment,
        source.frame_seconds,
        offset_seconds=offset - found.lag,
        words=found.tiers["words"],
        names=source.vocabulary,
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
        typer.echo(f"{each.start_seconds:.3f}\t{each.end_seconds:.3f}\t{confidence}\t{' '.join(each.text.split())}")
