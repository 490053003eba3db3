"""From texts to tokens and back to every word of the text."""

import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctckit import Transcript, Vocabulary, WordSpan, forced_align
from ctckit.errors import CharsetError, InvalidInputError
from tests.support.alignment_truth import recording
from tests.support.tolerances import DOUBLE, WHOLE_FRAME

STAR = -1
LETTERS = Vocabulary.from_characters("abcdefghijklmnopqrstuvwxyz'|", separator="|")
CAPITALS = Vocabulary.from_characters("|ABCDEFGHIJKLMNOPQRSTUVWXYZ'", separator="|")
PRINTED = Vocabulary.from_characters(" ,.-abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
PHONES = Vocabulary(("", "HH", "AH", "L", "OW", "W", "ER", "D", "<wb>"), separator="<wb>")
PRONOUNCED = {"hello": ["HH", "AH", "L", "OW"], "world": "W ER L D"}


def spelled(transcript, vocabulary):
    return "".join("*" if token == STAR else vocabulary[token] for token in transcript.tokens.tolist())


def words(transcript):
    return [word.text for word in transcript.words]


@pytest.mark.parametrize(
    ("text", "vocabulary", "expected"),
    [
        ("Hello, World!", LETTERS, "hello|world"),
        ("Hello, World!", CAPITALS, "HELLO|WORLD"),
        ("Hello, World!", PRINTED, "Hello, World"),
        ("It’s “so” – nice", LETTERS, "it's|so|nice"),
        ("naïve Ångström, Straße", LETTERS, "naive|angstrom|strasse"),
        ("well-known and/or", LETTERS, "well|known|and|or"),
        ("well-known", PRINTED, "well-known"),
        ("-- a   b\n\tc --", LETTERS, "a|b|c"),
        ("ﬁne", LETTERS, "fine"),
        ("", LETTERS, ""),
        ("… !", LETTERS, ""),
    ],
)
def test_texts_are_folded_to_what_the_model_writes(text, vocabulary, expected):
    transcript = Transcript(text, vocabulary)
    assert spelled(transcript, vocabulary) == expected
    assert transcript.tokens.dtype == np.int64
    assert words(transcript) == text.split()


def test_nothing_of_the_text_is_lost():
    text = "  “In 1984,” he said — quietly —\n‘it’s  42!’ "
    transcript = Transcript(text, LETTERS)
    assert [text[word.begin : word.end] for word in transcript.words] == words(transcript) == text.split()
    assert spelled(transcript, LETTERS) == "in|he|said|quietly|it's"
    tokens = ["".join(LETTERS[transcript.tokens[k]] for k in word.positions) for word in transcript.words]
    assert tokens == ["in", "", "he", "said", "", "quietly", "", "it's", ""]
    assert [(word.text, word.dropped) for word in transcript.unspelled] == [("1984,”", "1984"), ("42!’", "42")]
    assert repr(transcript) == "Transcript(9 words, 23 tokens)"


def test_words_may_be_spoken_otherwise():
    said = {"1984": "nineteen eighty-four", "&": "and", "dr.": "doctor"}
    transcript = Transcript("Dr. Orwell, 1984 & 1985.", LETTERS, replacements=said)
    assert spelled(transcript, LETTERS) == "dr|orwell|nineteen|eighty|four|and"
    transcript = Transcript("dr. Orwell, (1984)", LETTERS, replacements=said)
    assert spelled(transcript, LETTERS) == "doctor|orwell|nineteen|eighty|four"
    assert [len(word.positions) for word in transcript.words] == [6, 6, 20]


def test_what_cannot_be_spelled_may_be_a_wildcard():
    assert spelled(Transcript("In 1984, 4th of May …", LETTERS, star=STAR), LETTERS) == "in|*|*th|of|may"
    assert spelled(Transcript("hello Zoë", None, spell={"hello": [1, 2]}, star=STAR), ["", "a", "b"]) == "ab*"
    assert Transcript("4", LETTERS, star=STAR).tokens.tolist() == [STAR]


def test_symbols_that_are_read_aloud_are_not_left_out_silently():
    transcript = Transcript("R&D: 5 % – €, ok", LETTERS, star=STAR)
    assert spelled(transcript, LETTERS) == "r*d|*|*|*|ok"
    assert [word.dropped for word in transcript.words] == ["&", "5", "%", "", "€", ""]
    assert spelled(Transcript("R&D", LETTERS), LETTERS) == "rd"
    known = Transcript("R&D & …", spell={"R&D": [1]}, star=STAR)
    assert known.tokens.tolist() == [1, STAR]
    assert [word.dropped for word in known.words] == ["", "&", ""]
    assert Transcript("R&D", Vocabulary.from_characters("rd&")).unspelled == ()


def test_pronouncing_dictionaries():
    transcript = Transcript("Hello, hello-WORLD! Zoë?", PHONES, spell=PRONOUNCED)
    assert spelled(transcript, PHONES) == "HHAHLOW<wb>HHAHLOW<wb>WERLD"
    assert [word.dropped for word in transcript.words] == ["", "", "Zoë"]
    starred = Transcript("Hello Zoë world", PHONES, spell=PRONOUNCED, star=STAR)
    assert spelled(starred, PHONES) == "HHAHLOW<wb>*<wb>WERLD"


def test_spellings_by_a_function():
    asked = []

    def spell(word):
        asked.append(word)
        return [len(word)] if word != "no" else None

    transcript = Transcript("Yes, it's -- no!", spell=spell)
    assert transcript.tokens.tolist() == [3, 4]
    assert asked == ["Yes", "it's", "no"]
    assert [word.dropped for word in transcript.words] == ["", "", "", "no"]
    pieces = Vocabulary(("", "▁the", "▁cat", "s"), word_start="▁")
    assert Transcript("The cats.", pieces, spell={"the": [1], "cats": ["▁cat", "s"]}).tokens.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((b"a", LETTERS), {}, InvalidInputError, r"text is of type bytes; expected a string"),
        (("a",), {}, InvalidInputError, r"neither vocabulary nor spell is given"),
        (("a", ["", "a"]), {}, InvalidInputError, r"vocabulary is of type list; expected a Vocabulary"),
        (("a",), {"spell": 3}, InvalidInputError, r"spell is of type int; expected a function or a mapping of words"),
        (("a", Vocabulary(("", "▁a"), word_start="▁")), {}, InvalidInputError, r"pieces of words.*expected spell="),
        (
            ("a", PHONES),
            {"spell": {"a": ["EY"]}},
            CharsetError,
            r"spell gives 'a' the token 'EY', which",
        ),
        (("a", PHONES), {"spell": {"a": [9]}}, InvalidInputError, r"spell\('a'\)\[0\] is 9; with C = 9 the classes"),
        (("a",), {"spell": {"a": ["EY"]}}, CharsetError, r"spell gives 'a' the token 'EY'"),
        (("a",), {"spell": {"a": [0.5]}}, InvalidInputError, r"spell\('a'\) has dtype float64; expected integers"),
    ],
)
def test_what_is_wrong_is_said(arguments, options, error, message):
    with pytest.raises(error, match=message):
        Transcript(*arguments, **options)


