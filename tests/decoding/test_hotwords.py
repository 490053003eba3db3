"""Hotwords: their default weight, their spellings, and those that cannot be spelled."""

import itertools
import json
import lzma
import math
import pickle
import re
import time
import unicodedata
from collections import Counter

import numpy as np
import pytest
from rapidfuzz.distance import Levenshtein

from ctckit import BeamDecoder, NGramModel, Vocabulary
from ctckit._unicode import CharacterIndex, clusters
from ctckit.decoding import beam
from ctckit.errors import InputWarning, InvalidInputError
from tests.support.paths import SHARED
from tests.support.search_problems import ENGINES

ALPHABET = "abcdefghijklmnopqrstuvwxyz "
MARKED = Vocabulary.from_characters(ALPHABET, separator=" ")
UNMARKED = Vocabulary.from_characters(ALPHABET)
PHONEMES = Vocabulary(("", "HH", "AH", "L", "OW", "K", "_"), separator="_")
LINES = (
    "metatarsal bones are in the foot",
    "horrendously ravelled yarn",
    "an invoice of the tenth of may",
    "please contact the museum of astronomy",
    "he found it difficult to explain",
    "nobody believed the old gardener",
    "quarterly figures were published today",
    "the harbor was closed in december",
)
TWO_LETTERS = "am an as at be by do go he hi if in is it me my no of oh on or so to up us we".split()  # noqa: SIM905
TRUE = ("metatarsal", "horrendously", "ravelled", "invoice", "astronomy", "gardener", "quarterly", "harbor", "december")


def blurred(text, rng):
    """(T, C) posteriors of a text: a blank and an uncertain frame for each character, some of them misread."""
    logits = rng.normal(0, 1.6, (2 * len(text) + 1, len(MARKED)))
    logits[::2, 0] += 8
    for n, character in enumerate(text):
        logits[2 * n + 1, MARKED.encode(character)[0]] += 5.5
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


@pytest.fixture(scope="module")
def posteriors():
    rng = np.random.default_rng(7)
    return [blurred(line, rng) for line in LINES for _ in range(4)]


def error_rate(posteriors, vocabulary, **options):
    decoder = BeamDecoder(vocabulary, beam_width=30, **options)
    texts = [decoder.decode(each)[0][0].text for each in posteriors]
    pairs = zip(texts, [line for line in LINES for _ in range(4)], strict=True)
    return sum(itertools.starmap(Levenshtein.distance, pairs)) / (4 * sum(map(len, LINES)))


@pytest.mark.parametrize("vocabulary", [MARKED, UNMARKED], ids=["marked", "unmarked"])
@pytest.mark.parametrize("hotwords", [TWO_LETTERS, ["the", "and", "may", "old", "for"], ["were", "than", "hand"]])
def test_short_hotwords_are_not_found_where_nobody_said_them(vocabulary, hotwords, posteriors):
    plain = error_rate(posteriors, vocabulary)
    assert 0.05 < plain < 0.2
    assert error_rate(posteriors, vocabulary, hotwords=hotwords) <= plain + 0.002
    if hotwords is TWO_LETTERS:
        assert error_rate(posteriors, vocabulary, hotwords=hotwords, hotword_weight=10.0) > 1.5 * plain


@pytest.mark.parametrize("vocabulary", [MARKED, UNMARKED], ids=["marked", "unmarked"])
def test_hotwords_that_were_said_are_found(vocabulary, posteriors):
    plain = error_rate(posteriors, vocabulary)
    assert error_rate(posteriors, vocabulary, hotwords=TRUE) < 0.75 * plain
    assert error_rate(posteriors, vocabulary, hotwords=[*TRUE, *TWO_LETTERS]) < 0.75 * plain


def weights(vocabulary, hotwords, **options):
    plan = BeamDecoder(vocabulary, hotwords=hotwords, **options).plan
    return dict(zip(plan.hotwords.lists(), plan.hotword_weights.tolist(), strict=True))


