"""On a real GPU: hard cases, random problems, same bits, no host synchronization, memory. ``pytest -m gpu``."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch

import ctckit
import ctckit.compat.torch
from ctckit.errors import BackendError
from ctckit.kernels.loss import BACKENDS, native
from tests.kernels.test_kernels_agree import CASES, expect_agreement
from tests.support.paths import ROOT
from tests.support.problems import random_batch
from tests.support.tolerances import DOUBLE, HALF_STEP, SINGLE_GRADIENT, SINGLE_LOSS, SMALLEST_LOSS, TORCH_SINGLE

pytest.importorskip("triton", minversion="3.3")
pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")]


@pytest.mark.parametrize("name", CASES)
def test_hard_cases(name):
    """Compared with the C++ core in float64, which test_kernels_agree.py compares with the reference."""
    logits, batch = CASES[name]
    expected_gradient = np.empty(logits.shape)
    expected = native.ctc_loss(logits.astype(np.float64), batch, input_kind="logits", gradient=expected_gradient)
    gradient = np.full_like(logits, np.nan)
    losses = BACKENDS["triton"](logits, batch, input_kind="logits", gradient=gradient)
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(losses[~finite], expected[~finite])
    error = np.abs(losses[finite] - expected[finite]) / np.abs(expected[finite]).clip(SMALLEST_LOSS)
    assert error.max(initial=0) <= SINGLE_LOSS
    np.testing.assert_allclose(gradient, expected_gradient, rtol=0, atol=SINGLE_GRADIENT)


@pytest.mark.parametrize("input_kind", ["logits", "scores", "log_probs"])
@pytest.mark.parametrize("seed", range(40))
def test_random_problems(seed, input_kind):
    """Numbers of classes near the sizes of blocks; targets near 32, 64 … pairs, and longer than one window of 1024."""
    rng = np.random.default_rng(seed)
    tokens = int(rng.choice([0, 1, 5, 30, 31, 32, 33, 63, 64, 127, 255, 256, 600, 1023, 1024, 1100, 2100]))
    classes = int(rng.choice([2, 3, 5, 31, 32, 33, 97, 128, 129, 1000, 1024, 1025, 8192, 8193]))
    frames = min(2 * tokens + int(rng.integers(0, 20)), 3000)
    if frames * classes > 2e6:
        classes = 33
    problem = {"items": 4, "frames": frames, "classes": classes, "tokens": tokens, "dtype": np.float32}
    logits, batch = random_batch(seed, **problem, blank=seed % classes, masks=seed % 3 == 1)
    expect_agreement(logits, batch, input_kind, rng.uniform(0.5, 2, len(batch)), BACKENDS["triton"])


def problem(items=64, frames=200, classes=97, tokens=40, dtype=torch.float32):
    generator = torch.Generator("cuda").manual_seed(0)
    logits = torch.randn((items, frames, classes), device="cuda", generator=generator).to(dtype)
    targets = torch.randint(1, classes, (items, tokens), device="cuda", generator=generator)
    lengths = torch.full((items,), frames, device="cuda"), torch.full((items,), tokens, device="cuda")
    return logits.requires_grad_(), (targets, *lengths)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_same_bits_on_a_hundred_runs(dtype):
    logits, rest = problem(classes=8, dtype=dtype)  # few classes: many equal tokens
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        first = None
        for _ in range(100):
            logits.grad = None
            loss = ctckit.ctc_loss(logits, *rest, reduction="none", validate=False)
            loss.sum().backward()
            found = loss.detach().clone(), logits.grad.clone()
            first = first or found
            assert all(torch.equal(a, b) for a, b in zip(first, found, strict=True))
    finally:
        torch.use_deterministic_algorithms(before)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_half_precision_equals_the_cpu(dtype):
    logits, rest = problem(dtype=dtype)
    ctckit.ctc_loss(logits, *rest, reduction="sum").backward()
    other = logits.detach().cpu().requires_grad_()
    ctckit.ctc_loss(other, *(each.cpu() for each in rest), reduction="sum").backward()
    rounding = HALF_STEP[str(dtype).removeprefix("torch.")]
    torch.testing.assert_close(logits.grad.cpu().float(), other.grad.float(), rtol=rounding, atol=SINGLE_GRADIENT)


def test_capture_of_a_graph():
    logits, rest = problem()
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):  # the kernels are compiled before the capture
        ctckit.ctc_loss(logits, *rest, validate=False).backward()
    torch.cuda.current_stream().wait_stream(stream)
    logits.grad = None
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = ctckit.ctc_loss(logits, *rest, validate=False)
        loss.backward()
    with torch.no_grad():
        logits.mul_(1.5)
    graph.replay()
    other = logits.detach().clone().requires_grad_()
    expected = ctckit.ctc_loss(other, *rest)
    expected.backward()
    assert torch.equal(loss, expected)
    assert torch.equal(logits.grad, other.grad)


def test_a_check_during_capture_names_the_remedy():
    logits, rest = problem()
    ctckit.ctc_loss(logits, *rest)

    def step():
        return ctckit.ctc_loss(logits + 1, *rest)  # the sum is captured, because torch warns of an empty graph

    with pytest.raises(BackendError, match=r"Pass validate=False"), torch.cuda.graph(torch.cuda.CUDAGraph()):
        step()


@pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype")
def test_there_is_no_host_synchronization():
    logits, rest = problem()
    ctckit.ctc_loss(logits, *rest, validate=False).backward()
    expected, logits.grad = logits.grad, None
    torch.cuda.set_sync_debug_mode("error")
    try:
        ctckit.ctc_loss(logits, *rest, validate=False).backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert torch.equal(logits.grad, expected)


def test_compiled_in_one_graph():
    logits, rest = problem()

    def step(x):
        return ctckit.ctc_loss(2 * x, *rest, reduction="sum", validate=False)

    torch.compile(step, fullgraph=True)(logits).backward()
    found, logits.grad = logits.grad, None
    step(logits).backward()
    torch.testing.assert_close(found, logits.grad, rtol=SINGLE_LOSS, atol=SINGLE_GRADIENT)


@pytest.mark.parametrize("kind", ["float64", "second", "transitions", "func"])
def test_calls_that_the_kernels_do_not_support_are_computed_on_the_cpu(kind):
    """The same call gives the same numbers, on the device of its input."""
    logits, rest = problem(items=3, frames=20, classes=5, tokens=4)
    found = []
    for device in ("cuda", "cpu"):
        x = logits.detach().to(device).to(torch.float64 if kind == "float64" else torch.float32).requires_grad_()
        integers = [each.to(device) for each in rest]
        weights = torch.zeros(7, 9, device=device, requires_grad=True) if kind == "transitions" else None

        def loss_of(y, integers=integers, weights=weights):
            return ctckit.ctc_loss(y, *integers, transition_weights=weights)

        if kind == "func":
            gradient = torch.func.grad(loss_of)(x)
        else:
            by = x if weights is None else weights
            (gradient,) = torch.autograd.grad(loss_of(x), by, create_graph=kind == "second")
        if kind == "second":
            (gradient,) = torch.autograd.grad(gradient.square().sum(), x)
        assert gradient.device.type == device
        found.append(gradient.cpu())
    torch.testing.assert_close(*found, rtol=0, atol=SINGLE_GRADIENT)


def test_more_items_than_a_grid_has_rows():
    logits, (_, *lengths) = problem(items=70_000, frames=4, classes=4, tokens=2)
    targets = torch.tensor([[1, 2]], device="cuda").expand(70_000, 2)
    loss = ctckit.ctc_loss(logits, targets, *lengths, reduction="none")
    loss.sum().backward()
    other = logits.detach()[-3:].cpu().requires_grad_()
    expected = ctckit.ctc_loss(other, targets[-3:].cpu(), *(each[-3:].cpu() for each in lengths), reduction="none")
    expected.sum().backward()
    torch.testing.assert_close(loss[-3:].cpu(), expected, rtol=SINGLE_LOSS, atol=SINGLE_LOSS)
    torch.testing.assert_close(logits.grad[-3:].cpu(), other.grad, rtol=0, atol=SINGLE_GRADIENT)


def test_peak_memory_of_large_vocabularies():
    """Besides the logits: the gradient, and 5 % of the size of the logits."""
    logits, rest = problem(items=64, frames=80, classes=6625, tokens=25)
    ctckit.ctc_loss(logits, *rest).backward()
    logits.grad = None
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    ctckit.ctc_loss(logits, *rest).backward()
    extra = torch.cuda.max_memory_allocated() - before
    size = logits.numel() * logits.element_size()
    assert extra <= 1.05 * size


def test_another_device_than_the_current_one():
    if torch.cuda.device_count() < 2:
        pytest.skip("needs two GPUs")
    logits, rest = problem(items=2)
    there = logits.detach().to("cuda:1").requires_grad_()
    ctckit.ctc_loss(there, *(each.to("cuda:1") for each in rest)).backward()
    ctckit.ctc_loss(logits, *rest).backward()
    assert torch.equal(there.grad.cpu(), logits.grad.cpu())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.float64])
def test_greedy_decoding_is_that_of_the_cpu(dtype):
    logits, (_, lengths, _) = problem(items=5, classes=6)
    log_probs = logits.detach().mul(4).log_softmax(2).to(dtype)
    found, expected = ctckit.greedy_decode(log_probs, lengths), ctckit.greedy_decode(log_probs.cpu(), lengths.cpu())
    for a, b in zip(found, expected, strict=True):
        assert a.tokens == b.tokens
        assert [(span.start, span.end) for span in a.spans] == [(span.start, span.end) for span in b.spans]
        assert a.log_prob == pytest.approx(b.log_prob, rel=SINGLE_LOSS)


def test_best_paths_are_those_of_the_reference():
    from ctckit.kernels.align import triton as triton_align
    from ctckit.kernels.loss import reference
    from ctckit.topology import ctc_topology

    logits, (targets, *_) = problem(items=3, frames=2400, classes=9, tokens=1100)
    log_probs = logits.detach().log_softmax(2)
    lengths = torch.tensor([2400, 2300, 10], device="cuda"), torch.tensor([1100, 700, 3], device="cuda")
    paths, totals = triton_align.viterbi(log_probs, targets, *lengths, blank=0)
    for b, (length, count) in enumerate(zip(*(each.tolist() for each in lengths), strict=True)):
        topology = ctc_topology(targets[b, :count].cpu().numpy())
        path, total = reference.viterbi(log_probs[b, :length].cpu().double().numpy(), topology)
        assert totals[b].item() == total
        assert paths[b, : len(path)].tolist() == path.tolist()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_forced_alignment_is_that_of_the_cpu(dtype):
    logits, (targets, *_) = problem(items=5)
    log_probs = logits.detach().log_softmax(2).to(dtype)
    lengths = torch.tensor([200, 190, 90, 1, 0], device="cuda"), torch.tensor([40, 40, 30, 1, 0], device="cuda")
    found = ctckit.forced_align(log_probs, targets, *lengths)
    expected = ctckit.forced_align(log_probs.cpu(), targets.cpu(), *(each.cpu() for each in lengths))
    for a, b in zip(found, expected, strict=True):
        assert a.path.tolist() == b.path.tolist()
        assert a.spans == b.spans
        assert a.log_prob == pytest.approx(b.log_prob, rel=DOUBLE, abs=DOUBLE)


@pytest.mark.parametrize("tool", ["memcheck", "racecheck"])
def test_the_sanitizer_finds_nothing(tool):
    """No access outside arrays, no race between the warps of a program."""
    sanitizer = shutil.which("compute-sanitizer")
    if sanitizer is None:
        pytest.skip("needs compute-sanitizer")
    chosen = "random_problems and (3-logits or 7-logits)"
    tests = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", __file__, "-k", chosen]
    command = [sanitizer, "--tool", tool, "--error-exitcode", "9", *tests]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout[-4000:]


def test_the_same_as_torch_with_its_signature():
    logits, (targets, *lengths) = problem(items=4)
    log_probs = logits.detach().log_softmax(2).transpose(0, 1)
    found, expected = (each.detach().clone().requires_grad_() for each in (log_probs, log_probs))
    loss = ctckit.compat.torch.ctc_loss(found, targets, *lengths, zero_infinity=True)
    other = torch.nn.functional.ctc_loss(expected, targets, *lengths, zero_infinity=True)
    loss.backward()
    other.backward()
    torch.testing.assert_close(loss, other, rtol=SINGLE_LOSS, atol=0)
    torch.testing.assert_close(found.grad, expected.grad, rtol=0, atol=TORCH_SINGLE)
