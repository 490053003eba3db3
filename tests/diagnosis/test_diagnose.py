"""Each cause: a case in which it is found, and a similar case in which it must not be found."""

import math

import numpy as np
import pytest

from ctckit import diagnose
from tests.support.diagnosis_batches import CLASSES, TEXTS, codes, only, padded, reader, sound
from tests.support.tolerances import DOUBLE, LATTICE_DOUBLE


def test_a_sound_batch_is_healthy():
    found = diagnose(**sound())
    assert only(found).code == found.cause == "healthy"
    assert only(found).seen == "Nothing stands out: 23 of 23 tokens are read right."
    assert not found.explains_trouble
    assert found.measured == tuple(range(8))
    assert (found.left_out, found.infeasible, found.outliers) == ((), (), ())


def test_an_unlearned_but_varied_output_is_no_finding():
    logits = np.random.default_rng(1).standard_normal((8, 24, CLASSES)) * 2
    found = diagnose(**{**sound(), "logits": logits})
    assert only(found).code == "no-finding"
    assert found.reading.tokens_right > 0.5 * found.reading.tokens_expected  # babble holds any text somewhere


def test_time_major():
    batch = sound()
    expected = diagnose(**batch)
    found = diagnose(**{**batch, "logits": batch["logits"].swapaxes(0, 1)})
    assert only(found).code == "time-major"
    assert "(24, 8, 6), and there are 8 lengths" in only(found).seen
    assert found.loss_per_token == expected.loss_per_token
    assert found.read_as == ("logits transposed to (B, T, C) = (8, 24, 6)",)


def test_as_many_frames_as_items_are_not_time_major():
    assert only(diagnose(**sound(frames=8))).code == "healthy"


def test_classes_not_last():
    batch = sound()
    expected = diagnose(**batch)
    found = diagnose(**{**batch, "logits": batch["logits"].swapaxes(1, 2)})
    assert only(found).code == "classes-not-last"
    assert found.loss_per_token == expected.loss_per_token


def test_many_classes_and_few_frames_are_in_order():
    batch = sound(classes=100, frames=24)
    assert only(diagnose(**batch)).code == "healthy"
    # lengths in pixels that happen to be as large as C, with labels beyond T
    texts = [[40, 50, 60], [70, 30]]
    found = diagnose(**{**sound(texts=texts, classes=100, frames=25), "input_lengths": [100, 90]})
    assert codes(found) == ["lengths-not-in-frames"]


def test_lengths_swapped():
    batch = sound()
    swapped = {**batch, "input_lengths": batch["target_lengths"], "target_lengths": batch["input_lengths"]}
    found = diagnose(**swapped)
    assert only(found).code == "lengths-swapped"
    assert found.loss_per_token == diagnose(**batch).loss_per_token
    assert "24..24" in only(found).seen


def test_items_that_fit_both_ways_do_not_hide_the_swap():
    batch = sound()
    batch["input_lengths"][1] = 2  # as many frames as tokens
    swapped = {**batch, "input_lengths": batch["target_lengths"], "target_lengths": batch["input_lengths"]}
    assert diagnose(**swapped).cause == "lengths-swapped"


def test_swapped_lengths_within_the_padding():
    batch = sound()
    targets = np.pad(batch["targets"], ((0, 0), (0, 30)))
    swapped = {**batch, "targets": targets, "input_lengths": batch["target_lengths"], "target_lengths": [24] * 8}
    assert only(diagnose(**swapped)).code == "lengths-swapped"


def test_too_few_frames_are_not_swapped_lengths():
    batch = sound()
    found = diagnose(**{**batch, "input_lengths": [1] * 8})
    assert not found.has("lengths-swapped")
    assert found.has("infeasible-data")


@pytest.mark.parametrize(("factor", "unit"), [(4, 4.0), (2, 2.0), (320.7, 321.0)])
def test_lengths_in_another_unit(factor, unit):
    batch = sound()
    frames = np.array([24, 20, 22, 18, 24, 21, 19, 23])
    expected = diagnose(**{**batch, "input_lengths": frames})
    found = diagnose(**{**batch, "input_lengths": np.floor(frames * factor).astype(int)})
    assert only(found).code == "lengths-not-in-frames"
    assert f"by about {unit:.4g} " in only(found).remedy
    assert found.frames == tuple(frames.tolist())
    assert found.loss_per_token == expected.loss_per_token


def test_a_unit_that_is_no_whole_number_rounds_right():
    found = diagnose(**{**sound(texts=TEXTS[:3], frames=7), "input_lengths": [17] * 3})  # 17 / (17 / 7) > 7
    assert found.frames == (7, 7, 7)
    assert found.read_as == ("input_lengths divided by 2.429, rounded up",)


