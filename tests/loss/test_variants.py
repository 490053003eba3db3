"""Every variant compared with an enumeration of its alignments (oracle.py), without states and transitions."""

import itertools

import numpy as np
import pytest
import torch

import ctckit
from ctckit import CTCVariant, ctc_loss
from ctckit.errors import InvalidInputError
from ctckit.kernels.loss import reference
from ctckit.topology import ctc_topology
from ctckit.variants import token_graphs
from tests.support import oracle
from tests.support.tolerances import DOUBLE, LONG_DOUBLE_GRADIENT, LONG_DOUBLE_LOSS, SINGLE_GRADIENT, SINGLE_LOSS

C = 4
TARGETS = ([], [1], [1, 1], [2, 1], [1, 2, 1], [3, 3, 1], [2, 2, 2])


def elements_of(target, places):
    """Return the target with its wildcards, in the form of the oracle."""
    if places in (None, "targets", "optional"):
        return ["*" if c == C else c for c in target]
    between = ["*"] if places in ("between", "everywhere") else []
    inner = []
    for n, token in enumerate(target):
        inner += (between if n else []) + [token]
    ends = ["*"] if places in ("ends", "everywhere") else []
    return ends + inner + (ends if target else [])


def alignments_of(target, frames, variant):
    """Every alignment of a target under a variant, by enumeration."""
    return oracle.variant_alignments(
        elements_of(target, variant.wildcards),
        frames,
        min_frames=variant.min_frames,
        use_blank=variant.use_blank,
        optional=variant.wildcards in ("optional", "ends", "between", "everywhere"),
    )


def oracle_loss(scores, target, variant, blank=0):
    """Return −log Σ over all alignments, in torch, so that autograd can differentiate it."""
    frames = len(scores)
    weights = torch.zeros(C)
    if variant.log_prior is not None:
        weights = weights - torch.as_tensor(np.asarray(variant.log_prior))
    weights = weights.double()
    weights[blank] += variant.blank_bias
    weighted = scores + weights
    anything = scores.logsumexp(dim=1)
    logs = []
    for stretches in alignments_of(target, frames, variant):
        log = weighted[:, blank].sum()
        for symbol, begin, end in stretches:
            inside = slice(begin, end)
            emitted = anything[inside] if symbol == "*" else weighted[inside, symbol]
            log = log + emitted.sum() - weighted[inside, blank].sum()
            if symbol == "*":
                log = log - variant.wildcard_penalty
            else:
                log = log + variant.delay_penalty * ((frames - 1) / 2 - begin)
        logs.append(log)
    return -torch.stack(logs).logsumexp(dim=0) if logs else torch.tensor(torch.inf, dtype=torch.float64)


PRIOR = tuple(np.log([0.55, 0.2, 0.15, 0.1]))
VARIANTS = {
    "plain": CTCVariant(),
    "label prior": CTCVariant(log_prior=PRIOR),
    "blank bias": CTCVariant(blank_bias=-1.5),
    "delay penalty": CTCVariant(delay_penalty=0.3),
    "minimum duration": CTCVariant(min_frames=2),
    "no blank": CTCVariant(use_blank=False),
    "no blank, minimum duration": CTCVariant(use_blank=False, min_frames=2),
    "wild ends": CTCVariant(wildcards="ends", wildcard_penalty=0.7),
    "wild between": CTCVariant(wildcards="between", wildcard_penalty=0.4),
    "wild everywhere": CTCVariant(wildcards="everywhere", wildcard_penalty=1.1),
    "wild, no blank": CTCVariant(wildcards="everywhere", wildcard_penalty=0.5, use_blank=False),
    "everything": CTCVariant(
        log_prior=PRIOR, blank_bias=0.4, delay_penalty=0.2, min_frames=2, wildcards="everywhere", wildcard_penalty=0.9
    ),
}


def some_scores(frames, seed):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(frames, C)) * 1.5)


def agree(variant, target, frames, seed, *, normalize, backend, blank=0):
    """Compare loss and gradient of one padded item with the oracle; return whether the loss is finite."""
    raw = some_scores(frames, seed).requires_grad_()
    expected = oracle_loss(raw.log_softmax(dim=1) if normalize else raw, target, variant, blank)
    padded = torch.cat([raw.detach(), torch.full((2, C), torch.nan)])[None].requires_grad_()
    found = ctc_loss(
        padded,
        torch.tensor([[*target, 0]]),
        [frames],
        [len(target)],
        blank=blank,
        reduction="sum",
        normalize=normalize,
        variant=variant,
        backend=backend,
    )
    if not torch.isfinite(expected):
        assert torch.isposinf(found)
        return False
    assert found.item() == pytest.approx(expected.item(), abs=DOUBLE, rel=DOUBLE)
    found.backward()
    expected.backward()
    torch.testing.assert_close(padded.grad[0, :frames], raw.grad, rtol=0, atol=DOUBLE)
    assert not padded.grad[0, frames:].any()
    return True


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("name", VARIANTS)
def test_loss_and_gradient_are_the_sum_over_all_alignments(name, backend):
    finite = 0
    for (target, frames), normalize in itertools.product(itertools.product(TARGETS, (1, 2, 4, 5)), (True, False)):
        finite += agree(VARIANTS[name], target, frames, frames + len(target), normalize=normalize, backend=backend)
    assert finite > 10


