"""All derivatives, and all ways of PyTorch to compute them."""

import gc
import shutil
import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.checkpoint import checkpoint

import ctckit
from ctckit._checks import INFEASIBLE, REDUCTIONS
from ctckit.compat import torch as compat
from ctckit.errors import MissingDerivativeError
from ctckit.kernels.loss import BACKENDS, native
from ctckit.kernels.loss.native import INPUT_KINDS
from ctckit.loss.options import Options
from tests.support.problems import random_batch
from tests.support.tolerances import CENTRAL_DIFFERENCE, CENTRAL_STEP, DOUBLE, SINGLE_GRADIENT, SINGLE_LOSS

T, C = 6, 4
TARGETS = torch.tensor([[1, 1, 2], [3, 2, 1], [2, 0, 0], [1, 1, 1]])
LENGTHS = torch.tensor([T, 4, T, 4]), torch.tensor([3, 3, 1, 3])  # the last one is infeasible


def make(dtype=torch.float64):
    return torch.randn(4, T, C, dtype=dtype, generator=torch.Generator().manual_seed(2)).requires_grad_()


def loss_of(logits, **options):
    return ctckit.ctc_loss(logits, TARGETS, *LENGTHS, infeasible="zero", **options)


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_gradgradcheck(normalize, reduction):
    """torch itself has no second derivative of its loss."""
    assert torch.autograd.gradgradcheck(lambda x: loss_of(x, normalize=normalize, reduction=reduction), make())


def test_second_derivative_does_not_count_a_masked_target_in_the_mean():
    logits = make().detach()
    logits[1, :, 3] = -torch.inf
    finite = torch.isfinite(logits)

    def loss(values):
        masked = torch.full_like(logits, -torch.inf).masked_scatter(finite, values)
        return loss_of(masked)

    values = logits[finite].requires_grad_()
    assert torch.autograd.gradcheck(loss, values)
    assert torch.autograd.gradgradcheck(loss, values)


@pytest.mark.parametrize("input_kind", INPUT_KINDS)
@pytest.mark.parametrize("seed", range(6))
def test_hvp_is_the_derivative_of_the_gradient(input_kind, seed):
    """Compared with central differences, with weights, lengths, repeats and NaN in the padding."""
    logits, batch = random_batch(seed, blank=seed % 6, frames=10, scale=1.0)
    weights = np.random.default_rng(seed).uniform(-1, 2, len(batch))
    direction = np.random.default_rng(seed + 1).standard_normal(logits.shape)

    def gradient(values):
        result = np.empty_like(values)
        native.ctc_loss(values, batch, input_kind=input_kind, weights=weights, gradient=result)
        return result

    difference = gradient(logits + CENTRAL_STEP * direction) - gradient(logits - CENTRAL_STEP * direction)
    expected = difference / (2 * CENTRAL_STEP)
    found = native.ctc_hvp(logits, batch, direction, input_kind=input_kind, weights=weights)
    np.testing.assert_allclose(found, expected, rtol=0, atol=CENTRAL_DIFFERENCE)


def test_hvp_is_symmetric_and_the_same_for_other_strides_and_types():
    logits, batch = random_batch(1, items=3, frames=9, classes=5)
    logits = np.nan_to_num(logits)
    rng = np.random.default_rng(0)
    u, v = rng.standard_normal((2, *logits.shape))
    for b, length in enumerate(batch.input_lengths):
        u[b, length:] = v[b, length:] = 0
    weights = np.ones(3)
    hu, hv = (native.ctc_hvp(logits, batch, w, input_kind="logits", weights=weights) for w in (u, v))
    assert (hu * v).sum() == pytest.approx((hv * u).sum(), abs=DOUBLE)
    turned = native.ctc_hvp(np.asfortranarray(logits), batch, u, input_kind="logits", weights=weights)
    np.testing.assert_array_equal(turned, hu)
    single = native.ctc_hvp(logits.astype(np.float32), batch, u, input_kind="logits", weights=weights)
    np.testing.assert_allclose(single, hu, rtol=0, atol=SINGLE_GRADIENT)


