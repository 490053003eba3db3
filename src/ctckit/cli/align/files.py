"""The files of an alignment: checked before the work, and written so that one that fails does not lose the others."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from ctckit.cli.align.aligner import Aligned
from ctckit.cli.align.options import OutputOptions, Tier
from ctckit.cli.subtitle_options import SubtitleOptions
from ctckit.errors import CTCKitError, DataError

if TYPE_CHECKING:
    from ctckit.alignment import TimedText

ONE_TIER = {  # these files hold one tier
    **dict.fromkeys((".srt", ".vtt", ".ttml", ".ass", ".lrc", ".smil", ".xhtml", ".rttm"), "lines"),
    **dict.fromkeys((".ctm", ".txt"), "words"),
}
CUES = (".srt", ".vtt", ".ttml", ".ass")  # the lines of these files are cues
KARAOKE = (".vtt", ".ttml", ".ass", ".lrc", ".smil", ".xhtml")  # these can hold the words of lines, too


def expect_writable(paths: Iterable[Path]) -> None:
    """Raise an error if a file cannot be written.

    Raises:
        DataError: Lists all files that cannot.
    """
    problems = [f"{path}: {why}" for path in paths if (why := _why_not(path)) is not None]
    if problems:
        raise DataError("\n  ".join(problems))


def _why_not(path: Path) -> str | None:
    if path.is_dir():
        return "is a folder; expected the name of a file."
    if not path.parent.is_dir():
        return f"cannot be written (there is no folder {path.parent}). Make it, or choose another."
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        return "cannot be written (it may not be written by this user). Choose another."
    return None


def write_all(writers: Mapping[Path, Callable[[Path], None]]) -> None:
    """Write files. Those that can be written are, whatever happens to the others.

    Raises:
        DataError: Names all files that were not written.
    """
    problems = []
    for path, write in writers.items():
        try:
            write(path)
        except CTCKitError as error:
            problems.append(str(error))
    if problems:
        raise DataError("\n  ".join(problems))


def write_tiers(path: Path, found: Aligned, output: OutputOptions, subtitles: SubtitleOptions) -> None:
    """Write the tiers that the format of a file holds."""
    from ctckit.alignment import write_alignment

    duration = output.offset + found.source.duration_seconds
    write_alignment(
        path,
        _tiers_for(path, found, output.tier, subtitles, duration),
        duration_seconds=duration,
        media=found.source.media,
    )


def _tiers_for(
    path: Path, found: Aligned, tier: Tier | None, subtitles: SubtitleOptions, duration_seconds: float
) -> Mapping[str, Sequence[TimedText]]:
    ending = path.suffix.lower()
    one = tier.value if tier else ONE_TIER.get(ending)
    if one is None:
        return found.tiers
    if one != "lines":
        return {one: found.tiers[one]}
    lines: Sequence[TimedText] = found.tiers["lines"]
    karaoke = subtitles.karaoke and ending in KARAOKE
    if ending in CUES:
        words = found.tiers["words"]
        lines = (
            subtitles.times(_cues(found, spoken=karaoke), duration_seconds)
            if found.text.timed
            else subtitles.cues(words, duration_seconds)
        )
    if ending == ".rttm":
        return {"speaker": lines}
    return {"lines": lines, "words": found.tiers["words"]} if karaoke else {"lines": lines}


def _cues(found: Aligned, *, spoken: bool) -> Iterator[tuple[str, list[TimedText]]]:
    """Yield the cues of a file with times, each with its words; without markup if ``spoken``."""
    words = iter(found.tiers["words"])
    for line, said in zip(found.lines, found.text.lines, strict=True):
        yield said.spoken if spoken else said.text, list(islice(words, len(line.words)))
