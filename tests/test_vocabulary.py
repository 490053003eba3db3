import unicodedata

import pytest

import ctckit
from ctckit import Vocabulary
from ctckit.errors import CharsetError, InvalidInputError


@pytest.mark.parametrize("blank", [0, 2, 3])
def test_encode_and_decode_are_inverse(blank):
    vocabulary = Vocabulary.from_characters("abc", blank=blank)
    assert len(vocabulary) == 4
    assert vocabulary.tokens[blank] == ""
    assert vocabulary.characters == "abc"
    assert vocabulary.decode(vocabulary.encode("cabba")) == "cabba"
    assert blank not in vocabulary.encode("cabba")
    assert vocabulary.decode([blank]) == ""


def test_unknown_characters_are_named():
    with pytest.raises(
        CharsetError, match=r"text 'añb1' holds characters outside the charset of 2: '1' \(U\+0031\), 'ñ' \(U\+00F1\)\."
    ):
        Vocabulary.from_characters("ab").encode("añb1")


@pytest.mark.parametrize("text", ["café", "Việt", "한각", "कि", "Å"])
@pytest.mark.parametrize("known", ["NFC", "NFD"])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_texts_in_another_encoding(text, known, form):
    vocabulary = Vocabulary.from_characters(sorted(set(unicodedata.normalize(known, text))))
    classes = vocabulary.encode(unicodedata.normalize(form, text))
    assert vocabulary.decode(classes) == unicodedata.normalize(known, text)


def test_a_vocabulary_may_have_both_encodings():
    vocabulary = Vocabulary(("", "e", "\u0301", "é", "Å", "\u212b"))
    assert vocabulary.encode("e\u0301é\u212bÅ") == [3, 3, 5, 4]
    with pytest.raises(CharsetError, match=r"outside the charset of 5: 'e̊' \(U\+0065 U\+030A\)\."):
        vocabulary.encode("e\u030a")


@pytest.mark.parametrize(
    ("text", "tokens", "written"),
    [
        ("কো", ["ক", "ে", "া", "ো"], ["ক", "ো"]),  # a vowel sign that is two signs in NFD
        ("ཀཱི", ["ཀ", "\u0f73"], ["ཀ", "\u0f73"]),  # one that is two signs in NFC too
        ("ẹ́", ["é", "\u0323"], ["é", "\u0323"]),  # in NFC the other mark is the one that is joined
        ("각", ["\u1100", "\u1161", "\u11a8", "각"], ["각"]),
        ("\uac00\u11a8", ["각"], ["각"]),
        ("\u1100\uac00", ["\u1100", "가"], ["\u1100", "가"]),
        ("क़", ["क़", "क"], ["क़"]),
    ],
)
@pytest.mark.parametrize("form", [None, "NFC", "NFD"])
def test_the_largest_parts_of_a_character_are_taken(text, tokens, written, form):
    vocabulary = Vocabulary(("", *tokens))
    found = vocabulary.encode(unicodedata.normalize(form, text) if form else text)
    assert [vocabulary[token] for token in found] == written


def test_parts_that_are_another_character_are_not_taken():
    with pytest.raises(CharsetError, match=r"outside the charset of 2: 'ấ'"):
        Vocabulary.from_characters("á\u0302").encode("ấ")  # they would be "á" with the circumflex above


def test_marks_stay_in_the_order_in_which_they_are_written():
    shadda, fatha = "\u0651", "\u064e"  # their order has no meaning; NFC turns it round
    vocabulary = Vocabulary.from_characters("م" + shadda + fatha)
    assert vocabulary.encode("م" + shadda + fatha) == [1, 2, 3]
    assert vocabulary.encode("م" + fatha + shadda) == [1, 3, 2]


def test_a_letter_may_have_many_marks():
    vocabulary = Vocabulary.from_characters("e\u0301\u0302é")
    assert vocabulary.encode("e" + 5000 * "\u0302") == [1, *5000 * [3]]
    assert vocabulary.encode("e" + 6 * "\u0301") == [4, *5 * [2]]


@pytest.mark.parametrize("token", [-1, 3, 1.0])
def test_decode_refuses_numbers_that_are_not_classes(token):
    with pytest.raises(InvalidInputError, match=r"tokens\[1\] is .*"):
        Vocabulary.from_characters("ab").decode([1, token])


