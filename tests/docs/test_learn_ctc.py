"""`docs/learn/ctc.py`, the complete file that readers download, agrees with torch."""

import importlib.util

import pytest

from tests.support.paths import ROOT

torch = pytest.importorskip("torch")
FILE = ROOT / "docs" / "learn" / "ctc.py"
T, B, C = 12, 5, 6
INPUT_LENGTHS = torch.tensor([12, 10, 7, 12, 3])
TARGET_LENGTHS = torch.tensor([4, 5, 3, 0, 2])
REDUCTIONS = ("none", "sum", "mean")


@pytest.fixture(scope="module")
def ctc():
    spec = importlib.util.spec_from_file_location("learn_ctc", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def problem(dtype=torch.float64, blank=0):
    """Logits, padded targets with repeats and an empty one, and the same targets joined."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(T, B, C, generator=generator, dtype=dtype, requires_grad=True)
    tokens = torch.randint(1, 3, (B, 6), generator=generator)
    tokens = torch.where(tokens == blank, 0, tokens)
    tokens[4, :2] = torch.tensor([3, 3])  # exactly as many frames as it needs
    padded = tokens.masked_fill(torch.arange(6) >= TARGET_LENGTHS[:, None], -1)
    joined = torch.cat([row[:n] for row, n in zip(tokens, TARGET_LENGTHS, strict=True)])
    return logits, padded, joined


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("layout", ["padded", "joined"])
@pytest.mark.parametrize("blank", [0, 2, C - 1])
def test_losses_are_those_of_torch(ctc, layout, reduction, blank):
    logits, padded, joined = problem(blank=blank)
    targets = padded if layout == "padded" else joined
    arguments = (logits.log_softmax(2), targets, INPUT_LENGTHS, TARGET_LENGTHS, blank, reduction)
    torch.testing.assert_close(ctc.ctc_loss(*arguments), torch.nn.functional.ctc_loss(*arguments), rtol=1e-12, atol=0)


def test_float32_stays_float32(ctc):
    logits, padded, _ = problem(torch.float32)
    arguments = (logits.log_softmax(2), padded, INPUT_LENGTHS, TARGET_LENGTHS)
    torch.testing.assert_close(ctc.ctc_loss(*arguments), torch.nn.functional.ctc_loss(*arguments))


@pytest.mark.parametrize("layout", ["padded", "joined"])
@pytest.mark.parametrize("blank", [0, C - 1])
def test_the_gradient_is_that_of_torch_and_of_the_loss(ctc, layout, blank):
    logits, padded, joined = problem(blank=blank)
    targets = padded if layout == "padded" else joined
    arguments = (logits.log_softmax(2), targets, INPUT_LENGTHS, TARGET_LENGTHS, blank)
    found = ctc.ctc_gradient(*arguments)
    for loss in (torch.nn.functional.ctc_loss, ctc.ctc_loss):
        [expected] = torch.autograd.grad(loss(*arguments, "sum"), logits, retain_graph=True)
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("zero_infinity", [False, True])
def test_targets_that_are_too_long(ctc, reduction, zero_infinity):
    logits, padded, _ = problem()
    short = torch.tensor([12, 10, 7, 12, 2])
    arguments = (logits.log_softmax(2), padded, short, TARGET_LENGTHS, 0, reduction, zero_infinity)
    torch.testing.assert_close(ctc.ctc_loss(*arguments), torch.nn.functional.ctc_loss(*arguments))
    gradient = ctc.ctc_gradient(*arguments[:4])
    assert gradient[:2, 4, [0, 3]].isnan().all()  # the blank and the token
    assert gradient[:, :4].isfinite().all()


def test_an_unknown_reduction_is_an_error(ctc):
    logits, padded, _ = problem()
    with pytest.raises(ValueError, match=r"reduction is 'max'; expected"):
        ctc.ctc_loss(logits.log_softmax(2), padded, INPUT_LENGTHS, TARGET_LENGTHS, reduction="max")


def test_the_file_is_short_and_linked():
    assert len(FILE.read_text(encoding="utf-8").splitlines()) < 120
    assert "{download}`ctc.py <ctc.py>`" in (FILE.parent / "4_by_hand.py").read_text(encoding="utf-8")
    assert "(docs/learn/ctc.py)" in (ROOT / "README.md").read_text(encoding="utf-8")