def test_hvp_of_an_impossible_target_and_of_nan():
    logits, batch = random_batch(3, items=2, frames=6, classes=4, tokens=2)
    logits = np.nan_to_num(logits)
    direction = np.ones_like(logits)
    logits[0, :, batch.targets[0, 0]] = -np.inf
    logits[1, 0, 0] = np.nan
    found = native.ctc_hvp(logits, batch, direction, input_kind="logits", weights=np.ones(2))
    assert not found[0].any()
    length = batch.input_lengths[1]
    assert 0 < length < 6
    assert np.isnan(found[1, :length]).all()
    assert not found[1, length:].any()


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_the_operators_follow_pytorchs_rules(reduction):
    """Schema, fake tensors, autograd registration, AOT dispatch with dynamic shapes."""
    options = Options(0, reduction, "zero", "logits", differentiated=True)
    problem = (TARGETS, *LENGTHS, None)
    torch.library.opcheck(torch.ops.ctckit.ctc_loss.default, (make(), *problem, options.encode()))
    each = replace(options, reduction="none").encode()
    _, _, normalizers, _, weights = torch.ops.ctckit.ctc_loss(make().detach(), *problem, each)
    arguments = (make(), *problem, weights, normalizers, options.encode())
    torch.library.opcheck(torch.ops.ctckit.ctc_gradient.default, arguments)
    direction = torch.randn(4, T, C, dtype=torch.float64)
    arguments = (make().detach(), *problem, weights, direction, options.encode())
    torch.library.opcheck(torch.ops.ctckit.ctc_hvp.default, arguments)


@given(
    st.integers(0, 10_000), *map(st.sampled_from, (REDUCTIONS, (*INFEASIBLE, "counted"), INPUT_KINDS)), st.booleans()
)
def test_options_survive_their_encoding(blank, reduction, infeasible, input_kind, flag):
    options = Options(blank, reduction, infeasible, input_kind, "auto", "log_probs", flag, not flag)
    assert Options.decode(options.encode()) == options


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_compile_without_a_graph_break(reduction):
    def step(logits):
        return (2 * loss_of(logits.tanh(), reduction=reduction)).sum()

    plain, compiled = make(), make()
    step(plain).backward()
    torch._dynamo.reset()
    loss = torch.compile(step, fullgraph=True, backend="aot_eager")(compiled)
    loss.backward()
    assert loss.item() == step(plain).item()
    torch.testing.assert_close(compiled.grad, plain.grad, rtol=0, atol=DOUBLE)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("c++") is None and shutil.which("g++") is None, reason="inductor needs a C++ compiler")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # inductor's own
def test_compile_with_inductor():
    """Compiled to machine code. It takes about twelve seconds, mostly in inductor and the C++ compiler."""

    def step(logits):
        return (2 * loss_of(logits.tanh(), reduction="none")).sum()

    plain, compiled = make(torch.float32), make(torch.float32)
    step(plain).backward()
    torch._dynamo.reset()
    loss = torch.compile(step, fullgraph=True)(compiled)
    loss.backward()
    torch.testing.assert_close(loss, step(plain), rtol=SINGLE_LOSS, atol=0)
    torch.testing.assert_close(compiled.grad, plain.grad, rtol=0, atol=SINGLE_GRADIENT)


