"""The loss inside of torch.func, batched gradients, traces, fake tensors and TorchScript."""

import io
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd import forward_ad
from torch.func import grad, hessian, jacrev, jvp, vmap
from torch.fx.experimental.proxy_tensor import make_fx

import ctckit
from ctckit.compat import torch as compat
from ctckit.errors import InvalidInputError, MissingDerivativeError
from tests.support.tolerances import DOUBLE

V, T, B, C = 3, 7, 2, 4
TARGETS = torch.tensor([[1, 3], [3, 3]])
LENGTHS = torch.tensor([7, 5]), torch.tensor([2, 2])
OTHER_TARGETS = torch.stack([TARGETS, 4 - TARGETS, TARGETS % 3 + 1])
OTHER_LENGTHS = torch.tensor([[7, 5], [6, 2], [3, 7]]), torch.tensor([[2, 2], [1, 0], [2, 2]])  # one does not fit

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch.func and torch.jit, about torch.jit
same = partial(torch.testing.assert_close, rtol=DOUBLE, atol=DOUBLE)


def native(x, targets=TARGETS, input_lengths=LENGTHS[0], target_lengths=LENGTHS[1], **options):
    """The loss of (T, B, C) logits."""
    return ctckit.ctc_loss(x.transpose(0, 1), targets, input_lengths, target_lengths, **options)


def adapter(x, targets=TARGETS, input_lengths=LENGTHS[0], target_lengths=LENGTHS[1], **options):
    return compat.ctc_loss(x.log_softmax(2), targets, input_lengths, target_lengths, **options)


def theirs(x, targets=TARGETS, input_lengths=LENGTHS[0], target_lengths=LENGTHS[1], **options):
    return F.ctc_loss(x.log_softmax(2), targets, input_lengths, target_lengths, **options)


LOSSES = {
    "native": native,
    "adapter": adapter,
    "reference": partial(native, backend="reference"),
    "variant": partial(native, variant=ctckit.CTCVariant()),
}
REDUCTIONS = ("mean", "sum", "none")
every_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
every_reduction = pytest.mark.parametrize("reduction", REDUCTIONS)


def logits(*shape):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@every_loss
@every_reduction
def test_vmap_over_logits_is_a_loop(loss, reduction):
    x = logits(V, T, B, C)
    same(vmap(partial(loss, reduction=reduction))(x), torch.stack([theirs(each, reduction=reduction) for each in x]))


@pytest.mark.parametrize("loss", [native, adapter])
@every_reduction
def test_vmap_over_all_arguments_by_any_axis(loss, reduction):
    x = logits(T, V, B, C)
    arguments = OTHER_TARGETS, OTHER_LENGTHS[0].T, OTHER_LENGTHS[1]
    found = vmap(partial(loss, reduction=reduction), in_dims=(1, 0, 1, 0))(x, *arguments)
    expected = [
        theirs(x[:, v], OTHER_TARGETS[v], OTHER_LENGTHS[0][v], OTHER_LENGTHS[1][v], reduction=reduction)
        for v in range(V)
    ]
    same(found, torch.stack(expected))


def test_vmap_over_items_is_a_batch():
    x = logits(T, B, C).log_softmax(2)
    items = vmap(compat.ctc_loss, in_dims=(1, 0, 0, 0))(x, TARGETS, *LENGTHS)
    same(items.mean(), F.ctc_loss(x, TARGETS, *LENGTHS))


def test_vmap_in_vmap():
    x = logits(V, 2, T, B, C)
    same(vmap(vmap(native))(x), torch.stack([torch.stack([theirs(each) for each in row]) for row in x]))


@every_loss
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_vmap_and_grad_in_both_orders(loss, reduction):
    x = logits(V, T, B, C)
    expected = torch.stack([grad(partial(theirs, reduction=reduction))(each) for each in x])
    same(vmap(grad(partial(loss, reduction=reduction)))(x), expected)
    same(grad(lambda v: vmap(partial(loss, reduction=reduction))(v).sum())(x), expected)