@pytest.mark.parametrize("places", ["targets", "optional"])
@pytest.mark.parametrize("backend", ["native", "reference"])
def test_wildcards_written_in_the_target(backend, places):
    variant = CTCVariant(wildcards=places, wildcard_penalty=0.8)
    for target in ([C], [1, C], [C, 1, 1], [1, C, 1], [2, C, C, 1]):
        written = [c for n, c in enumerate(target) if c != C or n == 0 or target[n - 1] != C]
        raw = some_scores(5, len(target))
        expected = oracle_loss(raw.log_softmax(dim=1), written, variant)
        arguments = torch.tensor([target]), [5], [len(target)]
        found = ctc_loss(raw[None], *arguments, reduction="sum", variant=variant, backend=backend)
        assert found.item() == pytest.approx(expected.item(), abs=DOUBLE)


def test_an_optional_wildcard_may_take_no_frame():
    raw, rest = some_scores(2, 0)[None], ([2], [3])
    needed, free = (
        ctc_loss(raw, torch.tensor([[1, C, 2]]), *rest, reduction="sum", variant=CTCVariant(wildcards=places))
        for places in ("targets", "optional")
    )
    plain = ctc_loss(raw, torch.tensor([[1, 2]]), [2], [2], reduction="sum")
    assert torch.isposinf(needed)
    assert free.item() == pytest.approx(plain.item(), abs=DOUBLE)


def long_batch(frames=300, classes=20, tokens=40, items=3):
    rng = np.random.default_rng(3)
    logits = torch.from_numpy(rng.normal(size=(items, frames, classes)) * 3)
    targets = torch.from_numpy(rng.integers(1, classes, (items, tokens)))
    return logits, targets, torch.tensor([frames, frames - 7, frames]), torch.tensor([tokens, tokens - 5, 0])


LONG = {
    "everything": CTCVariant(
        log_prior=tuple(np.linspace(-4, -2, 20)),
        delay_penalty=0.02,
        min_frames=2,
        wildcards="everywhere",
        wildcard_penalty=3.0,
    ),
    "no blank": CTCVariant(use_blank=False, blank_bias=-1.0),
    "ends": CTCVariant(wildcards="ends", wildcard_penalty=1.0),
}


@pytest.mark.parametrize("name", LONG)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_long_items_agree_with_the_reference(name, dtype):
    """Tests code that short enumerations do not reach: checkpoints, bands of two labels a frame, renormalization."""
    logits, *rest = long_batch()
    answers = {}
    for backend, kind in (("reference", torch.float64), ("native", dtype)):
        leaf = logits.to(dtype).to(kind).requires_grad_()
        losses = ctc_loss(leaf, *rest, reduction="none", variant=LONG[name], backend=backend)
        losses.sum().backward()
        answers[backend] = losses.detach().double(), leaf.grad.double()
    single = dtype == torch.float32
    (expected, slope), (found, found_slope) = answers["reference"], answers["native"]
    torch.testing.assert_close(found, expected, rtol=SINGLE_LOSS if single else LONG_DOUBLE_LOSS, atol=0)
    torch.testing.assert_close(found_slope, slope, rtol=0, atol=SINGLE_GRADIENT if single else LONG_DOUBLE_GRADIENT)


def test_the_default_variant_is_plain_ctc():
    logits, *rest = long_batch()
    plain = ctc_loss(logits, *rest, reduction="none")
    torch.testing.assert_close(
        ctc_loss(logits, *rest, reduction="none", variant=CTCVariant()), plain, rtol=DOUBLE, atol=0
    )
    for target in TARGETS:
        built = token_graphs(np.array([[*target, 9]]), np.array([len(target)]), np.array([9]), CTCVariant(), classes=C)
        mine, definition = built.topology(0), ctc_topology(target)
        np.testing.assert_array_equal(mine.labels, definition.labels)
        np.testing.assert_array_equal(mine.transitions[:3], definition.transitions)
        assert np.isneginf(mine.transitions[3:]).all()
        for part in ("start", "final", "empty"):
            np.testing.assert_array_equal(getattr(mine, part), getattr(definition, part))


