"""ctckit.compat.torchaudio against the recorded results of torchaudio's CPU kernel (tests/golden), and batches."""

import dataclasses
import inspect
import json
import lzma

import numpy as np
import pytest
import torch

from ctckit.compat import torchaudio as compat
from ctckit.errors import InfeasibleTargetError, InvalidInputError
from ctckit.kernels.loss import reference
from ctckit.topology import ctc_topology
from tests.support import torchaudio_cases as cases
from tests.support.paths import GOLDEN_FILES
from tests.support.tolerances import DOUBLE, HALF_ROUNDING, PUBLISHED

GOLDEN = json.loads(lzma.decompress((GOLDEN_FILES / "torchaudio.json.xz").read_bytes()))
EXACT = [seed for seed in range(cases.RANDOM_CASES) if cases.DTYPES[seed % len(cases.DTYPES)] != "float16"]
HALF = [seed for seed in range(cases.RANDOM_CASES) if seed not in EXACT]


def collapsed(path, blank):
    """The tokens of the path."""
    path = np.asarray(path)
    return path[np.append(True, path[1:] != path[:-1]) & (path != blank)].tolist()


@pytest.mark.parametrize("seeds", [EXACT[first::20] for first in range(20)], ids=lambda seeds: str(seeds[0]))
def test_short_inputs_give_torchaudio_s_paths_types_and_spans(seeds):
    for seed in seeds:
        expected, found = GOLDEN["random"][seed], cases.answer(compat, torch, cases.random_case(seed))
        assert found["path"] == expected["path"], seed
        assert found["types"] == expected["types"]
        assert [span[:3] + span[4:] for span in found["spans"]] == [span[:3] + span[4:] for span in expected["spans"]]
        means = [span[3] for span in found["spans"]], [span[3] for span in expected["spans"]]
        assert means[0] == pytest.approx(means[1], rel=PUBLISHED)


def test_half_precision_is_summed_in_float64():
    for seed in HALF:
        case, expected = cases.random_case(seed), GOLDEN["random"][seed]
        found = cases.answer(compat, torch, case)
        assert found["types"] == expected["types"]
        assert collapsed(found["path"], case.blank) == case.targets[0].tolist()
        assert cases.score(case, found["path"]) >= cases.score(case, expected["path"])
        if found["path"] == expected["path"]:
            pairs = zip(found["spans"], expected["spans"], strict=True)
            assert all(a[3] == pytest.approx(b[3], rel=4 * HALF_ROUNDING["float16"]) for a, b in pairs)


@pytest.mark.difference(
    "torchaudio",
    "arithmetic",
    "in the type of the input: paths are worse for long inputs and in half precision",
    "float64: the optimum for any length",
)
@pytest.mark.parametrize("dtype", cases.LONG)
def test_long_inputs_give_more_likely_paths(dtype):
    case = cases.long_case(dtype)
    tokens, scores = compat.forced_align(torch.from_numpy(case.log_probs), torch.from_numpy(case.targets))
    assert collapsed(tokens[0], 0) == case.targets[0].tolist()
    assert scores.dtype == getattr(torch, dtype)
    assert scores.double().sum().item() == pytest.approx(cases.score(case, tokens[0].numpy()), rel=DOUBLE)
    assert cases.score(case, tokens[0].numpy()) > GOLDEN["long"][dtype] + cases.LONG[dtype]


@pytest.mark.parametrize("name", GOLDEN["wrong"])
def test_errors_of_torchaudio_have_its_type_and_message(name):
    kind, words = GOLDEN["wrong"][name]
    with pytest.raises({"RuntimeError": RuntimeError, "ValueError": ValueError}[kind]) as caught:
        compat.forced_align(*cases.wrong_calls(torch)[name])
    assert str(caught.value).startswith(words.rstrip("."))
    assert isinstance(caught.value, InvalidInputError)


@pytest.mark.parametrize("name", GOLDEN["wrong merges"])
def test_errors_of_merge_tokens_have_its_message(name):
    kind, words = GOLDEN["wrong merges"][name]
    assert kind == "ValueError"
    with pytest.raises(ValueError, match=r"1D|same length") as caught:
        compat.merge_tokens(*cases.wrong_merges(torch)[name])
    assert str(caught.value).startswith(words.rstrip("."))


