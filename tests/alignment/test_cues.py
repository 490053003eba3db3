"""Cues of subtitles: their limits, their times, and where they end."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctckit.alignment import TimedText
from ctckit.alignment.writers import PRESETS, CueLimits, subtitle_cues
from ctckit.errors import InvalidInputError

MS = 0.0011  # times are whole milliseconds


def spoken(text, seconds=0.4, pause=0.1, at=0.0):
    """The words of a text one after another; "~" before a word is a pause of a second."""
    words = []
    for n, line in enumerate(text.split("\n")):
        for k, word in enumerate(line.split()):
            at += 1.0 * word.startswith("~")
            before = "\n" if n and not k else " "
            words.append(TimedText(word.lstrip("~"), round(at, 3), round(at + seconds, 3), 0.5, before))
            at += seconds + pause
    return words


def texts(words, limits=None, **options):
    return [cue.text for cue in subtitle_cues(words, limits or CueLimits(**options))]


def times(words, **options):
    return [(cue.start_seconds, cue.end_seconds) for cue in subtitle_cues(words, CueLimits(**options))]


def test_cues_end_at_sentences_clauses_lines_and_pauses():
    assert texts(spoken("She was there. He was not.")) == ["She was there.", "He was not."]
    assert texts(spoken("It began, as I said, with a very small dog")) == ["It began, as I said, with a very small dog"]
    assert texts(spoken("It began, as I said, with a rather small dog")) == [
        "It began, as I said,\nwith a rather small dog"
    ]
    assert texts(spoken("all the long day they went, and slept"), characters=14) == [
        "all the long\nday they went,",
        "and slept",
    ]
    assert texts(spoken("one two three\nfour five six")) == ["one two three", "four five six"]
    assert texts(spoken("one two ~three four")) == ["one two", "three four"]
    assert texts(spoken("Then Mr. Darcy came in, and J. Smith went"), characters=14, lines=1) == [
        "Then Mr. Darcy",
        "came in, and",
        "J. Smith went",
    ]


def test_a_word_that_would_be_too_short_shares_a_cue():
    words = [TimedText("Yes.", 0.0, 0.08, None), *spoken("She was there.", at=0.1)]
    assert texts(words) == ["Yes. She was there."]
    turns = [TimedText("Yes.", 0.0, 0.08, None), *spoken("\nShe was there.", at=0.1)]
    assert texts(turns) == ["Yes.\nShe was there."]  # lines of the text are lines of the cue
    assert texts([words[0], *spoken("She was there.", at=1.0)]) == ["Yes.", "She was there."]


def test_the_end_comes_later_for_reading_and_for_the_shortest_time():
    word = [TimedText("incomprehensibilities", 1.0, 1.5, None)]
    assert times(word, characters_per_second=7.0, behind_seconds=0) == [(1.0, 4.0)]
    assert times(word, characters_per_second=1.0, behind_seconds=0) == [(1.0, 8.0)]  # the longest time
    assert times(word, characters_per_second=100, shortest_seconds=2, behind_seconds=0) == [(1.0, 3.0)]
    assert times(word, characters_per_second=100, shortest_seconds=0.1, behind_seconds=0.25) == [(1.0, 1.75)]
    assert times(word, before_seconds=0.5, behind_seconds=1.5) == [(0.5, 3.0)]
    assert times(word, before_seconds=3) == [(0.0, 1.8)]


def test_cues_keep_their_gap_and_stay_within_the_recording():
    words = [TimedText("one.", 0.0, 1.0, None), TimedText("Two.", 1.2, 2.2, None)]
    assert times(words, shortest_seconds=0.5, gap_seconds=0.4, before_seconds=0.3, behind_seconds=1) == [
        (0.0, 0.8),
        (1.2, 3.2),
    ]
    (_, last) = subtitle_cues(words, CueLimits(behind_seconds=1), duration_seconds=2.5)
    assert last.end_seconds == 2.5
    (cue,) = subtitle_cues([TimedText("end", 5.0, 5.1, None)], CueLimits(shortest_seconds=1), duration_seconds=5.2)
    assert (cue.start_seconds, cue.end_seconds) == (4.2, 5.2)


def test_lines_are_even_and_as_few_as_possible():
    assert texts(spoken("the cat is on"), characters=13) == ["the cat is on"]
    assert texts(spoken("the cat is on the hat"), characters=20) == ["the cat is\non the hat"]
    assert texts(spoken("a rat, the cat is"), characters=14) == ["a rat,\nthe cat is"]
    assert texts(spoken("supercalifragilistic so"), characters=6) == ["supercalifragilistic", "so"]


def test_wide_characters_count_twice_and_marks_not():
    glued = [TimedText(each, 0.5 * k, 0.5 * k + 0.5, None, "") for k, each in enumerate("今日は天気がいいです")]
    assert texts(glued, characters=10, lines=2) == ["今日は天気\nがいいです"]
    assert texts([TimedText("cafe\u0301s", 0, 1, None)], characters=5) == ["cafe\u0301s"]
    assert texts([*spoken("e\u0301e\u0301 ab")], characters=5) == ["e\u0301e\u0301 ab"]


def test_texts_without_frames_are_with_the_word_before_them():
    lost = TimedText("…", 0.9, 0.9, None)
    words = [lost, TimedText("so", 1.0, 2.0, None), TimedText("—", 2.0, 2.0, None), TimedText("be", 4.0, 5.0, None)]
    assert texts(words) == ["… so —", "be"]
    assert subtitle_cues([lost, lost]) == (TimedText("… …", 0.9, 0.9, None),)
    assert subtitle_cues([]) == ()


@st.composite
def speech(draw):
    words, at = [], 0.0
    for _ in range(draw(st.integers(1, 14))):
        at += draw(st.sampled_from([0.0, 0.05, 0.3, 1.0]))
        end = at + draw(st.sampled_from([0.09, 0.2, 0.45, 1.0]))
        text = draw(st.sampled_from(["a", "no.", "then,", "sixteen", "considerably"]))
        words.append(TimedText(text, round(at, 3), round(end, 3), None, draw(st.sampled_from([" ", " ", " ", "\n"]))))
        at = end
    return words


@settings(max_examples=150, deadline=None)
@given(
    speech(),
    st.builds(
        CueLimits,
        characters=st.sampled_from([12, 20, 42]),
        lines=st.integers(1, 3),
        shortest_seconds=st.sampled_from([0.1, 0.84, 1.0]),
        longest_seconds=st.sampled_from([2.0, 7.0]),
        gap_seconds=st.sampled_from([0.0, 0.084]),
        before_seconds=st.sampled_from([0.0, 0.5]),
    ),
)
def test_limits_hold(words, limits):
    cues = subtitle_cues(words, limits)
    assert " ".join(cue.text for cue in cues).split() == [word.text for word in words]
    for cue in cues:
        lines = cue.text.split("\n")
        assert len(lines) <= limits.lines
        assert max(map(len, lines)) <= limits.characters
        assert cue.end_seconds - cue.start_seconds <= limits.longest_seconds + limits.before_seconds + MS
    for first, second in pairwise(cues):
        assert second.start_seconds - first.end_seconds >= limits.gap_seconds - MS
    at = 0
    counts = [len(cue.text.split()) for cue in cues]
    for k, count in enumerate(counts):
        said = words[at : at + count]
        assert cues[k].start_seconds <= said[0].start_seconds
        assert cues[k].end_seconds >= said[-1].end_seconds - limits.gap_seconds - MS
        short = cues[k].end_seconds - cues[k].start_seconds < 0.98 * limits.shortest_seconds
        for many in [words[at - counts[k - 1] : at + count]] * (k > 0) + [words[at : at + sum(counts[k : k + 2])]] * (
            k + 1 < len(cues)
        ):
            assert not (short and fits(many, limits)), "a short cue fits into the one beside it"
        at += count


def fits(words, limits):
    """Whether one cue holds these words."""
    lines = [""]
    for word in words:
        longer = f"{lines[-1]} {word.text}".strip()
        lines = [*lines[:-1], longer] if len(longer) <= limits.characters else [*lines, word.text]
    seconds = words[-1].end_seconds - words[0].start_seconds
    return len(lines) <= limits.lines and seconds <= limits.longest_seconds


def test_presets_and_what_is_wrong_with_limits():
    words = spoken("She was there. He was not.")
    assert all(subtitle_cues(words, name) == subtitle_cues(words, limits) for name, limits in PRESETS.items())
    with pytest.raises(InvalidInputError, match=r"limits is 'film'; expected CueLimits, or one of 'streaming', 'broad"):
        subtitle_cues(words, "film")
    with pytest.raises(InvalidInputError, match=r"shortest_seconds is 8.0, longest_seconds 7.0; expected the shortest"):
        CueLimits(shortest_seconds=8.0)
    with pytest.raises(InvalidInputError, match=r"lines is 0"):
        CueLimits(lines=0)
    with pytest.raises(InvalidInputError, match=r"gap_seconds is -1"):
        CueLimits(gap_seconds=-1)
