"""A short run of the random calls (``make fuzz`` is the long run), and tests that they find broken code."""

from dataclasses import replace

import numpy as np
import pytest

from ctckit import BeamDecoder, DecodeStream, Vocabulary
from ctckit.kernels.loss import BACKENDS
from tests.fuzz import calls, long_items, searches, sharing, texts, vocabularies
from tests.fuzz.wrong_calls import FUNCTIONS, check_refused, spoilers_of
from tests.support.tolerances import SINGLE_LOSS

WRONG = [(spoiler, function) for function in FUNCTIONS for spoiler in spoilers_of(function)]


def named(pairs):
    return {"argvalues": pairs, "ids": [f"{function}-{spoiler.__name__}" for spoiler, function in pairs]}


@pytest.mark.parametrize("seed", range(3))
def test_random_calls(seed):
    calls.ROUNDS.run(seed, range(50))


@pytest.mark.parametrize(
    ("rounds", "count"),
    [(texts, 150), (vocabularies, 40), (searches, 50), (sharing, 20), (long_items, 4)],
    ids=lambda each: getattr(each, "__name__", each),
)
@pytest.mark.filterwarnings("ignore::ctckit.errors.InputWarning")
def test_random_texts_and_searches(rounds, count):
    rounds.ROUNDS.run(0, range(count))


@pytest.mark.parametrize(("spoiler", "function"), **named(WRONG))
def test_each_wrong_call_is_refused_by_name(spoiler, function):
    for seed in range(5):
        check_refused(np.random.default_rng(seed), spoiler, function)


def broken(change):
    """Return a kernel that changes the correct losses and gradient with ``change``."""
    kernel = BACKENDS["native"]

    def run(logits, batch, *, gradient=None, **options):
        losses = kernel(logits, batch, gradient=gradient, **options)
        change(losses, np.zeros(logits.shape) if gradient is None else gradient, batch)
        return losses

    return run


def loss_scaled(losses, gradient, batch):
    losses *= 1 + 20 * SINGLE_LOSS


def gradient_negated(losses, gradient, batch):
    gradient *= -1


def padding_not_cleared(losses, gradient, batch):
    for b, length in enumerate(batch.input_lengths):
        gradient[b, length:] += 1e-3


def impossible_is_finite(losses, gradient, batch):
    losses[np.isposinf(losses)] = 1e5


def nan_spreads(losses, gradient, batch):
    if np.isnan(losses).any():
        losses[:] = np.nan


def wrong_class(losses, gradient, batch):
    gradient[...] = gradient[..., ::-1].copy()


@pytest.mark.parametrize(
    "change", [loss_scaled, gradient_negated, padding_not_cleared, impossible_is_finite, nan_spreads, wrong_class]
)
def test_the_fuzz_notices_a_broken_kernel(monkeypatch, change):
    for name in ("native", "reference"):
        monkeypatch.setitem(BACKENDS, name, broken(change))
    with pytest.raises(AssertionError, match=r"again: python -m tests\.fuzz\.calls --seed 0"):
        calls.ROUNDS.run(0, range(200))


@pytest.mark.parametrize(
    ("rounds", "owner", "name", "change", "message"),
    [
        (texts, Vocabulary, "encode", lambda encode: lambda self, text: encode(self, text)[: len(text) - 1], "encode"),
        (texts, texts, "Transcript", lambda make: lambda text, *a, **b: make(text[:3], *a, **b), "Transcript"),
        (vocabularies, Vocabulary, "decode", lambda decode: lambda self, some: decode(self, some)[1:], "are"),
        (searches, DecodeStream, "finish_all", lambda of: lambda self, n: of(self, n)[:1], "a stream gives"),
        (searches, BeamDecoder, "decode", lambda of: lambda *a, **b: of(*a, **b)[::-1], "a batch gives"),
        (searches, DecodeStream, "partial", lambda of: lambda self: replace(of(self), stable="x"), "was stable"),
        (sharing, DecodeStream, "push", lambda of: lambda self, some: of(self, some[1:]), "frames are in the stream"),
        (long_items, long_items, "LEAST_SECONDS", lambda _: -1.0, "a frame; expected at most"),
    ],
)
@pytest.mark.filterwarnings("ignore::ctckit.errors.InputWarning")
def test_the_fuzz_notices_broken_texts_and_searches(monkeypatch, rounds, owner, name, change, message):
    monkeypatch.setattr(owner, name, change(getattr(owner, name)))
    with pytest.raises(AssertionError, match=rf"(?s)({message}).*again: python -m {rounds.ROUNDS.module} --seed 0"):
        rounds.ROUNDS.run(0, range(100))


@pytest.mark.parametrize(("function", "raised"), [("ctc_loss", "AssertionError"), ("greedy_decode", "nothing")])
def test_the_fuzz_notices_a_call_that_is_not_refused(function, raised):
    with pytest.raises(AssertionError, match=rf"raised {raised}"):
        check_refused(np.random.default_rng(0), lambda rng, call: "log_probs", function)
