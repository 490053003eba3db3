"""Lines of a written text: their spelling, and how well they fit."""

import numpy as np
import pytest

from ctckit import Vocabulary
from ctckit.alignment import TimedText, align_lines, summarize
from ctckit.errors import InvalidInputError

LETTERS = Vocabulary.from_characters("abcd ", separator=" ")


def frames_of(spoken, sure=0.9):
    """Log-probabilities with a frame for each character, "." for the blank."""
    probs = np.full((len(spoken), len(LETTERS)), (1 - sure) / (len(LETTERS) - 1))
    probs[range(len(spoken)), [0 if each == "." else LETTERS.tokens.index(each) for each in spoken]] = sure
    return np.log(probs)


def test_each_line_has_its_own_choice_of_spellings():
    """The same word is said in two ways; what cannot be spelled is a wildcard."""
    ways = {"x": ["ab", "ba"], "y": ["d"]}
    found = align_lines(
        frames_of(".b.a..cccc..a.b. .d."),
        ["X", "x, y", "42"],
        LETTERS,
        spellings=lambda word: ways.get(word.lower(), ()),
    )
    assert [LETTERS.decode([t for t in line.transcript.tokens if t >= 0]) for line in found] == ["ba", "ab d", ""]
    assert [(line.start, line.end) for line in found[:2]] == [(1, 4), (12, 19)]
    assert [word.text for line in found for word in line.transcript.unspelled] == ["42"]


def test_what_may_lie_between_and_around():
    frames = frames_of(".dd.a..dcdc..b.dd.", sure=1 - 1e-5)  # a wildcard costs 8 nats
    assert [(line.start, line.end) for line in align_lines(frames, ["a", "b"], LETTERS)] == [(4, 5), (13, 14)]
    strict = align_lines(frames, ["a", "b"], LETTERS, between=False, edges=False)
    assert len(strict[0].alignment) == 3  # the separator, and no wildcard


def test_replacements():
    [line] = align_lines(frames_of(".a.b."), ["2"], LETTERS, replacements={"2": "ab"})
    assert (line.start, line.end) == (1, 4)


def test_a_summary_counts_and_names_what_is_suspicious():
    lines = [
        TimedText("so be it", 0.0, 1.0, 0.9),
        TimedText("not said " * 9, 1.0, 1.5, 0.02),
        TimedText("42", 1.5, 1.5, None),
        TimedText("43", 1.5, 1.8, None),
    ]
    found = summarize({"lines": lines, "words": lines * 3}, numbers=[1, 4, 5, 6])
    assert str(found) == "4 lines, 12 words, mean confidence 0.46"
    assert [str(each) for each in found.suspicious] == [
        "4, 1.00–1.50 s, 0.02: not said not said not said not said not said not said not  …",
        "5, 1.50–1.50 s: 42",
    ]
    assert [each.number for each in summarize({"lines": lines}, below=0.01).suspicious] == [3]
    assert str(summarize({"lines": (), "words": ()})) == "0 lines, 0 words"
    with pytest.raises(InvalidInputError, match="below is 2; expected a number in"):
        summarize({"lines": lines}, below=2)
