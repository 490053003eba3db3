"""``BeamDecoder`` as users call it: results, laws, and the messages about frames."""

import copy
import math
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import ctckit
from ctckit import BeamDecoder, NGramModel, Vocabulary
from ctckit.decoding import beam
from ctckit.errors import InvalidInputError
from tests.support.problems import random_probs
from tests.support.search_problems import ENGINES, LETTERS, TOLERANCES, UNMARKED, model
from tests.support.tolerances import SEARCH_SINGLE


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return {
        "words": model(folder, ["a", "b", "ab", "ba"], "word"),
        "characters": model(folder, ["a", "b", "|"], "char"),
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
        assert len({each.text for each in found}) == len(found)
        for each in found:
            item = ctckit.lattice(row[:length], each.tokens)
            assert each.log_prob > item.log_likelihood - engine  # the text may have other token sequences
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
        assert [each.score for each in one] == pytest.approx([each.score for each in other], abs=SEARCH_SINGLE)


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


def test_numbers_have_no_negative_zero(engine):
    log_probs = np.full((1, 5, 4), -np.inf)
    log_probs[0, range(5), [1, 0, 2, 3, 1]] = -0.0
    for frames in (5, 0):
        best = BeamDecoder(UNMARKED).decode(log_probs[:, :frames])[0][0]
        assert {str(each) for each in (best.log_prob, best.score, *(span.log_prob for span in best.spans))} == {"0.0"}


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


def test_other_numbers_for_the_same_decoder(models):
    decoder = BeamDecoder(LETTERS, language_model=[models["characters"], models["words"]], lm_weight=[0.1, 0.2])
    other = decoder.with_settings(lm_weight=(0.3, 0.4), word_bonus=0.5, oov_charge=None, beam_width=7)
    plan = other.plan
    assert (plan.token_lm_weight, plan.word_lm_weight, plan.word_bonus, plan.beam_width) == (0.3, 0.4, 0.5, 7)
    assert (plan.oov_charge, decoder.plan.oov_charge) == (math.inf, 0.25)
    assert (decoder.plan.token_lm_weight, decoder.plan.word_lm_weight, decoder.plan.word_bonus) == (0.1, 0.2, 2.0)
    assert decoder.with_settings(lm_weight=0.9).plan.token_lm_weight == 0.9
    assert "beam_width=7" in repr(other)


@pytest.mark.parametrize("used", [False, True])
def test_decoders_are_pickled_and_copied(used, models):
    """The core's copy of the plan stays behind; language models are sent once."""
    log_probs, lengths = batch(5)
    decoder = BeamDecoder(LETTERS, language_model=[models["characters"], models["words"]], hotwords=["ab"])
    expected = decoder.decode(log_probs, lengths, n_best=3)
    if not used:
        decoder = decoder.with_settings()
    content = pickle.dumps(decoder)
    assert len(content) < 1.25 * sum(len(pickle.dumps(each)) for each in (models["characters"], models["words"]))
    for other in (pickle.loads(content), copy.deepcopy(decoder), copy.copy(decoder)):
        assert other.decode(log_probs, lengths, n_best=3) == expected
        assert other._models.given[0].native is other.plan.token_lm
        stream = other.stream()
        stream.push(log_probs[0])
        assert stream.finish_all(3) == expected[0]


def test_decoders_with_mapped_models_are_pickled_without_them(models, tmp_path):
    models["words"].save(tmp_path / "words.ctclm")
    log_probs, lengths = batch(5)
    sizes, found = [], []
    for words in (models["words"], NGramModel.load(tmp_path / "words.ctclm")):
        content = pickle.dumps(BeamDecoder(LETTERS, language_model=words, lexicon=["ab", "ba"]))
        sizes.append(len(content))
        found.append(pickle.loads(content).decode(log_probs, lengths, n_best=3))
    assert found[0] == found[1]
    assert sizes[1] < sizes[0] - len(pickle.dumps(models["words"])) + 1_000 < sizes[0] - 3_000


def test_a_decoder_is_used_by_several_threads(models):
    log_probs, _ = batch(6, items=24)
    log_probs = np.nan_to_num(log_probs, nan=-1.5)
    decoder = BeamDecoder(LETTERS, language_model=models["words"], beam_width=8)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda item: decoder.decode(item)[0], log_probs))
    assert found == decoder.decode(log_probs)


UNIFORM = np.log(np.full((2, 4), 0.25))


def bad(at, value, items=1):
    log_probs = np.repeat(UNIFORM[None], items, axis=0)
    log_probs[at] = value
    return log_probs


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros(3),), r"log_probs has shape \(3,\); expected \(B, T, C\)\."),
        ((np.zeros((1, 3, 4), dtype=int),), r"log_probs has dtype int64; expected a floating-point type\."),
        ((np.zeros((3, 2, 4)), [3, 3]), r"It looks time-major: pass log_probs\.transpose\(0, 1\)\."),
        ((UNIFORM, [3]), r"input_lengths\[0\] is 3; log_probs has T = 2 frames, so it must be in 0\.\.2\."),
        (
            (np.zeros((1, 2, 7)),),
            r"log_probs has C = 7 classes, but vocabulary has 4; expected a token for each class\.$",
        ),
        ((np.zeros((1, 2, 3)),), r"has C = 3 classes, but vocabulary has 4; .*$"),
        ((bad((1, 1, 2), np.nan, 2),), r"log_probs\[1, 1\] is nan for class 2; expected finite numbers or −∞\."),
        ((bad((0, 1, 2), np.inf),), r"log_probs\[0, 1\] reaches inf; logarithms of probabilities are at most 0\."),
        ((np.exp(UNIFORM),), r"log_probs\[0, 0\] reaches 0\.25; .* for probabilities their logarithm\."),
        ((bad((0, 1), -np.inf),), r"log_probs\[0, 1\] is −∞ for every class: none is possible\."),
        ((torch.zeros(1, 2, 4, dtype=torch.bits8),), r"log_probs has dtype torch\.bits8"),
    ],
)
def test_what_is_wrong_with_frames_is_said(arguments, message):
    with pytest.raises(InvalidInputError, match=message):
        BeamDecoder(UNMARKED).decode(*arguments)


def test_one_class_too_few():
    with pytest.raises(InvalidInputError, match=r"C = 4 classes, but vocabulary has 3; .* The blank is one of them\."):
        BeamDecoder(["", "a", "b"]).decode(UNIFORM)


@pytest.mark.parametrize("count", [0, -1, 1.5, None])
def test_at_least_one_text(count):
    with pytest.raises(InvalidInputError, match=r"n_best is .*; expected a positive integer\."):
        BeamDecoder(UNMARKED).decode(UNIFORM, n_best=count)


def test_random_probs_are_read_as_they_are(engine):
    log_probs = np.log(random_probs(np.random.default_rng(7), 6, 4)) - 0.5  # not normalized: it is used as it is
    best = BeamDecoder(UNMARKED).decode(log_probs)[0][0]
    assert best.log_prob == pytest.approx(ctckit.lattice(log_probs, best.tokens).log_likelihood, abs=engine)
