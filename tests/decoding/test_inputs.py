"""What decoders and aligners take: bfloat16, lists, and lists of items of different lengths."""

import numpy as np
import pytest

from ctckit import BeamDecoder, _checks, align_utterances, forced_align, greedy_decode, lattice
from ctckit.errors import InvalidInputError

TOKENS = ["", "a", "b"]


def items(*lengths):
    rng = np.random.default_rng(0)
    return [np.log(rng.dirichlet(np.ones(3), length)).reshape(length, 3) for length in lengths]


FORMS = {
    "arrays": lambda given: given,
    "a tuple": tuple,
    "lists": lambda given: [each.tolist() for each in given],
    "float32": lambda given: [each.astype(np.float32) for each in given],
    "mixed": lambda given: [given[0].tolist(), *given[1:]],
}


@pytest.mark.parametrize("form", FORMS)
def test_items_of_different_lengths(form):
    given = items(5, 3, 0, 6)
    ragged = FORMS[form](given)
    decoder = BeamDecoder(TOKENS)
    alone = [decoder.decode(each if form != "float32" else each.astype(np.float32))[0] for each in given]
    assert decoder.decode(ragged) == alone
    texts = [each.tokens for each in greedy_decode(given[0]) + greedy_decode(given[1])]
    assert [each.tokens for each in greedy_decode(ragged)][:2] == texts
    found = forced_align(ragged, [[1, 2], [1], [], [2]])
    assert [each.frames for each in found] == [5, 3, 0, 6]
    expected = forced_align(given[0] if form != "float32" else given[0].astype(np.float32), [1, 2])[0]
    assert found[0] == expected


def test_lists_of_frames():
    [one] = items(4)
    assert BeamDecoder(TOKENS).decode(one.tolist()) == BeamDecoder(TOKENS).decode(one)
    assert BeamDecoder(TOKENS).decode([one.tolist()]) == BeamDecoder(TOKENS).decode(one[None])
    stream = BeamDecoder(TOKENS).stream()
    stream.push(one.tolist())
    assert stream.finish() == BeamDecoder(TOKENS).decode(one)[0][0]
    assert greedy_decode(one.tolist())[0].tokens == greedy_decode(one)[0].tokens
    assert forced_align(one.tolist(), [1])[0] == forced_align(one, [1])[0]


def test_lengths_of_items_of_different_lengths():
    given = items(5, 3)
    assert BeamDecoder(TOKENS).decode(given, [4, 3])[0] == BeamDecoder(TOKENS).decode(given[0][:4])[0]
    for call in (BeamDecoder(TOKENS).decode, greedy_decode, lambda x, n: forced_align(x, [[1], [1]], n)):
        message = r"input_lengths\[1\] is 4; log_probs\[1\] has T = 3 frames, so it must be in 0\.\.3\."
        with pytest.raises(InvalidInputError, match=message):
            call(given, [5, 4])
        with pytest.raises(InvalidInputError, match=r"input_lengths has 1 entries"):
            call(given, [5])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([np.zeros((2, 3)), np.zeros((3, 4))], r"log_probs\[1\] has C = 4 classes and log_probs\[0\] has 3"),
        ([np.zeros((2, 3)), np.zeros(3)], r"log_probs\[1\] has shape \(3,\); expected \(T, C\)"),
        ([[[0.0, -1.0]], [[0.0], [0.0, 1.0]]], r"log_probs\[1\] cannot be made an array"),
        ([np.zeros((2, 3)), np.zeros((3, 3), dtype=int)], r"log_probs\[1\] has dtype int64; expected a floating-point"),
        ([np.zeros((2, 3)), 7.0], r"log_probs\[1\] has shape \(\); expected \(T, C\)"),
    ],
)
def test_items_that_do_not_fit(given, message):
    for call in (BeamDecoder(TOKENS).decode, greedy_decode, lambda x: forced_align(x, [[1], [1]])):
        with pytest.raises(InvalidInputError, match=message):
            call(given)


def test_tensors_of_different_lengths():
    torch = pytest.importorskip("torch")
    given = items(5, 3)
    tensors = [torch.from_numpy(each) for each in given]
    assert BeamDecoder(TOKENS).decode(tensors) == BeamDecoder(TOKENS).decode(given)
    assert BeamDecoder(TOKENS).decode([tensors[0], tensors[0]]) == BeamDecoder(TOKENS).decode([given[0], given[0]])
    half = [each.to(torch.bfloat16) for each in tensors]
    assert BeamDecoder(TOKENS).decode(half) == BeamDecoder(TOKENS).decode([each.float().numpy() for each in half])


def test_bfloat16_arrays():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    every = np.arange(1 << 16, dtype=np.uint16).view(ml_dtypes.bfloat16)
    exact = _checks.as_array(every, "log_probs")
    assert exact.dtype == np.float32
    bits = exact.view(np.uint32)
    number = ~np.isnan(exact)
    assert (bits[number] == (np.arange(1 << 16, dtype=np.uint32) << 16)[number]).all()
    given = [each.astype(ml_dtypes.bfloat16) for each in items(5, 5)]
    exact = [each.astype(np.float32) for each in given]
    decoder = BeamDecoder(TOKENS)
    assert decoder.decode(np.stack(given)) == decoder.decode(np.stack(exact))
    assert decoder.decode(given) == decoder.decode(exact)
    assert decoder.decode([given[0], given[1][:3]]) == decoder.decode([exact[0], exact[1][:3]])
    assert greedy_decode(given[0])[0] == greedy_decode(exact[0])[0]
    assert forced_align(given[0], [1])[0] == forced_align(exact[0], [1])[0]
    assert align_utterances(given[0], [[1]]) == align_utterances(exact[0], [[1]])
    assert lattice(given[0], [1]).log_likelihood == lattice(exact[0], [1]).log_likelihood
    stream = decoder.stream()
    stream.push(given[0])
    assert stream.finish() == decoder.decode(exact[0])[0][0]


def test_bfloat16_that_lost_its_type():
    with pytest.raises(InvalidInputError, match=r"dtype \|V2; .* If this is bfloat16, pass log_probs\.view\(ml_dtypes"):
        BeamDecoder(TOKENS).decode(np.zeros((2, 3), dtype="V2"))
