import dataclasses

import numpy as np
import pytest

from ctckit.errors import InvalidInputError
from ctckit.ocr.data import synthetic
from ctckit.ocr.data.batches import prefetch
from ctckit.ocr.data.digits import load_digits
from ctckit.ocr.data.synthetic import (
    TEST_STYLE,
    TRAIN_STYLE,
    DigitBatches,
    compose_strings,
    compose_texts,
    load_digit_slice,
)
from ctckit.vocabulary import Vocabulary

VOCABULARY = Vocabulary.from_characters(synthetic.CHARSET)


def test_no_digit_image_is_in_training_and_test():
    training = set(load_digit_slice("train+validation").indices.tolist())
    test = set(load_digit_slice("test").indices.tolist())
    assert training == set(range(1437))
    assert test == set(range(1437, 1797))
    validation = set(load_digit_slice("validation").indices.tolist())
    assert validation < training
    assert validation.isdisjoint(load_digit_slice("train").indices.tolist())


def test_a_slice_holds_the_digits_that_its_indices_name():
    digits = load_digit_slice("test")
    np.testing.assert_array_equal(digits.labels, load_digits()[1][digits.indices])


def test_the_digits_are_those_of_scikit_learn():
    datasets = pytest.importorskip("sklearn.datasets")
    theirs = datasets.load_digits()
    images, values = load_digits()
    np.testing.assert_array_equal(images, theirs.images)
    np.testing.assert_array_equal(values, theirs.target)


def test_held_out_strings_are_composed_of_test_digits_only(monkeypatch):
    seen = []
    draw = synthetic._draw_digits
    monkeypatch.setattr(synthetic, "_draw_digits", lambda fields, *rest: seen.append(fields) or draw(fields, *rest))
    lines = synthetic.held_out_strings(40)
    test_fields = {field.tobytes() for field in load_digit_slice("test").fields}
    assert len(lines) == 40
    assert {field.tobytes() for field in np.concatenate(seen)} <= test_fields


def test_strings_have_three_to_eight_digits_and_32_rows():
    lines = compose_strings(load_digit_slice("train"), 300, seed=5)
    assert {len(line.text) for line in lines} == set(range(3, 9))
    assert set("".join(line.text for line in lines)) == set("0123456789")
    assert all(line.image.shape[0] == 32 and line.image.dtype == np.uint8 for line in lines)


@pytest.mark.parametrize("style", [TEST_STYLE, TRAIN_STYLE])
def test_the_same_seed_gives_the_same_lines(style):
    digits = load_digit_slice("train")
    first, second = (compose_strings(digits, 20, seed=(3, 4), style=style) for _ in range(2))
    other = compose_strings(digits, 20, seed=(3, 5), style=style)
    for a, b in zip(first, second, strict=True):
        assert a.text == b.text
        np.testing.assert_array_equal(a.image, b.image)
    assert [line.text for line in first] != [line.text for line in other]


def test_some_neighbors_touch():
    # fewer runs of inked columns than digits
    style = dataclasses.replace(TEST_STYLE, noise=(0.0, 0.0))
    touching = 0
    for line in compose_strings(load_digit_slice("test"), 100, seed=1, style=style):
        levels = line.image.astype(float)
        inked = np.flatnonzero(levels.min(axis=0) < (levels.max() + levels.min()) / 2)
        touching += 1 + int((np.diff(inked) > 1).sum()) < len(line.text)
    assert 20 <= touching <= 95


def test_batches_are_a_function_of_the_step():
    def source():
        return DigitBatches(load_digit_slice("train"), VOCABULARY, batch_size=4, seed=9)

    forwards, other = source(), source()
    batches = [forwards.batch(step) for step in range(10)]
    for step in (9, 0, 5):
        assert other.batch(step).texts == batches[step].texts
        assert other.batch(step).images.equal(batches[step].images)
    for step, batch in enumerate(prefetch(source(), range(10), ahead=3)):
        assert batch.images.equal(batches[step].images)
    assert batches[0].texts != batches[8].texts


def test_a_batch_has_ink_one_paper_zero_and_encoded_texts():
    batch = DigitBatches(load_digit_slice("train"), VOCABULARY, batch_size=6).batch(0)
    assert batch.images.shape[:3] == (6, 1, 32)
    assert 0.0 <= float(batch.images.min()) <= float(batch.images.max()) <= 1.0
    for text, target, length in zip(batch.texts, batch.targets, batch.target_lengths, strict=True):
        assert VOCABULARY.decode(target[:length].tolist()) == text
    for image, width in zip(batch.images, batch.widths.tolist(), strict=True):
        assert not image[..., width:].any()


def test_an_unknown_slice_is_refused():
    with pytest.raises(InvalidInputError, match=r"name is 'dev'; expected one of 'train', 'validation'"):
        load_digit_slice("dev")


def test_lines_of_given_texts_hold_these_texts():
    texts = ["1984", "7", "0000011111"]
    lines = compose_texts(load_digit_slice("test"), texts, seed=3)
    assert [line.text for line in lines] == texts
    assert lines[1].image.shape[1] < lines[0].image.shape[1] < lines[2].image.shape[1]
    again = compose_texts(load_digit_slice("test"), texts, seed=3)
    assert all(np.array_equal(one.image, other.image) for one, other in zip(lines, again, strict=True))


@pytest.mark.parametrize("text", ["", "12a"])
def test_texts_of_something_else_are_refused(text):
    with pytest.raises(InvalidInputError, match=r"texts\[1\] is '.*'; expected one or more of 0123456789\."):
        compose_texts(load_digit_slice("test"), ["1", text], seed=0)