@pytest.mark.parametrize(
    ("tokens", "blank", "message"),
    [
        (("", "a"), 2, r"blank is 2; with C = 2 the classes are 0\.\.1\."),
        (("", "a"), None, r"blank is None; expected the index of a class, an integer\."),
        (("a", "b"), 0, r"tokens\[0\] is 'a', but 0 is the blank; expected \"\"\."),
        (("", "a", "a"), 0, r"tokens\[2\] is 'a', the same as tokens\[1\]\."),
        (("", "a", ""), 0, r"tokens\[2\] is '', the same as tokens\[0\]\."),
    ],
)
def test_tokens_and_blank_are_checked(tokens, blank, message):
    with pytest.raises(InvalidInputError, match=message):
        Vocabulary(tokens, blank)


def test_words_of_a_separator():
    vocabulary = Vocabulary.from_characters("ab|", separator="|")
    assert vocabulary.has_words
    assert vocabulary.decode([3, 1, 2, 3, 3, 0, 1, 3]) == "ab a"
    assert vocabulary.encode("ab a") == [1, 2, 3, 1]
    assert vocabulary.encode("a|b") == [1, 3, 2]
    assert vocabulary.word_parts == (("",), ("a",), ("b",), ("", ""))
    with_space = Vocabulary.from_characters("a |", separator="|")
    assert with_space.encode("a a") == [1, 2, 1]
    assert with_space.decode([1, 2, 2, 1, 3, 1]) == "a  a a"  # a space that is a token stays a space


def test_words_of_pieces():
    sentence = Vocabulary(("", "▁the", "▁", "s", "▁a▁b"), word_start="▁")
    assert sentence.decode([1, 3, 2, 3, 4, 3]) == "thes s a bs"
    assert sentence.word_parts[4] == ("", "a", "b")
    word = Vocabulary(("", "the", "##s", "##", "."), continuation="##")
    assert word.decode([2, 1, 2, 1, 3, 4]) == "s thes the ."
    assert word.word_parts == (("",), ("", "the"), ("s",), ("",), ("", "."))
    for each in (sentence, word):
        with pytest.raises(
            InvalidInputError, match="encode takes vocabularies of characters; in pieces of words a text"
        ):
            each.encode("the")


def test_without_a_mark_there_are_no_words():
    vocabulary = Vocabulary(("", "▁the", "##s", "|"))
    assert not vocabulary.has_words
    assert vocabulary.decode([1, 2, 3]) == "▁the##s|"


def test_a_list_of_tokens_is_accepted():
    assert Vocabulary(["", "a"]) == Vocabulary(("", "a"))
    assert hash(Vocabulary(["", "a"], separator="a")) == hash(Vocabulary(("", "a"), separator="a"))
    assert Vocabulary(["", "a"], separator="a") != Vocabulary(["", "a"])


@pytest.mark.parametrize(
    ("marks", "message"),
    [
        (
            {"separator": "|", "word_start": "a"},
            r"separator='\|' and word_start='a' are given; expected at most one mark",
        ),
        ({"separator": ""}, r"separator is ''; expected a string that is not empty, or None\."),
        ({"word_start": 3}, r"word_start is 3; expected a string that is not empty, or None\."),
        ({"separator": " "}, r"separator is ' ', which is not among the tokens\."),
        ({"word_start": "▁"}, r"word_start is '▁', which no token holds\."),
        ({"continuation": "##"}, r"continuation is '##', which no token begins with\."),
    ],
)
def test_marks_are_checked(marks, message):
    with pytest.raises(InvalidInputError, match=message):
        Vocabulary(("", "a", "|"), **marks)


def test_a_mapping_gives_each_token_its_class():
    assert Vocabulary({"": 0, "b": 2, "a": 1}).tokens == ("", "a", "b")
    assert ctckit.BeamDecoder({"b": 1, "": 0}).vocabulary.tokens == ("", "b")


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ({"", "a"}, r"tokens is a set, which has no order; expected a sequence of strings\."),
        (frozenset({""}), r"tokens is a frozenset, which has no order"),
        ({"": 0, "a": 0}, r"tokens\['a'\] and tokens\[''\] are both 0\."),
        ({"": 0, "a": 2}, r"tokens\['a'\] is 2; with C = 2 the classes are 0\.\.1\."),
        ({"": 0, "a": 1.0}, r"tokens\['a'\] is 1\.0; expected the index of a class"),
    ],
)
def test_tokens_without_an_order_are_refused(tokens, message):
    with pytest.raises(InvalidInputError, match=message):
        Vocabulary(tokens)
