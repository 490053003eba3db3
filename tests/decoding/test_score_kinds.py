"""Decoders notice scores that are no log-probabilities; tests/test_distributions.py has the rules."""

import numpy as np
import pytest

from ctckit import BeamDecoder, greedy_decode
from ctckit.errors import InputWarning, InvalidInputError

PROBS = np.random.default_rng(0).dirichlet(np.full(150, 40.0), 12)
DECODER = BeamDecoder(["", *map(chr, range(0x4E00, 0x4E00 + 149))], beam_width=2)
TAKERS = {
    "greedy_decode": greedy_decode,
    "decode": DECODER.decode,
    "push": lambda scores: DECODER.stream().push(scores),
}


@pytest.fixture(params=TAKERS)
def taker(request):
    return TAKERS[request.param]


def test_flat_probabilities_are_refused(taker):
    assert PROBS.max() < 0.01 + 1e-2
    with pytest.raises(InvalidInputError, match=r"log_probs\[(0, )?0\] .*none below 0; expected natural logarithms"):
        taker(np.minimum(PROBS, 0.01))


@pytest.mark.parametrize("kind", ["log10", "logits"])
def test_other_numbers_are_noticed(taker, kind):
    scores = np.log10(PROBS) if kind == "log10" else -np.abs(np.random.default_rng(1).normal(0, 3, PROBS.shape))
    with pytest.warns(InputWarning, match=r"sum to [\d.]+ in log_probs\[(0, )?0\]; expected 1\.") as found:
        taker(scores)
    assert found[0].filename == __file__


def test_log_probabilities_pass(taker):
    taker(np.log(PROBS))
