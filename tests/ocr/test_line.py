"""The network for lines: frames, padding, the second reading in training."""

import numpy as np
import pytest
import torch

from ctckit.errors import InvalidInputError
from ctckit.ocr.data.batches import LineBatches
from ctckit.ocr.data.lines import Line
from ctckit.ocr.networks import NETWORKS, TwoReadings, build, name_of
from ctckit.ocr.networks.line import LineConfig, LineNetwork
from ctckit.ocr.starting import with_classes
from ctckit.ocr.training.loop import TrainingConfig, train
from ctckit.vocabulary import Vocabulary
from tests.support.networks import expect_a_batch_to_equal_its_items, with_uneven_norms
from tests.support.tolerances import CRNN_SINGLE

VOCABULARY = Vocabulary.from_characters("ab")
SMALL = {"num_classes": 3, "height": 16, "channels": (8, 12), "strides": ((4, 2), (4, 4)), "hidden": 8}


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return with_uneven_norms(LineNetwork(LineConfig(num_classes=11)))


@pytest.mark.parametrize("width", [1, 2, 7, 8, 9, 16, 17, 100, 103])
def test_frames_says_exactly_how_many_frames_a_width_gives(model, width):
    logits, lengths = model(torch.rand(2, 1, 64, width), torch.tensor([width, width]))
    assert logits.shape == (2, model.frames(width), 11)
    assert lengths.tolist() == [model.frames(width)] * 2
    assert model.frames(width) == -(-width // model.frame_pixels)


@pytest.mark.parametrize("reading", ["first", "second"])
def test_a_batch_equals_its_items_whatever_the_padding_holds(model, reading):
    def compute(images, widths):
        first, lengths, second = model.training_logits(images, widths)
        return {"first": first, "second": second}[reading], lengths

    expect_a_batch_to_equal_its_items(compute, 64, CRNN_SINGLE)


def test_a_slice_keeps_what_is_there_and_not_how_high_it_is():
    network = LineNetwork(LineConfig(**{**SMALL, "channels": (8,), "strides": ((4, 4),)})).eval()
    images = torch.zeros(2, 1, 16, 24)
    images[0, 0, 4:6, 9:11] = 1.0
    images[1, 0, 8:10, 9:11] = 1.0  # one row of slices lower
    slices, _ = network.slices(images, torch.tensor([24, 24]))
    torch.testing.assert_close(slices[0], slices[1])
    assert slices.shape == (2, 6, 8)


def test_the_readings_are_those_of_forward(model):
    images, widths = torch.rand(2, 1, 64, 50), torch.tensor([50, 20])
    with torch.no_grad():
        (logits, lengths), (first, frames, second) = model(images, widths), model.training_logits(images, widths)
    assert torch.equal(logits, first)
    assert lengths.tolist() == frames.tolist()
    assert second.shape == first.shape
    assert not torch.allclose(first, second)


def lines():
    rng = np.random.default_rng(0)
    return [Line(rng.integers(0, 256, (16, 64), dtype=np.uint8), text, text) for text in ("a", "b", "ab", "ba")]


def trained(auxiliary):
    torch.manual_seed(0)
    network = build("line", {**SMALL, "auxiliary": auxiliary})
    before = {name: value.clone() for name, value in network.state_dict().items()}
    config = TrainingConfig(steps=3, weight_decay=0.0, average=False)
    train(network, LineBatches(lines(), VOCABULARY, network, batch_size=2), VOCABULARY, config=config)
    return {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}


def test_training_teaches_by_both_readings():
    assert isinstance(build("line", SMALL), TwoReadings)
    assert not isinstance(build("crnn", {"num_classes": 3}), TwoReadings)
    assert {"auxiliary.weight", "classes.weight"} <= trained(0.3)
    without = trained(0.0)
    assert "auxiliary.weight" not in without
    assert "classes.weight" in without


def test_other_classes_keep_the_rows_of_both_readings():
    network = build("line", SMALL)
    more = with_classes(network, VOCABULARY, Vocabulary.from_characters("abc"))
    assert name_of(more) == "line"
    for layer in ("classes", "auxiliary"):
        old, new = (each.state_dict()[f"{layer}.weight"] for each in (network, more))
        assert torch.equal(new[:3], old)
        assert new.shape == (4, old.shape[1])


def test_it_is_registered_with_its_defaults():
    network = build("line", {"num_classes": 80})
    assert NETWORKS["line"].network is LineNetwork
    assert (network.height, network.frame_pixels) == (64, 8)
    assert network.parameter_count < 2_000_000


def test_refuses_a_negative_weight():
    with pytest.raises(InvalidInputError, match=r"auxiliary is -1; expected the weight of a loss, 0 or more"):
        LineConfig(num_classes=3, auxiliary=-1)
