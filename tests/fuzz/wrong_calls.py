"""Invalid calls: valid ones with one invalid argument. Each must raise an error that names it, before a kernel runs."""

import re
from unittest import mock

import numpy as np
import torch

import ctckit
from ctckit.compat import torch as compat
from ctckit.errors import CTCKitError
from ctckit.kernels.loss import BACKENDS

GARBAGE = (None, "text", object(), {}, {1, 2}, [["a"]], [None], b"bytes", lambda: None, 1j, [[1], [1, "a"]])
BLANKS = (None, "0", 0.0, True, -1, 2**70, -(2**70), [0], float("nan"), torch.tensor(0.5))
OPTIONS = {
    "reduction": ("avg", "MEAN", "", None, 0, ["mean"], np.array(["mean", "sum"])),
    "infeasible": ("nan", "", None, 0, True, np.array(["inf", "zero"])),
    "backend": ("cuda", "Triton", "cudnn", "", None, 5, np.array(["auto", "native"])),
}
FUNCTIONS = {
    "ctc_loss": ctckit.ctc_loss,
    "compat.torch.ctc_loss": compat.ctc_loss,
    "lattice": ctckit.lattice,
    "greedy_decode": ctckit.greedy_decode,
}


class Call:
    """A valid call, with the facts that a spoiler needs."""

    def __init__(self, rng, name):
        self.function = name
        self.scores = "logits" if name == "ctc_loss" else "log_probs"
        self.targets = "target" if name == "lattice" else "targets"
        self.B, self.T, self.C, self.N = (int(rng.integers(*each)) for each in ((1, 4), (4, 9), (3, 9), (1, 4)))
        self.blank = int(rng.integers(self.C))
        scores = torch.from_numpy(rng.standard_normal((self.B, self.T, self.C))).log_softmax(2)
        others = [c for c in range(self.C) if c != self.blank]
        self.arguments = {
            self.scores: scores,
            self.targets: rng.choice(others, (self.B, self.N)),
            "input_lengths": rng.integers(1, self.T + 1, self.B),
            "target_lengths": rng.integers(1, self.N + 1, self.B),
            "blank": self.blank,
        }
        if name == "compat.torch.ctc_loss":
            self.arguments[self.scores] = scores.transpose(0, 1)
        if name == "lattice":
            self.arguments = {"log_probs": scores[0], "target": self.arguments["target"][0], "blank": self.blank}
        if name == "greedy_decode":
            del self.arguments["targets"], self.arguments["target_lengths"]
        if rng.random() < 0.5:  # tensors and arrays are checked by different code
            for key in ("target", "targets", "input_lengths", "target_lengths"):
                if key in self.arguments:
                    self.arguments[key] = torch.from_numpy(self.arguments[key])

    def __getitem__(self, name):
        return self.arguments[name]

    def __setitem__(self, name, value):
        self.arguments[name] = value

    def run(self):
        return FUNCTIONS[self.function](**self.arguments)


# A spoiler makes one argument of the call invalid and returns a pattern that the message must match.


def scores_rank(rng, call):
    ranks = {
        "ctc_loss": (0, 1, 2, 4),
        "compat.torch.ctc_loss": (0, 1, 4),
        "lattice": (0, 1, 3),
        "greedy_decode": (0, 1, 4),
    }
    call[call.scores] = torch.zeros([3] * int(rng.choice(ranks[call.function])))
    return rf"{call.scores} has shape .*; expected \("


def scores_type(rng, call):
    types = (torch.int64, torch.int32, torch.uint8, torch.bool, torch.complex64)
    call[call.scores] = torch.zeros(call[call.scores].shape, dtype=types[rng.integers(len(types))])
    return rf"{call.scores} has dtype .*; expected a floating-point type"


def scores_garbage(rng, call):
    call[call.scores] = GARBAGE[rng.integers(len(GARBAGE))]
    return call.scores


def scores_elsewhere(rng, call):
    call[call.scores] = call[call.scores].to("meta")
    return rf"{call.scores} is on meta"


def scores_sparse(rng, call):
    call[call.scores] = call[call.scores].to_sparse()
    return rf"{call.scores} has layout"


def scores_without_classes(rng, call):
    call[call.scores] = call[call.scores][..., :0]
    return "C = 0"


def scores_not_a_number(rng, call):
    """Only for functions that refuse NaN; the losses return NaN for such an item."""
    value = float(rng.choice([np.nan, np.inf]))
    call[call.scores] = torch.full_like(call[call.scores], value)
    return r"log_probs\[0.* (is|reaches) (nan|inf)"


def targets_rank(rng, call):
    wrong = {"lattice": (0, 2, 3)}.get(call.function, (0, 3))
    shape = [call.B] * int(rng.choice(wrong))
    call[call.targets] = np.ones(shape, dtype=np.int64)
    return rf"{call.targets} has shape"


def targets_type(rng, call):
    types = (torch.float32, torch.float64, torch.bfloat16, torch.bool, torch.complex64)
    kind = types[rng.integers(len(types))]
    call[call.targets] = torch.full(tuple(call[call.targets].shape), 0.5).to(kind)
    return rf"{call.targets} has dtype .*; expected integers"


