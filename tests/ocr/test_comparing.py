"""Errors between texts: the numbers of jiwer, line by line and together."""

import jiwer
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctckit.ocr.comparing import (
    Confusion,
    ErrorCounts,
    ErrorRates,
    aligned_pieces,
    compare_lines,
    find_confusions,
)

TEXT = st.text("abc é", min_size=1, max_size=9).map(lambda text: " ".join(text.split())).filter(bool)
READ = st.text("abc é", max_size=9).map(lambda text: " ".join(text.split()))
PAIRS = st.lists(st.tuples(TEXT, READ), min_size=1, max_size=6)


@settings(deadline=None)
@given(PAIRS)
def test_rates_are_those_of_jiwer(pairs):
    truths, reads = map(list, zip(*pairs, strict=True))
    lines = compare_lines([str(n) for n in range(len(pairs))], truths, reads)
    rates = ErrorRates.of(lines)
    assert rates.cer == jiwer.cer(truths, reads)
    assert rates.wer == jiwer.wer(truths, reads)
    for counts, expected in (
        (rates.characters, jiwer.process_characters(truths, reads)),
        (rates.words, jiwer.process_words(truths, reads)),
    ):
        found = (counts.right, counts.substitutions, counts.deletions, counts.insertions)
        assert found == (expected.hits, expected.substitutions, expected.deletions, expected.insertions)
    for line, truth, read in zip(lines, truths, reads, strict=True):
        assert (line.characters.rate, line.words.rate) == (jiwer.cer(truth, read), jiwer.wer(truth, read))
        assert line.exact == (truth == read)


@settings(deadline=None)
@given(PAIRS)
def test_confusions_are_all_errors(pairs):
    truths, reads = map(list, zip(*pairs, strict=True))
    confusions = find_confusions(truths, reads)
    counts = ErrorRates.of(compare_lines([""] * len(pairs), truths, reads)).characters
    assert sum(each.count for each in confusions if each.true and each.read) == counts.substitutions
    assert sum(each.count for each in confusions if not each.read) == counts.deletions
    assert sum(each.count for each in confusions if not each.true) == counts.insertions
    assert [each.count for each in confusions] == sorted((each.count for each in confusions), reverse=True)
    assert all(each.true != each.read for each in confusions)


@settings(deadline=None)
@given(PAIRS)
def test_pieces_are_the_texts(pairs):
    for truth, read in pairs:
        pieces = list(aligned_pieces([truth], [read]))
        assert "".join(above for above, _ in pieces) == truth
        assert "".join(below for _, below in pieces) == read


def test_confusions_by_hand():
    assert find_confusions(["aab", "aa", "b"], ["acb", "ac", "bb"]) == (Confusion("a", "c", 2), Confusion("", "b", 1))


def test_spaces_at_the_ends_are_characters_but_no_words():
    (line,) = compare_lines(["x"], ["ab"], [" ab "])
    assert line.characters == ErrorCounts(right=2, insertions=2)
    assert line.words == ErrorCounts(right=1)


def test_nothing_to_compare():
    assert compare_lines([], [], []) == []
    assert find_confusions([], []) == ()
    rates = ErrorRates.of([])
    assert (rates.cer, rates.wer, rates.exact) == (0.0, 0.0, 0.0)


def test_as_many_readings_as_texts():
    with pytest.raises(ValueError, match=r"."):
        compare_lines(["x"], ["ab"], [])