class TextLines:
    """The shared text lines, with word marks or without."""

    def __init__(self, marks):
        file, notes = np.load(SHARED / "ocr_ppv4.npz"), json.loads((SHARED / "ocr_ppv4.json").read_text())
        self.lines = np.split(file["logp"].astype(np.float32), file["offsets"][1:-1])
        self.references = [item["ref"] for item in notes["items"]]
        self.decoder = BeamDecoder(Vocabulary(tuple(notes["labels"]), separator=" " if marks else None))
        self.said = {word for each in self.references for word in each.split()}

    def errors(self, beam_width=100, **hotwords):
        """The wrong characters of each line."""
        decoder = self.decoder.with_settings(beam_width=beam_width, **hotwords)
        found = [decoder.decode(line)[0][0].text for line in self.lines]
        return np.array(list(map(Levenshtein.distance, found, self.references)))


@pytest.fixture(scope="module", params=[True, False], ids=["marked", "unmarked"])
def text_lines(request):
    if not (SHARED / "ocr_ppv4.npz").is_file():
        pytest.skip("the posteriors are not in this checkout")
    return TextLines(request.param)


def test_hotwords_in_text_lines(text_lines):
    def errors(**hotwords):
        return text_lines.errors(beam_width=20, **hotwords).sum()

    plain = errors()
    assert errors(hotwords=TWO_LETTERS) - 2 <= plain < 0.6 * errors(hotwords=TWO_LETTERS, hotword_weight=10.0)
    assert errors(hotwords=text_lines.said) < 0.75 * plain
    metatarsal = text_lines.lines[text_lines.references.index("metatarsal")]
    decoder = text_lines.decoder.with_settings(beam_width=20, hotwords=TWO_LETTERS)
    assert decoder.decode(metatarsal)[0][0].text == "metatarsal"


@pytest.fixture(scope="module")
def words_of_books():
    """Words by falling frequency."""
    with lzma.open(SHARED / "lm_text.txt.xz", "rt", encoding="utf-8") as file:
        return [word for word, _ in Counter(re.findall("[A-Za-z]+", file.read(3_000_000))).most_common()]


def test_a_thousand_hotwords_that_nobody_said_cost_little(text_lines, words_of_books):
    """At most 0.2 points of CER on average. The errors of one set vary by some characters of the 1,559."""
    lowered = {word.lower() for word in text_lines.said}
    unsaid = [word for word in words_of_books if word.lower() not in lowered]
    plain = text_lines.errors().sum()
    more = []
    for seed, known in enumerate((unsaid[:1000], unsaid[:3000], unsaid[3000:12000], unsaid[:12000], unsaid, unsaid)):
        words = np.random.default_rng(seed).choice(known, 1000, replace=False)
        more.append(text_lines.errors(hotwords=words.tolist()).sum() - plain)
    characters = sum(map(len, text_lines.references))
    assert np.mean(more) <= 0.002 * characters
    assert max(more) <= 0.006 * characters


def test_hotwords_that_were_said_are_found_among_a_thousand(text_lines, words_of_books):
    frequent = set(words_of_books[:2000])
    rare = sorted(word for word in text_lines.said if word.isalpha() and word not in frequent)
    others = np.random.default_rng(0).choice(words_of_books[2000:], 1000 - len(rare), replace=False).tolist()
    plain = text_lines.errors().sum()
    assert text_lines.errors(hotwords=rare).sum() < (0.62 if text_lines.decoder.vocabulary.has_words else 0.71) * plain
    assert text_lines.errors(hotwords=[*rare, *others]).sum() < 0.81 * plain


def by_default(letters, alphabet, rivals=1):
    """The hotword is as likely as each rival and as none; a letter of other text costs 0.36 ln A nats."""
    return np.float32(min(10, math.log1p((alphabet + 1) ** (0.36 * letters) / (rivals + 1))))