@pytest.mark.parametrize("name", ["plain", "minimum duration", "wild everywhere"])
@pytest.mark.parametrize("reduction", ["none", "mean"])
@pytest.mark.parametrize("backend", ["native", "reference"])
def test_transition_weights_have_the_gradient_of_finite_differences(name, reduction, backend):
    variant = VARIANTS[name]
    targets, lengths = torch.tensor([[1, 1, 2], [3, 1, 0]]), torch.tensor([3, 2])
    built = token_graphs(targets.numpy(), lengths.numpy(), np.array([7, 6]), variant, classes=C)
    rng = np.random.default_rng(0)
    weights = torch.from_numpy(rng.normal(size=built.weights.shape)).requires_grad_()
    logits = torch.from_numpy(rng.normal(size=(2, 7, C))).requires_grad_()

    def loss(logits, weights):
        return ctc_loss(
            logits,
            targets,
            [7, 6],
            lengths,
            reduction=reduction,
            variant=variant,
            transition_weights=weights,
            backend=backend,
        )

    assert torch.autograd.gradcheck(loss, (logits, weights))
    shared = weights.detach()[0].clone().requires_grad_()  # one set for all items: the sum of their gradients
    assert torch.autograd.gradcheck(loss, (logits, shared))


def test_expected_counts_add_up():
    """A path of T frames takes T − 1 transitions, starts once and ends once."""
    weights = torch.zeros(1, 7, 7, dtype=torch.float64, requires_grad=True)
    arguments = some_scores(9, 0)[None], torch.tensor([[1, 1, 2]]), [9], [3]
    ctc_loss(*arguments, reduction="sum", transition_weights=weights).backward()
    counts = -weights.grad[0].sum(dim=1)
    assert counts[:5].sum().item() == pytest.approx(8, abs=8 * DOUBLE)
    assert counts[5:].tolist() == pytest.approx([1, 1], abs=DOUBLE)


@pytest.mark.parametrize("name", ["everything", "no blank", "delay penalty"])
def test_second_derivatives(name):
    def loss(logits):
        return ctc_loss(logits, torch.tensor([[1, 2]]), [6], [2], reduction="none", variant=VARIANTS[name])

    assert torch.autograd.gradgradcheck(loss, some_scores(6, 0)[None].requires_grad_())


def test_second_derivatives_with_learned_weights_raise():
    weights = torch.zeros(1, 7, 5, dtype=torch.float64, requires_grad=True)
    logits = some_scores(6, 0)[None].requires_grad_()
    loss = ctc_loss(logits, torch.tensor([[1, 2]]), [6], [2], transition_weights=weights)
    (slope,) = torch.autograd.grad(loss, logits, create_graph=True)
    with pytest.raises(ctckit.errors.CTCKitError, match=r"Second derivatives are not available for transition_weights"):
        slope.sum().backward()


def test_the_effect_of_each_variant():
    """The direction of each effect, on one random item."""
    logits = torch.randn(1, 30, C, generator=torch.Generator().manual_seed(0))
    target = torch.tensor([[1, 2, 3]])

    def occupancy(variant):
        scores = logits.log_softmax(-1).requires_grad_()
        ctc_loss(scores, target, [30], [3], reduction="sum", normalize=False, variant=variant).backward()
        return -scores.grad[0]

    frames = torch.arange(30.0)
    plain, early = occupancy(CTCVariant()), occupancy(CTCVariant(delay_penalty=0.5))
    assert (early[:, 3] @ frames) / early[:, 3].sum() < (plain[:, 3] @ frames) / plain[:, 3].sum()
    assert occupancy(CTCVariant(blank_bias=-2.0))[:, 0].sum() < plain[:, 0].sum()
    assert occupancy(CTCVariant(min_frames=4))[:, 1:].sum(0).min() >= 4 - 4 * SINGLE_GRADIENT
    assert not occupancy(CTCVariant(use_blank=False))[:, 0].any()


