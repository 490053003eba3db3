"""Times in seconds, and the choice among pronunciations of a word."""

import numpy as np
import pytest

from ctckit import Vocabulary
from ctckit.alignment import SpellingChoice, Transcript, forced_align, timed_tiers
from ctckit.errors import InvalidInputError
from tests.support.tolerances import DOUBLE

LETTERS = Vocabulary.from_characters("abcd ", separator=" ")
STAR = -1


def frames_of(classes, vocabulary=LETTERS, sure=0.9):
    """Log-probabilities in which each frame emits one class."""
    rest = (1 - sure) / (len(vocabulary) - 1)
    probs = np.full((len(classes), len(vocabulary)), rest)
    probs[np.arange(len(classes)), classes] = sure
    return np.log(probs)


def aligned(text, spoken, spell=None, vocabulary=LETTERS):
    """Align a text; ``spoken`` has a token for each frame, "." for the blank."""
    classes = [0 if name == "." else vocabulary.tokens.index(name) for name in spoken]
    said = Transcript(text, vocabulary, spell=spell, star=STAR)
    [found] = forced_align(frames_of(classes, vocabulary), said.tokens, star=STAR)
    return said, found


def times(entries):
    return [(each.text, round(each.start_seconds, 6), round(each.end_seconds, 6)) for each in entries]


def test_lines_words_and_tokens():
    said, found = aligned("A b,\n\n ab!\n", ".aa. .b.. aab.")
    tiers = timed_tiers(found, said, LETTERS, 0.5, 10.0, boundaries="spike")
    assert list(tiers) == ["lines", "words", "tokens"]
    assert times(tiers["words"]) == [("A", 10.5, 11.5), ("b,", 13.0, 13.5), ("ab!", 15.0, 16.5)]
    assert times(tiers["lines"]) == [("A b,", 10.5, 13.5), ("ab!", 15.0, 16.5)]
    assert times(tiers["tokens"]) == [("a", 10.5, 11.5), ("b", 13.0, 13.5), ("a", 15.0, 16.0), ("b", 16.0, 16.5)]
    words = [word.confidence for word in tiers["words"]]
    assert tiers["lines"][0].confidence == pytest.approx(sum(words[:2]) / 2, rel=DOUBLE)
    assert words == [word.confidence for word in found.words(said)]
    met = timed_tiers(found, said, LETTERS, 0.5, 10.0, boundaries="midpoint")
    edges = found.boundaries("midpoint")[2] * 0.5 + 10
    assert times(met["words"])[1] == ("b,", *edges.tolist())
    average = timed_tiers(found, said, LETTERS, 0.5, 10.0)["tokens"]
    starts = found.boundaries("occupancy")[[0, 2, 4, 5], 0]
    assert [each.start_seconds for each in average] == (starts * 0.5 + 10).tolist()


def test_one_line_is_a_line_too():
    said, found = aligned("a b\n", "a b")
    tiers = timed_tiers(found, said, LETTERS, 1.0, boundaries="spike")
    assert list(tiers) == ["lines", "words", "tokens"]
    assert times(tiers["lines"]) == [("a b", 0, 3)]


def test_a_modifier_is_one_entry_with_its_sound():
    sounds = Vocabulary(("", "a", "ː", "t", "ʰ", "\u0303", "|"), separator="|")
    said, found = aligned("a b", ".aː\u0303|ʰt.", {"a": ["a", "ː", "\u0303"], "b": ["ʰ", "t"]}, sounds)
    tokens = timed_tiers(found, said, sounds, 1.0, boundaries="spike")["tokens"]
    assert times(tokens) == [("aː\u0303", 1, 4), ("ʰ", 5, 6), ("t", 6, 7)]
    assert tokens[0].confidence == pytest.approx(np.prod(found.confidences[:3]), rel=DOUBLE)


