"""ctckit.compat.fast_ctc_decode: beam_search and viterbi_search with the arguments and results of fast-ctc-decode."""

from itertools import product

import numpy as np
import pytest

import ctckit
from ctckit.compat import fast_ctc_decode
from ctckit.compat.fast_ctc_decode import beam_search, viterbi_search
from ctckit.errors import InvalidInputError


def random_probs(seed, frames=5, classes=4):
    return np.random.default_rng(seed).dirichlet(np.full(classes, 0.6), frames).astype(np.float32)


def peaks(path, classes=5, height=0.9):
    """Probabilities of frames that lean towards the classes of a path."""
    probs = np.full((len(path), classes), (1 - height) / (classes - 1), np.float32)
    probs[np.arange(len(path)), path] = height
    return probs


def text_probs(probs):
    found = {}
    for path in product(range(probs.shape[1]), repeat=len(probs)):
        kept = [c for before, c in zip((None, *path), path, strict=False) if c and c != before]
        text = "".join("NACG"[c] for c in kept)
        found[text] = found.get(text, 0.0) + float(np.prod(probs[np.arange(len(path)), path], dtype=np.float64))
    return found


@pytest.mark.difference(
    "fast-ctc-decode",
    "the best text",
    "the best in the beam; some alignments of a text are lost with the beam",
    "compared by the sum over all alignments, and refined; so it may be another text, which is more probable",
)
@pytest.mark.parametrize("seed", range(10))
def test_the_text_is_the_most_probable_one(seed):
    probs = random_probs(seed)
    expected = text_probs(probs)
    text, path = beam_search(probs, "NACG", beam_size=50)
    assert text == max(expected, key=expected.get)
    assert len(path) == len(text)
    scaled = probs * np.linspace(0.5, 3, len(probs), dtype=np.float32)[:, None]  # rows need not sum to 1
    assert beam_search(scaled, "NACG", beam_size=50) == (text, path)


@pytest.mark.difference(
    "fast-ctc-decode",
    "the path of `beam_search`",
    "the frame in which the search first tried the label, however improbable",
    "the first frame of the label in the likeliest alignment",
)
def test_paths_are_the_first_frames_of_the_labels():
    probs = peaks([0, 0, 1, 1, 0, 1, 0, 0, 3, 3])
    assert beam_search(probs, "NACGT") == viterbi_search(probs, "NACGT") == ("AAG", [2, 5, 8])


@pytest.mark.parametrize("alphabet", ["NACGT", list("NACGT"), tuple("NACGT"), np.array(list("NACGT"))])
def test_alphabets_are_strings_or_sequences(alphabet):
    assert beam_search(peaks([1, 2, 0, 4]), alphabet)[0] == "ACT"


def test_labels_may_be_long_and_equal():
    probs = peaks([1, 0, 2, 3])
    for search in (beam_search, viterbi_search):
        assert search(probs, ["", "AAA", "CC", "AAA", "T"]) == ("AAACCAAA", [0, 2, 3])


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.float16])
@pytest.mark.difference(
    "fast-ctc-decode",
    "`network_output`",
    "a NumPy array of float32",
    "arrays, tensors and lists of any floating-point type",
)
def test_numbers_of_any_floating_type_are_taken(kind):
    probs = peaks([1, 0, 2]).astype(kind)
    assert beam_search(probs, "NACGT") == viterbi_search(probs, "NACGT") == ("AC", [0, 2])
    assert beam_search(probs.tolist(), "NACGT") == ("AC", [0, 2])
    assert beam_search(np.asfortranarray(probs), "NACGT") == ("AC", [0, 2])


def test_arguments_have_the_original_s_names_and_order():
    probs = peaks([1, 0, 2])
    named = {"network_output": probs, "alphabet": "NACGT"}
    assert beam_search(probs, "NACGT", 5, 0.1, True) == beam_search(
        **named, beam_size=5, beam_cut_threshold=0.1, collapse_repeats=True
    )
    assert viterbi_search(probs, "NACGT", True, 1.0, 0.0, True) == viterbi_search(
        **named, qstring=True, qscale=1.0, qbias=0.0, collapse_repeats=True
    )


@pytest.mark.parametrize(
    ("prob", "quality"), [(0.3, 2), (0.5, 3), (0.9, 10), (0.99, 20), (0.9999, 40), (0.999999, 40), (1.0, 40)]
)
def test_qualities_are_phred_scores(prob, quality):
    probs = np.array([[(1 - prob) / 4, prob, *[(1 - prob) / 4] * 3]], np.float64)
    text, path = viterbi_search(probs, "NACGT", qstring=True)
    assert (text, path) == ("A" + chr(33 + quality), [0])
    assert viterbi_search(probs, "NACGT", qstring=True, qscale=2.0, qbias=3.0)[0] in {
        "A" + chr(33 + 2 * quality + 3 + rounded) for rounded in (-1, 0, 1)
    }
    assert viterbi_search(probs, "NACGT", qstring=True, qbias=-50.0)[0] == "A!"


