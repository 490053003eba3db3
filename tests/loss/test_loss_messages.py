"""The messages of the loss: every invalid argument raises before any computation."""

import numpy as np
import pytest
import torch

import ctckit
from ctckit.errors import BackendError, InvalidInputError

GOOD = {
    "logits": np.zeros((2, 4, 5), dtype=np.float32),
    "targets": [[1, 2], [3, 4]],
    "input_lengths": [4, 4],
    "target_lengths": [2, 2],
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"logits": np.zeros((4, 5))},
            r"logits has shape \(4, 5\); expected \(B, T, C\)\. For one item pass logits\[None\]\.",
        ),
        (
            {"logits": np.zeros((2, 4, 5), dtype=int)},
            r"logits has dtype int64; expected a floating-point type\.",
        ),
        (
            {"logits": np.zeros((4, 2, 5))},
            r"logits has shape \(4, 2, 5\) but input_lengths has 2 entries; expected \(B, T, C\)\. "
            r"It looks time-major: pass logits\.transpose\(0, 1\)\.",
        ),
        (
            {"input_lengths": [4, 4, 4]},
            r"input_lengths has 3 entries; expected one for each of the B = 2 items\.",
        ),
        ({"input_lengths": [4, 5]}, r"input_lengths\[1\] is 5; logits has T = 4 frames, so it must be in 0\.\.4\."),
        ({"input_lengths": [-1, 4]}, r"input_lengths\[0\] is -1; logits has T = 4 frames, so it must be in 0\.\.4\."),
        ({"input_lengths": [1.0, 1.0]}, r"input_lengths has dtype float64; expected integers\. Lengths are counts"),
        ({"input_lengths": [[4, 4]]}, r"input_lengths has shape \(1, 2\); expected \(B,\)\."),
        ({"target_lengths": [2, 3]}, r"target_lengths\[1\] is 3; targets has N = 2 columns, so it must be in 0\.\.2\."),
        ({"target_lengths": [2]}, r"target_lengths has 1 entries; expected one for each of the B = 2 items\."),
        ({"targets": [[1, 2], [3]]}, r"target_lengths\[1\] is 2, but the length of targets\[1\] is 1\."),
        (
            {"targets": [1, 2, 3, 4, 5]},
            r"targets has 5 entries, one after another; expected the sum of target_lengths, \d",
        ),
        ({"targets": [["a", "b"], ["c", "d"]]}, r"targets has dtype <U1; expected integers\."),
        ({"input_lengths": None}, r"input_lengths has dtype object; expected integers\."),
        (
            {"logits": torch.zeros(2, 4, 5).to_sparse()},
            r"logits has layout torch\.sparse_coo; expected a dense tensor\.",
        ),
        ({"logits": torch.zeros(2, 4, 5, dtype=torch.int32)}, r"logits has dtype torch\.int32; expected a floating"),
        (
            {"logits": np.zeros((2, 4, 5), dtype=np.longdouble)},
            r"logits has dtype .*; expected float16, float32 or float64\. Pass logits\.astype\(numpy\.float64\)\.",
        ),
        (
            {"logits": [torch.zeros(4, 5, requires_grad=True)] * 2},
            r"logits cannot be made an array: .*\. Pass torch\.stack\(logits\)\.",
        ),
        (
            {"targets": torch.ones(2, 2, dtype=torch.long).to_sparse()},
            r"targets has layout torch\.sparse_coo; expected a dense tensor\. Pass targets\.to_dense\(\)\.",
        ),
        (
            {"target_lengths": torch.ones(2, dtype=torch.long).to_sparse()},
            r"target_lengths has layout torch\.sparse_coo; expected a dense tensor\.",
        ),
        *(
            (
                {name: torch.nested.nested_tensor([torch.ones(1), torch.ones(2)], layout=torch.jagged).to(kind)},
                rf"{name} is a nested tensor; expected a dense one.* Pass torch\.nested\.to_padded_tensor\({name}, 0\)",
            )
            for name, kind in (("logits", torch.float32), ("targets", torch.int64), ("input_lengths", torch.int64))
        ),
        (
            {"targets": np.array([[2**64 - 1, 2], [1, 1]], dtype=np.uint64)},
            r"targets\[0, 0\] is 18446744073709551615; with C = 5",
        ),
        (
            {"target_lengths": np.array([2**64 - 1, 2], dtype=np.uint64)},
            r"target_lengths\[0\] is 18446744073709551615; targets has N = 2 columns",
        ),
        (
            {"targets": np.ones(7, dtype=int), "target_lengths": [-1, 8]},
            r"target_lengths\[0\] is -1; targets has 7 entries, so it must be in 0\.\.7\.",
        ),
        (
            {"targets": np.ones(7, dtype=int), "target_lengths": [2**63 - 1, 2**63 - 1]},
            r"targets has 7 entries, one after another; expected the sum of target_lengths, 18446744073709551614\.",
        ),
        (
            {"targets": np.ones(3, dtype=int), "target_lengths": [1, 1, 1]},
            r"target_lengths has 3 entries; expected one",
        ),
        ({"normalize": "no"}, r"normalize is 'no'; expected True or False\."),
        ({"normalize": 1}, r"normalize is 1; expected True or False\."),
        ({"reduction": np.array(["mean", "sum"])}, r"reduction is array\(.*; expected one of \"mean\""),
        ({"infeasible": np.array(["inf", "zero"])}, r"infeasible is array\(.*; expected one of \"inf\""),
        ({"backend": np.array(["auto", "native"])}, r"backend=array\(.* is not in this build"),
        ({"targets": [[1, 2]]}, r"targets has shape \(1, 2\); expected \(B, N\) with B = 2, as in logits\."),
        ({"targets": [[1.0, 2.0], [3.0, 4.0]]}, r"targets has dtype float64; expected integers\."),
        ({"targets": [[1, 2], [3, 5]]}, r"targets\[1, 1\] is 5; with C = 5 the classes are 0\.\.4\."),
        ({"targets": [[1, -1], [3, 4]]}, r"targets\[0, 1\] is -1; with C = 5 the classes are 0\.\.4\."),
        ({"targets": [[1, 2], [0, 4]]}, r"targets\[1, 0\] is 0, the blank; a target holds tokens only\."),
        ({"blank": 5}, r"blank is 5; with C = 5 the classes are 0\.\.4\."),
        ({"blank": True}, r"blank is True; expected the index of a class, an integer\."),
        ({"reduction": "avg"}, r"reduction is 'avg'; expected one of \"mean\", \"sum\", \"none\"\."),
        ({"infeasible": "nan"}, r"infeasible is 'nan'; expected one of \"inf\", \"zero\", \"error\"\."),
        (
            {"backend": "cuda"},
            r"backend='cuda' is not in this build of ctckit; expected one of "
            r"\"auto\", \"native\", \"reference\", \"triton\"\.",
        ),
    ],
)
def test_every_input_is_checked_before_anything_is_computed(change, message):
    with pytest.raises(InvalidInputError, match=message):
        ctckit.ctc_loss(**{**GOOD, **change})


