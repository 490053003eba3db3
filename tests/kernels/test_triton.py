"""The Triton kernels through the public functions, on small inputs; in Triton's interpreter where there is no GPU.

The interpreter needs a quarter of a second for an item of eight frames. So the inputs are as small as possible, but
still have two tiles, two windows, repeats, and items that cannot be emitted. test_kernels_agree.py tests the kernels
directly.
"""

import os
import pickle
import re
import subprocess
import sys

import numpy as np
import pytest
import torch

import ctckit
from ctckit.errors import BackendError, InfeasibleTargetError, InvalidInputError
from ctckit.kernels.loss import BACKENDS
from tests.kernels.test_kernels_agree import expect_agreement
from tests.support.paths import ROOT
from tests.support.problems import random_batch
from tests.support.tolerances import DOUBLE, HALF_ROUNDING, HALF_STEP, SINGLE_GRADIENT, SINGLE_LOSS
from tests.support.triton_interpreter import interpreter

pytest.importorskip("triton", minversion="3.3")

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
TARGETS = torch.tensor([[1, 2, 2], [1, 1, 2], [4, -9, 99]])  # entries beyond the lengths are arbitrary
LENGTHS = torch.tensor([5, 3, 2]), torch.tensor([3, 3, 0])  # the second one cannot be emitted


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    with interpreter(monkeypatch, frames=4):
        yield


def logits(dtype=torch.float32, scale=2.0):
    x = torch.randn((3, 5, 5), generator=torch.Generator().manual_seed(0)) * scale
    for b, length in enumerate(LENGTHS[0]):
        x[b, length:] = float("nan")
    return x.to(DEVICE, dtype)


def answer(x, backend, *, upstream=1.0, **options):
    leaf = (x if backend == "triton" else x.cpu()).clone().requires_grad_()
    place = leaf.device
    loss = ctckit.ctc_loss(leaf, TARGETS.to(place), *(n.to(place) for n in LENGTHS), backend=backend, **options)
    factors = torch.arange(1, 1 + loss.numel(), device=place).reshape(loss.shape) * upstream
    torch.where(loss.isfinite(), loss * factors, 0).sum().backward()
    return loss.detach().cpu().double(), leaf.grad.cpu().double()


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("infeasible", ["inf", "zero"])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_every_option_means_what_it_means_on_the_cpu(reduction, infeasible, normalize):
    options = {"reduction": reduction, "infeasible": infeasible, "normalize": normalize}
    upstream, largest = -1.5, 3  # the largest factor in ``answer``
    (found, gradient), (expected, expected_gradient) = (
        answer(logits(), backend, upstream=upstream, **options) for backend in ("triton", "reference")
    )
    torch.testing.assert_close(found, expected, rtol=SINGLE_LOSS, atol=SINGLE_LOSS)
    torch.testing.assert_close(gradient, expected_gradient, rtol=0, atol=largest * abs(upstream) * SINGLE_GRADIENT)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_rounded_once(dtype):
    x = logits(dtype)
    (found, gradient), (expected, expected_gradient) = (
        answer(each, backend, reduction="sum", infeasible="zero")
        for backend, each in (("triton", x), ("reference", x.double()))
    )
    torch.testing.assert_close(found, expected, rtol=SINGLE_LOSS, atol=0)
    truncated = dtype == torch.bfloat16 and DEVICE == "cpu"  # by the interpreter
    rounding = (HALF_STEP if truncated else HALF_ROUNDING)[str(dtype).removeprefix("torch.")]
    torch.testing.assert_close(gradient, expected_gradient, rtol=rounding, atol=SINGLE_GRADIENT)


def test_same_bits_twice():
    first, second = (answer(logits(), "triton", reduction="none") for _ in range(2))
    for a, b in zip(first, second, strict=True):
        assert torch.equal(a, b)


def test_the_loss_of_a_malformed_item_is_nan_without_checks():
    """The kernels get unchecked targets with a blank and with a class out of range, and a length beyond the frames."""
    from ctckit.kernels.loss.triton import launch as triton_loss

    x = logits().nan_to_num()
    targets = torch.tensor([[1, 2], [1, 0], [1, 99]], device=DEVICE)
    lengths = torch.tensor([5, 6, 5], device=DEVICE), torch.tensor([2, 1, 2], device=DEVICE)
    found = triton_loss.forward(x, targets, *lengths, blank=0, input_kind="logits", differentiated=True)
    assert found.losses.isnan().tolist() == [False, True, True]
    weights = torch.ones(3, dtype=torch.float64, device=DEVICE)
    gradient = triton_loss.gradient(x, found, weights, weights.sum(), blank=0, input_kind="logits")
    assert gradient[0].isfinite().all()


