"""Random calls of the public functions: ``python -m tests.fuzz.calls --rounds 60000 --seed 2`` (``make fuzz``).

Valid calls, of all types, layouts and options, must agree with the float64 reference for each item. Where there are few
paths, the reference must agree with the sum over all of them. Invalid calls (wrong_calls.py) must be refused. A round
depends only on the seed and its number: a failure shows the command that runs it again.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch

import ctckit
from ctckit.compat import torch as compat
from ctckit.errors import InfeasibleTargetError
from ctckit.kernels.loss import reference
from ctckit.topology import collapse, ctc_topology, frames_needed
from tests.fuzz import wrong_calls
from tests.fuzz.rounds import Rounds, expect, shown
from tests.support import oracle
from tests.support.tolerances import DOUBLE, HALF_ROUNDING, SINGLE_GRADIENT, SINGLE_LOSS

MOST_PATHS = 300  # the oracle lists at most this many paths for one item
FLOATS = {"float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32, "float64": torch.float64}
INTEGERS = (torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8)
LAYOUTS = ("contiguous", "time first", "classes apart", "sliced", "one item expanded", "one frame expanded", "turned")


def expect_close(found, expected, allowed, what):
    """Check that numbers are equal, or both NaN, or finite and nearly equal."""
    found, expected = np.asarray(found), np.asarray(expected)
    with np.errstate(invalid="ignore"):
        near = np.isfinite(expected) & (np.abs(found - expected) <= allowed)
    if not ((found == expected) | (np.isnan(found) & np.isnan(expected)) | near).all():
        raise AssertionError(f"{what} is\n{found}\nexpected\n{expected}")


@dataclass
class Problem:
    """The data of a call, in float64 and int64; the types and layouts of the arguments are chosen separately."""

    logits: np.ndarray  # (B, T, C), exactly representable in ``dtype``
    dtype: str
    targets: np.ndarray  # (B, N), arbitrary beyond the lengths
    input_lengths: np.ndarray
    target_lengths: np.ndarray
    blank: int
    layout: str

    def target(self, b):
        return self.targets[b, : self.target_lengths[b]]

    def frames_of(self, b):
        return self.logits[b, : self.input_lengths[b]]

    @property
    def precision(self):
        return "float64" if self.dtype == "float64" else "float32"


def random_problem(rng):
    dtype = str(rng.choice(list(FLOATS)))
    items, classes = int(rng.integers(0, 5)), int(rng.integers(1, 6) if rng.random() < 0.85 else rng.integers(6, 70))
    frames = int(rng.integers(0, 8) if rng.random() < 0.85 else rng.integers(8, 60))
    tokens = int(rng.integers(0, frames + 2)) if classes > 1 else 0
    blank = int(rng.integers(classes))
    logits = rng.standard_normal((items, frames, classes)) * rng.choice([0.1, 1, 5, 30])
    if rng.random() < 0.3:
        logits[rng.random(logits.shape) < 0.15] = -np.inf
    layout = str(rng.choice(LAYOUTS))
    if layout == "one item expanded" and items:
        logits[:] = logits[0]
    if layout == "one frame expanded" and frames:
        logits[:] = logits[:, :1]
    input_lengths = np.where(rng.random(items) < 0.6, frames, rng.integers(0, frames + 1, items))
    if not layout.endswith("expanded"):  # an expanded view has the same numbers in its padding
        for b, length in enumerate(input_lengths):
            logits[b, length:] = rng.choice([np.nan, np.inf, 0])
            if length and rng.random() < 0.04:
                logits[b, rng.integers(length), rng.integers(classes)] = rng.choice([np.nan, np.inf])
    target_lengths = np.where(rng.random(items) < 0.6, tokens, rng.integers(0, tokens + 1, items))
    targets = random_targets(rng, items, tokens, classes, blank)
    for b, length in enumerate(target_lengths):
        targets[b, length:] = rng.choice([blank, classes, 100])
    rounded = torch.from_numpy(logits).to(FLOATS[dtype]).double().numpy()
    return Problem(rounded, dtype, targets, input_lengths, target_lengths, blank, layout)


def random_targets(rng, items, tokens, classes, blank):
    others = np.array([c for c in range(classes) if c != blank], dtype=np.int64)
    targets = rng.choice(others, (items, tokens)) if tokens else np.zeros((items, 0), dtype=np.int64)
    for n in range(1, tokens):
        repeats = rng.random(items) < 0.3
        targets[repeats, n] = targets[repeats, n - 1]
    return targets


def arranged(values, layout):
    """Return the same (B, T, C) numbers with other strides."""
    if layout == "time first":
        return values.transpose(0, 1).contiguous().transpose(0, 1)
    if layout == "classes apart":
        return values.repeat_interleave(2, dim=2)[:, :, ::2]
    if layout == "sliced":
        wide = values.new_full([size + 2 for size in values.shape], math.nan)
        wide[1:-1, 1:-1, 1:-1] = values
        return wide[1:-1, 1:-1, 1:-1]
    if layout == "one item expanded" and len(values):
        return values[:1].clone().expand_as(values)
    if layout == "one frame expanded" and values.shape[1]:
        return values[:, :1].clone().expand_as(values)
    if layout == "turned":
        return values.permute(2, 1, 0).contiguous().permute(2, 1, 0)
    return values.clone()


def as_passed(rng, array, *, nested=False):
    """Return integers in a form that users pass: tensors of any type, arrays, lists, tuples."""
    kind = int(rng.integers(4))
    if kind == 0:
        return array.tolist() if array.size or not nested else array.copy()
    if kind == 1:
        return array.astype(rng.choice(["i2", "i4", "i8", "u1", ">i4"]))
    if kind == 2 and not nested:
        return tuple(array.tolist())
    tensor = torch.from_numpy(array).to(INTEGERS[rng.integers(len(INTEGERS))])
    return tensor.t().contiguous().t() if nested else tensor


def expected_item(problem, b, input_kind):
    """Return the loss, the gradient (frames, C), and the size to which rounding errors are relative."""
    x, target = problem.frames_of(b), problem.target(b)
    if len(x) < frames_needed(target):
        return math.inf, np.zeros_like(x), 1.0
    if np.isnan(x).any() or np.isposinf(x).any():
        return math.nan, np.full_like(x, np.nan), 1.0
    topology = ctc_topology(target, blank=problem.blank)
    gradient_of = reference.logit_gradient if input_kind == "logits" else reference.score_gradient
    loss, gradient = gradient_of(x, topology)
    if input_kind == "log_probs" and np.isfinite(loss):
        gradient = gradient + np.exp(x)
    check_by_all_paths(x if input_kind != "logits" else reference.log_softmax(x), target, problem.blank, loss)
    size = max(1.0, abs(loss) if np.isfinite(loss) else 1.0)
    if input_kind != "logits" and np.isfinite(x).any():  # scores of both signs can nearly cancel
        size = max(size, len(x) * np.abs(x[np.isfinite(x)]).max())
    return loss, gradient, size


def check_by_all_paths(scores, target, blank, loss):
    frames, classes = scores.shape
    if classes**frames > MOST_PATHS or np.abs(scores[np.isfinite(scores)]).sum() > 600:
        return  # too many paths, or products outside the range of float64
    expected = oracle.loss(np.exp(scores).tolist(), target.tolist(), blank)
    allowed = DOUBLE * max(1, np.abs(scores[np.isfinite(scores)]).sum())
    expect_close(loss, expected, allowed, "the reference's loss")


def item_weights(problem, losses, reduction, infeasible):
    """Return the weight of each item: a second, simple implementation of the reductions."""
    counted = np.ones(len(losses))
    if infeasible == "zero":
        counted = np.array([0.0 if loss == math.inf else 1.0 for loss in losses])
    if reduction != "mean":
        return np.ones(len(losses))
    return counted / np.maximum(problem.target_lengths, 1) / max(1, counted.sum())


def check_loss(rng, problem):
    """Check value and gradient of one call of ctc_loss or compat.torch.ctc_loss."""
    like_torch = rng.random() < 0.3
    reduction = str(rng.choice(["mean", "sum", "none"]))
    infeasible = str(rng.choice(["inf", "counted"] if like_torch else ["inf", "zero", "error"]))
    input_kind = "log_probs" if like_torch else str(rng.choice(["logits", "scores"]))
    if like_torch:  # the gradient contains e^score, which must be in the range of half precision
        problem.logits[np.isfinite(problem.logits) & (problem.logits > 5)] = 5
    parts = [expected_item(problem, b, input_kind) for b in range(len(problem.logits))]
    losses = np.array([part[0] for part in parts])
    leaf = torch.from_numpy(problem.logits).to(FLOATS[problem.dtype])
    leaf = arranged(leaf, problem.layout).requires_grad_(bool(rng.random() < 0.8))
    try:
        found = call_loss(rng, problem, leaf, input_kind, reduction, infeasible)
    except InfeasibleTargetError as error:
        impossible = np.flatnonzero(np.isposinf(losses))
        by_length = [b for b in impossible if problem.input_lengths[b] < frames_needed(problem.target(b))]
        expect(infeasible == "error", f"raised for {infeasible}: {error}")
        expect(list(error.items) == list(by_length or impossible), f"named {error.items}, expected {impossible}")
        return
    expect(infeasible != "error" or not np.isposinf(losses).any(), "infeasible='error' did not raise")
    expect(found.requires_grad == leaf.requires_grad, "requires_grad is wrong")
    expect(found.dtype == FLOATS[problem.precision], f"the loss is {found.dtype}")
    weights = item_weights(problem, losses, reduction, infeasible)
    if infeasible in ("zero", "counted"):
        losses[np.isposinf(losses)] = 0
    check_value(problem, found.detach(), losses, weights, parts, reduction)
    if leaf.requires_grad:
        check_gradient(rng, problem, found, leaf, weights, parts, input_kind)


def call_loss(rng, problem, leaf, input_kind, reduction, infeasible):
    targets = as_passed(rng, problem.targets, nested=True)
    lengths = as_passed(rng, problem.input_lengths), as_passed(rng, problem.target_lengths)
    if input_kind == "log_probs":
        if rng.random() < 0.5 and len(leaf):  # torch's other form: joined targets
            targets = torch.from_numpy(np.concatenate([problem.target(b) for b in range(len(leaf))]))
        return compat.ctc_loss(leaf.transpose(0, 1), targets, *lengths, problem.blank, reduction, infeasible != "inf")
    options = {"blank": problem.blank, "reduction": reduction, "infeasible": infeasible}
    backend = str(rng.choice(["auto", "native", "reference"]))
    return ctckit.ctc_loss(leaf, targets, *lengths, **options, normalize=input_kind == "logits", backend=backend)


def check_value(problem, found, losses, weights, parts, reduction):
    relative = DOUBLE if problem.precision == "float64" else SINGLE_LOSS
    allowed = relative * np.array([part[2] for part in parts])
    counted = weights > 0
    with np.errstate(invalid="ignore"):
        expected = losses if reduction == "none" else np.asarray((weights[counted] * losses[counted]).sum())
    if reduction != "none":
        allowed = np.asarray((weights * allowed).sum() + relative)
    expect(found.shape == expected.shape, f"the loss has shape {tuple(found.shape)}")
    expect_close(found.double().numpy(), expected, allowed, "the loss")


def check_gradient(rng, problem, found, leaf, weights, parts, input_kind):
    scale = 1.0 if rng.random() < 0.3 else float(rng.choice([-2.5, 0.0, 0.375, 3.0]))
    factors = rng.choice([1.0, -0.5, 0.0, 2.0], len(weights)) if found.ndim else np.ones(len(weights))
    upstream = torch.as_tensor(scale * factors if found.ndim else scale, dtype=found.dtype)
    (gradient,) = torch.autograd.grad(found, leaf, upstream)
    gradient = gradient.detach()
    expect(gradient.dtype == leaf.dtype and gradient.shape == leaf.shape, "the gradient has another dtype or shape")
    single = problem.precision == "float32"
    for b, (_, expected, size) in enumerate(parts):
        got = gradient[b].double().numpy()
        factor = weights[b] * scale * factors[b]
        whole = np.zeros(leaf.shape[1:])
        whole[: len(expected)] = expected * factor
        allowed = (SINGLE_GRADIENT if single else DOUBLE * size) * max(1.0, abs(factor))
        relative = HALF_ROUNDING.get(problem.dtype, 0.0)
        if input_kind == "log_probs":  # e^score has no bound, so its error is relative
            relative += SINGLE_GRADIENT if single else DOUBLE
        with np.errstate(invalid="ignore"):
            allowed = allowed + relative * np.nan_to_num(np.abs(whole))
        expect_close(got, whole, allowed, f"the gradient of item {b}")
        expect(not got[len(expected) :].any(), f"item {b} has a gradient in its padding")


def check_lattice_and_greedy(rng, problem):
    """Check lattice, forced_align and greedy_decode on the items without NaN and +∞."""
    for b in range(len(problem.logits)):
        x, target = problem.frames_of(b), problem.target(b)
        if np.isnan(x).any() or np.isposinf(x).any():
            continue
        log_probs = reference.log_softmax(x)
        topology = ctc_topology(target, blank=problem.blank)
        expected = reference.log_likelihood(reference.forward(log_probs, topology), topology)
        item = ctckit.lattice(
            arranged(torch.from_numpy(log_probs)[None], problem.layout)[0], target, blank=problem.blank
        )
        expect_close(item.log_likelihood, expected, 0, "the log-likelihood")  # computed by the same code
        check_alignment(arranged(torch.from_numpy(log_probs)[None], problem.layout), target, item, problem.blank)
        # The arg-max is over the last axis, for any memory layout.
        (best,) = ctckit.greedy_decode(log_probs[None, ::-1][:, ::-1], blank=problem.blank)
        expect(list(best.tokens) == collapse(log_probs.argmax(1), blank=problem.blank), f"greedy {best.tokens}")
        topology = ctc_topology(best.tokens, blank=problem.blank)
        expected = reference.log_likelihood(reference.forward(log_probs, topology), topology)
        allowed = DOUBLE * max(1.0, abs(expected))
        expect_close(best.log_prob, expected, allowed, "the hypothesis' log-probability")


def check_alignment(log_probs, target, item, blank):
    """Check that the best path is that of the lattice, also for ties; without a path, the error names the item."""
    try:
        (found,) = ctckit.forced_align(log_probs, target[None], blank=blank)
    except InfeasibleTargetError as error:
        expect(item.log_likelihood == -np.inf and error.items == (0,), f"alignment refused: {error}")
        return
    expect(item.log_likelihood > -np.inf, "alignment of a target that cannot be emitted")
    expect(found.path.tolist() == item.best_path().tolist(), "the best path")


def check_calls(rng):
    """Check one random problem with all functions that accept it, and one invalid call of each function."""
    problem = random_problem(rng)
    with shown(problem), np.errstate(invalid="ignore"):  # frames in which every class is masked
        check_loss(rng, problem)
        if problem.layout not in ("one item expanded", "one frame expanded"):
            check_lattice_and_greedy(rng, problem)
        wrong_calls.check_round(rng)


ROUNDS = Rounds("tests.fuzz.calls", check_calls, "{} valid calls are right, and all invalid ones are refused", 60000)

if __name__ == "__main__":
    torch.set_num_threads(1)
    ROUNDS.command()
