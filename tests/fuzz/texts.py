"""Random texts in every encoding of Unicode: ``python -m tests.fuzz.texts --rounds 20000 --seed 2`` (``make fuzz``).

The encodings of one text are the same text: they have the same tokens everywhere, or cannot be written anywhere.
"""

import unicodedata
import warnings

import numpy as np

from ctckit import BeamDecoder, Vocabulary
from ctckit.alignment import Transcript
from ctckit.errors import CharsetError, InputWarning, InvalidInputError
from tests.fuzz.rounds import Rounds, expect, shown
from tests.fuzz.scripts import FORMS, encoded, equivalent, random_words

ACCENTS = ("COMBINING", "VARIATION SELECTOR")
PUNCTUATION = ("", "", "", ".", ",", "’", "'", "-", "?", "“")


def random_vocabulary(rng, words):
    """Return a vocabulary of the words' letters in one encoding, from which some may be missing.

    No two tokens are the same text: which of them a text means, its own encoding would have to tell.
    """
    points = rng.random() < 0.7  # code points; else letters with their marks
    form = str(rng.choice([*FORMS, "as it is"] if points else FORMS))
    letters = [encoded(letter, form) for word in words for letter in word]
    if points:
        letters = [point for letter in letters for point in letter]
    if rng.random() < 0.3:
        letters += [encoded(point, form) for letter in letters for point in letter.lower() + letter.upper()]
    if rng.random() < 0.3:
        letters = [letter for letter in letters if rng.random() < 0.8]
    separator = (None, "|", " ")[rng.integers(3)]
    tokens = list({encoded(each, "NFD"): each for each in [*letters, *(separator or ())]}.values())
    order = [tokens[k] for k in rng.permutation(len(tokens))]
    blank = int(rng.integers(len(order) + 1))
    return Vocabulary((*order[:blank], "", *order[blank:]), blank, separator)


def check_text(rng):
    """Check one random text with all functions that take texts."""
    words = random_words(rng)
    vocabulary = random_vocabulary(rng, words)
    texts = equivalent(rng, words)
    with shown(texts, vocabulary):
        check_encode(vocabulary, texts)
        check_transcript(rng, vocabulary, texts)
        check_spell(vocabulary, texts)
        check_phrases(vocabulary, texts)


def same(results, what):
    """Check that all encodings have one result, and return it."""
    for result in results[1:]:
        expect(result == results[0], f"{what}: {results[0]} and {result}")
    return results[0]


def check_encode(vocabulary, texts):
    written = same([classes_of(vocabulary, text) for text in texts], "encode")
    if written is None:
        return
    joined = encoded("".join(vocabulary[token] for token in written), "NFC")
    text = texts[0].replace(" ", vocabulary.separator or " ")
    expect(joined == encoded(text, "NFC"), f"encode writes {joined!r}")


def classes_of(vocabulary, text):
    try:
        return vocabulary.encode(text)
    except CharsetError:
        return None


def check_transcript(rng, vocabulary, texts):
    """Check that transcripts have the same tokens, and that nothing but accents is lost without a word."""
    signs = [PUNCTUATION[rng.integers(len(PUNCTUATION))] for _ in range(2)]
    star = (None, len(vocabulary))[rng.integers(2)]
    found = [transcript_of(signs[0] + text + signs[1], vocabulary, star) for text in texts]
    tokens, dropped = same([outcome(each) for each in found], "Transcript")
    if tokens is not None and not dropped:
        written = "".join(vocabulary[token] for token in tokens)
        said = skeleton(texts[0].replace(" ", ""))
        expect(skeleton(written.replace("|", "")) == said, f"Transcript drops a part of {said!r}: {written!r}")


def transcript_of(text, vocabulary, star):
    try:
        return Transcript(text, vocabulary, star=star)
    except InvalidInputError as error:  # tokens of several letters
        expect("expected spell=" in str(error), error)
        return None


def outcome(transcript):
    """Return tokens and what was dropped."""
    if transcript is None:
        return None, None
    dropped = [encoded(word.dropped, "NFC") for word in transcript.words]
    return transcript.tokens.tolist(), [each for each in dropped if each]


def skeleton(text):
    """Return the letters, digits and vowel signs of a text, in lower case and without accents."""
    plain = without_accents(without_accents(text).casefold()).casefold()
    for letter, others in {"œ": "oe", "æ": "ae", "ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ı": "i"}.items():
        plain = plain.replace(letter, others)
    return plain


def without_accents(text):
    """Return the letters, the digits, and the marks that are neither accents nor points."""
    return "".join(filter(is_spoken, unicodedata.normalize("NFKD", text)))


def is_spoken(point):
    kind, accent = unicodedata.category(point)[0], unicodedata.name(point, "").startswith(ACCENTS)
    return kind in "LN" or (kind == "M" and not unicodedata.combining(point) and not accent)


def check_spell(vocabulary, texts):
    """Check that a dictionary is found for its words in any encoding."""
    words = {encoded(word, "NFC"): word for word in texts[0].split()}
    spellings = {word: [n + 1] for n, word in enumerate(words.values())}
    found = [Transcript(text, spell=spellings).tokens.tolist() for text in texts]
    same(found, "Transcript with spell=")


def check_phrases(vocabulary, texts):
    """Check hotwords and lexicons: the same letters, or refused with the same names."""
    if len(vocabulary) > 1:
        same([letters_of(vocabulary, hotwords=[text]) for text in texts], "hotwords")
        both = letters_of(vocabulary, hotwords=list(texts))
        expect(both == letters_of(vocabulary, hotwords=texts[:1]), f"hotwords in all encodings: {both}")
    if len(vocabulary) > 1 and vocabulary.has_words:
        same([letters_of(vocabulary, lexicon=text.split()) for text in texts], "lexicon")
        named = [dict.fromkeys(["it"], text.split()[0]) for text in texts]
        same([letters_of(vocabulary, lexicon=each) for each in named], "spellings of a lexicon")


def letters_of(vocabulary, **options):
    """Return the letters of the hotwords or of the lexicon; None if they cannot be spelled."""
    if "hotwords" in options:
        options["on_unspellable"] = "error"
    with warnings.catch_warnings():
        warnings.simplefilter("error", InputWarning)
        try:
            plan = BeamDecoder(vocabulary, **options).plan
        except InvalidInputError as error:
            expect("cannot write" in str(error), error)
            return None
    lists = plan.hotwords if "hotwords" in options else plan.words
    return sorted(tuple(np.asarray(lists[k]).tolist()) for k in range(len(lists)))


ROUNDS = Rounds("tests.fuzz.texts", check_text, "{} texts have the same tokens in all their encodings", 20000)

if __name__ == "__main__":
    ROUNDS.command()