# --- encodings of Unicode --------------------------------------------------------------------------------------------

FORMS = ("NFC", "NFD")


def characters(text, form="NFC"):
    """A vocabulary of the code points of a text."""
    return Vocabulary.from_characters([*sorted(set(unicodedata.normalize(form, text)) - {" "}), " "], separator=" ")


def written(text, vocabulary, **options):
    """The text that the tokens of a transcript stand for, in one encoding; and what was dropped."""
    transcript = Transcript(text, vocabulary, **options)
    tokens = "".join("*" if token == STAR else vocabulary[token] for token in transcript.tokens.tolist())
    return unicodedata.normalize("NFC", tokens), "".join(word.dropped for word in transcript.unspelled)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("known", FORMS)
@pytest.mark.parametrize(
    "text", ["café", "tiếng Việt", "한국어 각", "हिन्दी क़िला", "مُدَرِّس أب", "שָׁלוֹם", "น้ำใจ", "ガラス", "Ǟ ṩ", "е́ й"]
)
def test_equivalent_encodings_are_the_same_text(text, form, known):
    vocabulary = characters(text, known)
    expected = unicodedata.normalize("NFC", text)
    assert written(unicodedata.normalize(form, text), vocabulary) == (expected, "")


def test_marks_and_letters_may_be_combined_in_any_way():
    vocabulary = Vocabulary.from_characters(["ê", "\u0323", "V", "i", "t", "e"])  # as in Windows-1258
    assert written("Việt", vocabulary) == ("Việt", "")
    pairs = Vocabulary(("", "e\u0301", "कि", "x"))  # a token may be a letter with its mark
    assert [pairs[token] for token in Transcript("écकि", pairs).tokens] == ["e\u0301", "कि"]
    both = Vocabulary.from_characters(["é", "e", "\u0301"])
    assert Transcript("é", both).tokens.tolist() == Transcript("e\u0301", both).tokens.tolist() == [1]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("text", "letters", "expected", "dropped"),
    [
        ("tiếng Việt", "tieng v", "tieng viet", ""),  # accents may be missing
        ("Việt", "VIÊT", "VIÊT", ""),
        ("हिन्दी", "हनद", "हनद", "\u093f\u094d\u0940"),
        ("किताब", "कतबा", "कताब", "\u093f"),
        ("مُدَرِّس", "مدرس", "مدرس", "\u064f\u064e\u0650\u0651"),
        ("أب", "اب", "اب", "\u0654"),
        ("ガラス", "カラス", "カラス", "\u3099"),
        ("한국", "한", "한", "국"),
        ("น้ำ", "นำ", "นำ", "\u0e49"),
    ],
)
def test_what_is_dropped_is_named(text, letters, expected, dropped, form):
    found, lost = written(unicodedata.normalize(form, text), characters(letters + " "))
    assert found == expected
    assert sorted(unicodedata.normalize("NFD", lost)) == sorted(unicodedata.normalize("NFD", dropped))


