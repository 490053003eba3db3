"""TrainingWatch: what it reports, and what it does not."""

import math

import numpy as np
import pytest

import ctckit
from ctckit import diagnose
from ctckit.diagnosis import TrainingWatch
from ctckit.errors import InvalidInputError
from tests.support.diagnosis_batches import CLASSES, reader, sound


def watching(**options):
    pages = []
    return TrainingWatch(write=pages.append, **options), pages


BLANKS = {**sound(), "logits": reader([[]] * 8)}


def test_the_watch_tells_a_plateau_once():
    watch, pages = watching(patience=30)
    told = [watch(2.6, **BLANKS) for _ in range(120)]
    assert [step for step, found in enumerate(told, start=1) if found] == [30]
    assert told[29].cause == "blank-phase"
    (page,) = pages
    assert page.startswith(
        "step 30: the loss fell by less than 5 % in 30 steps (mean 2.6, then 2.6).\ndiagnosis: blank-phase"
    )


def test_the_first_fall_does_not_hide_the_plateau():
    watch, pages = watching(patience=30)
    for loss in [20.0] * 10 + [2.6] * 20:
        watch(loss, **BLANKS)
    assert len(pages) == 1


def test_the_watch_is_silent_while_the_loss_falls_or_the_network_reads():
    watch, pages = watching(patience=30)
    for step in range(120):
        watch(2.6 * 0.99**step, **BLANKS)
    for _ in range(120):
        watch(0.01, **sound())
    assert pages == []


def test_the_watch_tells_what_is_not_finite_once_a_cause():
    watch, pages = watching()
    infeasible = {**sound(), "input_lengths": [1, *[24] * 7]}
    told = [watch(math.inf, **infeasible) for _ in range(20)]
    assert [found.cause for found in told if found] == ["infeasible-data"]
    diverged = {**sound(), "logits": np.full((8, 24, CLASSES), np.nan)}
    told = [watch(math.nan, **diverged) for _ in range(40)]
    assert [found.cause for found in told if found] == ["not-finite"]
    assert [page.splitlines()[0] for page in pages] == ["step 1: the loss is inf.", "step 32: the loss is nan."]


def test_the_watch_looks_at_a_batch_only_when_it_must():
    watch, pages = watching(patience=10)
    for loss in (3.0, 2.9, 2.8, 2.7, 2.6, 2.5, 2.4, 2.2, 2.0, 1.8):
        assert watch(loss, None, None, None, None) is None
    assert pages == []


def test_the_watch_speaks_even_if_the_batch_is_innocent():
    watch, pages = watching()
    assert watch(math.nan, **sound()).cause == "healthy"
    assert len(pages) == 1


def test_the_watch_does_not_end_a_training_whose_batches_it_cannot_read():
    watch, pages = watching()
    for _ in range(5):
        assert watch(math.inf, np.zeros((4, 5)), [1], [4], [1]) is None
    assert pages == [
        "step 1: the loss is inf. The batch cannot be diagnosed: logits has shape (4, 5); expected (B, T, C). "
        "For one item pass logits[None]."
    ]


def test_the_watch_checks_its_patience():
    with pytest.raises(InvalidInputError, match=r"patience is 0; expected a positive integer"):
        TrainingWatch(patience=0)


def test_it_is_exported():
    assert ctckit.diagnose is diagnose
    assert callable(diagnose)
    assert isinstance(diagnose(**sound()), ctckit.Diagnosis)
