import pytest
import torch

from ctckit.errors import InvalidInputError
from ctckit.ocr.networks.crnn import CRNN, CRNNConfig
from tests.support.networks import expect_a_batch_to_equal_its_items, with_uneven_norms
from tests.support.tolerances import CRNN_SINGLE, SMALL_CRNN_SINGLE


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return with_uneven_norms(CRNN(CRNNConfig(num_classes=11)))


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 31, 100, 101, 102, 103])
def test_frames_says_exactly_how_many_frames_a_width_gives(model, width):
    logits, lengths = model(torch.rand(2, 1, 32, width), torch.tensor([width, width]))
    assert logits.shape == (2, model.frames(width), 11)
    assert lengths.tolist() == [model.frames(width)] * 2


def test_the_sequence_is_one_vector_of_256_per_slice(model):
    slices, lengths = model.slices(torch.rand(3, 1, 32, 90), torch.tensor([90, 50, 7]))
    assert slices.shape == (3, 23, 256)
    assert lengths.tolist() == [23, 13, 2]
    assert slices[1, 13:].abs().max() == 0


def test_slices_keep_reading_order(model):
    image = torch.zeros(1, 1, 32, 120)
    width = torch.tensor([120])
    blank, _ = model.slices(image, width)
    image[..., 60:64] = 1.0
    marked, _ = model.slices(image, width)
    changed = (marked - blank).abs().sum(dim=2)[0].nonzero().flatten()
    assert 15 in changed
    assert changed.min() >= 12
    assert changed.max() <= 19


def test_a_batch_equals_its_items_whatever_the_padding_holds(model):
    expect_a_batch_to_equal_its_items(model, 32, CRNN_SINGLE)


def test_two_layers_also_start_at_each_items_own_end():
    torch.manual_seed(0)
    config = CRNNConfig(num_classes=5, channels=(4, 8), strides=((4, 2), (4, 2)), hidden=6, layers=2)
    network = CRNN(config).eval()
    image = torch.rand(1, 1, 32, 40)
    padded = torch.cat((image, torch.rand(1, 1, 32, 24)), dim=3)
    with torch.no_grad():
        alone, _ = network(image, torch.tensor([40]))
        together, _ = network(padded, torch.tensor([40]))
    torch.testing.assert_close(together[:, :10], alone, rtol=SMALL_CRNN_SINGLE, atol=SMALL_CRNN_SINGLE)


def test_the_default_is_small(model):
    assert model.parameter_count <= 1_500_000
    assert model.config.slice_features == 256
    assert model.config.frame_pixels == 4


def test_refuses_a_height_it_was_not_built_for(model):
    with pytest.raises(InvalidInputError, match=r"height 48, this CRNN reads lines 32 pixels high\. Scale"):
        model(torch.rand(1, 1, 48, 60), torch.tensor([60]))


@pytest.mark.parametrize(
    ("shape", "widths", "message"),
    [
        ((1, 32, 60), [60], r"expected \(B, 1, 32, W\): one gray channel"),
        ((1, 3, 32, 60), [60], r"images has shape \(1, 3, 32, 60\)"),
        ((2, 1, 32, 60), [60], r"widths has shape \(1,\) but images holds 2 lines"),
        ((2, 1, 32, 60), [60, 61], r"widths lie in 60..61; images 60 pixels wide hold lines of 1..60"),
        ((2, 1, 32, 60), [0, 60], r"widths lie in 0..60"),
    ],
)
def test_refuses_images_and_widths_that_do_not_fit(model, shape, widths, message):
    with pytest.raises(InvalidInputError, match=message):
        model(torch.rand(*shape), torch.tensor(widths))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": (8, 8)}, r"channels has 2 entries and strides 5"),
        ({"height": 36}, r"height is 36; the vertical strides divide it by 8"),
        ({"height": 4}, r"height is 4"),
        ({"num_classes": 1}, r"num_classes is too small"),
        ({"hidden": 0}, r"hidden is too small"),
        ({"layers": 0}, r"layers is too small"),
        ({"dropout": 1.0}, r"dropout is 1\.0; expected 0 <= dropout < 1"),
    ],
)
def test_refuses_a_shape_that_cannot_be_built(options, message):
    with pytest.raises(InvalidInputError, match=message):
        CRNNConfig(**{"num_classes": 11, **options})