@pytest.mark.parametrize(
    ("text", "vocabulary", "expected"),
    [
        ("ﬁne oﬃce ĳs", LETTERS, "fine|office|ijs"),
        ("ﬁne oﬃce", CAPITALS, "FINE|OFFICE"),
        ("Straße STRAẞE ŉ", CAPITALS, "STRASSE|STRASSE|'N"),
        ("İstanbul ıĲ", LETTERS, "istanbul|iij"),
        ("cœur Æsop Łódź Ærø", LETTERS, "coeur|aesop|lodz|aero"),
        ("ｆｕｌｌ Ａ", LETTERS, "full|a"),
        ("ﻻ ﷲ", characters("لا الله"), "لا الله"),
        ("ΌΣΟΣ", characters("όσος"), "όσοσ"),
        ("´a ¨b", PRINTED, "a b"),  # these have a space as a part
    ],
)
def test_ligatures_and_letters_that_become_two(text, vocabulary, expected):
    transcript = Transcript(text, vocabulary)
    assert spelled(transcript, vocabulary) == expected
    assert transcript.unspelled == ()


SCRIPTS = (
    "aeéßœﬁİıŉΐςệơđ ’-…½ёйЯ 각한ᄀ हिन्दीक़ क्ष عَرَبِيّ أﻻﷲ שׁלּ น้ำใจ ガぱ 漢令 Å\u212b ❤\ufe0f\u20e3\u0301\u0323\u0302\u200d"
)


@settings(max_examples=120, deadline=None)
@given(
    st.text(st.sampled_from(SCRIPTS), max_size=12),
    st.sets(st.sampled_from(SCRIPTS), max_size=40),
    st.sampled_from(FORMS),
    st.sampled_from([None, STAR]),
)
def test_the_encoding_never_matters(text, known, form, star):
    vocabulary = characters("".join(sorted(known)), form)
    nfc, nfd = (Transcript(unicodedata.normalize(each, text), vocabulary, star=star) for each in FORMS)
    assert nfc.tokens.tolist() == nfd.tokens.tolist()
    for one, other in zip(nfc.words, nfd.words, strict=True):
        assert sorted(unicodedata.normalize("NFD", one.dropped)) == sorted(unicodedata.normalize("NFD", other.dropped))
        if any(map(str.isalnum, one.text)):
            assert one.positions or one.dropped


def test_vowel_signs_may_be_wildcards():
    assert written("कि ख", characters("क "), star=STAR) == ("क* *", "\u093fख")
    assert written("مُد", characters("مد"), star=STAR) == ("مد", "\u064f")