@pytest.fixture
def batch():
    """Three items of different lengths, padded with NaN; targets padded with the blank."""
    rng = np.random.default_rng(5)
    values = torch.from_numpy(rng.normal(0, 3, (3, 12, 6))).log_softmax(2)
    frames, counts = torch.tensor([12, 7, 9]), torch.tensor([4, 2, 0])
    targets = torch.tensor([[1, 2, 2, 3], [4, 5, 0, 0], [0, 0, 0, 0]])
    for b, length in enumerate(frames):
        values[b, length:] = torch.nan
    return values, targets, frames, counts


@pytest.mark.difference(
    "torchaudio", "batches", "one item", "any number; beyond an item's length the path is the blank and the score 0"
)
def test_a_batch_is_its_items(batch):
    values, targets, frames, counts = batch
    tokens, scores = compat.forced_align(*batch)
    for b in range(3):
        path, log_prob = reference.viterbi(
            values[b, : frames[b]].numpy(), ctc_topology(targets[b, : counts[b]].numpy(), blank=0)
        )
        labels = ctc_topology(targets[b, : counts[b]].numpy(), blank=0).labels
        assert tokens[b, : frames[b]].tolist() == labels[path].tolist()
        assert scores[b].sum().item() == pytest.approx(log_prob, rel=DOUBLE)
        assert (tokens[b, frames[b] :] == 0).all()
        assert (scores[b, frames[b] :] == 0).all()


@pytest.mark.difference(
    "torchaudio",
    "layouts, types",
    "contiguous; float16, 32, 64; int32 and int64 targets",
    "any strides; bfloat16 as well; any integers",
)
@pytest.mark.difference("torchaudio", "an empty target", "an error", "all blanks")
def test_an_empty_target_is_all_blanks():
    values = torch.zeros(1, 4, 3)
    tokens, scores = compat.forced_align(values, torch.zeros(1, 0, dtype=torch.int32), blank=2)
    assert tokens.tolist() == [[2, 2, 2, 2]]
    assert tokens.dtype == torch.int32
    assert (scores == 0).all()


@pytest.mark.difference("torchaudio", "the blank in the padding of a target", "an error", "not read")
def test_padding_is_not_read():
    values = torch.zeros(2, 3, 4).log_softmax(2)
    tokens, _ = compat.forced_align(values, torch.tensor([[1, 2], [3, 0]]), target_lengths=torch.tensor([2, 1]))
    assert collapsed(tokens[1], 0) == [3]
    for beyond in (-5, 99):
        found, _ = compat.forced_align(values, torch.tensor([[1, 2], [3, beyond]]), target_lengths=torch.tensor([2, 1]))
        assert torch.equal(found, tokens)


def test_gradients_flow_through_the_scores(batch):
    values, *rest = batch
    leaf = values.requires_grad_()
    tokens, scores = compat.forced_align(leaf, *rest)
    scores.sum().backward()
    expected = torch.nn.functional.one_hot(tokens, 6).double()
    for b, length in enumerate(rest[1]):
        expected[b, length:] = 0
    assert torch.equal(leaf.grad, expected)


def test_views_and_other_types_are_taken():
    case = cases.random_case(1)
    plain = torch.from_numpy(case.log_probs)
    targets = torch.from_numpy(case.targets).long()
    expected = compat.forced_align(plain, targets, blank=case.blank)
    turned = plain.transpose(1, 2).contiguous().transpose(1, 2)
    for found in (
        compat.forced_align(turned, targets, blank=case.blank),
        compat.forced_align(plain, targets.repeat(1, 2)[:, ::2][:, : targets.shape[1]] * 0 + targets, blank=case.blank),
        compat.forced_align(plain, targets.short(), blank=case.blank),
    ):
        assert torch.equal(found[0].long(), expected[0])
        assert torch.equal(found[1], expected[1])
    rounded = compat.forced_align(plain.bfloat16(), targets, blank=case.blank)
    assert rounded[1].dtype == torch.bfloat16


@pytest.mark.difference(
    "torchaudio", "a target that needs masked classes (−∞)", "a path that does not spell the target", "`RuntimeError`"
)
@pytest.mark.difference("torchaudio", "two ends that are equally good", "the last token", "the blank behind it")
@pytest.mark.parametrize("targets", [[[1, 2]], [[1, 1]]], ids=str)
def test_of_two_equally_good_ends_the_later_is_taken(targets):
    even = torch.zeros(1, 6, 4)
    tokens, scores = compat.forced_align(even, torch.tensor(targets))
    topology = ctc_topology(np.array(targets[0]), blank=0)
    path, _ = reference.viterbi(even[0].double().numpy(), topology)
    assert tokens[0].tolist() == topology.labels[path].tolist()
    assert tokens[0, -1] == 0
    assert (scores == 0).all()