def test_autocast_computes_in_single_precision():
    linear = torch.nn.Linear(8, C)
    features = torch.randn(4, T, 8, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = linear(features)
        loss = loss_of(logits)
    assert logits.dtype == torch.bfloat16
    assert loss.dtype == torch.float32
    loss.backward()
    assert linear.weight.grad.dtype == torch.float32
    assert loss.item() == loss_of(logits.detach().float()).item()


def test_functional_gradients():
    expected = torch.autograd.grad(loss_of(leaf := make()), leaf)[0]
    torch.testing.assert_close(torch.func.grad(loss_of)(leaf.detach()), expected, rtol=0, atol=DOUBLE)
    value_gradient, value = torch.func.grad_and_value(loss_of)(leaf.detach())
    assert value.item() == loss_of(leaf).item()
    torch.testing.assert_close(value_gradient, expected, rtol=0, atol=DOUBLE)


@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize("input_kind", INPUT_KINDS)
def test_second_derivatives_by_torch_func(reduction, input_kind):
    """They equal those of torch.autograd. With "none" the upstream gradient depends on the logits too."""

    def loss(x):
        if input_kind == "log_probs":
            losses = compat.ctc_loss(x.transpose(0, 1), TARGETS, *LENGTHS, reduction=reduction, zero_infinity=True)
        else:
            losses = loss_of(x, reduction=reduction, normalize=input_kind == "logits")
        return losses.square().sum()

    logits = make()
    (gradient,) = torch.autograd.grad(loss(logits), logits, create_graph=True)
    (expected,) = torch.autograd.grad(gradient.square().sum(), logits)
    found = torch.func.grad(lambda x: torch.func.grad(loss)(x).square().sum())(logits.detach())
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_torch_func_with_every_form_of_the_arguments():
    """Integer tensors, unbatched items, variants."""
    item = make().detach()[:1]
    expected = torch.func.grad(lambda x: ctckit.ctc_loss(x, TARGETS[:1], [T], [3]))(item)
    calls = (
        lambda x: ctckit.ctc_loss(x, TARGETS[:1], torch.tensor([T]), torch.tensor([3]), variant=ctckit.CTCVariant()),
        lambda x: compat.ctc_loss(x[0].log_softmax(-1), TARGETS[0], torch.tensor(T), torch.tensor(3)),
        lambda x: compat.ctc_loss(x.log_softmax(-1).transpose(0, 1), TARGETS[0], torch.tensor([T]), torch.tensor([3])),
    )
    for call in calls:
        torch.testing.assert_close(torch.func.grad(call)(item), expected, rtol=0, atol=DOUBLE)


def test_a_transform_inside_another_one_by_a_different_variable():
    scale = torch.ones(2, dtype=torch.float64)
    found = torch.func.grad(lambda x: torch.func.grad(lambda y: (y * loss_of(x)).sum())(scale).sum())(make().detach())
    torch.testing.assert_close(found, 2 * torch.func.grad(loss_of)(make().detach()), rtol=0, atol=DOUBLE)


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_a_third_derivative_raises(reduction):
    logits = make()
    first = torch.autograd.grad(loss_of(logits, reduction=reduction).sum(), logits, create_graph=True)[0]
    second = torch.autograd.grad(first.square().sum(), logits, create_graph=True)[0]
    with pytest.raises(MissingDerivativeError, match="The loss has no third derivatives"):
        second.sum().backward()


def test_a_third_derivative_of_the_bare_operator_raises():
    logits, weights = make(), torch.ones(4, dtype=torch.float64)
    direction = torch.ones_like(logits)
    options = Options(0, "none", "inf", "logits").encode()
    second = torch.ops.ctckit.ctc_hvp(logits, TARGETS, *LENGTHS, None, weights, direction, options)
    with pytest.raises(MissingDerivativeError, match="The loss has no third derivatives"):
        second.sum().backward()


@pytest.mark.parametrize("function", ["ctc_loss", "compat"])
@pytest.mark.parametrize("upstream", [1.0, 2.0])
def test_a_first_derivative_is_a_plain_tensor(function, upstream):
    """It has no autograd history, which would keep the saved tensors of the backward pass alive."""
    logits = make()
    if function == "ctc_loss":
        loss = loss_of(logits)
    else:
        loss = compat.ctc_loss(logits.transpose(0, 1), TARGETS, *LENGTHS, zero_infinity=True)
    (gradient,) = torch.autograd.grad(loss, logits, torch.tensor(upstream, dtype=torch.float64))
    assert not gradient.requires_grad


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_a_first_derivative_does_not_keep_the_logits_alive(reduction):
    logits = make()
    alive = weakref.ref(logits)
    gradient = torch.autograd.grad(loss_of(logits, reduction=reduction).sum(), logits)
    del logits
    gc.collect()
    assert gradient is not None
    assert alive() is None


def test_a_hook_sees_a_plain_tensor():
    """A value that a hook keeps, for example the norm of the gradient, does not keep the graph alive."""
    logits, seen = make(), []
    between = logits * 1
    between.register_hook(lambda gradient: seen.append(gradient.requires_grad))
    loss_of(between).backward()
    assert seen == [False]


@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize("retain_graph", [False, True])
@pytest.mark.parametrize("upstream", [torch.inf, -torch.inf, torch.nan])
def test_padding_and_infeasible_items_have_the_gradient_0_for_any_upstream(reduction, retain_graph, upstream):
    """Exactly 0 for padding and for targets that length or mask make impossible. All other entries follow IEEE."""
    logits = make().detach()
    logits[2, :, 2] = -torch.inf
    logits.requires_grad_()
    loss = loss_of(logits, reduction=reduction)
    loss.backward(torch.full_like(loss, upstream), retain_graph=retain_graph)
    assert not logits.grad[2:].any()
    assert not logits.grad[1, 4:].any()
    read = torch.cat([logits.grad[0], logits.grad[1, :4]])
    assert not read.isfinite().any()


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("infeasible", ["inf", "zero"])
def test_an_infinite_loss_squared(backend, reduction, infeasible):
    """The upstream is ∞ from the impossible item itself, or NaN from 0 · ∞."""
    logits = make()
    loss = ctckit.ctc_loss(
        logits, TARGETS, *LENGTHS, reduction=reduction, infeasible=infeasible, backend=backend
    ).square()
    loss.sum().backward()
    assert not logits.grad[3].any()
    assert not logits.grad[1, 4:].any()
    assert logits.grad[:3].isfinite().all() == (reduction == "none" or infeasible == "zero")


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_compiled_and_eager_agree_on_an_infinite_derivative_of_an_infinite_loss(reduction):
    def step(logits):
        return ctckit.ctc_loss(logits, TARGETS, *LENGTHS, reduction=reduction).square()

    torch._dynamo.reset()
    plain, compiled = make(), make()
    step(plain).sum().backward()
    torch.compile(step, fullgraph=True, backend="aot_eager")(compiled).sum().backward()
    assert not plain.grad[3].any()
    torch.testing.assert_close(compiled.grad, plain.grad, rtol=0, atol=DOUBLE, equal_nan=True)


def test_second_derivatives_inside_compiled_code():
    """torch compiles neither torch.func of an operator nor second derivatives. This is the workaround."""

    def second(x):
        return torch.func.grad(lambda y: torch.func.grad(loss_of)(y).square().sum())(x)

    torch._dynamo.reset()
    uncompiled = torch.compiler.disable(second)
    found = torch.compile(lambda x: uncompiled(2 * x).square().sum(), backend="aot_eager")(make().detach())
    torch.testing.assert_close(found, second(2 * make().detach()).square().sum(), rtol=DOUBLE, atol=0)


@pytest.mark.parametrize("use_reentrant", [True, False])
def test_a_checkpointed_layer_has_the_gradients_of_a_plain_one(use_reentrant):
    features = torch.randn(4, T, 8, generator=torch.Generator().manual_seed(0)).requires_grad_()
    linear = torch.nn.Linear(8, C)
    loss_of(linear(features)).backward()
    plain = [each.grad.clone() for each in (features, *linear.parameters())]
    for each in (features, *linear.parameters()):
        each.grad = None
    checkpoint(lambda x: loss_of(linear(x)), features, use_reentrant=use_reentrant).backward()
    for each, expected in zip((features, *linear.parameters()), plain, strict=True):
        torch.testing.assert_close(each.grad, expected, rtol=0, atol=0)


def test_activation_checkpointing():
    plain, saved = make(), make()
    loss_of(plain.tanh()).backward()
    checkpoint(lambda x: loss_of(x.tanh()), saved, use_reentrant=False).backward()
    torch.testing.assert_close(saved.grad, plain.grad, rtol=0, atol=0)


def test_no_gradient_is_computed_where_none_is_needed(monkeypatch):
    asked = []
    kernel = BACKENDS["native"]

    def spy(*arguments, gradient, **options):
        asked.append(gradient is not None)
        return kernel(*arguments, gradient=gradient, **options)

    monkeypatch.setitem(BACKENDS, "native", spy)
    loss_of(make().detach())
    with torch.no_grad():
        loss_of(make())
    loss_of(make())
    assert asked == [False, False, True]


def test_the_saved_tensors_contain_no_copy_of_the_logits():
    kept = []
    logits = make()
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor):
        loss_of(logits)
    large = [tensor for tensor in kept if tensor.shape == logits.shape]
    assert len(large) == 2  # the logits themselves, and their gradient
    assert {tensor.data_ptr() for tensor in large} >= {logits.data_ptr()}