def test_the_gradient_of_wildcard_frames_is_0():
    """The blank is practically impossible, so the wildcard has every frame, and the gradient of each class is 0."""
    logits = some_scores(12, 0)[None]
    logits[..., 0] = -40
    slopes = []
    for target, variant in (([C], CTCVariant(wildcards="targets")), ([1], None)):
        leaf = logits.clone().requires_grad_()
        ctc_loss(leaf, torch.tensor([target]), [12], [1], variant=variant).backward()
        slopes.append(leaf.grad.abs().max().item())
    assert slopes[0] < DOUBLE < 0.1 < slopes[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_frames": 0}, r"min_frames is 0; expected a positive integer"),
        ({"use_blank": "no"}, r"use_blank is 'no'; expected True or False"),
        ({"min_frames": True}, r"min_frames is True; expected a positive integer"),
        ({"wildcards": "start"}, r"wildcards is 'start'; expected None or one of"),
        ({"delay_penalty": -0.1}, r"delay_penalty is -0\.1; expected 0 or more"),
        ({"wildcard_penalty": float("nan")}, r"wildcard_penalty is nan; expected a finite number"),
        ({"blank_bias": float("inf")}, r"blank_bias is inf; expected a finite number"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(InvalidInputError, match=message):
        CTCVariant(**options)


def test_shapes_are_checked():
    logits, target = torch.zeros(1, 5, C), torch.tensor([[1]])
    with pytest.raises(InvalidInputError, match=r"log_prior has shape \(3,\); expected \(4,\)"):
        ctc_loss(logits, target, [5], [1], variant=CTCVariant(log_prior=np.zeros(3)))
    with pytest.raises(InvalidInputError, match=r"transition_weights has shape \(1, 7, 5\); .* = \(1, 7, 3\)\."):
        ctc_loss(logits, target, [5], [1], transition_weights=torch.zeros(1, 7, 5))
    with pytest.raises(InvalidInputError, match=r"targets\[0, 0\] is 4; with C = 4 the classes are 0\.\.3"):
        ctc_loss(logits, torch.tensor([[4]]), [5], [1], variant=CTCVariant(min_frames=2))


def test_arrow_weights_is_the_older_name_of_transition_weights():
    logits, target, weights = torch.randn(1, 5, 4), torch.tensor([[1]]), torch.randn(1, 7, 3)
    new = ctc_loss(logits, target, [5], [1], transition_weights=weights)
    old = ctc_loss(logits, target, [5], [1], arrow_weights=weights)
    assert new.item() == old.item() != ctc_loss(logits, target, [5], [1]).item()
    with pytest.raises(InvalidInputError, match="transition_weights and arrow_weights are both given"):
        ctc_loss(logits, target, [5], [1], transition_weights=weights, arrow_weights=weights)


def test_the_reference_needs_as_many_frames_as_the_alignments():
    for target, (name, variant) in itertools.product(TARGETS, VARIANTS.items()):
        built = token_graphs(np.array([target or [0]]), np.array([len(target)]), np.array([9]), variant, classes=C)
        needed = built.topology(0).frames_needed
        for frames in range(9):
            found = any(True for _ in alignments_of(target, frames, variant))
            possible = np.isfinite(
                reference.log_likelihood(
                    reference.forward(np.zeros((frames, C + 1)), built.topology(0)), built.topology(0)
                )
            )
            assert found == possible, (name, target, frames)
            if found:
                assert frames >= needed


@pytest.mark.parametrize("infeasible", ["inf", "zero"])
def test_the_mean_is_over_the_tokens_of_the_targets(infeasible):
    """Not over the tokens of the token graphs, which contain repeats and wildcards."""
    logits = torch.randn(3, 9, C, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    targets = torch.tensor([[1, 2, 3], [2, 2, 0], [1, 1, 1]])
    frames, tokens = [9, 9, 2 if infeasible == "zero" else 9], torch.tensor([3, 2, 1])
    variant = CTCVariant(min_frames=3 if infeasible == "zero" else 2, wildcards="ends", wildcard_penalty=1.0)
    arguments = targets, frames, tokens
    losses = ctc_loss(logits, *arguments, reduction="none", infeasible=infeasible, variant=variant)
    possible = losses != 0  # with wildcards a loss can be negative
    assert possible.tolist() == [True, True, infeasible == "inf"]
    expected = (losses / tokens)[possible].mean()
    found = ctc_loss(logits, *arguments, infeasible=infeasible, variant=variant)
    assert found.item() == pytest.approx(expected.item(), abs=DOUBLE)


@pytest.mark.parametrize("wildcards", [None, "targets", "optional", "ends", "between", "everywhere"])
def test_a_batch_of_empty_targets_of_no_width(wildcards):
    empty = np.zeros((2, 0), dtype=np.int64)
    lengths = np.zeros(2, dtype=np.int64)
    made = token_graphs(empty, lengths, lengths + 4, CTCVariant(wildcards=wildcards), classes=3)
    assert made.empty.tolist() == [0.0, 0.0]
    assert made.lengths.tolist() == ([1, 1] if wildcards in ("ends", "everywhere") else [0, 0])