def test_other_devices_are_refused():
    with pytest.raises(
        InvalidInputError, match=r"logits is on meta; this function computes on the CPU\. Pass logits\.cpu\(\)\."
    ):
        ctckit.ctc_loss(**{**GOOD, "logits": torch.zeros(2, 4, 5, device="meta")})
    with pytest.raises(InvalidInputError, match=r"targets is on meta; this function computes on the CPU"):
        ctckit.ctc_loss(**{**GOOD, "targets": torch.zeros(2, 2, device="meta", dtype=torch.long)})


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors is in prototype stage:UserWarning")
def test_nested_tensors_of_the_older_layout_are_refused_too():
    for name, kind in (("logits", torch.float32), ("targets", torch.int64)):
        nested = torch.nested.nested_tensor([torch.ones(1), torch.ones(2)], layout=torch.strided).to(kind)
        with pytest.raises(InvalidInputError, match=f"{name} is a nested tensor"):
            ctckit.ctc_loss(**{**GOOD, name: nested})


def test_the_module_checks_its_options_at_once():
    with pytest.raises(InvalidInputError, match="reduction is 'avg'"):
        ctckit.CTCLoss(reduction="avg")
    with pytest.raises(InvalidInputError, match="infeasible is 'never'"):
        ctckit.CTCLoss(infeasible="never")
    with pytest.raises(InvalidInputError, match="normalize is None"):
        ctckit.CTCLoss(normalize=None)
    with pytest.raises(InvalidInputError, match=r"variant is 'no-blank'; expected a CTCVariant, such as"):
        ctckit.CTCLoss(variant="no-blank")
    with pytest.raises(BackendError, match=r"backend='gpu' is not in this build"):
        ctckit.CTCLoss(backend="gpu")


def test_a_variant_of_another_type_is_refused():
    with pytest.raises(InvalidInputError, match=r"variant is \{'min_frames': 2\}; expected a CTCVariant"):
        ctckit.ctc_loss(**GOOD, variant={"min_frames": 2})


def test_the_remedy_for_a_list_of_tensors_works():
    """stack() for tensors of one shape that NumPy cannot read, pad_sequence() for others."""
    needs_gradient = [torch.zeros(8, 5, requires_grad=True)] * 2
    with pytest.raises(InvalidInputError, match=r"logits cannot be made an array: .* Pass torch\.stack\(logits\)\.$"):
        ctckit.ctc_loss(needs_gradient, [[1], [2]], [8, 8], [1, 1])
    ragged = [torch.zeros(8, 5), torch.zeros(6, 5)]
    with pytest.raises(InvalidInputError, match=r"torch\.nn\.utils\.rnn\.pad_sequence\(logits, batch_first=True\)\.$"):
        ctckit.ctc_loss(ragged, [[1], [2]], [8, 6], [1, 1])
    padded = torch.nn.utils.rnn.pad_sequence(ragged, batch_first=True)
    assert ctckit.ctc_loss(padded, [[1], [2]], [8, 6], [1, 1]).isfinite()