def test_grad_of_vmap_of_losses_of_items():
    x, weights = logits(V, T, B, C), torch.tensor([2.0, -1.0], dtype=torch.float64)
    found = grad(lambda v: (vmap(partial(native, reduction="none"))(v) * weights).sum())(x)
    same(found, torch.stack([grad(lambda u: (theirs(u, reduction="none") * weights).sum())(each) for each in x]))


@every_loss
@every_reduction
@pytest.mark.parametrize("chunk_size", [None, 1])
def test_jacrev(loss, reduction, chunk_size):
    x = logits(T, B, C)
    expected = torch.autograd.functional.jacobian(partial(theirs, reduction=reduction), x)
    same(jacrev(partial(loss, reduction=reduction), chunk_size=chunk_size)(x), expected)


@every_loss
@every_reduction
def test_batched_gradients(loss, reduction):
    results = []
    for each in (loss, theirs):
        x = logits(T, B, C).requires_grad_()
        losses = each(x, reduction=reduction)
        upstream = logits(5, *losses.shape)
        results.append(torch.autograd.grad(losses, x, upstream, is_grads_batched=True)[0])
    same(*results)


@pytest.mark.parametrize("loss", [native, adapter])
@every_reduction
def test_gradcheck_with_batched_gradients(loss, reduction):
    x = logits(5, 2, 3).requires_grad_()
    call = partial(loss, targets=TARGETS % 2 + 1, input_lengths=[5, 4], target_lengths=[1, 2], reduction=reduction)
    assert torch.autograd.gradcheck(call, x, check_batched_grad=True)
    assert torch.autograd.gradgradcheck(call, x, check_batched_grad=True)


@pytest.mark.parametrize("loss", [native, adapter])
def test_second_derivatives_of_all_kinds(loss):
    x = logits(T, B, C)
    call = partial(loss, reduction="sum")
    expected = torch.autograd.functional.hessian(call, x)
    same(torch.autograd.functional.hessian(call, x, vectorize=True), expected)
    same(jacrev(jacrev(call))(x), expected)


@pytest.mark.parametrize("loss", [native, adapter])
def test_forward_mode_is_refused_in_torch_s_words(loss):
    x = logits(T, B, C)
    message = "^Trying to use forward AD with .*ctc_loss that does not support it because it has not been implemented"
    for each in (loss, theirs):
        with forward_ad.dual_level(), pytest.raises(NotImplementedError, match=message):
            each(forward_ad.make_dual(x, x))
        with pytest.raises(NotImplementedError, match=message):
            jvp(each, (x,), (x,))
    with pytest.raises(MissingDerivativeError, match=r"Use reverse mode: torch\.func\.grad, vjp or jacrev\."):
        hessian(loss)(x)


@every_reduction
def test_gradients_of_transition_weights(reduction):
    x, weights = logits(T, B, C), logits(V, 7, 5)

    def loss(w):
        return native(x, transition_weights=w, reduction=reduction).sum()

    expected = torch.stack([torch.autograd.functional.jacobian(loss, each) for each in weights])
    assert expected.any()
    same(torch.stack([grad(loss)(each) for each in weights]), expected)
    same(vmap(grad(loss))(weights), expected)
    same(grad(lambda w: vmap(loss)(w).sum())(weights), expected)
    same(torch.stack([jacrev(loss)(each) for each in weights]), expected)


def test_wrong_targets_in_a_map_are_named():
    wrong = OTHER_TARGETS.clone()
    wrong[1, 0, 1] = 9
    with pytest.raises(InvalidInputError, match=r"targets\[0, 1\] is 9; with C = 4 the classes are 0\.\.3"):
        vmap(native)(logits(V, T, B, C), wrong)