def test_masked_classes_exclude_every_path():
    masked = torch.randn(1, 5, 4).log_softmax(2)
    masked[..., 1] = -torch.inf
    with pytest.raises(RuntimeError, match="every alignment passes a class") as caught:
        compat.forced_align(masked, torch.tensor([[1, 2]]))
    assert isinstance(caught.value, InfeasibleTargetError)
    assert caught.value.items == (0,)


def test_the_items_that_do_not_fit_are_named():
    values = torch.zeros(3, 3, 4).log_softmax(2)
    with pytest.raises(
        InfeasibleTargetError, match=r"length: 2, targets length: 2, .* repeats: 1 \(item 1\)"
    ) as caught:
        compat.forced_align(values, torch.tensor([[1, 2], [1, 1], [3, 3]]), torch.tensor([3, 2, 3]))
    assert caught.value.items == (1,)


@pytest.mark.difference(
    "torchaudio",
    "negative classes, NaN, +∞, lengths out of range",
    "reads outside the arrays, or returns a meaningless path",
    "`RuntimeError`",
)
@pytest.mark.parametrize("bad", [torch.nan, torch.inf], ids=str)
def test_nan_and_infinity_are_named(bad):
    values = torch.zeros(2, 3, 4).log_softmax(2)
    values[1, 2, 3] = bad
    with pytest.raises(RuntimeError, match=rf"log_probs\[1, 2\] has a class of {bad}; expected finite"):
        compat.forced_align(values, torch.tensor([[1], [2]]))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"log_probs": np.zeros((1, 5, 4))}, "log_probs is a ndarray; expected a torch tensor"),
        ({"targets": [[1, 2]]}, "targets is a list; expected a torch tensor"),
        ({"targets": torch.tensor([[1, -2]])}, r"targets\[0, 1\] is -2"),
        ({"targets": torch.tensor([[1.0, 2.0]])}, "targets has dtype float32; expected integers"),
        ({"targets": torch.tensor([[1, 2]] * 2)}, r"targets has shape \(2, 2\); expected \(B, N\) with B = 1"),
        ({"input_lengths": torch.tensor([5, 5])}, "input_lengths has 2 entries"),
        ({"input_lengths": torch.tensor([6])}, r"input_lengths\[0\] is 6"),
        ({"target_lengths": torch.tensor([-1])}, r"target_lengths\[0\] is -1"),
        ({"blank": -1}, r"blank must be within \[0, num classes\); it is -1"),
        ({"blank": 1.0}, r"blank must be within \[0, num classes\); it is 1.0"),
    ],
    ids=str,
)
def test_other_wrong_calls_have_their_message(change, words):
    arguments = {"log_probs": torch.zeros(1, 5, 4), "targets": torch.tensor([[1, 2]]), **change}
    with pytest.raises(RuntimeError, match=words) as caught:
        compat.forced_align(**arguments)
    assert isinstance(caught.value, InvalidInputError)


def test_signatures_are_torchaudio_s():
    assert list(inspect.signature(compat.forced_align).parameters) == [
        "log_probs",
        "targets",
        "input_lengths",
        "target_lengths",
        "blank",
    ]
    assert list(inspect.signature(compat.merge_tokens).parameters) == ["tokens", "scores", "blank"]
    assert [field.name for field in dataclasses.fields(compat.TokenSpan)] == ["token", "start", "end", "score"]
    span = compat.TokenSpan(1, 2, 5, 0.5)
    span.score = 0.25  # it may be changed, as there
    assert (len(span), span) == (3, compat.TokenSpan(1, 2, 5, 0.25))


def test_nothing_is_merged_into_nothing():
    assert compat.merge_tokens(torch.zeros(0, dtype=torch.long), torch.zeros(0)) == []
    assert compat.merge_tokens(torch.zeros(3, dtype=torch.long), torch.zeros(3)) == []


def test_runs_that_touch_are_told_apart_and_equal_ones_joined():
    spans = compat.merge_tokens(torch.tensor([2, 1, 1, 1, 2]), torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0]), blank=3)
    assert [(span.token, span.start, span.end, span.score) for span in spans] == [
        (2, 0, 1, 0.0),
        (1, 1, 4, 0.5),
        (2, 4, 5, 1.0),
    ]