def test_the_default_weight_grows_with_the_letters():
    found = weights(MARKED, ["a", "an", "ant", "a" * 30])
    assert list(found.values()) == [by_default(1, 26), by_default(2, 26), by_default(3, 26), 10.0]
    assert list(weights(MARKED, ["an ox"]).values()) == [by_default(4, 26)]  # boundaries are no letters
    found = weights(UNMARKED, ["a", "an", "ant", "a" * 300])  # without words, a hotword can begin at each letter
    assert list(found.values()) == [by_default(1, 27), by_default(2, 27, 2), by_default(3, 27, 3), 10.0]
    many = Vocabulary.from_characters([chr(0x4E00 + k) for k in range(6000)])
    assert list(weights(many, ["一丁"]).values()) == [by_default(2, 6000, 2)]
    assert list(weights(PHONEMES, ["x"], lexicon={"x": ["HH", "OW"]}).values()) == [by_default(2, 5)]  # tokens


def test_the_default_weight_falls_with_the_number_of_hotwords_as_long():
    words = ["".join(letters) for letters in itertools.product("abcde", repeat=4)]
    assert set(weights(MARKED, words).values()) == {by_default(4, 26, 625)}
    found = weights(MARKED, [*words[:9], "moonlight"])
    assert list(found.values()) == 9 * [by_default(4, 26, 9)] + [by_default(9, 26)]
    assert set(weights(UNMARKED, words[:9]).values()) == {by_default(4, 27, 36)}
    mixed = weights(MARKED, {"abcd": 3.0, "bcde": None})  # a rival, whatever its weight
    assert list(mixed.values()) == [3.0, by_default(4, 26, 2)]
    assert weights(MARKED, {"cat": None, " cat": 9.0}) == weights(MARKED, {"cat": 9.0})  # the heavier one counts
    assert weights(MARKED, {" cat": -9.0, "cat": None}) == weights(MARKED, ["cat"])


def test_weights_that_are_given_are_taken_as_they_are():
    assert list(weights(UNMARKED, ["a", "ox"], hotword_weight=7.0).values()) == [7.0, 7.0]
    given = weights(UNMARKED, {"a": 3.0, "ox": None}, hotword_weight=7.0)
    assert list(given.values()) == [3.0, by_default(2, 27, 2)]


def test_hotwords_that_cannot_be_spelled_are_left_out():
    with pytest.warns(InputWarning, match=r"hotwords has 2 phrases with letters .*: 'naïf' .* They are left out\."):
        found = weights(MARKED, ["cat", "naïf", "4th"], hotword_weight=1.0)
    assert found == weights(MARKED, ["cat"], hotword_weight=1.0)
    with pytest.warns(InputWarning, match=r"hotwords has 2 phrases .* 'é' \('é' U\+00E9\), '4'"):
        assert weights(MARKED, ["é", "4"]) == {}
    with pytest.warns(InputWarning, match=r"hotwords has a phrase with .*'É'") as shown:
        BeamDecoder(MARKED).with_settings(hotwords=["ox", "É"])
    assert shown[0].filename == __file__


def test_hotwords_that_cannot_be_spelled_are_an_error_if_asked_for():
    with pytest.raises(InvalidInputError, match=r"hotwords has 2 phrases .* 'é' \('é' U\+00E9\), '4'"):
        BeamDecoder(MARKED, hotwords=["é", "cat", "4"], on_unspellable="error")
    strict = BeamDecoder(MARKED, on_unspellable="error")
    assert len(strict.with_settings(hotwords=["cat"]).plan.hotwords) == 1
    for call in (
        strict.with_settings,
        strict.stream,
        lambda hotwords: strict.decode(nothing_said(2), hotwords=hotwords),
    ):
        with pytest.raises(InvalidInputError, match=r"hotwords has a phrase .* 'é' \('é' U\+00E9\)"):
            call(hotwords=["é"])
    lenient = strict.with_settings(hotwords=["ox"], on_unspellable="warn")
    with pytest.warns(InputWarning, match="left out") as shown:
        lenient.decode(nothing_said(2), hotwords=["ox", "É"])
    assert shown[0].filename == __file__


def nothing_said(frames):
    return np.full((frames, len(MARKED)), -math.log(len(MARKED)))