def test_the_gradient_is_passed_on_without_a_copy(monkeypatch):
    """The buffer that the kernel wrote becomes .grad, and the call keeps nothing alive."""
    written = []
    kernel = BACKENDS["native"]

    def spy(*arguments, gradient, **options):
        written.append(gradient.ctypes.data)
        return kernel(*arguments, gradient=gradient, **options)

    monkeypatch.setitem(BACKENDS, "native", spy)
    logits = make(torch.float32)
    loss_of(logits).backward()
    assert written == [logits.grad.data_ptr()]
    alive = weakref.ref(logits.grad)
    logits.grad = None
    gc.collect()
    assert alive() is None


def test_a_gradient_that_is_held_is_never_written_again():
    """The next step reuses the memory of a large gradient, but only when no tensor refers to it any more."""
    shape = (2, 200, 400)  # 640 kB
    logits = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    arguments = torch.tensor([[1, 2], [3, 4]]), [200, 200], [2, 2]

    def gradient(values):
        leaf = values.clone().requires_grad_()
        ctckit.ctc_loss(leaf, *arguments).backward()
        return leaf.grad

    held = gradient(logits)
    view, copy, address = held[1:], held.clone(), held.data_ptr()
    del held
    others = [gradient(logits + k) for k in (1, 2)]
    assert torch.equal(view, copy[1:])
    assert len({address, *(each.data_ptr() for each in others)}) == 3
    freed = others[-1].data_ptr()
    del others[-1]
    assert gradient(logits).data_ptr() == freed