def test_what_no_frame_emits_stands_where_it_would_have_been():
    said, found = aligned("… a 42 – b", ".a. . .b.")
    words = timed_tiers(found, said, LETTERS, 1.0, 5.0, boundaries="spike")["words"]
    assert [(each.text, each.start_seconds, each.end_seconds) for each in words] == [
        ("…", 5.0, 5.0),
        ("a", 6.0, 7.0),
        ("42", 7.0, 7.0),
        ("–", 7.0, 7.0),
        ("b", 12.0, 13.0),
    ]
    assert [each.confidence is None for each in words] == [True, False, True, True, False]


def test_unspelled_speech_has_its_frames():
    said, found = aligned("a 42 b", "a dcdcdc b".replace("dcdcdc", "dcdcdcdcdcdcdc"))
    words = timed_tiers(found, said, LETTERS, 1.0)["words"]
    assert words[1].text == "42"
    assert words[1].end_seconds - words[1].start_seconds > 10
    assert words[1].confidence is None
    assert [each.text for each in timed_tiers(found, said, LETTERS, 1.0)["tokens"]] == ["a", "b"]


def test_other_tokens_are_refused():
    _, found = aligned("a b", "a b")
    with pytest.raises(InvalidInputError, match=r"Pass transcript\.tokens as the target"):
        timed_tiers(found, Transcript("b a", LETTERS), LETTERS, 1.0)


# --- pronunciations

WAYS = {"tomato": ["ab", "cb"], "the": ["d", "db", "dc"], "is": ["a"]}


def chosen(text, spoken, ways=WAYS):
    spell = SpellingChoice(lambda word: ways.get(word.lower()), LETTERS)
    said, found = aligned(text, spoken, spell)
    changed = spell.choose(said, found)
    return LETTERS.decode(Transcript(text, LETTERS, spell=spell, star=STAR).tokens[:]), changed


@pytest.mark.parametrize(
    ("text", "spoken", "expected", "changed"),
    [
        ("tomato", "..ab..", "ab", 0),
        ("Tomato!", "..cb..", "cb", 1),
        ("the tomato the", ".db. .cb. .d.", "db cb d", 2),
        ("the tomato the", ".d. .ab. .dc.", "d ab dc", 1),
        ("is the-is", "a dc a", "a dc a", 1),
        ("tomato tomato", "cb..cb", "cb cb", 2),
    ],
)
def test_that_is_chosen_which_is_heard(text, spoken, expected, changed):
    assert chosen(text, spoken) == (expected, changed)


def test_a_word_far_away_is_not_looked_at():
    assert chosen("the", "d" + "." * 5 + "b") == ("db", 1)
    assert chosen("the", "d" + "." * 30 + "b") == ("d", 0)


def test_beside_wildcards():
    spell = SpellingChoice(lambda word: WAYS.get(word), LETTERS)
    said, found = aligned("tomato 42 the", ".cb. adadadadadadadad .db.", spell)
    assert spell.choose(said, found) == 2
    tokens = Transcript("tomato 42 the", LETTERS, spell=spell, star=STAR).tokens
    assert [LETTERS[token] if token != STAR else "*" for token in tokens] == ["c", "b", " ", "*", " ", "d", "b"]


def test_words_without_a_mark_between_them():
    letters = Vocabulary.from_characters("abcd")
    spell = SpellingChoice(lambda word: WAYS.get(word), letters)
    said, found = aligned("tomato the", "c.b.d.b.", spell, letters)
    assert spell.choose(said, found) == 2
    assert letters.decode(Transcript("tomato the", letters, spell=spell).tokens) == "cbdb"


def test_a_choice_is_for_one_text():
    spell = SpellingChoice(lambda word: WAYS.get(word), LETTERS)
    said, found = aligned("the", "db", spell)
    Transcript("tomato", LETTERS, spell=spell)
    with pytest.raises(InvalidInputError, match=r"has spelled another transcript too; make one for each\."):
        spell.choose(said, found)