LEXICON = sorted({word for line in LINES for word in line.split()})
DECODERS = {
    "letters": lambda: BeamDecoder(UNMARKED, beam_width=8),
    "words": lambda: BeamDecoder(MARKED, beam_width=8, lexicon=LEXICON, oov_charge=0.5),
    "spellings": lambda: BeamDecoder(MARKED, beam_width=8, lexicon={word.upper(): word for word in LEXICON}),
    "model": lambda: BeamDecoder(
        MARKED, beam_width=8, language_model=NGramModel.train(LINES, order=2, unit="word"), lm_weight=0.2
    ),
    "no weight": lambda: BeamDecoder(
        MARKED,
        beam_width=8,
        language_model=NGramModel.train(LINES, order=2, unit="word"),
        lm_weight=0.0,
        lexicon=LEXICON,
    ),
    "hotwords": lambda: BeamDecoder(MARKED, beam_width=8, hotwords=["moon"], hotword_weight=2.0),
}


@pytest.fixture(params=sorted(ENGINES))
def engine(request, monkeypatch):
    monkeypatch.setattr(beam, "_engine", ENGINES[request.param])
    return request.param


@pytest.mark.parametrize("name", sorted(DECODERS))
def test_hotwords_of_a_call_give_the_bits_of_a_decoder_made_with_them(name, engine, posteriors):
    frames = np.stack([posteriors[0][:12], posteriors[4][:12]])
    hotwords = {"me": 3.0, "h": -4.0, "ho": 1.0, "met": None}
    decoder = DECODERS[name]()
    plain = decoder.decode(frames, n_best=3)
    changes = {"hotwords": hotwords}
    made = remade(decoder, changes)
    expected = made.decode(frames, n_best=3)
    assert expected != plain
    assert decoder.decode(frames, n_best=3, hotwords=hotwords) == expected
    assert decoder.with_settings(**changes).decode(frames, n_best=3) == expected
    stream = decoder.stream(hotwords=hotwords)
    for frame in frames[0]:
        stream.push(frame[None])
    assert stream.finish_all(3) == expected[0]
    assert decoder.decode(frames, n_best=3) == plain  # the decoder stays as it is
    assert decoder.decode(frames, n_best=3, hotwords=[]) == remade(decoder, {"hotwords": None}).decode(frames, n_best=3)
    twin = pickle.loads(pickle.dumps(decoder.with_settings(**changes)))
    assert twin.decode(frames, n_best=3) == expected


def remade(decoder, changes):
    """The decoder with other hotwords, which shares nothing."""
    return pickle.loads(pickle.dumps(decoder.with_settings(beam_width=8, **changes)))


def test_the_weight_of_a_decoder_is_that_of_its_calls():
    decoder = BeamDecoder(MARKED, hotword_weight=-2.5)
    assert decoder.with_settings(hotwords=["cat"]).plan.hotword_weights.tolist() == [-2.5]
    assert decoder.with_settings(hotwords=["cat"], hotword_weight=1.5).plan.hotword_weights.tolist() == [1.5]
    changed = decoder.with_settings(hotwords=["cat"], hotword_weight=1.5).with_settings(hotwords=["ox"])
    assert changed.plan.hotword_weights.tolist() == [1.5]


def test_hotwords_with_negative_weights_are_avoided(posteriors, engine):
    decoder = BeamDecoder(MARKED, beam_width=8)
    frames = posteriors[0][:20]
    said = decoder.decode(frames)[0][0]
    word = said.text.split()[0]
    avoided = decoder.decode(frames, hotwords={word: -30.0})[0][0]
    assert word not in avoided.text.split()
    assert decoder.decode(frames, hotwords={word: -1e-3})[0][0].parts.hotwords == np.float32(-1e-3)
    assert weights(MARKED, {"cat": -3.0, " cat": -1.0, "cat ": -2.0}) == weights(MARKED, {"cat": -1.0})