def targets_garbage(rng, call):
    call[call.targets] = GARBAGE[rng.integers(len(GARBAGE))]
    return call.targets


def targets_elsewhere(rng, call):
    call[call.targets] = torch.zeros(tuple(call[call.targets].shape), dtype=torch.int64, device="meta")
    return rf"{call.targets} is on meta"


def targets_sparse(rng, call):
    call[call.targets] = torch.as_tensor(call[call.targets]).to_sparse()
    return call.targets


def targets_count(rng, call):
    items = call.B + int(rng.choice([-1, 1, 5]))
    call["targets"] = np.full((items, call.N), (call.blank + 1) % call.C)
    return r"targets has shape .*; expected \(B, N\) with B ="


def targets_narrow(rng, call):
    call["targets"] = call["targets"][:, : int(call["target_lengths"].max()) - 1]
    return r"target_lengths\[\d+\] is \d+; targets has N = \d+ columns"


def label(rng, call, value):
    """Put a label within the lengths; return the pattern of its position in messages."""
    array = np.asarray(call[call.targets]).copy()
    if call.function == "lattice":
        n = int(rng.integers(len(array)))
        array[n], position = value, f"target[{n}]"
    else:
        b = int(rng.integers(call.B))
        n = int(rng.integers(int(call["target_lengths"][b])))
        array[b, n], position = value, f"targets[{b}, {n}]"
    call[call.targets] = array if isinstance(call[call.targets], np.ndarray) else torch.from_numpy(array)
    return re.escape(position) + " is "


def label_outside(rng, call):
    value = int(rng.choice([call.C, call.C + 1, -1, 1000, 2**31, 2**32 + 1, 2**62, -(2**31), -(2**32) + 1]))
    return label(rng, call, value) + rf"{value}; with C = {call.C} the classes are 0\.\.{call.C - 1}\."


def label_blank(rng, call):
    return label(rng, call, call.blank) + rf"{call.blank}, the blank"


def label_beyond_64_bits(rng, call):
    labels = np.asarray(call[call.targets]).tolist()
    (labels if call.function == "lattice" else labels[0])[0] = int(rng.choice([-1, 1])) * 2**70
    call[call.targets] = labels
    return rf"{call.targets} has dtype object; expected integers"


def lengths_name(rng, call):
    return str(rng.choice([name for name in ("input_lengths", "target_lengths") if name in call.arguments]))


def lengths_value(rng, call):
    name = lengths_name(rng, call)
    most = call.T if name == "input_lengths" else call.N
    value = int(rng.choice([most + 1, most + 1000, -1, -most, 2**31, 2**32, 2**62, -(2**63)]))
    array = np.asarray(call[name]).copy()
    b = int(rng.integers(call.B))
    array[b] = value
    call[name] = array if isinstance(call[name], np.ndarray) else torch.from_numpy(array)
    return rf"{name}\[{b}\] is {value}; .* so it must be in 0\.\.{most}\."


def lengths_type(rng, call):
    name = lengths_name(rng, call)
    array = np.asarray(call[name])
    wrong = (array.astype(float), array / call.T, array * np.nan, array > 0, array.astype(complex), array.astype(str))
    value = wrong[rng.integers(len(wrong))]
    call[name] = value if value.dtype.kind == "U" or rng.random() < 0.5 else torch.from_numpy(value)
    return rf"{name} has dtype .*; expected integers"


def lengths_count(rng, call):
    """The message names the lengths, or says that the batch looks time-major if the other axis has this size."""
    name = lengths_name(rng, call)
    call[name] = [1] * (call.B + int(rng.choice([-1, 1, call.T - call.B])))
    return rf"{name} has \d+ entries"


def lengths_rank(rng, call):
    name = lengths_name(rng, call)
    call[name] = np.ones([call.B] + [1] * int(rng.choice([1, 2])), dtype=np.int64)
    return rf"{name} has shape"


def lengths_garbage(rng, call):
    name = lengths_name(rng, call)
    wrong = (*GARBAGE[1:9], 2**70, [2**70] * call.B, [1.5] * call.B)  # None is greedy_decode's default
    call[name] = wrong[rng.integers(len(wrong))]
    return name


def lengths_ragged(rng, call):
    name = lengths_name(rng, call)
    call[name] = [[1], [1, 2]]
    return name


def lengths_elsewhere(rng, call):
    name = lengths_name(rng, call)
    call[name] = torch.ones(call.B, dtype=torch.int64, device="meta")
    return rf"{name} is on meta"


def blank_wrong(rng, call):
    wrong = [*BLANKS, call.C, call.C + 100]
    if call.function == "greedy_decode":
        wrong.remove(None)  # its default
    call["blank"] = wrong[rng.integers(len(wrong))]
    return "blank is"


def option_wrong(rng, call):
    names = ("reduction",) if call.function == "compat.torch.ctc_loss" else tuple(OPTIONS)
    name = str(rng.choice(names))
    call[name] = OPTIONS[name][rng.integers(len(OPTIONS[name]))]
    return rf"{name}( is |=)"


