"""ctckit.compat.pyctcdecode by default: the calls of the original, without its defects."""

import copy
import pickle
import subprocess
import sys
from itertools import product

import numpy as np
import pytest

import ctckit
from ctckit.compat import kenlm
from ctckit.compat.pyctcdecode import (
    Alphabet,
    BeamSearchDecoderCTC,
    LanguageModel,
    MultiLanguageModel,
    build_ctcdecoder,
)
from ctckit.errors import InvalidInputError
from tests.compat.test_pyctcdecode import LETTERS, peaked
from tests.support import pyctcdecode_cases as cases
from tests.support.tolerances import (
    CLEARLY_DIFFERENT,
    DOUBLE,
    HALF_ROUNDING,
    PYCTCDECODE,
    SEARCH_SINGLE,
    SLIGHTLY_DIFFERENT,
)

SMALL = ["", " ", "a", "b"]
WIDE = {"beam_width": 500, "beam_prune_logp": -200.0, "token_min_logp": -100.0}


@pytest.fixture(scope="module")
def arpa(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "small.arpa"
    path.write_text(cases.small_arpa(), encoding="utf-8")
    return path


def random_log_probs(seed, frames, classes):
    logits = np.random.default_rng(seed).normal(0, 2, (frames, classes))
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def collapsed(path, blank=0):
    kept = [label for before, label in zip((None, *path), path, strict=False) if label != before]
    return tuple(label for label in kept if label != blank)


@pytest.mark.difference(
    "pyctcdecode",
    "`logit_score`",
    "the sum over the alignments that stayed in the beam",
    "log p(text given the frames): the sum over all alignments",
)
@pytest.mark.parametrize("seed", range(8))
def test_logit_scores_are_the_sum_over_all_alignments_of_a_text(seed):
    log_probs = random_log_probs(seed, 5, 4)
    mass = {}
    for path in product(range(4), repeat=5):
        text = " ".join("".join(SMALL[label] for label in collapsed(path)).split())
        mass[text] = np.logaddexp(mass.get(text, -np.inf), sum(log_probs[t, label] for t, label in enumerate(path)))
    beams = build_ctcdecoder(SMALL).decode_beams(log_probs, **WIDE)
    assert {beam[0]: beam[3] for beam in beams} == pytest.approx(mass, abs=SEARCH_SINGLE)
    assert [beam[4] for beam in beams] == sorted((beam[4] for beam in beams), reverse=True)


@pytest.mark.difference(
    "pyctcdecode",
    "probabilities",
    "if the *mean* of the sums of the frames is 1 within 1e-9, so a second softmax is applied to rounded ones "
    "(half precision, a file)",
    "if no number is negative and *every* frame sums to 1 within 1e-3; all others are logits, and a softmax "
    "does not change log-probabilities",
)
def test_probabilities_that_were_rounded_are_not_softmaxed_again():
    log_probs = random_log_probs(0, 12, 4)
    rounded = np.exp(log_probs).astype(np.float16)  # their sums are 1 within some 1e-4: the original wants 1e-9
    default, strict = build_ctcdecoder(SMALL), build_ctcdecoder(SMALL, strict=True)
    expected = default.decode_beams(log_probs)[0]
    for probs in (rounded, rounded.astype(np.float32), np.exp(log_probs).astype(np.float32), np.exp(log_probs)):
        found = default.decode_beams(probs)[0]
        assert found[0] == expected[0]
        assert found[3] == pytest.approx(expected[3], abs=len(probs) * HALF_ROUNDING["float16"])
    right = strict.decode_beams(log_probs)[0][3]
    assert strict.decode_beams(np.exp(log_probs))[0][3] == pytest.approx(right, abs=PYCTCDECODE)
    assert strict.decode_beams(rounded.astype(np.float32))[0][3] != pytest.approx(right, abs=CLEARLY_DIFFERENT)


@pytest.mark.difference(
    "pyctcdecode",
    "logits whose sums have a mean of 1",
    "probabilities",
    "logits",
)
def test_logits_whose_sums_happen_to_be_one_are_logits():
    logits = np.array([[4.0, -1.0, -1.0, -1.0], [-1.0, -1.0, 4.0, -1.0]])
    assert logits.sum(axis=1).mean() == 1
    log_probs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    default, strict = build_ctcdecoder(SMALL), build_ctcdecoder(SMALL, strict=True)
    assert default.decode_beams(logits)[0][3] == pytest.approx(default.decode_beams(log_probs)[0][3], abs=SEARCH_SINGLE)
    assert strict.decode_beams(logits)[0][3] != pytest.approx(
        strict.decode_beams(log_probs)[0][3], abs=SLIGHTLY_DIFFERENT
    )


def test_numbers_with_one_row_that_sums_to_another_number_are_logits():
    logits = np.array([[0.9, 0.6, 0.0, 0.0], [0.0, 0.0, 0.1, 0.4]])
    assert logits.sum(axis=1).mean() == 1
    expected = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    decoder = build_ctcdecoder(SMALL)
    assert decoder.decode_beams(logits)[0][3] == pytest.approx(decoder.decode_beams(expected)[0][3], abs=SEARCH_SINGLE)


def test_the_state_is_the_one_after_the_last_word(arpa):
    model = kenlm.Model(arpa)
    state, after = kenlm.State(), kenlm.State()
    model.BeginSentenceWrite(state)
    for word in ("bagu", "be"):
        model.BaseScore(state, word, after)
        state.number = after.number
    for strict in (False, True):
        assert build_ctcdecoder(LETTERS, arpa, strict=strict).decode_beams(peaked("bagu be"))[0][1] == state
    assert build_ctcdecoder(LETTERS).decode_beams(peaked("be"))[0][1] is None


@pytest.mark.difference(
    "pyctcdecode",
    "frames of words",
    "those of the alignment that was merged last",
    "those of the likeliest alignment",
)
def test_word_frames_are_those_of_the_likeliest_alignment():
    logits = np.full((6, 4), -10.0)
    logits[[0, 1, 2, 3, 4, 5], [0, 2, 1, 0, 3, 3]] = 0
    logits[5, 0] = -0.1
    assert build_ctcdecoder(SMALL).decode_beams(logits)[0][2] == [("a", (1, 2)), ("b", (4, 6))]


def test_without_spaces_the_text_is_one_word():
    decoder = build_ctcdecoder([*"acgt", ""])
    logits = np.full((4, 5), -20.0)
    logits[[0, 1, 2, 3], [4, 0, 1, 4]] = 0
    log_probs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    beam = decoder.decode_beams(logits)[0]
    assert beam[:3] == ("ac", None, [("ac", (1, 3))])
    assert (
        beam[3]
        == beam[4]
        == pytest.approx(ctckit.lattice(log_probs, [0, 1], blank=4).log_likelihood, abs=SEARCH_SINGLE)
    )


@pytest.mark.difference(
    "pyctcdecode",
    'pieces that end in "▁"',
    "the next word begins in the entry of the beam that comes next: all entries share one flag",
    "the next word begins in the text that has the piece",
)
def test_pieces_with_an_unknown_between_words():
    decoder = build_ctcdecoder(["<unk>", "<pad>", "▁ca", "t", "▁do", "g"])
    logits = np.full((7, 6), -20.0)
    logits[np.arange(7), [2, 3, 1, 0, 1, 4, 5]] = 0
    assert decoder.decode_beams(logits)[0][:3] == ("cat ⁇ dog", None, [("cat", (0, 2)), ("⁇", (3, 4)), ("dog", (5, 7))])


@pytest.mark.difference(
    "pyctcdecode",
    "the order of labels",
    "decides ties, sums and frames: classes are visited in the order of a hash table",
    "does not matter",
)
def test_the_order_of_labels_does_not_matter():
    log_probs = random_log_probs(3, 12, 4)
    first = build_ctcdecoder(SMALL).decode_beams(log_probs)
    order = [3, 0, 2, 1]
    second = build_ctcdecoder([SMALL[k] for k in order]).decode_beams(log_probs[:, order])
    assert [beam[0] for beam in first] == [beam[0] for beam in second]
    assert [beam[4] for beam in first] == pytest.approx([beam[4] for beam in second], abs=SEARCH_SINGLE)


@pytest.mark.difference(
    "pyctcdecode",
    "`prune_history`, and `decode` compared with `decode_beams`",
    "`decode` prunes by history, so its best text may be another",
    "no effect: both search alike; `decode` rescores only the ten best texts",
)
@pytest.mark.difference(
    "pyctcdecode",
    "pools of processes",
    "used if they are forked",
    "not used: the search has threads of its own",
)
@pytest.mark.parametrize("seed", range(12))
def test_random_problems_have_sorted_different_texts_and_one_best(seed, arpa):
    case = cases.random_case(seed)
    case.build.pop("lm_score_boundary", None)
    case.settings["beam_width"] = min(10, case.settings.get("beam_width", 10))
    model = None if "" in case.labels and " " not in case.labels else case.language_model and arpa
    decoder = build_ctcdecoder(case.labels, model, **case.build)
    items = [case.logits[:20], case.logits[5:15], case.logits[:0]]
    beams = [decoder.decode_beams(each, **case.settings) for each in items]
    for each in beams:
        texts = [beam[0] for beam in each]
        assert len(set(texts)) == len(texts)
        scores = [beam[4] for beam in each]
        assert scores == sorted(scores, reverse=True)
        assert scores[-1] >= scores[0] + case.settings.get("beam_prune_logp", -10.0)
        assert [word for word, _ in each[0][2]] == texts[0].split()
    batch = decoder.decode_beams_batch("not looked at", items, **case.settings)
    assert [[(beam[0], *beam[2:]) for beam in each] for each in beams] == [
        [
            (text, words, pytest.approx(logit, abs=DOUBLE), pytest.approx(score, abs=DOUBLE))
            for text, words, logit, score in each
        ]
        for each in batch
    ]
    case.settings.pop("prune_history", None)
    assert decoder.decode_batch(None, items, **case.settings) == [each[0][0] for each in beams]
    assert [decoder.decode(each, **case.settings) for each in items] == [each[0][0] for each in beams]


@pytest.mark.difference(
    "pyctcdecode", "classes of probability 0, masked with −∞", "get a probability of 1e-15", "stay impossible"
)
@pytest.mark.filterwarnings("ignore:The labels have no space")
@pytest.mark.parametrize("row", [[0.0, -np.inf], [1.0, 0.0]], ids=["logits", "probabilities"])
def test_impossible_classes_stay_impossible(row):
    settings = {"token_min_logp": -200.0, "beam_prune_logp": -200.0}
    assert [beam.text for beam in build_ctcdecoder(["", "a"]).decode_beams(np.array([row]), **settings)] == [""]


def test_no_items():
    assert build_ctcdecoder(SMALL).decode_beams_batch(None, []) == []


class AnotherModel:
    """A model of another package, as kenlm's: it knows its file."""

    def __init__(self, path):
        self.path = str(path).encode()
        inner = kenlm.Model(path)
        self.order, self._contains = inner.order, inner.__contains__
        self.BaseScore, self.BeginSentenceWrite = inner.BaseScore, inner.BeginSentenceWrite
        self.NullContextWrite = inner.NullContextWrite

    def __contains__(self, word):
        return self._contains(word)


State = kenlm.State  # beside AnotherModel, as in kenlm's module


@pytest.mark.parametrize("strict", [True, False])
def test_models_of_the_kenlm_package_are_taken(strict, arpa, tmp_path):
    klm = tmp_path / "small.klm"
    klm.write_bytes(arpa.read_bytes())
    decoders = [
        BeamSearchDecoderCTC(Alphabet(LETTERS, False), LanguageModel(model, cases.vocabulary()), strict=strict)
        for model in (AnotherModel(klm), kenlm.Model(arpa))
    ]
    logits = peaked("bagu be", height=3.0)
    assert decoders[0].decode_beams(logits) == decoders[1].decode_beams(logits)
    decoders[0].save_to_dir(tmp_path)
    assert (tmp_path / "language_model" / "small.arpa").read_bytes() == arpa.read_bytes()
    again = BeamSearchDecoderCTC.load_from_dir(tmp_path, strict=strict)
    assert again.decode_beams(logits) == decoders[1].decode_beams(logits)


@pytest.mark.difference(
    "pyctcdecode",
    "`lm_start_state`, `partial_decode_beams`, `lm_score_boundary=False`, a negative `alpha`, "
    "`MultiLanguageModel`, own `AbstractLanguageModel`s, a language model without spaces among the labels",
    "yes",
    "an error that names `strict=True`",
)
def test_what_only_the_original_s_search_does_is_said(arpa, tmp_path):
    logits = peaked("be")
    with pytest.raises(InvalidInputError, match=r"lm_start_state needs strict=True: .*BeamDecoder\(…\)\.stream\(\)"):
        build_ctcdecoder(LETTERS, arpa).decode(logits, lm_start_state=kenlm.State())
    with pytest.raises(InvalidInputError, match=r"partial_decode_beams needs strict=True: .*BeamDecoder\(…\)\.stream"):
        build_ctcdecoder(LETTERS, arpa).get_starting_state()
    with pytest.raises(InvalidInputError, match="partial_decode_beams needs strict=True"):
        build_ctcdecoder(LETTERS, arpa).partial_decode_beams(logits, {}, {}, [], 0)
    with pytest.raises(InvalidInputError, match="lm_score_boundary=False needs strict=True"):
        build_ctcdecoder(LETTERS, arpa, lm_score_boundary=False).decode(logits)
    with pytest.raises(InvalidInputError, match=r"alpha=-1\.0, unk_score_offset=-10\.0 needs strict=True"):
        build_ctcdecoder(LETTERS, arpa, alpha=-1.0).decode(logits)
    with pytest.raises(InvalidInputError, match="A language model without ' ' or '▁' among the labels needs strict"):
        build_ctcdecoder(["", *"abe"], arpa).decode(np.zeros((2, 4)))
    models = [LanguageModel(kenlm.Model(arpa)) for _ in range(2)]
    with pytest.raises(InvalidInputError, match="A MultiLanguageModel needs strict=True"):
        BeamSearchDecoderCTC(Alphabet(LETTERS, False), MultiLanguageModel(models)).decode(logits)
    with pytest.raises(InvalidInputError, match=r"tokens\[1\] is '', the same as tokens\[0\]"):
        BeamSearchDecoderCTC(Alphabet(["", "", "a"], False)).decode(np.zeros((2, 3)))


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.filterwarnings("ignore:The labels have no space")
def test_whole_numbers_are_scores(strict):
    decoder = build_ctcdecoder(["", "a", "b"], strict=strict)
    scores = np.array([[-9, 0, -9], [-9, -9, 0]])
    for kind in (np.int64, np.int8):
        assert decoder.decode(scores.astype(kind)) == "ab" == decoder.decode(scores.astype(np.float64))


SENT = """
import pickle, sys
import numpy as np
decoder, logits = pickle.load(sys.stdin.buffer)
print(decoder.decode(logits))
"""


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("with_model", [False, True])
@pytest.mark.filterwarnings("ignore:The labels have no space")
def test_decoders_travel_to_other_processes(tmp_path, strict, with_model):
    """Before, they said that their model is gone, even without a model."""
    path = tmp_path / "model.arpa"
    ctckit.NGramModel.train(["ab ab ba", "ba ab"], order=2).save(path)
    decoder = build_ctcdecoder(["", " ", "a", "b"], path if with_model else None, strict=strict)
    logits = np.log(np.random.default_rng(3).dirichlet(np.ones(4), 12))
    expected = decoder.decode(logits)
    sent = pickle.dumps((decoder, logits))
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", SENT], input=sent, capture_output=True, check=False)
    assert done.stdout.decode().rstrip("\n") == expected, done.stderr.decode()
    twin = copy.deepcopy(decoder)
    decoder.cleanup()
    assert twin.decode(logits) == expected
    with pytest.raises(InvalidInputError, match=r"gone after cleanup\(\)"):
        copy.deepcopy(decoder).decode(logits)