def test_a_set_of_hotwords_does_not_build_the_lexicon_again():
    words = ["".join(letters) for letters in itertools.islice(itertools.product(ALPHABET[:-1], repeat=6), 130_000)]

    def seconds(call):
        begin = time.process_time()
        call()
        return time.process_time() - begin

    decoder = BeamDecoder(MARKED, lexicon=words, beam_width=2)
    frames, hotwords = nothing_said(1), words[:1000]
    whole = seconds(lambda: decoder.with_settings(beam_width=3).decode(frames))
    decoder.decode(frames)
    assert min(seconds(lambda: decoder.decode(frames, hotwords=hotwords)) for _ in range(9)) < whole / 3
    other = decoder.with_settings(hotwords=hotwords)
    assert other.plan.words is decoder.plan.words
    assert len(other.plan.hotwords) == len(hotwords) == 1000


def test_characters_that_stand_alone_are_spelled_as_all_others_are():
    """The fast way and the way through clusters give the same letters."""
    names = ["а", "й", "и", "é", "e", "一", "한", "하", "ᆫ", "\u0306", "\u0301"]
    index = CharacterIndex({name: n for n, name in enumerate(names)})
    for text in ["аи", "й", "и\u0306", "e\u0301é", "한한", "一a", "", "ии\u0306й"]:
        slow = [index.find(cluster) for cluster in clusters(text)]
        expected = None if None in slow else [number for each in slow for number in each]
        assert index.spell(text) == expected, text


@pytest.mark.parametrize("known", ["NFC", "NFD"])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("separator", [" ", None])
def test_hotwords_in_another_encoding(known, form, separator):
    letters = [*sorted(set(unicodedata.normalize(known, "café 한각"))), "b"]
    vocabulary = Vocabulary.from_characters(letters, separator=separator)
    same = weights(vocabulary, [unicodedata.normalize(known, "café 한각")])
    assert weights(vocabulary, [unicodedata.normalize(form, "café 한각")]) == same
    if separator:
        lexicon = {unicodedata.normalize(form, "café"): "b"}
        both = weights(vocabulary, [unicodedata.normalize(known, "café")], lexicon=lexicon)
        assert list(both) == list(weights(vocabulary, ["b"]))
        words = BeamDecoder(vocabulary, lexicon=[unicodedata.normalize(form, "café")]).plan.words.lists()
        assert words == BeamDecoder(vocabulary, lexicon=[unicodedata.normalize(known, "café")]).plan.words.lists()


@pytest.mark.parametrize("known", ["NFC", "NFD"])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_words_of_a_model_in_another_encoding(known, form):
    vocabulary = Vocabulary.from_characters("cafébr ", separator=" ")
    cafe, bar = unicodedata.normalize(known, "café"), "bar"
    model = NGramModel.train([f"{cafe} {bar}"] * 3, order=2, unit="word")
    assert sorted(BeamDecoder(vocabulary, language_model=model).plan.words.lists()) == [(1, 2, 3, 4), (5, 2, 6)]
    plan = BeamDecoder(vocabulary, language_model=model, lexicon=[bar, unicodedata.normalize(form, "café")]).plan
    assert plan.word_lm_ids.tolist() == [model.native.find(bar), model.native.find(cafe)]


def test_a_word_in_two_encodings_is_one_word():
    vocabulary = Vocabulary.from_characters("cafés ", separator=" ")
    nfc, nfd = "café", unicodedata.normalize("NFD", "café")
    assert BeamDecoder(vocabulary, lexicon=[nfd, nfc, "as"]).plan.words.lists() == [(1, 2, 3, 4), (2, 5)]
    decoder = BeamDecoder(vocabulary, lexicon={nfc: "café", nfd: ["s", "a"]})
    one, other = decoder.plan.word_names.lists()
    assert one == other == tuple(map(ord, nfc))
    log_probs = np.log(np.eye(7)[[5, 2]] * 0.9 + 0.01)
    assert decoder.decode(log_probs)[0][0].text == nfc