def test_the_quality_of_a_label_is_that_of_its_mean_probability():
    probs = np.array([[0.05, 0.9, 0.05], [0.05, 0.5, 0.45], [0.9, 0.05, 0.05], [0.1, 0.2, 0.7]], np.float32)
    assert viterbi_search(probs, "NAC", qstring=True) == ("AC&&", [0, 3])  # −10 · log10(1 − 0.7), twice
    assert viterbi_search(probs, "NAC", qstring=True, collapse_repeats=False) == ("AAC+$&", [0, 1, 3])


def test_viterbi_search_is_the_greedy_decoder():
    probs = random_probs(3, frames=200)
    best = ctckit.greedy_decode(np.log(probs))[0]
    text, path = viterbi_search(probs, "NACG")
    assert text == "".join("NACG"[token] for token in best.tokens)
    assert path == [span.start for span in best.spans]


def test_numbers_below_the_threshold_are_impossible():
    probs = np.array([[0.5, 0.3, 0.2], [0.4, 0.31, 0.29]], np.float32)
    assert beam_search(probs, "NAC", beam_cut_threshold=0.25)[0] == "A"
    high = np.array([[0.6, 0.2, 0.2], [0.2, 0.2, 0.6]], np.float32)
    assert beam_search(high, "NAC", beam_cut_threshold=0.3) == ("C", [1])


def test_no_frames():
    for search in (beam_search, viterbi_search):
        assert search(np.zeros((0, 3), np.float32), "NAC") == ("", [])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((peaks([1]), "NAC"), "alphabet size 3 does not match probability matrix inner dimension 5; expected a label"),
        ((peaks([1]), "NACGT", 0), "beam_size cannot be 0"),
        ((peaks([1]), "NACGT", -1), "beam_size is -1; expected a positive integer"),
        ((peaks([1]), "NACGT", 5, -0.1), r"beam_cut_threshold must be at least 0\.0; it is -0\.1"),
        (
            (peaks([1]), "NACGT", 5, 0.2),
            r"beam_cut_threshold cannot be more than 0\.2; it is 0\.2\. Expected less",
        ),
        ((peaks([1]), "NACGT", 5, np.nan), r"beam_cut_threshold must be at least 0\.0; it is nan"),
        ((peaks([1])[None], "NACGT"), r"network_output has shape \(1, 1, 5\); expected \(T, C\)"),
        ((np.zeros((2, 5), int), "NACGT"), "network_output has dtype int64; expected a floating-point type"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(InvalidInputError, match=message):
        beam_search(*arguments)


@pytest.mark.difference(
    "fast-ctc-decode",
    "`beam_search(collapse_repeats=False)`, CRF models, `beam_search_duplex`",
    "yes",
    "not there",
)
def test_what_only_the_original_has():
    with pytest.raises(InvalidInputError, match="collapse_repeats=False: beam_search always collapses repeats"):
        beam_search(peaks([1]), "NACGT", collapse_repeats=False)
    names = ("beam_search_duplex", "crf_beam_search", "crf_beam_search_duplex", "crf_greedy_search")
    assert not any(hasattr(fast_ctc_decode, name) for name in names)


@pytest.mark.difference(
    "fast-ctc-decode", "NaN in `viterbi_search`", "an empty text", "`RuntimeError`, as in `beam_search`"
)
@pytest.mark.parametrize("search", [beam_search, viterbi_search])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_and_infinity_cannot_be_compared(search, bad):
    probs = peaks([1, 2])
    probs[1, 3] = bad
    with pytest.raises(RuntimeError, match=rf"Failed to compare values .NaNs in input.*\[1, 3\] is {bad}") as caught:
        search(probs, "NACGT")
    assert isinstance(caught.value, InvalidInputError)


@pytest.mark.parametrize("probs", [np.log(peaks([1, 2])), np.zeros((2, 5), np.float32)], ids=["logarithms", "zeros"])
def test_a_frame_without_a_label_ends_the_search(probs):
    with pytest.raises(RuntimeError, match=r"Ran out of search space .beam_cut_threshold too high.*the exponential"):
        beam_search(probs, "NACGT")


def test_other_types_of_alphabets():
    with pytest.raises(TypeError, match="alphabet is 5; expected a string or a sequence"):
        beam_search(peaks([1]), 5)
    with pytest.raises(TypeError, match="alphabet"):
        beam_search(peaks([1]))
