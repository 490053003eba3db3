"""Averaged weights: what they are, when they are kept, and that runs with them can be resumed."""

import copy
import dataclasses
import itertools

import pytest
import torch

from ctckit.errors import ModelFormatError
from ctckit.ocr.networks.crnn import CRNN
from ctckit.ocr.tensor_file import read_tensors
from ctckit.ocr.training import loop
from ctckit.ocr.training.averaging import POWER, AveragedWeights
from ctckit.ocr.training.checkpoint import save_checkpoint
from ctckit.ocr.training.evaluation import compare
from ctckit.ocr.training.observing import TrainingObserver
from tests.support.tiny_training import CONFIG, LINES, TINY, assert_same_weights, run


def set_all(network, value):
    """Set all parameters and buffers of a network."""
    for tensor in network.state_dict().values():
        tensor.fill_(value)


def test_the_average_is_that_of_the_formula():
    network = CRNN(TINY)
    averaged = AveragedWeights(network)
    generator = torch.Generator().manual_seed(0)
    expected = 0.0
    for step in range(1, 30):
        value = float(torch.rand(1, generator=generator))
        set_all(network, value)
        averaged.update(network)
        expected += (1.0 - (1.0 - 1.0 / step) ** POWER) * (value - expected)
    for name, tensor in averaged.network.state_dict().items():
        if tensor.is_floating_point():  # the statistics of batch norms too
            torch.testing.assert_close(tensor, torch.full_like(tensor, expected), rtol=1e-5, atol=1e-6, msg=name)


def test_counts_are_those_of_the_network():
    network = CRNN(TINY)
    averaged = AveragedWeights(network)
    counts = [name for name, tensor in network.state_dict().items() if not tensor.is_floating_point()]
    assert counts
    for value in (3, 8, 21):
        set_all(network, value)
        averaged.update(network)
    assert all(averaged.network.state_dict()[name] == 21 for name in counts)


@pytest.mark.parametrize("steps", [100, 1000])
def test_its_age_is_a_share_of_the_run(steps):
    network = torch.nn.Linear(1, 1, bias=False).double()
    averaged = AveragedWeights(network)
    for step in range(1, steps + 1):
        set_all(network, step)
        averaged.update(network)
    assert averaged.network.weight.item() / steps == pytest.approx(POWER / (POWER + 1), abs=0.01)


def test_after_one_step_it_is_the_weights():
    network = CRNN(TINY)
    averaged = AveragedWeights(network)
    set_all(network, 2)
    averaged.update(network)
    assert_same_weights(network, averaged.network)


def test_it_goes_on_after_it_was_restored():
    network = CRNN(TINY)
    whole, first = AveragedWeights(network), AveragedWeights(network)
    for step in range(8):
        set_all(network, step**2 / 7)
        whole.update(network)
        if step == 4:
            second = AveragedWeights(network)
            second.restore(copy.deepcopy(first.network.state_dict()), 4)
        (first if step < 4 else second).update(network)
    assert_same_weights(whole.network, second.network)


class Kept(TrainingObserver):
    """Notes which weights were taken, and the last of them."""

    def __init__(self):
        self.averaged = []

    def on_validation(self, validation):
        self.averaged.append(validation.averaged)
        self.weights = copy.deepcopy(validation.model)


@pytest.mark.parametrize("better", [True, False])
def test_the_better_weights_are_kept(monkeypatch, better):
    """Here the CER of the averaged weights, which are read first, is lower or higher than that of the others."""
    calls = itertools.count(1)

    def compare_as_written(*arguments, **options):
        first = next(calls) % 2 == 1
        return dataclasses.replace(compare(*arguments, **options), cer=0.3 if first is better else 0.4)

    monkeypatch.setattr(loop, "compare", compare_as_written)
    kept = Kept()
    model, record = run(validation=LINES[:3], observers=[kept])
    assert kept.averaged == [better] * 3
    assert record.validation_cer == (0.3, 0.3, 0.3)
    assert_same_weights(model, kept.weights)
    plain, _ = run()  # the steps are the same, whatever is kept
    assert torch.equal(plain.classes.weight, model.classes.weight) is not better


def test_of_equal_readings_the_averaged_weights_are_kept(monkeypatch):
    monkeypatch.setattr(loop, "compare", lambda *given, **more: dataclasses.replace(compare(*given, **more), cer=0.5))
    kept = Kept()
    run(validation=LINES[:3], observers=[kept])
    assert kept.averaged == [True] * 3


def test_without_averaging_or_without_lines_the_weights_are_those_of_the_step():
    kept = Kept()
    off = dataclasses.replace(CONFIG, average=False)
    run(off, validation=LINES[:3], observers=[kept])
    assert kept.averaged == [False] * 3
    assert_same_weights(run()[0], run(off)[0])


def test_a_checkpoint_holds_the_average(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    run(validation=LINES[:3], checkpoint=path, stop_after=6)
    tensors, _ = read_tensors(path, remedy="")
    weights = {name.partition("/")[2] for name in tensors if name.startswith("weights/")}
    assert {name.partition("/")[2] for name in tensors if name.startswith("average/")} == weights


def test_a_checkpoint_without_its_average_is_damaged(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.safetensors"

    def save_without(path, state, **rest):
        save_checkpoint(path, dataclasses.replace(state, average={}), **rest)

    monkeypatch.setattr(loop, "save_checkpoint", save_without)
    run(validation=LINES[:3], checkpoint=path, stop_after=6)
    with pytest.raises(ModelFormatError, match=r"the checkpoint is damaged \(it has no averaged weights\)"):
        run(validation=LINES[:3], checkpoint=path, resume=True)