def test_variants_need_targets_with_values():
    with pytest.raises(InvalidInputError, match=r"targets has no values that could be read, as in torch\.func\.vmap"):
        vmap(partial(native, variant=ctckit.CTCVariant()))(logits(V, T, B, C), OTHER_TARGETS)


@pytest.mark.parametrize("loss", [native, adapter])
@pytest.mark.parametrize("tracing_mode", ["real", "fake", "symbolic"])
def test_a_recorded_graph_computes_other_inputs(loss, tracing_mode):
    x = logits(T, B, C)
    graph = make_fx(lambda *each: loss(*each), tracing_mode=tracing_mode)(x, TARGETS, *LENGTHS)
    same(graph(2 * x, TARGETS.flip(0), *LENGTHS), theirs(2 * x, TARGETS.flip(0)))


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")  # the checks of shapes are not part of a trace
@pytest.mark.parametrize("loss", [native, adapter])
def test_a_trace_computes_other_inputs(loss):
    x = logits(T, B, C)
    traced = torch.jit.trace(loss, (x, TARGETS, *LENGTHS))
    same(traced(2 * x, TARGETS.flip(0), *LENGTHS), theirs(2 * x, TARGETS.flip(0)))


@pytest.mark.parametrize("loss", [native, adapter])
@every_reduction
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_fake_tensors_have_the_shape_and_type(loss, reduction, dtype):
    expected = loss(logits(T, B, C).to(dtype), reduction=reduction)
    with FakeTensorMode() as mode:
        arguments = [mode.from_tensor(each) for each in (logits(T, B, C).to(dtype), TARGETS, *LENGTHS)]
        found = loss(*arguments, reduction=reduction)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)


def test_lazy_clones_stay_lazy():
    arguments = [torch._lazy_clone(each) for each in (logits(T, B, C), TARGETS, *LENGTHS)]
    leaf = arguments[0].requires_grad_()
    losses = native(*arguments, reduction="none")
    torch.autograd.grad(losses, leaf, torch.ones_like(losses))
    assert all(torch._C._is_cow_tensor(each) for each in arguments)


@every_reduction
@pytest.mark.parametrize("zero_infinity", [False, True])
def test_the_module_in_torchscript(reduction, zero_infinity):
    options = {"blank": 2, "reduction": reduction, "zero_infinity": zero_infinity}
    arguments = torch.tensor([[1, 3, 3], [0, 0, 1]]), torch.tensor([7, 3]), torch.tensor([3, 3])  # one does not fit
    scripted = torch.jit.script(compat.CTCLoss(**options))
    file = io.BytesIO()
    torch.jit.save(scripted, file)
    file.seek(0)
    gradients = []
    for module in (scripted, torch.jit.load(file), compat.CTCLoss(**options)):
        x = logits(T, B, C).log_softmax(2).requires_grad_()
        loss = module(x, *arguments)
        same(loss, F.ctc_loss(x, *arguments, **options))
        loss.sum().backward()
        gradients.append(x.grad)
    same(gradients[0], gradients[2])
    same(gradients[1], gradients[2])


def test_the_function_in_torchscript():
    def total(x: torch.Tensor, targets: torch.Tensor, frames: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        return compat_loss(x, targets, frames, tokens, reduction="none")

    compat_loss = compat.ctc_loss
    scripted = torch.jit.script(total)
    x = logits(T, B, C).log_softmax(2)
    same(scripted(x, TARGETS, *LENGTHS), F.ctc_loss(x, TARGETS, *LENGTHS, reduction="none"))
    one = scripted(x[:, 0], TARGETS[0], LENGTHS[0][0], LENGTHS[1][0])
    same(one, F.ctc_loss(x[:, 0], TARGETS[0], LENGTHS[0][0], LENGTHS[1][0], reduction="none"))
    with pytest.raises(Exception, match=r"targets\[0, 0\] is 9; with C = 4 the classes are 0\.\.3"):
        scripted(x, TARGETS * 9, *LENGTHS)