def test_variation_selectors_and_enclosing_marks_are_no_letters():
    asked = []
    assert Transcript("a ❤️ …", spell=lambda word: asked.append(word) or [1]).tokens.tolist() == [1]
    assert asked == ["a"]
    known = characters("a❤1 ")
    assert written("❤️ 1️⃣ ❤", known, star=STAR) == ("❤ 1 ❤", "")
    assert written("☂️ a", known, star=STAR) == ("a", "")


def test_words_are_looked_up_in_any_encoding():
    nfd = unicodedata.normalize("NFD", "Café, नमस्ते")
    spell = {"café": [1], "नमस्ते": [2]}
    assert Transcript(nfd, spell=spell).tokens.tolist() == [1, 2]
    assert Transcript("Café", spell={unicodedata.normalize("NFD", "café"): [3]}).tokens.tolist() == [3]
    said = Transcript("(नमस्ते)", LETTERS, replacements={"नमस्ते": "hello"})
    assert spelled(said, LETTERS) == "hello"
    assert spelled(Transcript(unicodedata.normalize("NFD", "l'é't'"), LETTERS), LETTERS) == "l'e't'"


def test_functions_are_asked_for_the_encodings_of_a_word_and_then_without_its_accents():
    nfd = unicodedata.normalize("NFD", "naïve")
    for known in ("naïve", nfd, "naive"):
        asked = []
        transcript = Transcript(f"{nfd}!", spell=lambda word: asked.append(word) or ([1] if word == known else None))  # noqa: B023
        assert transcript.tokens.tolist() == [1]
        assert transcript.unspelled == ()
        assert asked == {"naïve": [nfd, "naïve"], nfd: [nfd], "naive": [nfd, "naïve", "naive"]}[known]
    assert Transcript(nfd, spell={"naive": [2]}).tokens.tolist() == [2]
    assert Transcript("NAÏVE", spell={"naive": [2], "naïve": [3]}).tokens.tolist() == [3]


def test_marks_that_are_no_accents_are_never_taken_off_a_word():
    for spell in ({"कत": [1]}, lambda word: [1] if word == "कत" else None):
        (word,) = Transcript("किता", spell=spell).unspelled
        assert word.dropped == "किता"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "word", ["\u0958लम", "\ufb2aלום", "\uf903", "ড\u09bcো"]
)  # in neither form, composition-excluded
def test_words_are_looked_up_among_words_in_any_encoding(word, form):
    text = unicodedata.normalize(form, word)
    assert Transcript(text, spell={word: [1]}).tokens.tolist() == [1]
    assert spelled(Transcript(text, LETTERS, replacements={word: "hello"}), LETTERS) == "hello"


@pytest.mark.parametrize("form", FORMS)
def test_the_largest_parts_of_a_character_are_taken(form):
    vocabulary = Vocabulary.from_characters("ক\u09c7\u09be\u09cb")  # a vowel sign, and its two halves
    text = unicodedata.normalize(form, "কো")
    assert Transcript(text, vocabulary).tokens.tolist() == vocabulary.encode(text)
    assert len(vocabulary.encode(text)) == 2


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("hello", ("", "HH", "AH", "L", "OW")),
        ("the cat", ("", "the", "cat", "|", "c", "a", "t", "h")),
        ("xyz 3", ("", "a", "b", "c", "sil")),
    ],
)
def test_tokens_of_several_letters_need_a_spelling(text, tokens):
    short = tokens[:3] if text == "the cat" else tokens
    with pytest.raises(InvalidInputError, match=r"vocabulary has tokens of several letters \('.*'\).*expected spell="):
        Transcript(text, Vocabulary(short))


def test_sounds_write_no_letters():
    """A vocabulary of sounds takes texts in the phonetic alphabet; without spell, letters are not read as sounds."""
    sounds = Vocabulary.from_characters("ðəkætmɪʃ ", separator=" ")
    assert sounds.decode(Transcript("ðə kæt", sounds).tokens) == "ðə kæt"
    with pytest.raises(InvalidInputError, match=r"has sounds \('ə', 'ɪ', 'ʃ'\), .* expected spell="):
        Transcript("the cat", sounds)
    assert len(Transcript("…", sounds).tokens) == 0
    ewe = Vocabulary.from_characters("abdɖeɛfƒgɣhiklmnŋoɔprstuvʋwxyz ", separator=" ")
    assert ewe.decode(Transcript("le nu", ewe).tokens) == "le nu"


