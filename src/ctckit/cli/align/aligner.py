"""One recording and its text: read, aligned, with its times and a summary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ctckit.cli.align.options import OutputOptions, PosteriorOptions, RecordingOptions, TextOptions
from ctckit.cli.align.sources import Source, Sources
from ctckit.cli.inputs import read_lines
from ctckit.cli.subtitle_options import SubtitleOptions
from ctckit.cli.times import LagOptions, read_lag
from ctckit.errors import DataError, InvalidInputError

if TYPE_CHECKING:
    from ctckit.alignment import AlignmentSummary, TimedText, UtteranceSpan
    from ctckit.alignment.readers import TextFile
    from ctckit.alignment.spoken import Replacements


@dataclass(frozen=True, eq=False)
class Aligned:
    """A recording with its text.

    Attributes:
        source: The log-probabilities.
        text: The text.
        lines: Each line in its frames.
        tiers: Lines, words and tokens with their times.
        summary: How well the text fits.
        lag: The lag of the model, which the times do not have.
    """

    source: Source
    text: TextFile
    lines: list[UtteranceSpan]
    tiers: dict[str, tuple[TimedText, ...]]
    summary: AlignmentSummary
    lag: float = 0.0

    @property
    def unspelled(self) -> list[str]:
        """The words with a wildcard, each once."""
        from ctckit.distributed.align import unspelled_words

        return unspelled_words(self.lines)


@dataclass(frozen=True)
class Aligner:
    """Aligns texts to recordings. The acoustic model and the files of words are loaded once.

    Attributes:
        recordings: How to run the model.
        posteriors: How to read posteriors.
        texts: How to read a text, and what may lie around it.
        output: Boundaries, offset, and the confidence below which a line is suspicious.
        subtitles: The limits of cues.
        show_progress: Whether to show how far the model is in a recording.
        lag: How late the tokens of the model are.
    """

    recordings: RecordingOptions
    posteriors: PosteriorOptions
    texts: TextOptions
    output: OutputOptions
    subtitles: SubtitleOptions
    show_progress: bool = True
    lag: LagOptions = field(default_factory=LagOptions)

    @property
    def suspicious_below(self) -> float:
        """The confidence below which a line is suspicious."""
        from ctckit.alignment.summary import SUSPICIOUS

        return SUSPICIOUS if self.output.fail_below is None else self.output.fail_below

    def prepare(self) -> None:
        """Load the model and the files of words, if they are not loaded yet."""
        _ = self._replacements
        self._sources.prepare()

    def align(self, recording: Path, text: Path, *, emissions: Path | None = None) -> Aligned:
        """Return the text with its times.

        Args:
            recording: The recording.
            text: Its text.
            emissions: Where to keep the emissions. If this file is there, it takes the place of the recording.

        Raises:
            CTCKitError: If the recording or the text cannot be used.
        """
        from ctckit.acoustic_models.times import time_settings
        from ctckit.alignment import summarize, timed_utterances
        from ctckit.alignment.readers import read_lines

        said = read_lines(text, self.texts.text_tier)
        replacements = self._replacements  # what is wrong there is an error before the model runs
        source = self._sources.read(recording, emissions)
        self._expect_offset_within(source)
        lines = self._lines(source, said, replacements)
        kind = None if self.output.boundaries is None else self.output.boundaries.value
        lag = None if self.lag.lag is None else read_lag(self.lag.lag)
        times = time_settings(source.model, source.recording, source.channel, lag=lag, boundaries=kind)
        tiers = timed_utterances(
            lines,
            source.vocabulary,
            source.frame_seconds,
            self.output.offset,
            duration_seconds=source.duration_seconds,
            **times,
        )
        tiers["lines"] = as_written(tiers["lines"], said)
        numbers = [line.number for line in said.lines]
        summary = summarize(tiers, numbers=numbers, below=self.suspicious_below)
        return Aligned(source, said, lines, tiers, summary, times["lag_seconds"])

    def _expect_offset_within(self, source: Source) -> None:
        offset, seconds = self.output.offset, source.duration_seconds
        if offset + seconds <= 0:
            raise InvalidInputError(
                f"--offset is {offset:g}, and the input has {seconds:.3f} s; expected a number above {-seconds:.3f}."
            )

    @cached_property
    def _sources(self) -> Sources:
        texts = self.texts
        return Sources(self.recordings, self.posteriors, texts.dictionaries, self.show_progress, texts.dictionary_only)

    @cached_property
    def _replacements(self) -> Replacements:
        path = self.texts.replacements
        return self.texts.spoken_words({} if path is None else read_replacements(path))

    def _lines(self, source: Source, said: TextFile, replacements: Replacements) -> list[UtteranceSpan]:
        from ctckit.distributed.align import aligned_lines

        return aligned_lines(
            source.log_probs,
            [line.spoken for line in said.lines],
            source.vocabulary,
            str(said.path),
            source.spellings,
            replacements=replacements,
            between=self.texts.gaps,
            edges=self.texts.edges,
        )


def as_written(lines: Sequence[TimedText], said: TextFile) -> tuple[TimedText, ...]:
    """Return lines with their texts as the file has them, with the markup of subtitles."""
    return tuple(replace(line, text=each.text) for line, each in zip(lines, said.lines, strict=True))


def read_replacements(path: Path) -> dict[str, str]:
    """Return the words of a file that are spoken differently, and how."""
    found: dict[str, str] = {}
    for n, line in enumerate(read_lines(path), 1):
        word, tab, spoken = line.partition("\t")
        if not tab or not word.strip() or not spoken.strip():
            raise DataError(f"{path}: line {n} is {line!r}; expected a word, a tab and the words that are spoken.")
        found[word.strip()] = spoken.strip()
    return found