def test_lengths_one_frame_too_long():
    batch = sound()
    found = diagnose(**{**batch, "input_lengths": [25, *[24] * 7]})
    assert only(found).code == "lengths-not-in-frames"
    assert "1 of 8 items (0) has more frames than logits: input_lengths[0] is 25, T = 24." in only(found).seen
    assert found.measured == tuple(range(1, 8))
    assert found.left_out[0].reasons == ("lengths-not-in-frames",)


def test_one_wild_length_does_not_rescale_the_others():
    found = diagnose(**{**sound(), "input_lengths": [960, *[24] * 7]})
    assert found.frames == (960, *[24] * 7)
    assert found.measured == tuple(range(1, 8))


def test_lengths_divided_twice():
    batch = sound()
    found = diagnose(**{**batch, "input_lengths": [6, 1, 2, 3, 1, 2, 1, 3]})
    assert codes(found)[0] == "lengths-not-in-frames"
    assert "with lengths 4 times as long all would" in found.findings[0].seen
    assert found.has("infeasible-data")


def test_one_bad_item_in_a_widely_padded_batch_says_nothing_of_the_unit():
    assert codes(diagnose(**{**sound(), "input_lengths": [6, 6, 6, 6, 6, 6, 6, 3]})) == ["infeasible-data"]


def test_a_batch_padded_far_beyond_its_items_is_in_order():
    assert only(diagnose(**{**sound(), "input_lengths": [10] * 8})).code == "healthy"


def test_impossible_lengths():
    batch = sound()
    found = diagnose(**{**batch, "input_lengths": [-1, *[24] * 7], "target_lengths": [3, 9, 3, 4, 2, 3, 2, -2]})
    assert only(found).code == "lengths-out-of-range"
    assert "3 of 8 items (0, 1, 7) have impossible lengths: input_lengths[0] is -1" in only(found).seen
    assert found.measured == (2, 3, 4, 5, 6)


@pytest.mark.parametrize(
    ("label", "remedy"),
    [(6, "The highest label is C = 6: one class too few"), (-100, "looks like padding"), (50, "more than 50 classes")],
)
def test_labels_out_of_range(label, remedy):
    batch = sound()
    batch["targets"][2, 1] = label
    found = diagnose(**batch)
    assert only(found).code == "labels-out-of-range"
    assert f"targets[2, 1] is {label}; with C = 6 the classes are 0..5." in only(found).seen
    assert remedy in only(found).remedy
    assert 2 not in found.measured
    batch["target_lengths"][2] = 1  # then it stands in the padding
    assert not diagnose(**batch).has("labels-out-of-range")


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ([4, 1, 0, 0], "target_lengths counts the padding"),
        ([0, 4, 0, 1, 0], "leave them out"),
        ([4, 0, 1], "A target holds tokens only"),
    ],
)
def test_blanks_in_targets(text, remedy):
    texts = [*TEXTS, text]
    found = diagnose(**sound(texts=texts))
    assert only(found).code == "blank-in-target"
    assert "1 of 9 items (8) has the blank among the tokens" in only(found).seen
    assert remedy in only(found).remedy


def test_labels_that_count_from_the_blank():
    texts = [[label - 1 for label in text] for text in TEXTS]
    logits = np.random.default_rng(1).standard_normal((8, 24, CLASSES))  # not trained: nothing but the labels tells
    found = diagnose(logits, padded(texts), [24] * 8, [len(text) for text in texts])
    assert found.cause == "blank-in-target"
    assert "count from 0, where the blank is, and never reach 5" in found.findings[0].remedy


def test_another_blank_makes_the_same_labels_right():
    batch = sound(texts=[[label - 1 for label in text] for text in TEXTS], blank=5)
    assert only(diagnose(**batch, blank=5)).code == "healthy"


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_logits_that_are_not_finite(value):
    batch = sound()
    batch["logits"][3, 7, 2] = value
    found = diagnose(**batch)
    assert only(found).code == "not-finite"
    assert f"frame 7 of item 3 holds {'NaN' if math.isnan(value) else '+∞'}" in only(found).seen
    assert only(found).remedy.startswith("Only some items")
    assert found.measured == (0, 1, 2, 4, 5, 6, 7)
    batch["logits"][:] = value
    found = diagnose(**batch)
    assert found.cause == "not-finite"
    assert found.findings[0].remedy.startswith("All items: the weights have diverged")
    assert found.measured == ()


def test_a_frame_with_all_classes_masked():
    batch = sound()
    batch["logits"][3, 7] = -np.inf
    assert "frame 7 of item 3 has only −∞" in only(diagnose(**batch)).seen


