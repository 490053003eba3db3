"""Laws of the figures, and edges of what diagnose accepts."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from ctckit import diagnose
from ctckit.diagnosis.relabelling import common_tokens
from ctckit.errors import InvalidInputError
from ctckit.lattices import lattice
from tests.support.diagnosis_batches import CLASSES, codes, only, sound
from tests.support.problems import random_batch
from tests.support.tolerances import DOUBLE, LATTICE_DOUBLE


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.booleans())
@example(1557, True)  # one frame that the target makes certain: rounding must not give a negative entropy
def test_the_figures_are_what_they_say(seed, masks):
    logits, batch = random_batch(seed, masks=masks)
    found = diagnose(logits, batch.targets, batch.input_lengths, batch.target_lengths)
    assume(any(batch.input_lengths[b] for b in found.measured))  # without frames there is nothing to share
    shares = found.blank_shares
    for share in (shares.argmax, shares.prob, shares.occupancy, shares.gradient):
        assert 0 <= share <= 1 + DOUBLE
    assert shares.gradient + shares.others_gradient == pytest.approx(1, rel=DOUBLE)
    assert shares.gradient <= 0.5 + DOUBLE
    peaks = found.peakiness
    assert 0 <= peaks.information <= math.log(6) + DOUBLE
    assert 0 <= peaks.entropy <= math.log(6) + DOUBLE
    assert {each.item for each in found.left_out}.isdisjoint(found.measured)
    assert len(found.left_out) + len(found.measured) == len(batch)
    assert [each.item for each in found.infeasible] == np.flatnonzero(~batch.feasible).tolist()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_the_figures_agree_with_the_lattice(seed):
    logits, batch = random_batch(seed, items=1, frames=14)
    log_probs = logits[0] - np.logaddexp.reduce(logits[0], axis=1, keepdims=True)
    item = lattice(log_probs, batch.target(0))
    found = diagnose(logits, batch.targets, batch.input_lengths, batch.target_lengths)
    gradient = np.exp(log_probs) - item.token_occupancy
    assert found.loss_per_token[0] == pytest.approx(-item.log_likelihood / 5, rel=LATTICE_DOUBLE)
    assert found.blank_shares.occupancy == pytest.approx(item.token_occupancy[:, 0].mean(), rel=LATTICE_DOUBLE)
    assert found.blank_shares.gradient == pytest.approx(
        np.abs(gradient[:, 0]).sum() / np.abs(gradient).sum(), rel=LATTICE_DOUBLE
    )
    assert found.peakiness.frames_per_token == pytest.approx(
        (1 - item.token_occupancy[:, 0]).sum() / 5, rel=LATTICE_DOUBLE
    )


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_padding_changes_nothing(seed):
    logits, batch = random_batch(seed, dtype=np.float32)
    arguments = batch.targets, batch.input_lengths, batch.target_lengths
    expected = diagnose(logits, *arguments)
    for garbage in (0.0, 1e30, np.inf):
        other, targets = logits.copy(), batch.targets.copy()
        for b in range(len(batch)):
            other[b, batch.input_lengths[b] :] = garbage
            targets[b, batch.target_lengths[b] :] = -99
        assert str(diagnose(other, targets, *arguments[1:])) == str(expected)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000))
def test_the_page_keeps_its_width_and_the_dict_is_json(seed):
    rng = np.random.default_rng(seed)
    logits, batch = random_batch(seed, items=int(rng.integers(1, 40)), classes=int(rng.integers(2, 60)))
    input_lengths = batch.input_lengths + rng.integers(-1, 2, len(batch)) * rng.integers(0, 30)
    targets = batch.targets + (rng.random(batch.targets.shape) < 0.1) * rng.integers(-60, 60)
    target_lengths = batch.target_lengths + rng.integers(-1, 2, len(batch)) * rng.integers(0, 30)
    found = diagnose(logits, targets, input_lengths, target_lengths, blank=int(rng.integers(0, 2)))
    lines = str(found).splitlines()
    assert max(map(len, lines)) <= 96
    assert lines[0].startswith(f"diagnosis: {found.cause}, ")
    again = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert [each["code"] for each in again["findings"]] == codes(found)
    assert len(again["loss_per_token"]) == len(batch)


def test_common_tokens_against_the_table():
    rng = np.random.default_rng(0)
    for _ in range(50):
        left, right = (rng.integers(0, 4, rng.integers(0, 9)).tolist() for _ in range(2))
        table = np.zeros((len(left) + 1, len(right) + 1), int)
        for i, a in enumerate(left):
            for j, b in enumerate(right):
                table[i + 1, j + 1] = table[i, j] + 1 if a == b else max(table[i, j + 1], table[i + 1, j])
        assert common_tokens(left, right) == table[-1, -1]


# Edges


@pytest.mark.parametrize(
    ("logits", "targets", "input_lengths", "target_lengths", "cause"),
    [
        (np.zeros((0, 4, 3)), np.zeros((0, 2), int), [], [], "no-finding"),
        (np.zeros((1, 0, 3)), [[1]], [0], [1], "infeasible-data"),
        (np.zeros((1, 0, 3)), np.zeros((1, 0), int), [0], [0], "empty-targets"),
        (np.zeros((1, 3, 3)), np.zeros((1, 0), int), [3], [0], "empty-targets"),
        (np.zeros((1, 0, 3)), [[1]], [9], [1], "lengths-not-in-frames"),
        (np.zeros((1, 3, 1)), np.zeros((1, 0), int), [3], [0], "empty-targets"),
        (np.full((1, 3, 3), np.nan), [[1]], [3], [1], "not-finite"),
    ],
)
def test_edges(logits, targets, input_lengths, target_lengths, cause):
    found = diagnose(logits, targets, input_lengths, target_lengths)
    assert found.cause == cause
    assert str(found)
    json.dumps(found.to_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"logits": np.zeros((24, CLASSES))}, r"logits has shape \(24, 6\); expected \(B, T, C\)"),
        ({"logits": np.zeros((8, 24, CLASSES), int)}, r"logits has dtype int64; expected a floating-point type"),
        ({"logits": np.zeros((5, 24, CLASSES))}, r"logits has 5 entries but input_lengths has 8"),
        ({"targets": np.zeros(20, int)}, r"targets has shape \(20,\)"),
        ({"targets": np.zeros((7, 4), int)}, r"targets has 7 entries but input_lengths has 8"),
        ({"input_lengths": np.ones(8)}, r"Lengths are counts of frames and tokens, not fractions"),
        ({"target_lengths": [1, 2]}, r"target_lengths has 2 entries but input_lengths has 8"),
        ({"blank": 6}, r"blank is 6; with C = 6 the classes are 0\.\.5"),
    ],
)
def test_what_has_no_meaning_is_refused(change, message):
    with pytest.raises(InvalidInputError, match=message):
        diagnose(**{**sound(), **change})


def test_torch_tensors_of_any_float():
    torch = pytest.importorskip("torch")
    batch = sound()
    expected = diagnose(**batch)
    logits = torch.tensor(batch["logits"], requires_grad=True)
    rest = [torch.tensor(batch[name]) for name in ("targets", "input_lengths", "target_lengths")]
    assert diagnose(logits, *rest) == expected
    for dtype in (torch.float16, torch.bfloat16, torch.float32):
        assert only(diagnose(logits.to(dtype), *rest)).code == "healthy"


def test_it_needs_no_torch():
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import numpy as np, ctckit\n"
        "found = ctckit.diagnose(np.zeros((1, 2, 3)), [[1, 1]], [2], [2])\n"
        "assert found.cause == 'infeasible-data', found\n"
        "assert 'missing 1' in str(found)"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_nothing_that_was_passed_is_changed():
    batch = sound()
    before = {name: values.copy() for name, values in batch.items()}
    diagnose(**batch)
    for name, values in before.items():
        assert np.array_equal(batch[name], values), name
