"""``BeamDecoder`` as users call it: results, laws, and every message."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import ctckit
from ctckit import BeamDecoder, Vocabulary
from ctckit.decoding import beam
from ctckit.errors import InvalidInputError
from tests.support.problems import random_probs
from tests.support.search_problems import ENGINES, LETTERS, PIECES, TOLERANCES, UNMARKED, WORDPIECES, model


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return {
        "words": model(folder, ["a", "b", "ab", "ba"], "word"),
        "characters": model(folder, ["a", "b", "|"], "char"),
        "tokens": model(folder, ["▁a", "b", "▁"], "token"),
        "foreign": model(folder, ["я", "ы"], "char", seed=5),
        "foreign words": model(folder, ["яы", "A"], "word", seed=5),
        "spaceless": model(folder, ["a", "b"], "char", seed=6),
    }


@pytest.fixture(params=sorted(ENGINES), autouse=True)
def engine(request, monkeypatch):
    monkeypatch.setattr(beam, "_engine", ENGINES[request.param])
    return TOLERANCES[request.param]


def batch(seed, items=4, frames=12, classes=4, sharpness=2.0):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, frames + 1, items)
    lengths[0] = frames
    log_probs = np.log(rng.dirichlet(np.full(classes, 1 / sharpness), size=(items, frames)) + 1e-12)
    for row, length in zip(log_probs, lengths, strict=True):
        row[length:] = np.nan
    return log_probs, lengths


def test_hypotheses_tell_all(models, engine):
    log_probs, lengths = batch(0)
    hotwords = {"ab": 1.5}
    decoder = BeamDecoder(
        LETTERS,
        language_model=models["words"],
        lm_weight=0.3,
        word_bonus=0.7,
        token_bonus=0.1,
        oov_charge=1.0,
        hotwords=hotwords,
    )
    for row, length, found in zip(log_probs, lengths, decoder.decode(log_probs, lengths, n_best=6), strict=True):
        assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)
        assert len({each.tokens for each in found}) == len(found)
        for each in found:
            item = ctckit.lattice(row[:length], each.tokens)
            assert each.log_prob == pytest.approx(item.log_likelihood, abs=engine)
            assert each.text == LETTERS.decode(each.tokens)
            words = each.text.split()
            assert [word.text for word in each.words] == words
            known = [word if word in models["words"] else "<unk>" for word in words]
            assert each.lm_log_prob == pytest.approx(models["words"].log_prob(known), abs=engine)
            unknown = sum(len(word) for word in words if word not in models["words"])
            extra = 0.7 * len(words) + 0.1 * len(each.tokens) - unknown + 1.5 * words.count("ab")
            assert each.score == pytest.approx(each.log_prob + 0.3 * each.lm_log_prob + extra, abs=2 * engine)
            assert [span.token for span in each.spans] == list(each.tokens)
            assert all(0 <= span.start < span.end <= length for span in each.spans)
            assert all(0 <= span.confidence <= 1 for span in each.spans)


def test_layouts_and_types(engine):
    log_probs, _ = batch(1)
    log_probs = np.nan_to_num(log_probs, nan=-1.0)
    decoder = BeamDecoder(UNMARKED, beam_width=8)
    expected = decoder.decode(log_probs)
    assert decoder.decode(np.asfortranarray(log_probs)) == expected
    assert decoder.decode(torch.from_numpy(log_probs)) == expected
    assert decoder.decode(log_probs[1]) == expected[1:2]
    assert decoder.decode(log_probs[::-1]) == expected[::-1]
    assert decoder.decode(log_probs[:, :, ::-1][:, :, ::-1]) == expected
    single = decoder.decode(log_probs.astype(np.float32))
    assert [each[0].tokens for each in single] == [each[0].tokens for each in expected]
    half = log_probs.astype(np.float16)
    assert decoder.decode(half) == decoder.decode(half.astype(np.float32))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_a_batch_is_its_items(seed):
    log_probs, lengths = batch(seed)
    decoder = BeamDecoder(LETTERS, beam_width=6, hotwords=["ab"], word_bonus=0.5)
    together = decoder.decode(log_probs, lengths, n_best=3)
    for row, length, found in zip(log_probs, lengths, together, strict=True):
        assert decoder.decode(row[:length], n_best=3) == [found]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.permutations(range(4)))
def test_classes_may_be_in_any_order(seed, order):
    log_probs, lengths = batch(seed)
    renamed = Vocabulary(tuple(LETTERS.tokens[c] for c in order), blank=order.index(0), separator="|")
    arguments = {"beam_width": 10, "hotwords": ["ab", "b a"], "lexicon": ["a", "ab", "bb"], "oov_charge": 0.4}
    expected = BeamDecoder(LETTERS, **arguments).decode(log_probs, lengths, n_best=2)
    found = BeamDecoder(renamed, **arguments).decode(log_probs[:, :, order], lengths, n_best=2)
    for one, other in zip(expected, found, strict=True):
        assert [each.text for each in one] == [each.text for each in other]
        assert [each.score for each in one] == pytest.approx([each.score for each in other], abs=1e-3)


def test_it_beats_the_best_path():
    log_probs, lengths = batch(3, items=20, frames=15)
    lengths[:] = 15
    log_probs = np.nan_to_num(log_probs, nan=math.log(0.25))
    greedy = ctckit.greedy_decode(log_probs)
    found = BeamDecoder(UNMARKED).decode(log_probs)
    gains = [best[0].log_prob - other.log_prob for best, other in zip(found, greedy, strict=True)]
    assert min(gains) > -1e-4
    assert max(gains) > 0.1


def test_nothing_to_read():
    decoder = BeamDecoder(UNMARKED)
    assert decoder.decode(np.zeros((0, 5, 4))) == []
    best = decoder.decode(np.zeros((1, 0, 4)))[0][0]
    assert (best.text, best.tokens, best.log_prob, best.spans) == ("", (), 0.0, ())
    assert decoder.decode(np.full((1, 3, 4), np.nan), [0])[0][0].text == ""


def test_the_empty_text_is_left_where_no_other_is_possible(engine):
    decoder = BeamDecoder(LETTERS, lexicon=["ab"], oov_charge=None, beam_width=1)
    probs = np.full((2, 4), 0.01)
    probs[range(2), [1, 0]] = 0.97
    (found,) = decoder.decode(np.log(probs), n_best=3)
    assert [(each.text, each.tokens) for each in found] == [("", ())]
    assert found[0].log_prob == pytest.approx(math.log(0.01 * 0.97), abs=engine)


def test_a_lexicon_with_spellings_of_its_own(tmp_path):
    vocabulary = Vocabulary(("", "t", "uː", "s", "_"), separator="_")
    entries = {"two": [["t", "uː"]], "too": ["t", "uː"], "soot": ["s", "uː", "t"], "tutu": [["t", "uː", "t", "uː"]]}
    language_model = model(tmp_path, ["two", "too", "soot"], "word", seed=2)
    decoder = BeamDecoder(
        vocabulary, lexicon=entries, language_model=language_model, oov_charge=None, hotwords={"soot": 1.0}
    )
    probs = np.full((9, 5), 0.02)
    probs[range(9), [1, 2, 0, 4, 3, 2, 1, 0, 0]] = 0.92
    best, other = decoder.decode(np.log(probs), n_best=2)[0]
    likelier = max(("two", "too"), key=lambda word: language_model.log_prob([word, "soot"]))
    assert best.text == f"{likelier} soot"
    assert [(word.text, word.start, word.end) for word in best.words] == [(likelier, 0, 2), ("soot", 4, 7)]
    assert best.parts.hotwords == 1.0
    assert best.tokens != other.tokens


def test_spellings_in_pieces():
    lexicon = {"Ab": ["▁a", "b"], "aa": [["▁a", "▁"]]}
    decoder = BeamDecoder(PIECES, lexicon=lexicon, oov_charge=None)
    assert decoder.plan.words.lists() == [(1, 2), (1,)]
    decoder = BeamDecoder(WORDPIECES, lexicon={"ab": "ab", "bb": ["b", "##b"]})
    assert decoder.plan.words.lists() == [(1, 2), (2, 2)]


def test_hotwords_of_several_spellings():
    lexicon = {"x": [["a"], ["b", "b"]], "y": ["a", "b"]}
    decoder = BeamDecoder(LETTERS, lexicon=lexicon, hotwords={"x y": 2.0})
    assert decoder.plan.hotwords.lists() == [(0, 1, 0, 1, 2, 0), (0, 2, 2, 0, 1, 2, 0)]
    assert BeamDecoder(LETTERS, lexicon=lexicon, hotwords=["ab a"]).plan.hotwords.lists() == [(0, 1, 2, 0, 1, 0)]


def test_equal_hotwords_count_once():
    plan = BeamDecoder(LETTERS, hotwords={"a b": 1.0, " a  b ": 3.0, "a  b": 2.0, "a": 2.0}).plan
    assert (plan.hotwords.lists(), plan.hotword_weights.tolist()) == ([(0, 1, 0, 2, 0), (0, 1, 0)], [3.0, 2.0])


def test_what_a_model_of_characters_is_asked(models):
    plan = BeamDecoder(PIECES, language_model=models["characters"]).plan
    native = models["characters"].native
    space, a, b = (native.find(each) for each in "|ab")
    assert (plan.token_lm_ids.lists(), plan.token_lm_space) == ([(space, a), (b,), (), (space,)], space)
    with_both = Vocabulary(("", "a", " ", "|"))
    plan = BeamDecoder(with_both, language_model=models["characters"]).plan
    assert (plan.token_lm_ids.lists(), plan.token_lm_space) == ([(), (a,), (space,), (native.unknown,)], -1)


def test_other_numbers_for_the_same_decoder(models):
    decoder = BeamDecoder(LETTERS, language_model=[models["characters"], models["words"]], lm_weight=[0.1, 0.2])
    other = decoder.with_settings(lm_weight=(0.3, 0.4), word_bonus=0.5, oov_charge=None, beam_width=7)
    plan = other.plan
    assert (plan.token_lm_weight, plan.word_lm_weight, plan.word_bonus, plan.beam_width) == (0.3, 0.4, 0.5, 7)
    assert (plan.oov_charge, decoder.plan.oov_charge) == (math.inf, 0.25)
    assert (decoder.plan.token_lm_weight, decoder.plan.word_lm_weight, decoder.plan.word_bonus) == (0.1, 0.2, 2.0)
    assert decoder.with_settings(lm_weight=0.9).plan.token_lm_weight == 0.9
    assert "beam_width=7" in repr(other)


ROW = np.log(np.full((2, 4), 0.25))


def bad(at, value, items=1):
    log_probs = np.repeat(ROW[None], items, axis=0)
    log_probs[at] = value
    return log_probs


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros(3),), r"log_probs has shape \(3,\); expected \(B, T, C\)\."),
        ((np.zeros((1, 3, 4), dtype=int),), r"log_probs has dtype int64; expected a floating-point type\."),
        ((np.zeros((3, 2, 4)), [3, 3]), r"It looks time-major: pass log_probs\.transpose\(0, 1\)\."),
        ((ROW, [3]), r"input_lengths\[0\] is 3; log_probs has T = 2 frames, so it must be in 0\.\.2\."),
        (
            (np.zeros((1, 2, 7)),),
            r"log_probs has C = 7 classes, but vocabulary has 4; expected a token for each class\.$",
        ),
        ((np.zeros((1, 2, 3)),), r"has C = 3 classes, but vocabulary has 4; .*$"),
        ((bad((1, 1, 2), np.nan, 2),), r"log_probs\[1, 1\] is nan for class 2; expected finite numbers or −∞\."),
        ((bad((0, 1, 2), np.inf),), r"log_probs\[0, 1\] reaches inf; logarithms of probabilities are at most 0\."),
        ((np.exp(ROW),), r"log_probs\[0, 0\] reaches 0\.25; .* for probabilities their logarithm\."),
        ((bad((0, 1), -np.inf),), r"log_probs\[0, 1\] is −∞ for every class: none is possible\."),
        ((torch.zeros(1, 2, 4, dtype=torch.bits8),), r"log_probs has dtype torch\.bits8"),
    ],
)
def test_what_is_wrong_with_frames_is_said(arguments, message):
    with pytest.raises(InvalidInputError, match=message):
        BeamDecoder(UNMARKED).decode(*arguments)


def test_one_class_too_few():
    with pytest.raises(InvalidInputError, match=r"C = 4 classes, but vocabulary has 3; .* The blank is one of them\."):
        BeamDecoder(["", "a", "b"]).decode(ROW)


@pytest.mark.parametrize("count", [0, -1, 1.5, None])
def test_at_least_one_text(count):
    with pytest.raises(InvalidInputError, match=r"n_best is .*; expected a positive integer\."):
        BeamDecoder(UNMARKED).decode(ROW, n_best=count)


MANY = ["ax", "ay", "az", "aé", "bé", "é", "a"]


@pytest.mark.parametrize(
    ("vocabulary", "arguments", "message"),
    [
        (UNMARKED, {"blank": 1}, r"blank is 1, but vocabulary says 0\. Leave blank out\."),
        (("a", "b"), {}, r"tokens\[0\] is 'a', but 0 is the blank; expected \"\"\."),
        ("abc", {}, r"tokens is the string 'abc'; expected a sequence of strings\. .*Vocabulary\.from_characters\."),
        (["", 3], {}, r"tokens\[1\] is 3; expected a string\."),
        (UNMARKED, {"beam_width": 0}, r"beam_width is 0; expected a positive integer\."),
        (UNMARKED, {"beam_width": 2.0}, r"beam_width is 2\.0; expected a positive integer\."),
        (UNMARKED, {"beam_width": 10**9}, r"beam_width is 1000000000; expected a number in 1\.\.1\.04858e\+06\."),
        (UNMARKED, {"lm_weight": -1}, r"lm_weight is -1; expected a number in 0\.\.60\."),
        (UNMARKED, {"lm_weight": math.nan}, r"lm_weight is nan; expected a number in 0\.\.60\."),
        (UNMARKED, {"lm_weight": [0.5]}, r"lm_weight has 1 entries for 0 language models; expected one for each\."),
        (UNMARKED, {"token_bonus": 61}, r"token_bonus is 61; expected a number in -60\.\.60\."),
        (UNMARKED, {"token_bonus": "1"}, r"token_bonus is '1'; expected a number in -60\.\.60\."),
        (LETTERS, {"word_bonus": math.inf}, r"word_bonus is inf; expected a number in -60\.\.60\."),
        (UNMARKED, {"word_bonus": 1.0}, r"word_bonus is 1, but vocabulary has no mark of words\. Say separator="),
        (UNMARKED, {"oov_charge": -1.0}, r"oov_charge is -1\.0; expected a number in 0\.\.60\."),
        (LETTERS, {"oov_charge": None}, r"oov_charge=None forbids unknown words, but no words are known\."),
        (UNMARKED, {"token_threshold": 0.1}, r"token_threshold is 0\.1; expected a number in -inf\.\.0\."),
        (UNMARKED, {"beam_threshold": 1}, r"beam_threshold is 1; expected a number in -inf\.\.0\."),
        (UNMARKED, {"language_model": "m.arpa"}, r"language_model is 'm\.arpa'; expected an NGramModel\. Load one"),
        (UNMARKED, {"language_model": 3}, r"language_model is 3; expected an NGramModel\."),
        (UNMARKED, {"language_model": [None]}, r"language_model\[0\] is None; expected an NGramModel\."),
        (UNMARKED, {"lexicon": ["ab"]}, r"lexicon is given, but vocabulary has no mark of words"),
        (LETTERS, {"lexicon": "ab"}, r"lexicon is 'ab'; expected words, or a mapping from words to their spellings\."),
        (LETTERS, {"lexicon": 3}, r"lexicon is 3; expected words"),
        (LETTERS, {"lexicon": []}, r"lexicon is empty; expected at least one word, or None\."),
        (LETTERS, {"lexicon": ["a", ""]}, r"lexicon\[1\] is ''; expected a word, a string that is not empty\."),
        (LETTERS, {"lexicon": ["a", 7]}, r"lexicon\[1\] is 7; expected a word"),
        (LETTERS, {"lexicon": {"a": ""}}, r"lexicon\['a'\] has an empty spelling; expected at least one letter\."),
        (LETTERS, {"lexicon": {"a": []}}, r"lexicon\['a'\] is \[\]; expected a string, a list of tokens, or a list of"),
        (LETTERS, {"lexicon": {"a": ["a", ["b"]]}}, r"lexicon\['a'\] is \['a', \['b'\]\]; expected a string"),
        (LETTERS, {"lexicon": {"a": 7}}, r"lexicon\['a'\] is 7; expected a string"),
        (
            LETTERS,
            {"lexicon": ["a b"]},
            r"lexicon has a word with letters that the vocabulary cannot write: 'a b' \(' '",
        ),
        (LETTERS, {"lexicon": ["a|b"]}, r"cannot write: 'a\|b' \('\|' U\+007C\)\."),
        (
            LETTERS,
            {"lexicon": MANY},
            r"lexicon has 6 words with letters that the vocabulary cannot write: 'ax' \('x' U\+0078\), 'ay' .*, 'bé' "
            r"\('é' U\+00E9\) and 1 more\. Leave them out or spell them in letters of the vocabulary\.",
        ),
        (LETTERS, {"lexicon": {"w": ["ab", "ba"]}}, r"cannot write: 'w' \('ab', 'ba'\)\."),
        (PIECES, {"lexicon": {"w": ["▁a", "▁a"]}}, r"cannot write: 'w' \('a boundary inside'\)\."),
        (LETTERS, {"hotwords": "ab"}, r"hotwords is 'ab'; expected strings, or a mapping from strings to weights\."),
        (LETTERS, {"hotwords": ["a", " "]}, r"hotwords\[1\] is ' '; expected a word, a string that is not empty\."),
        (
            LETTERS,
            {"hotwords": ["xa"]},
            r"hotwords has a phrase with letters that .* cannot write: 'xa' \('x' U\+0078\)",
        ),
        (UNMARKED, {"hotwords": ["a b"]}, r"hotwords has a phrase .* cannot write: 'a b' \(' ' U\+0020\)"),
        (
            LETTERS,
            {"hotwords": {"a": 0.0}},
            r"hotwords\['a'\] is 0\.0; expected nats for one occurrence, a number above 0",
        ),
        (LETTERS, {"hotwords": {"a": 61}}, r"hotwords\['a'\] is 61; expected nats .* at most 60\."),
        (LETTERS, {"hotwords": {"a": math.nan}}, r"hotwords\['a'\] is nan; expected nats"),
        (LETTERS, {"hotwords": {"a": True}}, r"hotwords\['a'\] is True; expected nats"),
        (LETTERS, {"hotwords": ["a"], "hotword_weight": -2}, r"hotword_weight is -2; expected nats for one occurrence"),
    ],
)
def test_what_is_wrong_with_the_arguments_is_said(vocabulary, arguments, message):
    with pytest.raises(InvalidInputError, match=message):
        BeamDecoder(vocabulary, **arguments)


@pytest.mark.parametrize(
    ("vocabulary", "names", "message"),
    [
        (UNMARKED, ["words"], r"language_model is a model of words, but vocabulary has no mark of words"),
        (LETTERS, ["words", "words"], r'has models of "word", "word"; expected at most one of words and one of char'),
        (LETTERS, ["characters", "tokens"], r'has models of "char", "token"; expected at most one of words and one'),
        (LETTERS, ["foreign words"], r"language_model has no word that the vocabulary can write\. Is it of another"),
        (UNMARKED, ["foreign"], r"language_model knows no token of the vocabulary \('a', for one\)\. Is it of another"),
        (LETTERS, ["tokens"], None),
        (
            LETTERS,
            ["spaceless"],
            r"language_model has no entry '\|' for the boundary between words\. Train it on texts",
        ),
    ],
)
def test_models_that_do_not_fit(vocabulary, names, message, models):
    given = [models[name] for name in names]
    if message is None:  # "b" is a token of both
        BeamDecoder(vocabulary, language_model=given)
        return
    with pytest.raises(InvalidInputError, match=message):
        BeamDecoder(vocabulary, language_model=given)


def test_weights_for_two_models(models):
    both = [models["words"], models["characters"]]
    with pytest.raises(
        InvalidInputError, match=r"lm_weight has 3 entries for 2 language models; expected one for each"
    ):
        BeamDecoder(LETTERS, language_model=both, lm_weight=[1, 2, 3])
    with pytest.raises(InvalidInputError, match=r"lm_weight\[1\] is -2; expected a number in 0\.\.60\."):
        BeamDecoder(LETTERS, language_model=both, lm_weight=[1, -2])


def test_phonemes_are_boosted_by_words_of_the_lexicon():
    vocabulary = Vocabulary(("", "t", "uː", "_"), separator="_")
    message = r"hotwords has a phrase with letters that the vocabulary cannot write: 'two tutu' \('tutu'\)"
    with pytest.raises(InvalidInputError, match=message):
        BeamDecoder(vocabulary, lexicon={"two": ["t", "uː"]}, hotwords=["two tutu"])
    assert BeamDecoder(vocabulary, lexicon={"two": ["_", "t", "uː", "_"]}).plan.words.lists() == [(1, 2)]
    with pytest.raises(InvalidInputError, match=r"cannot write: 'two' \('a boundary inside', 'x' U\+0078\)\."):
        BeamDecoder(vocabulary, lexicon={"two": ["t", "_", "uː", "x"]})


def test_a_setting_that_is_none():
    with pytest.raises(
        InvalidInputError, match=r"'alpha' is no setting of a decoder; expected some of beam_width, lm_w"
    ):
        BeamDecoder(UNMARKED).with_settings(alpha=0.5)
    with pytest.raises(InvalidInputError, match=r"word_bonus is 1, but vocabulary has no mark of words"):
        BeamDecoder(UNMARKED).with_settings(word_bonus=1)


def test_random_probs_are_read_as_they_are(engine):
    log_probs = np.log(random_probs(np.random.default_rng(7), 6, 4)) - 0.5  # not normalised: taken as it is
    best = BeamDecoder(UNMARKED).decode(log_probs)[0][0]
    assert best.log_prob == pytest.approx(ctckit.lattice(log_probs, best.tokens).log_likelihood, abs=engine)
