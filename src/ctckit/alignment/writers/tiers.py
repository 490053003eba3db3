"""What a writer gets: named tiers of texts with their times, checked and rounded; and how to make such texts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from ctckit.alignment.spans import TimedText, TokenSpan, WordSpan
from ctckit.errors import InvalidInputError
from ctckit.vocabulary import Vocabulary

if TYPE_CHECKING:
    from ctckit.alignment.utterances import UtteranceSpan

NOT_FOUND = "not found"  # in the name of the tier for texts without frames
CONFIDENCE = "confidence"  # in the name of the tier for the confidences of another tier


@dataclass(frozen=True)
class Tiers:
    """What a writer gets: tiers of texts with their times.

    Attributes:
        name: The file's name, for messages.
        entries: For each tier its entries in the order of their starts. Times are in seconds, rounded to microseconds;
            a confidence is a finite number or None.
        duration_seconds: Length of the recording, at least the last end.
        media: The recording's name.

    Example:
        >>> from ctckit.alignment import Tiers
        >>> from ctckit.alignment import TimedText
        >>> tiers = Tiers("talk.json", {"words": (TimedText("so", 0.2, 0.28, 0.9),)}, 1.0, "talk.wav")
        >>> [(name, len(entries)) for name, entries in tiers.entries.items()]
        [('words', 1)]
    """

    name: str
    entries: Mapping[str, tuple[TimedText, ...]]
    duration_seconds: float
    media: str | None

    def only_tier(self) -> tuple[TimedText, ...]:
        """Return the entries of the only tier, for formats that hold one.

        Raises:
            InvalidInputError: If there are several.
        """
        if len(self.entries) != 1:
            names = ", ".join(self.entries)
            raise InvalidInputError(
                f"{self.name} holds one tier, tiers has {len(self.entries)}: {names}. Pass one of them, or write "
                "another format."
            )
        return next(iter(self.entries.values()))

    def disjoint(self) -> Mapping[str, tuple[TimedText, ...]]:
        """Return the entries of each tier, for formats in which entries may not overlap.

        Raises:
            InvalidInputError: If two entries of a tier overlap.
        """
        for tier, entries in self.entries.items():
            for n, (first, second) in enumerate(pairwise(entries)):
                if second.start_seconds < first.end_seconds:
                    raise InvalidInputError(
                        f"tiers[{tier!r}][{n + 1}] begins at {second.start_seconds} s, before [{n}] ends at "
                        f"{first.end_seconds} s; {self.name} cannot hold entries that overlap. Put them into "
                        "different tiers."
                    )
        return self.entries


def timed(
    spans: Iterable[WordSpan | TokenSpan | UtteranceSpan],
    frame_seconds: float,
    offset_seconds: float = 0.0,
    *,
    vocabulary: Vocabulary | None = None,
) -> tuple[TimedText, ...]:
    """Return spans of frames as texts with times in seconds: start · frame_seconds + offset_seconds, and so the end.

    Args:
        spans: Words, tokens or utterances.
        frame_seconds: Length of a frame, in seconds.
        offset_seconds: Start of the first frame, in seconds.
        vocabulary: The texts of tokens; by default their numbers.

    Example:
        >>> from ctckit import WordSpan
        >>> from ctckit.alignment import timed
        >>> timed([WordSpan("so", 10, 14, 0.5)], 0.02, 60.0)
        (TimedText(text='so', start_seconds=60.2, end_seconds=60.28, confidence=0.5),)
    """

    def written(span: WordSpan | TokenSpan | UtteranceSpan) -> str:
        if not isinstance(span, TokenSpan):
            return span.text or "…"
        return str(span.token) if vocabulary is None else vocabulary.name(span.token)

    texts = []
    for span in spans:
        start, end = span.seconds(frame_seconds)
        texts.append(TimedText(written(span), start + offset_seconds, end + offset_seconds, span.confidence))
    return tuple(texts)


def subtitle_lines(
    words: Iterable[TimedText], *, characters: int = 42, seconds: float = 6.0, pause: float = 0.8
) -> tuple[TimedText, ...]:
    """Join words to lines of subtitles.

    A line ends before it would be longer than this many characters or seconds, and at a pause. A text that no frame
    emits keeps its place in the text. The confidence of a line is the mean over the words that have one.

    Args:
        words: In the order of time.
        characters: Most characters of a line; a longer word has its own line.
        seconds: Longest time of a line.
        pause: Seconds without a word after which a line ends.

    Example:
        >>> from ctckit.alignment import TimedText, subtitle_lines
        >>> words = [TimedText("so", 0.0, 0.3, 0.9), TimedText("be", 0.4, 0.6, 0.7), TimedText("it", 2.0, 2.2, None)]
        >>> [(line.text, line.start_seconds, line.end_seconds) for line in subtitle_lines(words)]
        [('so be', 0.0, 0.6), ('it', 2.0, 2.2)]
    """
    lines: list[list[TimedText]] = []
    for word in words:
        line = lines[-1] if lines else []
        if line and (
            len(text_of([*line, word])) <= characters
            and word.end_seconds - line[0].start_seconds <= seconds
            and word.start_seconds - max(each.end_seconds for each in line) <= pause
        ):
            line.append(word)
        else:
            lines.append([word])
    return tuple(joined(line) for line in lines)


def joined(words: Sequence[TimedText]) -> TimedText:
    """Return words as one text, from the first start to the last end of the words that some frame emits."""
    found = [word for word in words if word.start_seconds < word.end_seconds] or words
    sure = [word.confidence for word in words if word.confidence is not None]
    return TimedText(
        text_of(words),
        min(word.start_seconds for word in found),
        max(word.end_seconds for word in found),
        math.fsum(sure) / len(sure) if sure else None,
        words[0].before,
    )


def text_of(words: Sequence[TimedText]) -> str:
    """Return words as one text on one line, with the spaces that stand between them in the text."""
    return "".join((" " if k and word.before else "") + word.text for k, word in enumerate(words))


def checked(
    path: Path, tiers: Mapping[str, Sequence[TimedText]], duration_seconds: float | None, media: str | None
) -> Tiers:
    """Check the entries and return them as ``Tiers``.

    Raises:
        InvalidInputError: See ``write_alignment``.
    """
    if not tiers:
        raise InvalidInputError('tiers has no entries; expected at least one tier, such as {"words": …}.')
    rounded = {
        tier: tuple(_entry(each, f"tiers[{tier!r}][{n}]") for n, each in enumerate(tiers[tier])) for tier in tiers
    }
    for tier, entries in rounded.items():
        for n, (first, second) in enumerate(pairwise(entries)):
            if second.start_seconds < first.start_seconds:
                raise InvalidInputError(
                    f"tiers[{tier!r}][{n + 1}] begins at {second.start_seconds} s, before [{n}] at "
                    f"{first.start_seconds} s; expected the order of time."
                )
    last = max((each.end_seconds for entries in rounded.values() for each in entries), default=0.0)
    duration = last if duration_seconds is None else _seconds(duration_seconds, "duration_seconds")
    return Tiers(path.name, rounded, max(last, duration), media)


def found_and_not(entries: Sequence[TimedText]) -> tuple[list[TimedText], list[TimedText]]:
    """Return the texts that have frames, and those without; of the latter, texts at the same time are joined to one."""
    found = [each for each in entries if each.start_seconds < each.end_seconds]
    missing: list[TimedText] = []
    for each in entries:
        if each.start_seconds < each.end_seconds:
            continue
        if missing and missing[-1].start_seconds == each.start_seconds:
            missing[-1] = replace(missing[-1], text=f"{missing[-1].text} {each.text}")
        else:
            missing.append(each)
    return found, missing


def with_confidence(entries: Sequence[TimedText]) -> list[TimedText]:
    """Return the texts that have a confidence, with it in place of the text: two decimals."""
    return [replace(each, text=f"{each.confidence:.2f}") for each in entries if each.confidence is not None]


def milliseconds(seconds: float) -> int:
    """Return the nearest whole number of milliseconds."""
    return round(seconds * 1000)


def _entry(entry: TimedText, name: str) -> TimedText:
    if not isinstance(entry.text, str) or not entry.text.strip():
        raise InvalidInputError(f"{name}.text is {entry.text!r}; expected a text that is not empty.")
    start = _seconds(entry.start_seconds, f"{name}.start_seconds")
    end = _seconds(entry.end_seconds, f"{name}.end_seconds")
    if end < start:
        raise InvalidInputError(f"{name} begins at {start} s and ends at {end} s; expected an end behind the start.")
    sure = entry.confidence
    sure = None if sure is None or not math.isfinite(sure) else float(sure)
    return replace(entry, start_seconds=start, end_seconds=end, confidence=sure)


def _seconds(value: float, name: str) -> float:
    if not math.isfinite(value) or value < 0:
        raise InvalidInputError(f"{name} is {value}; expected a finite number of seconds, at least 0.")
    return round(float(value), 6)
