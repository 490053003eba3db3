"""Words that are not spoken as they are written, and words of texts without spaces."""

import sys
import unicodedata

import numpy as np
import pytest

from ctckit import Transcript, Vocabulary, forced_align
from ctckit.alignment import number_words, romanized, spoken, timed_tiers
from ctckit.alignment import words as word_module
from ctckit.alignment.words import segments, words_of
from ctckit.errors import InvalidInputError, MissingDependencyError

LETTERS = Vocabulary.from_characters("abcdefghijklmnopqrstuvwxyz'|", separator="|")


@pytest.fixture
def no_budoux(monkeypatch):
    monkeypatch.setitem(sys.modules, "budoux", None)
    word_module._parser.cache_clear()
    yield
    word_module._parser.cache_clear()


@pytest.mark.parametrize(
    ("language", "word", "expected"),
    [
        ("en", "(42)", "( forty-two )"),
        ("en", "1984,", "nineteen eighty-four ,"),
        ("en", "1,984", "one thousand, nine hundred and eighty-four"),
        ("en", "3.14", "three point one four"),
        ("en", "21st", "twenty-first"),
        ("en", "007", "zero zero seven"),
        ("en", "12:30", "twelve : thirty"),
        ("en", "1984–1990", "nineteen eighty-four – nineteen ninety"),
        ("en", "MP3", "MP three"),
        ("en", "4915112345678", "four nine one five one one two three four five six seven eight"),
        ("de", "1.984", "eintausendneunhundertvierundachtzig"),
        ("de", "3,5", "drei Komma fünf"),
        ("en", "٤٢", "forty-two"),
        ("en", "none", None),
    ],
)
def test_numbers_become_words(language, word, expected):
    pytest.importorskip("num2words")
    assert number_words(language)(word) == expected


def test_the_written_text_is_kept():
    pytest.importorskip("num2words")
    transcript = Transcript("“In 1984,” he said.", LETTERS, replacements=number_words("en"))
    assert LETTERS.decode(transcript.tokens) == "in nineteen eighty four he said"
    assert [word.text for word in transcript.words] == ["“In", "1984,”", "he", "said."]
    assert transcript.unspelled == ()


def test_languages_and_packages_that_are_not_there(monkeypatch):
    pytest.importorskip("num2words")
    with pytest.raises(InvalidInputError, match=r"language is 'xx'; num2words knows am, ar, .*, en, "):
        number_words("xx")
    with pytest.raises(InvalidInputError, match=r"replacements is of type int; expected a mapping of words, or a func"):
        Transcript("a", LETTERS, replacements=3)
    spoken._uroman.cache_clear()
    for name, call in (("num2words", lambda: number_words("en")), ("uroman", lambda: romanized("я"))):
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(MissingDependencyError, match=rf'needs {name}.*pip install "ctckit\[text\]"'):
            call()


@pytest.mark.slow
def test_other_scripts_in_latin_letters():
    pytest.importorskip("uroman")
    assert romanized("naïve") is None
    assert romanized("42!") is None
    transcript = Transcript("Москва, नमस्ते naïve!", LETTERS, replacements=romanized)
    assert LETTERS.decode(transcript.tokens) == "moskva namaste naive"


# --- languages without spaces


def texts_of(text, segment=None):
    found = list(words_of(text, segment))
    assert all(text[begin : begin + len(word)] == word for word, begin in found)
    assert "".join(word for word, _ in found) == "".join(text.split())
    return [word for word, _ in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("今日は天気", ["今", "日", "は", "天", "気"]),
        ("「はい」、と。", ["「は", "い」、", "と。"]),
        ("Python言語です", ["Python", "言", "語", "で", "す"]),
        ("น้ำ ใจ", ["น้", "ำ", "ใ", "จ"]),
        ("한국어 각", ["한국어", "각"]),
        ("naïve café", ["naïve", "café"]),
        ("ガ", ["ガ"]),
    ],
)
def test_without_a_segmenter_each_character_is_a_word(no_budoux, text, expected):
    assert texts_of(text) == expected
    decomposed = unicodedata.normalize("NFD", text)
    assert [unicodedata.normalize("NFC", each) for each in texts_of(decomposed)] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("今日は天気がいいです。", ["今日は", "天気が", "いいです。"]),
        ("今天天气很好，我们去公园。", ["今天", "天气", "很", "好，", "我们", "去", "公园。"]),
        ("วันนี้อากาศดี", ["วัน", "นี้", "อากาศ", "ดี"]),
        ("ສະບາຍ", ["ສ", "ະ", "ບ", "າ", "ຍ"]),
    ],
)
def test_budoux_finds_phrases(text, expected):
    pytest.importorskip("budoux")
    assert segments(text) == expected
    decomposed = [unicodedata.normalize("NFD", part) for part in expected]
    assert segments("".join(decomposed)) == decomposed


def test_characters_for_compatibility_are_divided_as_their_equals():
    pytest.importorskip("budoux")
    text = "\uf90b\uf900"  # in NFC these are other characters
    assert list(map(len, segments(text))) == list(map(len, segments(unicodedata.normalize("NFC", text))))


def test_no_separator_is_put_between_words_without_a_space(no_budoux):
    vocabulary = Vocabulary.from_characters("今日は晴れabc|", separator="|")
    transcript = Transcript("今日 は晴れ\nabc 。a", vocabulary)
    assert "".join(vocabulary[token] for token in transcript.tokens) == "今日|は晴れ|abc|a"
    assert [word.before for word in transcript.words] == [" ", "", " ", "", "", "\n", " "]


def test_times_of_words_without_spaces(no_budoux):
    vocabulary = Vocabulary.from_characters("今日は ", separator=" ")
    frames = np.full((9, 5), 0.05)
    frames[range(9), [0, 1, 0, 2, 0, 4, 3, 0, 0]] = 0.8
    transcript = Transcript("今日 は。", vocabulary)
    [found] = forced_align(np.log(frames), transcript.tokens, blank=0)
    tiers = timed_tiers(found, transcript, vocabulary, 0.5, boundaries="spike")
    assert [(word.text, word.start_seconds) for word in tiers["words"]] == [("今", 0.5), ("日", 1.5), ("は。", 3.0)]


def test_a_segmenter_of_your_own():
    assert texts_of("今日は 晴れ ok", lambda text: [text[:2], text[2:]]) == ["今日", "は", "晴れ", "ok"]
    with pytest.raises(
        InvalidInputError, match=r"segment\('今日'\) is \['今'\]; expected parts that together are the te"
    ):
        Transcript("今日", LETTERS, segment=lambda text: text[:1])