def test_masked_classes():
    batch = sound()
    batch["logits"][:, :, 4] = -np.inf
    found = diagnose(**batch)
    assert only(found).code == "masked-classes"
    assert [each.item for each in found.left_out] == [1, 3, 5, 7]
    batch = sound(classes=CLASSES + 1)
    batch["logits"][:, :, CLASSES] = -np.inf  # a class that no target has may be masked
    assert only(diagnose(**batch)).code == "healthy"


def test_probabilities():
    batch = sound()
    probs = np.exp(batch["logits"])
    probs /= probs.sum(axis=2, keepdims=True)
    assert diagnose(**{**batch, "logits": probs}).cause == "probs-not-logits"
    assert diagnose(**{**batch, "logits": probs.astype(np.float16)}).cause == "probs-not-logits"
    assert only(diagnose(**{**batch, "logits": np.log(probs)})).code == "healthy"
    assert only(diagnose(**{**batch, "logits": np.maximum(batch["logits"], 0)})).code == "healthy"
    sum_to_one = batch["logits"] - batch["logits"].mean(axis=2, keepdims=True) + 1 / CLASSES
    assert only(diagnose(**{**batch, "logits": sum_to_one})).code == "healthy"


@pytest.mark.parametrize("shift", [1, -1])
def test_a_charset_shifted_by_one(shift):
    texts = [[label + shift for label in text] for text in TEXTS]
    batch = sound(texts=TEXTS, classes=7)
    found = diagnose(**{**batch, "targets": padded(texts)})
    assert found.cause == "charset-mismatch"
    assert f"with labels {'−1' if shift == 1 else '+1'} a target costs" in found.findings[0].seen
    assert found.relabellings[0].shift == -shift
    assert not any(trial.mapping for trial in found.relabellings)  # the same thing once more
    if shift == 1:  # shifted back, no label falls on the blank: the batch as it was
        assert found.relabellings[0].relabelled == pytest.approx(
            np.median(diagnose(**batch).loss_per_token), rel=LATTICE_DOUBLE
        )


def test_a_shift_is_seen_in_an_unsure_network_that_reads():
    batch = sound(classes=7, sure=3.0)
    found = diagnose(**{**batch, "targets": padded([[label + 1 for label in text] for text in TEXTS])})
    assert found.cause == "charset-mismatch"
    assert found.relabellings[0].relabelled > 1


def test_a_shift_is_not_claimed_of_a_network_that_knows_nothing():
    texts = [[label + 1 for label in text] for text in TEXTS]
    batch = {**sound(classes=7), "targets": padded(texts)}
    for logits in (np.zeros((8, 24, 7)), reader([[]] * 8, classes=7)):  # uniform; blanks only
        assert not diagnose(**{**batch, "logits": logits}).has("charset-mismatch")


def test_a_charset_in_another_order():
    order = np.array([0, 3, 5, 1, 2, 4])
    batch = sound(texts=TEXTS * 3)
    found = diagnose(**{**batch, "targets": order[batch["targets"]]})
    assert only(found).code == "charset-mismatch"
    assert found.relabellings[0].mapping == ((1, 3), (2, 4), (3, 1), (4, 5), (5, 2))


def test_two_classes_exchanged():
    order = np.array([0, 2, 1, 3, 4, 5])
    batch = sound(texts=TEXTS * 3)
    found = diagnose(**{**batch, "targets": order[batch["targets"]]})
    assert only(found).code == "charset-mismatch"
    assert found.relabellings[0].mapping == ((1, 2), (2, 1))


def test_a_part_of_another_charset():
    texts = [[1, 2, 3], [2, 1], [3, 3], [1, 3, 2]] * 4
    order = np.array([0, 2, 5, 4])  # the labels 2, 5 and 4 are read as 1, 2 and 3
    batch = sound(texts=texts)
    found = diagnose(**{**batch, "targets": order[batch["targets"]]})
    assert only(found).code == "charset-mismatch"
    assert found.relabellings[0].mapping == ((2, 1), (4, 3), (5, 2))


def test_one_class_read_as_another_is_an_error_of_the_network():
    batch = sound(texts=TEXTS * 3)
    logits = batch["logits"].copy()
    logits[:, :, 2] = np.maximum(logits[:, :, 2], logits[:, :, 1] + 1)  # reads 2 for each 1, and for each 2
    assert not diagnose(**{**batch, "logits": logits}).has("charset-mismatch")


def test_another_blank():
    texts = [[label - 1 for label in text] for text in TEXTS]
    batch = {**sound(texts=texts, blank=5), "targets": padded(TEXTS)}
    found = diagnose(**batch)
    assert only(found).code == "wrong-blank"
    assert "with blank = 5 and labels −1" in only(found).seen
    assert not diagnose(**{**batch, "targets": padded(texts)}, blank=5).has("wrong-blank")


