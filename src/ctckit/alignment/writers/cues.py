"""From words to the cues of subtitles: which words share a cue, on which of its lines, and from when to when."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from itertools import accumulate, combinations, pairwise
from types import MappingProxyType

from ctckit import _checks
from ctckit.alignment.spans import TimedText
from ctckit.alignment.writers.tiers import joined, milliseconds, text_of
from ctckit.errors import InvalidInputError

_SENTENCE, _CLAUSE = ".!?…。！？।؟", ",;:–—、，；：،"
_ABBREVIATED = re.compile(r"[^\W_aeiouyAEIOUY]{1,3}\.|\w\.")  # Mr., Dr., J.: no end of a sentence
_CLOSING = "\"'”’»)]」』）"

# What a choice of cues costs: the sum over its cues of the terms below. The cheapest choice is taken.
_CUE = 1.0
_ENDS_IN_CLAUSE, _ENDS_AT_COMMA, _ENDS_AT_SENTENCE = 3.0, 1.0, 0.2
_HOLDS_PAUSE, _HOLDS_LINE_END, _HOLDS_SENTENCE_END = 6.0, 4.0, 1.5
_TOO_SHORT = 1000.0  # times the share of the shortest time that is lacking: other terms decide only among equals
_TOO_FAST = 2.0  # times the share of the reading time that is lacking


@dataclass(frozen=True)
class CueLimits:
    """The limits of subtitles' cues.

    Attributes:
        characters: Most characters of a line. Wide characters, as those of Chinese, count twice; marks do not count.
        lines: Most lines of a cue.
        shortest_seconds: Shortest time of a cue. A cue can be shorter only if the words before and behind it leave no
            time, and do not fit into it.
        longest_seconds: Longest time of a cue.
        gap_seconds: Least time between two cues.
        characters_per_second: Reading speed: a cue stays for its characters, if the next one leaves the time.
        pause_seconds: A cue ends at a pause that is longer than this, unless it would be too short.
        before_seconds: A cue appears this long before its first word, if the cue before it is over.
        behind_seconds: It stays this long behind its last word, if the next one leaves the time.
    """

    characters: int = 42
    lines: int = 2
    shortest_seconds: float = 0.84
    longest_seconds: float = 7.0
    gap_seconds: float = 0.084
    characters_per_second: float = 20.0
    pause_seconds: float = 0.8
    before_seconds: float = 0.0
    behind_seconds: float = 0.3

    def __post_init__(self) -> None:
        for name in ("characters", "lines"):
            _checks.positive_integer(getattr(self, name), name)
        for name in ("gap_seconds", "pause_seconds", "before_seconds", "behind_seconds"):
            _checks.number(getattr(self, name), name, 0.0, float("inf"))
        for name in ("shortest_seconds", "longest_seconds", "characters_per_second"):
            _checks.number(getattr(self, name), name, 0.001, float("inf"))
        if self.shortest_seconds > self.longest_seconds:
            raise InvalidInputError(
                f"shortest_seconds is {self.shortest_seconds}, longest_seconds {self.longest_seconds}; expected the "
                "shortest time first."
            )


PRESETS: Mapping[str, CueLimits] = MappingProxyType(
    {
        "streaming": CueLimits(),
        "broadcast": CueLimits(characters=37, shortest_seconds=1.0, gap_seconds=0.12, characters_per_second=15.0),
        "vertical": CueLimits(characters=20, shortest_seconds=0.5, longest_seconds=3.0, gap_seconds=0.0),
        "karaoke": CueLimits(lines=1, gap_seconds=0.0, before_seconds=0.5, behind_seconds=0.5),
    }
)


def subtitle_cues(
    words: Iterable[TimedText], limits: CueLimits | str = "streaming", *, duration_seconds: float | None = None
) -> tuple[TimedText, ...]:
    r"""Return the cues of subtitles for words with their times.

    Cues end at ends of lines of the text (``TimedText.before``), of sentences and at pauses rather than within a
    clause. Their times are those of their words, then longer where ``limits`` asks for it and there is time: first
    behind the last word, then before the first one. Times are whole milliseconds. A word that no frame emits is in the
    cue of the word before it. All words are kept; a word that is longer than a line is a cue by itself.

    Args:
        words: In the order of time.
        limits: The limits, or the name of some in ``PRESETS``.
        duration_seconds: Length of the recording; no cue ends later.

    Returns:
        The cues in order; an end of line within a text is one within the cue. The confidence is the mean over the words
        that have one.

    Raises:
        InvalidInputError: If there is no preset of this name.

    Example:
        >>> from ctckit.alignment import CueLimits, TimedText, subtitle_cues
        >>> texts = "It was late. The rain had stopped an hour ago, and the street was empty.".split()
        >>> words = [TimedText(text, 0.4 * k, 0.4 * k + 0.3, None) for k, text in enumerate(texts)]
        >>> for cue in subtitle_cues(words, CueLimits(characters=24)):
        ...     print(f"{cue.start_seconds:.3f} {cue.end_seconds:.3f} {cue.text!r}")
        0.000 1.116 'It was late.'
        1.200 3.916 'The rain had\nstopped an hour ago,'
        4.000 6.200 'and the street\nwas empty.'
    """
    limits = _limits(limits)
    units = _units(words)
    if not units:
        return ()
    if not units[0].found:  # no word has frames
        return tuple(joined(unit.words) for unit in units)
    last = float("inf") if duration_seconds is None else milliseconds(duration_seconds)
    groups = _grouped(units, limits, last)
    times = _times(groups, limits, last)
    return tuple(
        replace(joined(words), text=_wrapped(words, limits), start_seconds=start / 1000, end_seconds=end / 1000)
        for words, (start, end) in zip(map(_words, groups), times, strict=True)
    )


def timed_cues(
    cues: Iterable[tuple[str, Sequence[TimedText]]],
    limits: CueLimits | str = "streaming",
    *,
    duration_seconds: float | None = None,
) -> tuple[TimedText, ...]:
    """Return cues that are given with the times of their words, which become longer as in ``subtitle_cues``.

    Args:
        cues: The text and the words of each, in the order of time. The texts stay as they are.
        limits: The limits; those of characters and lines do not count.
        duration_seconds: Length of the recording; no cue ends later.

    Returns:
        The cues. One whose words no frame emits keeps start = end.

    Example:
        >>> words = [TimedText("So", 0.2, 0.4, 0.9), TimedText("be", 2.0, 2.1, 0.8)]
        >>> for cue in timed_cues([("<i>So</i>", words[:1]), ("be.", words[1:])], duration_seconds=9.0):
        ...     print(f"{cue.start_seconds:.3f} {cue.end_seconds:.3f} {cue.text!r}")
        0.200 1.040 '<i>So</i>'
        2.000 2.840 'be.'
    """
    limits = _limits(limits)
    given = [(text, _Unit(list(words))) for text, words in cues if words]
    groups = [[unit] for _, unit in given if unit.found]
    last = float("inf") if duration_seconds is None else milliseconds(duration_seconds)
    times = iter(_times(groups, limits, last) if groups else ())
    timed = []
    for text, unit in given:
        cue = replace(joined(unit.words), text=text)
        if unit.found:
            start, end = next(times)
            cue = replace(cue, start_seconds=start / 1000, end_seconds=end / 1000)
        timed.append(cue)
    return tuple(timed)


def _limits(limits: CueLimits | str) -> CueLimits:
    if isinstance(limits, CueLimits):
        return limits
    if limits not in PRESETS:
        raise InvalidInputError(f"limits is {limits!r}; expected CueLimits, or one of {', '.join(map(repr, PRESETS))}.")
    return PRESETS[limits]


@dataclass(frozen=True)
class _Unit:
    """A word that frames emit, with those beside it that none emits; or words without frames."""

    words: list[TimedText]

    @property
    def found(self) -> bool:
        return any(word.start_seconds < word.end_seconds for word in self.words)

    @cached_property
    def start(self) -> int:
        return milliseconds(joined(self.words).start_seconds)

    @cached_property
    def end(self) -> int:
        return max(self.start + 1, milliseconds(joined(self.words).end_seconds))


def _units(words: Iterable[TimedText]) -> list[_Unit]:
    units: list[_Unit] = []
    for word in words:
        if units and (not units[-1].found or word.start_seconds == word.end_seconds):
            units[-1].words.append(word)
        else:
            units.append(_Unit([word]))
    return units


def _grouped(units: Sequence[_Unit], limits: CueLimits, last: float) -> list[list[_Unit]]:
    """Return the cheapest cues: dynamic programming over the unit that a cue ends with."""
    starts, ends = [unit.start for unit in units], [unit.end for unit in units]
    holds = [0.0, *accumulate(_held(*pair, limits) for pair in pairwise(units))]
    best, first = [0.0], [0]  # of the first k units: their cost, and the first unit of their last cue
    for end in range(len(units)):
        room = starts[end + 1] - limits.gap_seconds * 1000 if end + 1 < len(units) else last
        broken = _ended(units[end], units[end + 1], limits) if end + 1 < len(units) else 0.0
        choices = []
        for begin in range(end, -1, -1):
            words = _words(units[begin : end + 1])
            too_long = ends[end] - starts[begin] > limits.longest_seconds * 1000
            if begin < end and (too_long or not _fits(words, limits)):
                break
            seconds = (room - starts[begin]) / 1000
            cost = _CUE + broken + holds[end] - holds[begin]
            cost += _TOO_SHORT * max(0.0, 1 - seconds / limits.shortest_seconds)
            cost += _TOO_FAST * max(0.0, 1 - seconds / _reading_seconds(words, limits))
            choices.append((best[begin] + cost, begin))
        cost, begin = min(choices)
        best.append(cost)
        first.append(begin)
    groups, end = [], len(units)
    while end:
        groups.append(list(units[first[end] : end]))
        end = first[end]
    return groups[::-1]


def _ended(unit: _Unit, following: _Unit, limits: CueLimits) -> float:
    """Return what it costs to end a cue between two units."""
    if "\n" in following.words[0].before or _pause(unit, following, limits):
        return 0.0
    return _mark_cost(unit.words[-1].text)


def _held(unit: _Unit, following: _Unit, limits: CueLimits) -> float:
    """Return what it costs to have both units in one cue."""
    return (
        _HOLDS_LINE_END * ("\n" in following.words[0].before)
        + _HOLDS_SENTENCE_END * _ends_sentence(unit.words[-1].text)
        + _HOLDS_PAUSE * _pause(unit, following, limits)
    )


def _pause(unit: _Unit, following: _Unit, limits: CueLimits) -> bool:
    return following.start - unit.end > limits.pause_seconds * 1000


def _mark_cost(text: str) -> float:
    if _ends_sentence(text):
        return _ENDS_AT_SENTENCE
    return _ENDS_AT_COMMA if text.rstrip(_CLOSING).endswith(tuple(_CLAUSE)) else _ENDS_IN_CLAUSE


def _ends_sentence(text: str) -> bool:
    return text.rstrip(_CLOSING).endswith(tuple(_SENTENCE)) and not _ABBREVIATED.fullmatch(text)


def _reading_seconds(words: Sequence[TimedText], limits: CueLimits) -> float:
    return _line_width(words) / limits.characters_per_second


def _times(groups: Sequence[Sequence[_Unit]], limits: CueLimits, last: float) -> list[tuple[int, int]]:
    """Return start and end of each cue in milliseconds."""
    gap, shortest = milliseconds(limits.gap_seconds), milliseconds(limits.shortest_seconds)
    said = [(group[0].start, group[-1].end) for group in groups]
    starts: list[int] = []
    free = 0  # from here on the cue before needs no time
    for start, end in said:
        starts.append(min(start, max(start - milliseconds(limits.before_seconds), free)))
        free = max(end, starts[-1] + shortest) + gap
    times: list[tuple[int, int]] = []
    for start, following, (_, end), group in zip(starts, [*starts[1:], last + gap], said, groups, strict=True):
        reading = milliseconds(_reading_seconds(_words(group), limits))
        wanted = max(end + milliseconds(limits.behind_seconds), start + max(shortest, reading))
        wanted = max(end, min(wanted, start + milliseconds(limits.longest_seconds)))
        end = max(start + 1, int(min(wanted, following - gap)))
        earliest = times[-1][1] + gap if times else 0
        times.append((min(start, max(earliest, end - shortest)), end))
    return times


def _words(group: Sequence[_Unit]) -> list[TimedText]:
    return [word for unit in group for word in unit.words]


def _fits(words: Sequence[TimedText], limits: CueLimits) -> bool:
    """Tell whether words fit on the lines of a cue, filled one after another."""
    lines, at = 1, 0
    for k, word in enumerate(words):
        width = _width(word.text)
        space = bool(k and at and word.before)
        if at and at + space + width > limits.characters:
            lines, at, space = lines + 1, 0, False
        at += space + width
        if lines > limits.lines or at > limits.characters:
            return False
    return True


def _wrapped(words: Sequence[TimedText], limits: CueLimits) -> str:
    """Return the text of a cue: on as few lines as it fits on, cut at the ends of lines and sentences, and evenly."""
    line_ends = sum("\n" in word.before for word in words[1:])
    for count in range(min(1 + line_ends, limits.lines), limits.lines + 1):
        choices = []
        for cuts in combinations(range(1, len(words)), count - 1):
            lines = [words[begin:end] for begin, end in pairwise((0, *cuts, len(words)))]
            widths = [_line_width(line) for line in lines]
            if max(widths) <= limits.characters:
                uneven = sum(width * width for width in widths) / limits.characters**2
                choices.append((uneven + sum(_cut_cost(words[cut - 1], words[cut]) for cut in cuts), lines))
        if choices:
            return "\n".join(text_of(line) for line in min(choices, key=lambda choice: choice[0])[1])
    return text_of(words)  # a word that is longer than a line


def _cut_cost(word: TimedText, following: TimedText) -> float:
    return -1.0 if "\n" in following.before else 0.1 * _mark_cost(word.text)


def _line_width(words: Sequence[TimedText]) -> int:
    return sum(_width(word.text) + bool(k and word.before) for k, word in enumerate(words))


@cache
def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    marks = sum(unicodedata.category(character) in ("Mn", "Me") for character in text)
    return len(text) - marks + sum(unicodedata.east_asian_width(character) in "WF" for character in text)