def joined_sum(rng, call):
    """Joined targets, torch's other form, with too many or too few tokens."""
    total = int(call["target_lengths"].sum()) + int(rng.choice([-1, 1, 10]))
    call["targets"] = np.full(total, (call.blank + 1) % call.C)
    return rf"targets has {total} entries, one after another; expected the sum of target_lengths"


def joined_overflow(rng, call):
    """Lengths whose sum is correct only after an overflow."""
    call["targets"] = np.full(7, (call.blank + 1) % call.C)
    call[call.scores] = torch.zeros(call.T, 3, call.C)
    call["input_lengths"], call["target_lengths"] = [1] * 3, torch.tensor([2**63 - 1, 2**63 - 1, 9])
    return "target"


def scores_nested(rng, call):
    call[call.scores] = torch.nested.nested_tensor(list(call[call.scores]), layout=torch.jagged)
    return rf"{call.scores} is a nested tensor"


def targets_nested(rng, call):
    call[call.targets] = torch.nested.nested_tensor([torch.ones(1), torch.ones(2)], layout=torch.jagged).to(torch.int64)
    return rf"{call.targets} is a nested tensor"


def lengths_sparse(rng, call):
    name = lengths_name(rng, call)
    call[name] = torch.as_tensor(call[name]).to_sparse()
    return rf"{name} has layout"


def flag_wrong(rng, call):
    name = "normalize" if call.function == "ctc_loss" else "zero_infinity"
    call[name] = (None, "no", 0, 1, 1.0, [True], np.array([True, False]), torch.tensor(True))[rng.integers(8)]
    return rf"{name} is .*; expected True or False"


def scores_long_double(rng, call):
    """A type that torch does not have; the functions without torch accept it."""
    call[call.scores] = np.asarray(call[call.scores]).astype(np.longdouble)
    return rf"{call.scores} has dtype"


def scores_listed_tensors(rng, call):
    call[call.scores] = [each.clone().requires_grad_() for each in call[call.scores]]
    return call.scores


ALL, LOSSES, NUMPY = tuple(FUNCTIONS), tuple(FUNCTIONS)[:2], tuple(FUNCTIONS)[2:]
WITH_TARGETS, WITH_LENGTHS = tuple(FUNCTIONS)[:3], (*LOSSES, "greedy_decode")
SPOILERS = {
    scores_rank: ALL,
    scores_type: ALL,
    scores_garbage: ALL,
    scores_elsewhere: ALL,
    scores_sparse: ALL,
    scores_nested: ALL,
    scores_without_classes: ALL,
    scores_not_a_number: NUMPY,
    targets_rank: WITH_TARGETS,
    targets_type: WITH_TARGETS,
    targets_garbage: WITH_TARGETS,
    targets_elsewhere: WITH_TARGETS,
    targets_sparse: WITH_TARGETS,
    targets_nested: WITH_TARGETS,
    targets_count: LOSSES,
    targets_narrow: LOSSES,
    label_outside: WITH_TARGETS,
    label_blank: WITH_TARGETS,
    label_beyond_64_bits: WITH_TARGETS,
    lengths_value: WITH_LENGTHS,
    lengths_type: WITH_LENGTHS,
    lengths_count: WITH_LENGTHS,
    lengths_rank: ("ctc_loss", "greedy_decode"),  # torch takes lengths of any shape
    lengths_garbage: WITH_LENGTHS,
    lengths_ragged: WITH_LENGTHS,
    lengths_sparse: WITH_LENGTHS,
    lengths_elsewhere: WITH_LENGTHS,
    blank_wrong: ALL,
    option_wrong: LOSSES,
    flag_wrong: LOSSES,
    joined_sum: ("compat.torch.ctc_loss",),
    joined_overflow: ("compat.torch.ctc_loss",),
    scores_long_double: LOSSES,
    scores_listed_tensors: (*LOSSES, "lattice"),
}


def spoilers_of(function):
    """Return the spoilers for calls of this function, in a fixed order."""
    return [spoiler for spoiler, functions in SPOILERS.items() if function in functions]


def no_kernel(*_, **__):
    raise AssertionError("a kernel ran for an invalid call")


def check_refused(rng, spoiler, function):
    """Check that the call raises an error of ctckit that is a ValueError and names the argument."""
    call = Call(rng, function)
    pattern = spoiler(rng, call)
    try:
        with mock.patch.dict(BACKENDS, dict.fromkeys(BACKENDS, no_kernel)):
            call.run()
        found = "nothing"
    except Exception as error:
        if isinstance(error, CTCKitError) and isinstance(error, ValueError) and re.search(pattern, str(error)):
            return
        found = repr(error)
    raise AssertionError(
        f"{function}, {spoiler.__name__}: {call.arguments}\nraised {found}\nexpected an error that says {pattern!r}"
    )


def check_round(rng):
    """Check one invalid call of each function."""
    for function in FUNCTIONS:
        spoilers = spoilers_of(function)
        check_refused(rng, spoilers[rng.integers(len(spoilers))], function)