def test_infeasible_items():
    found = diagnose(**{**sound(), "input_lengths": [24, 24, 3, 24, 24, 24, 24, 2]})
    assert only(found).code == "infeasible-data"
    assert only(found).seen == (
        "2 of 8 items cannot be emitted: targets[2] has 3 tokens with 1 adjacent repeat and needs 4 frames of 3. "
        "The worst lacks 2 frames."
    )
    assert [(each.item, each.frames, each.tokens, each.repeats, each.missing) for each in found.infeasible] == [
        (2, 3, 3, 1, 1),
        (7, 2, 4, 0, 2),
    ]
    assert "too few frames" in only(found).remedy
    assert only(diagnose(**{**sound(), "input_lengths": [24, 24, 4, 24, 24, 24, 24, 4]})).code == "outlier-items"
    few = sound(texts=TEXTS * 3)
    few["input_lengths"][2] = 3
    assert "leave out these items" in only(diagnose(**few)).remedy


def test_empty_targets():
    batch = sound(texts=[[], [], [], [1, 2]])
    found = diagnose(**batch)
    assert only(found).code == "empty-targets"
    assert "3 of 4 targets are empty" in only(found).seen
    assert not diagnose(**sound(texts=[[], [1], [2], [1, 2]])).has("empty-targets")


def test_the_blank_phase():
    batch = sound()
    found = diagnose(**{**batch, "logits": reader([[]] * 8, sure=3.0)})
    assert only(found).code == "blank-phase"
    assert found.blank_shares.argmax == 1.0
    assert "reads 0 of 23 tokens" in only(found).seen
    assert "normal in the first steps" in only(found).remedy
    assert found.reading.never_read == (1, 2, 3, 4, 5)


def test_another_class_everywhere_is_no_blank_phase():
    texts = [[1, 2, 3, 4] * 3] * 4
    logits = np.zeros((4, 24, CLASSES))
    logits[:, :, 3] = 2
    found = diagnose(**{**sound(texts=texts), "logits": logits})
    assert found.reading.share_read < 0.1
    assert only(found).code == "constant-output"
    logits[:, :12, 0] = 4  # half the frames blank, and still one token from each item
    assert not diagnose(**{**sound(texts=texts), "logits": logits}).has("blank-phase")


def test_much_silence_is_not_the_blank_phase():
    found = diagnose(**sound(frames=400))
    assert found.blank_shares.argmax > 0.98
    assert only(found).code == "healthy"


def test_few_frames_per_token_are_told_in_the_blank_phase():
    found = diagnose(**{**sound(frames=9), "logits": reader([[]] * 8, frames=9)})
    assert "frames per token" not in found.findings[0].remedy
    batch = {**sound(frames=9), "logits": reader([[]] * 8, frames=9), "input_lengths": [4] * 8}
    assert "There are only 1.4 frames per token" in diagnose(**batch).findings[0].remedy


def test_a_constant_output():
    row = np.array([0.0, 1.0, 0.5, 0.2, 0.1, 0.0])
    found = diagnose(**{**sound(), "logits": np.broadcast_to(row, (8, 24, CLASSES))})
    assert only(found).code == "constant-output"
    assert found.peakiness.information == pytest.approx(0, abs=DOUBLE)
    varied = np.random.default_rng(0).standard_normal((8, 24, CLASSES))
    assert not diagnose(**{**sound(), "logits": varied}).has("constant-output")


def test_items_that_stand_out():
    batch = sound()
    batch["targets"][0, :3] = [5, 4, 5]
    found = diagnose(**batch)
    assert only(found).code == "outlier-items"
    assert found.outliers == (0,)
    assert not found.explains_trouble
    silent = reader([[]] * 8)
    silent[0] *= 4
    found = diagnose(**{**batch, "logits": silent})  # a network that does not read yet
    assert found.outliers == (0,)
    assert only(found).code == "blank-phase"
    few = {name: values[:7] for name, values in batch.items()}  # too few to know what is usual
    assert diagnose(**few).outliers == ()


def test_causes_come_in_order():
    batch = sound()
    batch["targets"][1, 0] = 77
    batch["logits"][2, 0, 0] = np.nan
    batch["input_lengths"] = np.array([24, 24, 24, 2, 24, 24, 24, 24])
    found = diagnose(**{**batch, "logits": batch["logits"].swapaxes(0, 1)})
    assert codes(found) == ["time-major", "labels-out-of-range", "not-finite", "infeasible-data"]