def test_joined_targets_without_checks():
    """More tokens than frames cannot be emitted. An item beyond the array is malformed, and changes no other item."""
    from ctckit.kernels.loss.triton import launch as triton_loss
    from ctckit.loss import compute_cuda

    x = torch.zeros((4, 2, 5), device=DEVICE)
    tokens, lengths = torch.tensor([1, 2, 1, 2, 3, 4, 1], device=DEVICE), torch.tensor([4, -1, 2, 2], device=DEVICE)
    targets, counts = compute_cuda._padded(tokens, lengths, 2)
    frames = torch.full((4,), 2, device=DEVICE)
    found = triton_loss.forward(
        x, targets, frames, counts, blank=0, input_kind="logits", differentiated=False
    ).losses.cpu()
    np.testing.assert_allclose(found, [np.inf, np.nan, 2 * np.log(5), np.nan], rtol=SINGLE_LOSS, atol=0)


def test_cpu_inputs_are_always_validated():
    """Also if other arguments are on a device ("meta" here) and are not checked."""
    from ctckit.loss import compute_cuda
    from ctckit.loss.options import Options

    x, there = logits(), torch.zeros(3, dtype=torch.int64, device="meta")
    joined = torch.tensor([1, 2, 2, 1, 1, 2])
    for integers, message in (
        ((TARGETS, torch.tensor([5, 6, 2]), there), r"input_lengths\[1\] is 6"),
        ((TARGETS, there, torch.tensor([3, 4, 0])), r"target_lengths\[1\] is 4; targets has N = 3 columns"),
        ((TARGETS, there, torch.tensor([3, 3, 1])), r"targets\[2, 0\] is 4; with C = 4|targets\[2, 0\]"),
        ((joined, there, torch.tensor([3, 7, 0])), r"targets has 6 entries"),
    ):
        with pytest.raises(InvalidInputError, match=message):
            compute_cuda._expect_host_integers(x[:, :, :4], integers, Options(0, "none", "inf", "logits"))


@pytest.mark.parametrize("joined", [False, True])
def test_compiled_in_one_graph(joined):
    x = logits().requires_grad_()
    targets = (torch.tensor([1, 2, 2, 1, 1, 2]) if joined else TARGETS).to(DEVICE)

    def step(x):
        return ctckit.ctc_loss(2 * x, targets, *LENGTHS, backend="triton", infeasible="zero")

    torch.compile(step, fullgraph=True, backend="aot_eager")(x).backward()
    gradient, x.grad = x.grad, None
    step(x).backward()
    torch.testing.assert_close(gradient, x.grad, rtol=0, atol=0)


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_second_derivatives_are_those_of_the_cpu(reduction):
    found = []
    for backend in ("triton", "native"):
        x = logits().requires_grad_()
        upstream = torch.tensor([1.0, 2.0, 3.0] if reduction == "none" else 2.0, device=DEVICE, requires_grad=True)
        loss = ctckit.ctc_loss(x, TARGETS, *LENGTHS, backend=backend, infeasible="zero", reduction=reduction)
        (gradient,) = torch.autograd.grad(loss, x, upstream, create_graph=True)
        found.append((gradient.detach(), *torch.autograd.grad(gradient.square().sum(), (x, upstream))))
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=SINGLE_GRADIENT)


def test_messages():
    def call(x=None, **options):
        ctckit.ctc_loss(logits() if x is None else x, TARGETS, *LENGTHS, backend="triton", **options)

    with pytest.raises(InfeasibleTargetError, match=r"targets\[1\] cannot be emitted: 3 tokens with 1 adjacent"):
        call(infeasible="error")
    with pytest.raises(InvalidInputError, match=r"validate=False forbids"):
        call(infeasible="error", validate=False)
    with pytest.raises(BackendError, match=r'logits has dtype torch\.float64; backend="triton" takes float32'):
        call(logits().double())
    with pytest.raises(InvalidInputError, match=r"targets\[0, 2\] is 2, the blank"):
        ctckit.ctc_loss(logits(), torch.tensor([[1, 3, 2]] * 3), *LENGTHS, blank=2, backend="triton")