def test_words_of_a_model_in_an_unusual_encoding():
    """Neither NFC nor NFD, as Hindi texts often are."""
    model = NGramModel.train(["\u0958लम बस"] * 3, order=2, unit="word")
    vocabulary = Vocabulary.from_characters("क\u093cलमबस ", separator=" ")
    plan = BeamDecoder(vocabulary, language_model=model, lexicon=["क\u093cलम", "सब"]).plan
    assert plan.word_lm_ids.tolist() == [model.native.find("\u0958लम"), model.native.unknown]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_hotword_may_be_its_tokens_in_another_encoding(form):
    vocabulary = Vocabulary(("", "ʃɔ̃", "te", "ki", "_"), separator="_")
    tokens = weights(vocabulary, ["ʃɔ̃ te"])
    assert len(tokens) == 2
    assert weights(vocabulary, [unicodedata.normalize(form, "ʃɔ̃ te")]) == tokens
    german = Vocabulary(("", "fü", "ße", "_"), separator="_")
    assert weights(german, [unicodedata.normalize(form, "fü ße")]) == weights(german, ["fü ße"])


def test_a_hotword_may_be_its_tokens_with_spaces_between_them():
    letter = dict(zip("HALOWK", range(1, 7), strict=True))

    def pattern(text):
        return tuple(0 if character == " " else letter[character] for character in text)

    assert list(weights(PHONEMES, ["HH AH L OW"])) == [pattern(" HH AH L OW "), pattern(" HHAHLOW ")]
    assert list(weights(PHONEMES, ["HHAHLOW"])) == [pattern(" HHAHLOW ")]
    assert list(weights(PHONEMES, ["L OW _ HH AH"])) == [pattern(" LOW HHAH ")]
    assert list(weights(PHONEMES, ["L K"])) == [pattern(" L K "), pattern(" LK ")]
    assert list(weights(MARKED, ["a b"])) == [(0, 1, 0, 2, 0)]  # characters: two words
    bare = Vocabulary(PHONEMES.tokens[:-1])
    assert list(weights(bare, ["HH AH"])) == [pattern("HHAH")]
    lexicon = {"hello": ["HH", "AH", "L", "OW"]}
    assert list(weights(PHONEMES, ["HH AH L OW", "hello"], lexicon=lexicon)) == [(0, 1, 2, 3, 4, 0)]


@pytest.mark.parametrize("engine", sorted(ENGINES))
@pytest.mark.parametrize("weight", [20.0, 50.0, 60.0])
def test_heavy_hotwords_and_rare_words_of_a_model(engine, weight, tmp_path):
    """Together they multiply a mass by more than a float32 can hold."""
    path = tmp_path / "words.arpa"
    path.write_text(
        "\\data\\\nngram 1=5\nngram 2=2\n\n\\1-grams:\n-99\t<s>\t-0.3\n-1\t</s>\n-2\t<unk>\n-9\ta\t0\n-9\tb\t0\n\n"
        "\\2-grams:\n-0.01\ta b\n-0.01\t<s> a\n\n\\end\\\n",
        encoding="utf-8",
    )
    decoder = BeamDecoder(
        Vocabulary(("", "a", "b", "|"), separator="|"),
        language_model=NGramModel.load(path, unit="word"),
        lm_weight=1.0,
        hotwords=["a", "b", "a b"],
        hotword_weight=weight,
        beam_width=8,
    )
    search = ENGINES[engine].Decoder(decoder.plan).search()
    search.push(np.log(np.random.default_rng(0).dirichlet(np.ones(4), 60)))
    scores = [each.score for each in search.best(8, ended=False)]
    assert len(scores) == 8
    assert np.isfinite(scores).all()
    assert scores == sorted(scores, reverse=True)


def test_tokens_that_are_pieces_of_words():
    pieces = Vocabulary(("", "▁ice", "▁", "cream", "▁cream", "a"), word_start="▁")
    same = weights(pieces, ["ice cream"])
    assert weights(pieces, ["▁ice ▁cream"]) == weights(pieces, ["▁ice ▁ cream"]) == same
    assert list(weights(pieces, ["cream a"])) != list(weights(pieces, ["creama"]))
    wordpieces = Vocabulary(("", "ice", "##s"), continuation="##")
    assert weights(wordpieces, ["ice ##s"]) == weights(wordpieces, ["ices"])
