import numpy as np
import pytest
import torch

import ctckit
from ctckit.errors import InvalidInputError
from ctckit.topology import collapse
from tests.support import oracle
from tests.support.tolerances import DOUBLE


def test_text_spans_and_log_prob():
    probs = np.full((6, 3), 0.1)
    probs[range(6), [1, 1, 0, 1, 2, 0]] = 0.8
    found = ctckit.greedy_decode(np.log(probs))[0]
    assert found.tokens == (1, 1, 2)
    assert [(span.token, span.start, span.end, len(span)) for span in found.spans] == [
        (1, 0, 2, 2),
        (1, 3, 4, 1),
        (2, 4, 5, 1),
    ]
    assert [span.log_prob for span in found.spans] == pytest.approx([np.log(0.8)] * 3, abs=DOUBLE)
    assert -found.log_prob == pytest.approx(oracle.loss(probs.tolist(), (1, 1, 2), 0), abs=DOUBLE)


@pytest.mark.parametrize("blank", [0, 3])
def test_it_is_the_collapse_of_the_arg_max(blank):
    rng = np.random.default_rng(0)
    log_probs = np.log(rng.dirichlet(np.ones(5), size=(7, 30)))
    lengths = rng.integers(0, 31, 7)
    for row, length, found in zip(
        log_probs, lengths, ctckit.greedy_decode(log_probs, lengths, blank=blank), strict=True
    ):
        assert list(found.tokens) == collapse(row[:length].argmax(1), blank=blank)
        assert -found.log_prob == pytest.approx(
            -ctckit.lattice(row[:length], found.tokens, blank=blank).log_likelihood, rel=DOUBLE, abs=DOUBLE
        )
        assert all(0 <= span.start < span.end <= length for span in found.spans)


def test_the_blank_is_that_of_the_vocabulary():
    probs = np.full((4, 3), 0.1)
    probs[range(4), [0, 2, 1, 1]] = 0.8
    vocabulary = ctckit.Vocabulary(("a", "b", ""), blank=2)
    best = ctckit.greedy_decode(np.log(probs), vocabulary=vocabulary)[0]
    assert best == ctckit.greedy_decode(np.log(probs), blank=2, vocabulary=vocabulary)[0]
    assert (best.text, best.tokens) == ("ab", (0, 1))
    with pytest.raises(InvalidInputError, match=r"blank is 0, but vocabulary says 2; .* Leave blank out\."):
        ctckit.greedy_decode(np.log(probs), blank=0, vocabulary=vocabulary)
    with pytest.raises(InvalidInputError, match=r"log_probs has C = 2 classes, but vocabulary has 3"):
        ctckit.greedy_decode(np.log(probs)[:, :2], vocabulary=vocabulary)


def test_numbers_have_no_negative_zero():
    log_probs = np.full((3, 3), -np.inf)
    log_probs[range(3), [1, 0, 2]] = -0.0
    for best in (ctckit.greedy_decode(log_probs)[0], ctckit.greedy_decode(log_probs[:0])[0]):
        assert {str(each) for each in (best.log_prob, *(span.log_prob for span in best.spans))} == {"0.0"}


def test_layouts_and_types():
    log_probs = np.log(np.random.default_rng(1).dirichlet(np.ones(6), size=(2, 12)))
    expected = ctckit.greedy_decode(log_probs)
    assert ctckit.greedy_decode(np.asfortranarray(log_probs)) == expected
    assert ctckit.greedy_decode(torch.from_numpy(log_probs)) == expected
    assert ctckit.greedy_decode(log_probs[1]) == expected[1:]
    single = ctckit.greedy_decode(log_probs.astype(np.float16))
    assert [each.tokens for each in single] == [each.tokens for each in expected]


@pytest.mark.parametrize("kind", [">f8", "longdouble"])
def test_no_precision_is_lost(kind):
    log_probs = np.log(np.random.default_rng(0).dirichlet(np.ones(4), (1, 300)))
    assert ctckit.greedy_decode(log_probs.astype(kind)) == ctckit.greedy_decode(log_probs)


def test_types_that_numpy_does_not_have():
    log_probs = torch.randn(1, 6, 4, generator=torch.Generator().manual_seed(0)).log_softmax(2)
    for kind in (torch.bfloat16, torch.float8_e5m2):
        narrow = log_probs.to(kind)
        assert ctckit.greedy_decode(narrow) == ctckit.greedy_decode(narrow.float())


def test_nothing_to_read():
    assert ctckit.greedy_decode(np.zeros((0, 4, 3))) == []
    empty = ctckit.greedy_decode(np.zeros((1, 0, 3)))[0]
    assert (empty.tokens, empty.log_prob, empty.spans) == ((), 0.0, ())


def test_padding_is_not_read():
    log_probs = np.zeros((1, 4, 3))
    log_probs[0, 2:] = np.nan
    assert ctckit.greedy_decode(log_probs, [2])[0].tokens == ()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros(3),), r"log_probs has shape \(3,\); expected \(B, T, C\)\."),
        ((np.zeros((2, 3), dtype=int),), r"log_probs has dtype int64; expected a floating-point type\."),
        ((np.zeros((3, 2, 4)), [3, 3]), r"It looks time-major: pass log_probs\.transpose\(0, 1\)\."),
        ((np.zeros((1, 2, 4)), [3]), r"input_lengths\[0\] is 3; log_probs has T = 2 frames, so it must be in 0\.\.2\."),
        (
            (np.array([[-1.0, 0.0], [2.5, 0.0]]),),
            r"log_probs\[0, 1\] reaches 2\.5; logarithms of probabilities are at most",
        ),
        ((np.array([[-1.0, 0.0], [np.nan, 0.0]]),), r"log_probs\[0, 1, 0\] is nan; expected finite numbers or −∞\."),
        ((np.zeros((2, 3, 4)), [[1], [1, 2]]), r"input_lengths cannot be made an array: .*\. Pad its rows"),
        (
            (torch.zeros(2, 3).to_sparse(),),
            r"log_probs has layout torch\.sparse_coo; expected a dense tensor\. Pass log_probs\.to_dense\(\)\.",
        ),
        (
            ([torch.zeros(2, 3, requires_grad=True), torch.zeros(2, 4)],),
            r"log_probs\[1\] has C = 4 classes and log_probs\[0\] has 3; expected as many in each\.",
        ),
        (
            (torch.zeros(2, 3, dtype=torch.complex64).conj(),),
            r"log_probs has dtype complex64; expected a floating-point type\.",
        ),
        (
            (torch.zeros(2, 3, dtype=torch.bits8),),
            r"log_probs has dtype torch\.bits8; expected numbers of a type that NumPy has\.",
        ),
    ],
)
def test_what_is_wrong_is_said(arguments, message):
    with pytest.raises(InvalidInputError, match=message):
        ctckit.greedy_decode(*arguments)


def test_the_blank_is_a_class():
    with pytest.raises(InvalidInputError, match=r"blank is 4; with C = 4 the classes are 0\.\.3\."):
        ctckit.greedy_decode(np.zeros((1, 2, 4)), blank=4)