def test_the_kernels_refuse_torch_func():
    def loss_of(x):
        return ctckit.ctc_loss(x, TARGETS, *LENGTHS, backend="triton")

    with pytest.raises(BackendError, match=r'does not work within torch\.func\. Use backend="auto"'):
        torch.func.grad(loss_of)(logits())


def test_a_backend_asked_for_by_name_is_not_replaced(monkeypatch):
    from ctckit.kernels.loss.triton import launch as triton_loss

    monkeypatch.setattr(triton_loss, "is_interpreted", lambda: False)
    with pytest.raises(BackendError, match=r'backend="triton" needs CUDA tensors, logits is on cpu\. Move it, or use'):
        ctckit.ctc_loss(torch.zeros(3, 5, 5), TARGETS, *LENGTHS, backend="triton")


@pytest.mark.parametrize("shape", [(0, 4, 3), (2, 0, 3)])
def test_empty_batches(shape):
    x = torch.zeros(shape, device=DEVICE, requires_grad=True)
    none = torch.zeros(shape[0], dtype=torch.long)
    loss = ctckit.ctc_loss(
        x, torch.zeros((shape[0], 0), dtype=torch.long), none, none, reduction="sum", backend="triton"
    )
    loss.backward()
    assert (loss.item(), x.grad.abs().sum().item()) == (0, 0)


def test_joined_targets():
    tokens = torch.tensor([1, 2, 2, 1, 1, 2])
    loss = ctckit.ctc_loss(logits(), tokens, *LENGTHS, reduction="none", backend="triton").cpu()
    padded, _ = answer(logits(), "reference", reduction="none")
    torch.testing.assert_close(loss.double(), padded, rtol=SINGLE_LOSS, atol=SINGLE_LOSS)


def test_classes_beyond_one_block(monkeypatch):
    """Large vocabularies: the softmax in several blocks, the gradient in several programs."""
    from ctckit.kernels.loss.triton import launch as triton_loss

    monkeypatch.setattr(triton_loss, "MOST_CLASSES", 2)
    monkeypatch.setattr(triton_loss, "TILE", 2)
    monkeypatch.setattr(triton_loss, "CLASS_BLOCK", 2)
    (found, gradient), (expected, expected_gradient) = (
        answer(logits(scale=20.0), backend, reduction="sum", infeasible="zero") for backend in ("triton", "reference")
    )
    np.testing.assert_allclose(found, expected, rtol=SINGLE_LOSS, atol=0)
    np.testing.assert_allclose(gradient, expected_gradient, rtol=0, atol=SINGLE_GRADIENT)


def test_a_short_target_beside_one_of_several_windows(monkeypatch):
    """The windows beyond the short target add nothing to its blanks."""
    x, batch = random_batch(3, items=3, frames=44, classes=5, tokens=40, dtype=np.float32)
    batch.target_lengths[1:], batch.input_lengths[1:] = (2, 31), (6, 33)
    x = np.nan_to_num(x)
    with interpreter(monkeypatch, frames=2, pairs=32):
        expect_agreement(x, batch, "logits", np.ones(3), BACKENDS["triton"])


def test_small_integers():
    """The largest class of uint8 is not confused with the padding."""
    x = torch.randn((1, 3, 256), generator=torch.Generator().manual_seed(0)).to(DEVICE)
    gradients = []
    for kind in (torch.uint8, torch.int64):
        leaf = x.clone().requires_grad_()
        targets, lengths = torch.tensor([[254, 3]], dtype=kind, device=DEVICE), torch.tensor([3, 2], device=DEVICE)
        ctckit.ctc_loss(leaf, targets, lengths[:1], lengths[1:], backend="triton").backward()
        gradients.append(leaf.grad)
    assert torch.equal(*gradients)