def test_a_few_long_tokens_do_no_harm():
    special = Vocabulary(("", "<s>", "<unk>", "[UNK]", "sil", "|", "a", "b"), separator="|")
    assert spelled(Transcript("ab, 42 b", special), special) == "ab|b"
    assert spelled(Transcript("42", Vocabulary(("", "<s>", "a"))), ["", "<s>", "a"]) == ""
    assert Transcript("", special).tokens.tolist() == Transcript("…", special).tokens.tolist() == []


# --- words of alignments ---------------------------------------------------------------------------------------------


def aligned(transcript, seed=0, **options):
    made = recording(
        [("silence", 5), ("text", [t for t in transcript.tokens.tolist() if t != STAR])], seed, misread=0.0
    )
    return forced_align(made.log_probs, transcript.tokens, **options)[0], made.spans[0]


def test_every_word_comes_back_with_its_span():
    transcript = Transcript("“Oh — it's 42,” Zoë said …", LETTERS, replacements={"42": "forty-two"})
    found, truth = aligned(transcript)
    spans = found.words(transcript)
    assert [span.text for span in spans] == words(transcript)
    for word, span in zip(transcript.words, spans, strict=True):
        if word.positions:
            assert abs(span.start - truth[word.positions[0], 0]) <= 2
            assert abs(span.end - truth[word.positions[-1], 1]) <= 2
            assert span.confidence == pytest.approx(np.prod(found.confidences[list(word.positions)]), rel=DOUBLE)
            assert span.aligned
    dash, dots = spans[1], spans[-1]
    assert dash == WordSpan("—", spans[0].end, spans[0].end, None)
    assert dots == WordSpan("…", spans[-2].end, spans[-2].end, None)
    assert [span.text for span in spans if not span.aligned] == ["—", "…"]


def test_a_word_that_comes_first_and_cannot_be_spelled_stands_at_the_start():
    transcript = Transcript("1 a", LETTERS)
    found, _ = aligned(transcript)
    assert found.words(transcript)[0] == WordSpan("1", 0, 0, None)


def test_words_that_are_wildcards_take_their_frames():
    transcript = Transcript("ab 1984 cd", LETTERS, star=STAR)
    made = recording([("text", LETTERS.encode("ab")), ("speech", [3, 9, 4]), ("text", LETTERS.encode("cd"))], 1)
    found = forced_align(made.log_probs, transcript.tokens, star=STAR)[0]
    first, year, last = found.words(transcript)
    assert first.end <= year.start < year.end <= last.start
    assert (year.text, year.confidence) == ("1984", None)


def test_words_by_the_marks_of_a_vocabulary():
    transcript = Transcript("ab cd", LETTERS)
    found, _ = aligned(transcript)
    by_marks, by_transcript = found.words(LETTERS), found.words(transcript)
    assert by_marks == by_transcript
    assert found.words(Vocabulary.from_characters("abcdefghijklmnopqrstuvwxyz'|"))[0].text == "ab|cd"


@pytest.mark.parametrize("kind", ["spike", "midpoint", "occupancy"])
def test_boundaries_of_words(kind):
    transcript = Transcript("ab cd — ef", LETTERS)
    found, _ = aligned(transcript)
    spans = found.words(transcript, boundaries=kind)
    edges = found.boundaries(kind)
    for word, span in zip(transcript.words, spans, strict=True):
        if word.positions:
            assert span.start == pytest.approx(edges[word.positions[0], 0], abs=WHOLE_FRAME)
            assert span.end == pytest.approx(edges[word.positions[-1], 1], abs=WHOLE_FRAME)
    assert all(0 <= span.start <= span.end <= found.frames for span in spans)


def test_words_of_another_transcript():
    found, _ = aligned(Transcript("ab cd", LETTERS))
    with pytest.raises(InvalidInputError, match=r"the alignment has 5 tokens, the transcript 2; expected an"):
        found.words(Transcript("ab", LETTERS))
    with pytest.raises(InvalidInputError, match=r"token 4 of the alignment is 4, that of the transcript 5; .* Pass"):
        found.words(Transcript("ab ce", LETTERS))
    with pytest.raises(InvalidInputError, match=r"boundaries is 'middle'"):
        found.words(LETTERS, boundaries="middle")
    with pytest.raises(InvalidInputError, match=r"of is of type str; expected a Transcript, or a Vocabulary"):
        found.words("ab cd")