@pytest.mark.parametrize("variant", [None, ctckit.CTCVariant(blank_bias=-1.0)])
def test_logits_whose_classes_are_not_contiguous(variant):
    """For example after a convolution over time: (B, C, T) transposed."""
    x = logits()
    apart = x.transpose(1, 2).contiguous().transpose(1, 2)
    for a, b in zip(*(answer(each, "triton", variant=variant) for each in (x, apart)), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("mask", [-1.7e7, -9.6e7, -9.9e7])
def test_masks_of_any_size_cost_what_they_cost(mask):
    x = torch.zeros((1, 2, 3), device=DEVICE)
    x[0, 0] = torch.tensor([0.0, mask, mask])
    loss = ctckit.ctc_loss(x, [[1, 2]], [2], [2], reduction="sum", backend="triton").item()
    assert loss == pytest.approx(-mask, rel=SINGLE_LOSS)


def test_kernels_compile_for_a_gpu(tmp_path):
    """Also without a GPU: the compiler needs only the description of one."""
    environment = {**os.environ, "TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "tests.support.triton_compilation"]
    root = ROOT
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 9
    assert all(re.search(r"registers \d+, stack 0,|compiled$", line) for line in done.stdout.splitlines())


@pytest.mark.parametrize("tokens", [0, 1, 4, 33])
def test_best_paths_are_those_of_the_reference(monkeypatch, tokens):
    """The same states and bits, with ties (the scores have few values) and masks; 33 tokens need two windows."""
    from ctckit.kernels.align import triton as triton_align
    from ctckit.kernels.loss import reference
    from ctckit.kernels.loss.triton import launch as triton_loss
    from ctckit.topology import ctc_topology

    if DEVICE == "cpu":
        monkeypatch.setattr(triton_loss, "FRAMES", 3)
        monkeypatch.setattr(triton_loss, "MOST_PAIRS", 32)
    rng = np.random.default_rng(tokens)
    targets = rng.integers(1, 4, (3, tokens))
    if tokens == 33:
        targets[:] = 1 + np.arange(tokens) % 3
    frames = tokens + 5
    scores = rng.integers(-3, 0, (3, frames, 4)).astype(np.float32)
    scores[rng.random(scores.shape) < 0.05] = -np.inf
    lengths = np.array([frames, frames - 2, tokens // 2]), np.array([tokens, tokens, tokens])
    arguments = (torch.from_numpy(each).to(DEVICE) for each in (scores, targets, *lengths))
    paths, totals = (each.cpu().numpy() for each in triton_align.viterbi(*arguments, blank=0))
    for b, (length, count) in enumerate(zip(*lengths, strict=True)):
        path, total = reference.viterbi(scores[b, :length].astype(np.float64), ctc_topology(targets[b, :count]))
        assert totals[b] == total
        assert paths[b, : len(path)].tolist() == path.tolist()
        assert (paths[b, len(path) :] == -1).all()


VARIANTS = {
    "prior, bias, delay": {"log_prior": np.linspace(-2, 1, 5), "blank_bias": -1.0, "delay_penalty": 0.1},
    "durations": {"min_frames": 2},
    "no blank": {"use_blank": False},
    "wildcards": {"wildcards": "everywhere", "wildcard_penalty": 0.5},
}


@pytest.mark.parametrize("name", VARIANTS)
def test_variants(monkeypatch, name):
    """Weighted transitions and hops; for wildcards also in several windows."""
    if DEVICE == "cpu" and name == "wildcards":
        from ctckit.kernels.loss.triton import launch as triton_loss

        monkeypatch.setattr(triton_loss, "FRAMES", 1)
        monkeypatch.setattr(triton_loss, "MOST_PAIRS", 8)
        monkeypatch.setattr(triton_loss, "FEWEST_PAIRS", 8)
    variant = ctckit.CTCVariant(**VARIANTS[name])
    options = {"reduction": "mean", "infeasible": "zero", "variant": variant}
    (found, gradient), (expected, expected_gradient) = (
        answer(logits(), backend, **options) for backend in ("triton", "reference")
    )
    torch.testing.assert_close(found, expected, rtol=SINGLE_LOSS, atol=SINGLE_LOSS)
    torch.testing.assert_close(gradient, expected_gradient, rtol=0, atol=SINGLE_GRADIENT)


def test_transition_weights_have_no_gradient_in_the_kernels():
    weights = torch.zeros(7, 7, requires_grad=True)
    with pytest.raises(BackendError, match=r'backend="triton" has no gradient of transition_weights'):
        ctckit.ctc_loss(logits(), TARGETS, *LENGTHS, backend="triton", transition_weights=weights)


@pytest.mark.parametrize("blank_scale", [1.0, 60.0])
def test_a_masked_class_does_not_hide_much_smaller_states(blank_scale):
    """Blanks and tokens are masked in turn, at scales where neighboring states differ by hundreds of powers of two."""
    x = logits(scale=60.0)
    x[:, :, 0] *= blank_scale
    x[0, 1, 0] = x[0, 3, 2] = x[1, 0, 0] = -torch.inf
    options = {"reduction": "sum", "infeasible": "zero"}
    (found, gradient), (expected, expected_gradient) = (
        answer(x, backend, **options) for backend in ("triton", "reference")
    )
    torch.testing.assert_close(found, expected, rtol=SINGLE_LOSS, atol=0)
    torch.testing.assert_close(gradient, expected_gradient, rtol=0, atol=SINGLE_GRADIENT)


def test_greedy_decoding_is_that_of_the_cpu(monkeypatch):
    """With the class for frames on a GPU; without a GPU the test selects this class itself."""
    from ctckit.decoding import greedy

    log_probs = logits().nan_to_num().log_softmax(2)
    lengths = LENGTHS[0].to(DEVICE)
    expected = ctckit.greedy_decode(log_probs.cpu(), lengths.cpu())
    monkeypatch.setattr(greedy, "_CPUFrames", greedy._DeviceFrames)
    for a, b in zip(ctckit.greedy_decode(log_probs, lengths), expected, strict=True):
        assert a.tokens == b.tokens
        assert a.spans == b.spans
        assert a.log_prob == pytest.approx(b.log_prob, rel=SINGLE_LOSS)


@pytest.fixture
def aligned_as_on_a_device(monkeypatch):
    """Make forced_align treat all tensors as it treats tensors on a GPU."""
    from ctckit import _checks
    from ctckit.alignment import forced, frames

    def frames_of(log_probs):
        return frames.DeviceFrames(_checks.frames_on_device(log_probs), single=log_probs.ndim == 2)

    monkeypatch.setattr(forced, "frames_of", frames_of)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_forced_alignment_is_that_of_the_cpu(request, dtype):
    log_probs = logits().nan_to_num().log_softmax(2).to(dtype)
    log_probs[0, 5:] = log_probs[2, 2:] = float("nan")  # frames beyond the lengths
    integers = TARGETS, torch.tensor([5, 4, 2]), LENGTHS[1]
    expected = ctckit.forced_align(log_probs.cpu(), *integers)
    request.getfixturevalue("aligned_as_on_a_device")
    found = ctckit.forced_align(log_probs, *(each.to(DEVICE) for each in integers))
    for a, b in zip(found, expected, strict=True):
        assert a.path.tolist() == b.path.tolist()
        assert a.tokens.tolist() == b.tokens.tolist()
        assert a.log_prob == pytest.approx(b.log_prob, rel=DOUBLE, abs=DOUBLE)
        assert a.spans == b.spans
        assert a.log_probs.dtype == b.log_probs.dtype
        assert pickle.loads(pickle.dumps(a)).durations.tolist() == b.durations.tolist()
    single = ctckit.forced_align(log_probs[0], TARGETS[0].to(DEVICE))[0]
    assert single.path.tolist() == expected[0].path.tolist()


def test_items_that_the_gpu_does_not_align_are_aligned_on_the_cpu(monkeypatch, aligned_as_on_a_device):
    """Wildcards, and batches whose table of transitions would be too large."""
    from ctckit.kernels.align import triton as triton_align

    log_probs = logits().nan_to_num().log_softmax(2)
    expected = [ctckit.forced_align(log_probs[b], TARGETS[b])[0].path.tolist() for b in range(2)]
    monkeypatch.setattr(triton_align, "LARGEST_TABLE", 10)
    monkeypatch.setattr(triton_align, "viterbi", None)
    assert [each.path.tolist() for each in ctckit.forced_align(log_probs[:2], TARGETS[:2])] == expected
    wild = ctckit.forced_align(log_probs[:1], [[1, -1, 2]], star=-1, edges=True)
    assert wild[0].log_probs.shape == (5, 5)


WRONG_FRAMES = [
    (0, 4, 3, float("nan"), InvalidInputError, r"log_probs\[0, 4, 3\] is nan"),
    (1, 2, 3, 0.5, InvalidInputError, r"log_probs\[1, 2\] reaches 0\.5"),
    (0, 0, slice(None), -torch.inf, InfeasibleTargetError, r"targets\[0\] cannot be emitted"),
]


@pytest.mark.parametrize(("b", "t", "c", "value", "error", "message"), WRONG_FRAMES)
def test_messages_of_alignment(aligned_as_on_a_device, b, t, c, value, error, message):
    log_probs = logits().nan_to_num().log_softmax(2)
    log_probs[b, t, c] = value
    with pytest.raises(error, match=message):
        ctckit.forced_align(log_probs, TARGETS, torch.tensor([5, 4, 2]), LENGTHS[1])
