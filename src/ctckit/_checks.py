"""Checks of the arguments that users pass in, and the messages of these checks.

The order is: types and ranks, then sizes, then contents. All checks come before a kernel runs. A message says what is
wrong, where, what was expected and what was found. Where there is a remedy, the message names it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit.errors import BackendError, InfeasibleTargetError, InvalidInputError, MissingDependencyError

REDUCTIONS = ("mean", "sum", "none")
INFEASIBLE = ("inf", "zero", "error")
NUMPY_FLOATS = ("torch.float16", "torch.float32", "torch.float64")
LOG_PROB_SLACK = 1e-2  # half precision can round the log-probability of a certain class to this much above 0
MOST_NAMED = 5  # one message lists at most this many items


def as_array(values: Any, name: str) -> npt.NDArray[Any]:
    """Return an array, a torch tensor or a sequence as a NumPy array, which shares its memory where possible.

    Numbers in bfloat16, which NumPy does not have, become the same numbers in float32.
    """
    if hasattr(values, "detach"):  # a torch tensor; torch is not imported for this check
        return _array_of_tensor(values, name)
    try:
        array = np.asarray(values)
        is_bfloat16 = array.dtype.kind == "V" and array.dtype.name == "bfloat16"  # of ml_dtypes
        return array.astype(np.float32) if is_bfloat16 else array
    except (ValueError, TypeError, RuntimeError) as error:  # the last two come from tensors in a list
        raise InvalidInputError(f"{name} cannot be made an array: {_sentence(error)} {_remedy(values, name)}") from None


def _remedy(values: Any, name: str) -> str:
    """Return how to make an array of a sequence that NumPy cannot convert."""
    if not isinstance(values, (list, tuple)) or not any(hasattr(each, "detach") for each in values):
        return "Pad its rows to one length."
    shapes = {tuple(each.shape) for each in values if hasattr(each, "shape")}
    if len(shapes) == 1 and all(hasattr(each, "detach") for each in values):
        return f"Pass torch.stack({name})."
    return f"Pad its rows to one length: torch.nn.utils.rnn.pad_sequence({name}, batch_first=True)."


def _array_of_tensor(tensor: Any, name: str) -> npt.NDArray[Any]:
    expect_dense(tensor, name)
    tensor = tensor.detach().resolve_conj().resolve_neg()  # only views that NumPy cannot read are copied
    try:
        if tensor.is_floating_point() and str(tensor.dtype) not in NUMPY_FLOATS:
            tensor = tensor.float()
        return np.asarray(tensor.numpy())
    except (TypeError, NotImplementedError):
        raise InvalidInputError(
            f"{name} has dtype {tensor.dtype}; expected numbers of a type that NumPy has. Convert the tensor first."
        ) from None
    except RuntimeError:  # inside torch.func, tensors have no memory that NumPy could share
        return _array_of_values(tensor, name)


def _array_of_values(tensor: Any, name: str) -> npt.NDArray[Any]:
    try:
        values = [each.item() for each in tensor.flatten()]  # inside torch.func, tolist() fails in PyTorch 2.6
    except RuntimeError:
        raise InvalidInputError(
            f"{name} has no values that could be read, as in torch.func.vmap over it. Map over others, or loop."
        ) from None
    return np.array(values, dtype=str(tensor.dtype).removeprefix("torch.")).reshape(tuple(tensor.shape))


def _sentence(error: Exception) -> str:
    """Return the text of an error as a sentence that ends with a full stop."""
    return f"{str(error).rstrip('.')}."


def expect_dense(tensor: Any, name: str, *, on_device: bool = False) -> None:
    """Check that a torch tensor is dense, and on the CPU; with ``on_device`` it may be on any device."""
    if not on_device:
        expect_cpu(tensor.device, name)
    if tensor.is_nested:
        raise InvalidInputError(
            f"{name} is a nested tensor; expected a dense one, its rows padded to one length. "
            f"Pass torch.nested.to_padded_tensor({name}, 0)."
        )
    if str(tensor.layout) != "torch.strided":
        raise InvalidInputError(f"{name} has layout {tensor.layout}; expected a dense tensor. Pass {name}.to_dense().")


def frames_on_device(log_probs: Any) -> Any:
    """Return (B, T, C) log-probabilities on a GPU, detached from autograd; (T, C) becomes a batch of one item."""
    expect_dense(log_probs, "log_probs", on_device=True)
    expect_floating(log_probs.is_floating_point(), "log_probs", log_probs.dtype)
    frames = log_probs.detach()[None] if log_probs.ndim == 2 else log_probs.detach()
    expect_rank(tuple(frames.shape), "log_probs", "(B, T, C)")
    return frames


def expect_cpu(device: Any, name: str) -> None:
    """Check that a torch device is the CPU, where most kernels compute."""
    if device.type != "cpu":
        raise BackendError(f"{name} is on {device}; this function computes on the CPU. Pass {name}.cpu().")


def is_ragged(values: Any) -> bool:
    """Whether this is a list of sequences, not all of one length."""
    if not isinstance(values, (list, tuple)):
        return False
    sizes = {len(each) for each in values if hasattr(each, "__len__") and getattr(each, "ndim", 1) == 1}
    return len(sizes) > 1


def padded_sequences(values: Any, name: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return (B, N) integers from B sequences of any lengths, padded with 0, and their lengths, (B,)."""
    sequences = [integers(each, f"{name}[{b}]", "(N,)") for b, each in enumerate(values)]
    lengths = np.array([len(each) for each in sequences], dtype=np.int64)
    result = np.zeros((len(sequences), int(lengths.max(initial=0))), dtype=np.int64)
    for padded_row, each in zip(result, sequences, strict=True):
        padded_row[: len(each)] = each
    return result, lengths


def padded_targets(targets: Any, target_lengths: Any) -> Any:
    """Return targets of different lengths padded to one; all other targets as they are."""
    if not is_ragged(targets):
        return targets
    array, own = padded_sequences(targets, "targets")
    given = integers(target_lengths, "target_lengths", "(B,)")
    if len(given) == len(own):
        for b in np.flatnonzero(given > own)[:1]:
            raise InvalidInputError(f"target_lengths[{b}] is {given[b]}, but the length of targets[{b}] is {own[b]}.")
    return array


def integers(values: Any, name: str, shape: str) -> npt.NDArray[np.integer[Any]]:
    """Return an array of integers; check that it has the rank of ``shape``, such as ``(B, N)``."""
    array = as_array(values, name)
    rank = shape.count(",") + (0 if shape.endswith(",)") else 1)
    if array.size == 0 and array.dtype.kind == "f":
        array = array.astype(np.int64)  # NumPy makes an empty list an array of floats
    if array.dtype.kind not in "iu":
        fractions = "lengths" in name and array.dtype.kind == "f"
        hint = " Lengths are counts of frames and tokens, not fractions." if fractions else ""
        raise InvalidInputError(f"{name} has dtype {array.dtype}; expected integers.{hint}")
    if array.ndim != rank:
        raise InvalidInputError(f"{name} has shape {array.shape}; expected {shape}.")
    return array


def floats(array: npt.NDArray[Any], name: str, shape: str) -> npt.NDArray[Any]:
    """Return a floating-point array of a type that the kernels take; check that it has the rank of ``shape``.

    Numbers of the other byte order keep their precision. Types wider than float64 become float64.
    """
    expect_floating(array.dtype.kind == "f", name, array.dtype)
    expect_rank(array.shape, name, shape)
    if array.dtype.itemsize > 8:
        return array.astype(np.float64)
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def expect_floating(is_floating: bool, name: str, dtype: object) -> None:
    """Check that an array of type ``dtype`` has floating-point numbers."""
    if not is_floating:
        hint = f" If this is bfloat16, pass {name}.view(ml_dtypes.bfloat16)." if str(dtype) == "|V2" else ""
        raise InvalidInputError(f"{name} has dtype {dtype}; expected a floating-point type.{hint}")


def expect_torch_float(dtype: np.dtype[Any], name: str) -> None:
    """Check that torch has this floating-point type of NumPy."""
    if dtype.itemsize > 8:
        raise InvalidInputError(
            f"{name} has dtype {dtype}; expected float16, float32 or float64. Pass {name}.astype(numpy.float64)."
        )


def expect_rank(found: tuple[int, ...], name: str, shape: str) -> None:
    """Check that an array has the rank of ``shape``, such as ``(B, T, C)``."""
    rank = shape.count(",") + 1
    if len(found) == rank:
        return
    remedy = ""
    if rank == 3 and len(found) == 2:
        remedy = f" For one item pass {name}[None]."
    if rank == 2 and len(found) == 3:
        remedy = f" For one item of a batch pass {name}[b]."
    raise InvalidInputError(f"{name} has shape {tuple(found)}; expected {shape}.{remedy}")


def choice(value: str, name: str, allowed: Iterable[str]) -> str:
    """Return an option; check that it is one of the allowed names."""
    allowed = tuple(allowed)
    if not isinstance(value, str) or value not in allowed:  # "in" would compare an array entry by entry
        names = ", ".join(f'"{each}"' for each in allowed)
        raise InvalidInputError(f"{name} is {value!r}; expected one of {names}.")
    return value


def flag(value: Any, name: str) -> bool:
    """Return a flag; check that it is True or False, not only a value that counts as one of them."""
    if not isinstance(value, (bool, np.bool_)):
        raise InvalidInputError(f"{name} is {value!r}; expected True or False.")
    return bool(value)


def backend(value: str, allowed: Iterable[str]) -> str:
    """Return the name of a backend; check that it is "auto" or a backend of this build."""
    allowed = ("auto", *allowed)
    if not isinstance(value, str) or value not in allowed:
        names = ", ".join(f'"{each}"' for each in allowed)
        raise BackendError(f"backend={value!r} is not in this build of ctckit; expected one of {names}.")
    return value


def class_index(value: Any, name: str, classes: int) -> int:
    """Return a class; check that it is an integer in 0..C−1."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise InvalidInputError(f"{name} is {value!r}; expected the index of a class, an integer.")
    if not 0 <= value < classes:
        raise InvalidInputError(f"{name} is {value}; with C = {classes} the classes are 0..{classes - 1}.")
    return int(value)


def lengths(values: Any, name: str, items: int, most: int, limit: str) -> npt.NDArray[np.int64]:
    """Return (B,) lengths; check that they are in 0..most. ``limit`` is the reason for ``most``, for the message."""
    array = integers(values, name, "(B,)")
    if len(array) != items:
        raise InvalidInputError(f"{name} has {len(array)} entries; expected one for each of the B = {items} items.")
    bad = np.flatnonzero((array < 0) | (array > most))
    if bad.size:
        b = int(bad[0])
        raise InvalidInputError(f"{name}[{b}] is {array[b]}; {limit}, so it must be in 0..{most}.")
    return np.ascontiguousarray(array, dtype=np.int64)


def expect_entries(count: int, name: str, items: int) -> None:
    """Check that an argument has one entry for each entry of ``input_lengths``."""
    if count != items:
        raise InvalidInputError(
            f"{name} has {count} entries but input_lengths has {items}; expected one for each item."
        )


def padded(tokens: npt.NDArray[Any], target_lengths: Any, items: int) -> npt.NDArray[Any]:
    """Return (B, N) padded targets from joined targets, (Σ N_b,)."""
    counts = integers(target_lengths, "target_lengths", "(B,)")
    total = sum(counts.tolist())  # Python integers cannot overflow
    if len(counts) == items and total != len(tokens):
        raise InvalidInputError(
            f"targets has {len(tokens)} entries, one after another; expected the sum of target_lengths, {total}."
        )
    counts = lengths(counts, "target_lengths", items, len(tokens), f"targets has {len(tokens)} entries")
    result = np.zeros((items, int(counts.max(initial=0))), dtype=tokens.dtype)
    result[np.arange(result.shape[1]) < counts[:, None]] = tokens
    return result


def expect_batch_first(shape: tuple[int, ...], input_lengths: Any, name: str) -> None:
    """Check that a batch is not time-major: its first axis, not its second, has one entry for each length."""
    array = as_array(input_lengths, "input_lengths")
    count = len(array) if array.ndim == 1 else shape[0]
    if count != shape[0] and count == shape[1]:
        raise InvalidInputError(
            f"{name} has shape {tuple(shape)} but input_lengths has {count} entries; expected (B, T, C). "
            f"It looks time-major: pass {name}.transpose(0, 1)."
        )


def expect_classes(targets: npt.NDArray[Any], target_lengths: npt.NDArray[np.int64], classes: int, blank: int) -> None:
    """Check that every token within the lengths is a class and not the blank."""
    inside = np.arange(targets.shape[1]) < target_lengths[:, None]
    outside_range = inside & ((targets < 0) | (targets >= classes))
    if outside_range.any():
        b, n = (int(k) for k in np.argwhere(outside_range)[0])
        raise InvalidInputError(
            f"targets[{b}, {n}] is {targets[b, n]}; with C = {classes} the classes are 0..{classes - 1}."
        )
    is_blank = inside & (targets == blank)
    if is_blank.any():
        b, n = (int(k) for k in np.argwhere(is_blank)[0])
        raise InvalidInputError(
            f"targets[{b}, {n}] is {blank}, the blank; a target holds tokens only. CTC itself inserts the blanks "
            f"between tokens. If {blank} is one of your tokens, pass blank=… with the class of the blank."
        )


def impossible_items(bad: npt.NDArray[np.integer[Any]], name: str) -> InfeasibleTargetError:
    """Return the error for targets that fit into their frames, but only on paths through masked classes."""
    items = tuple(int(b) for b in bad)
    return InfeasibleTargetError(
        f"targets{list(items)} cannot be emitted: every alignment passes a class whose {name} are −∞ in its frame.",
        items,
    )


def one_target(
    target: Any, classes: int, blank: int, *, name: str = "target", star: int | None = None
) -> npt.NDArray[np.int64]:
    """Return (N,) the tokens of a single item; check that each one is a class and not the blank, or is ``star``."""
    array = integers(target, name, "(N,)")
    for n in np.flatnonzero(((array < 0) | (array >= classes)) & (array != star))[:1]:
        raise InvalidInputError(f"{name}[{n}] is {array[n]}; with C = {classes} the classes are 0..{classes - 1}.")
    for n in np.flatnonzero(array == blank)[:1]:
        raise InvalidInputError(f"{name}[{n}] is {blank}, the blank; a target holds tokens only.")
    return array.astype(np.int64)


def expect_scores(array: npt.NDArray[Any], name: str) -> None:
    """Check that all scores are finite or −∞."""
    bad = np.argwhere(np.isnan(array) | np.isposinf(array))
    if len(bad):
        where = ", ".join(str(int(k)) for k in bad[0])
        raise InvalidInputError(f"{name}[{where}] is {array[tuple(bad[0])]}; expected finite numbers or −∞.")


def class_names(names: Sized | None, classes: int) -> None:
    """Check that there is one name for each class, or no names at all."""
    if names is not None and len(names) != classes:
        raise InvalidInputError(f"names has {len(names)} entries; expected one for each of the C = {classes} classes.")


def expect_log_probs(top: npt.NDArray[Any], position: str, first: int = 0) -> None:
    """Check that no log-probability is above 0, as logits are that did not pass through a log-softmax.

    Args:
        top: The largest value of each frame.
        position: The position of the item, for the message.
        first: The number of frames before these.
    """
    for t in np.flatnonzero(top > LOG_PROB_SLACK)[:1]:
        raise InvalidInputError(
            f"log_probs[{position}, {first + t}] reaches {top[t]:.4g}; logarithms of probabilities are at most 0. For "
            f"logits pass their log_softmax over the classes, for probabilities their logarithm."
        )


def expect_alignable(scores: npt.NDArray[Any], input_lengths: npt.NDArray[np.int64]) -> None:
    """Check that (B, T, C) log-probabilities are at most 0 and not NaN within the lengths."""
    if scores.max(initial=-np.inf) <= LOG_PROB_SLACK:  # this includes the padding; it is False where there is a NaN
        return
    top = scores.max(axis=2, initial=-np.inf)
    inside = np.arange(scores.shape[1]) < input_lengths[:, None]
    bad = ~(top <= LOG_PROB_SLACK) & inside  # a comparison with NaN is False
    if not bad.any():
        return
    b, t = (int(k) for k in np.argwhere(bad)[0])
    for c in np.flatnonzero(np.isnan(scores[b, t]))[:1]:
        raise InvalidInputError(f"log_probs[{b}, {t}, {c}] is nan; expected finite numbers or −∞.")
    expect_log_probs(np.array([top[b, t]]), str(b), t)


def expect_frames(scores: npt.NDArray[Any], item: int | None, first: int = 0) -> None:
    """Check (T, C) frames for a search: no NaN, nothing above 0, at least one possible class in each frame.

    Args:
        scores: The frames.
        item: Their position in a batch; None for a stream.
        first: The number of frames of the stream before these.
    """
    top = scores.max(axis=1, initial=-np.inf)
    if ((top > -np.inf) & (top <= LOG_PROB_SLACK)).all():  # a comparison with NaN is False
        return
    t = int(np.flatnonzero(~((top > -np.inf) & (top <= LOG_PROB_SLACK)))[0])
    where = f"log_probs[{t}] (frame {first + t} of the stream)" if item is None else f"log_probs[{item}, {t}]"
    if np.isnan(top[t]):
        bad = int(np.flatnonzero(np.isnan(scores[t]))[0])
        raise InvalidInputError(f"{where} is nan for class {bad}; expected finite numbers or −∞.")
    if top[t] > 0:
        raise InvalidInputError(
            f"{where} reaches {top[t]:.4g}; logarithms of probabilities are at most 0. For logits pass their "
            f"log_softmax over the classes, for probabilities their logarithm."
        )
    raise InvalidInputError(f"{where} is −∞ for every class: none is possible. Leave such frames out.")


def expect_vocabulary(blank_there: int, tokens: int, blank: int, classes: int) -> None:
    """Check that a vocabulary has as many tokens as there are classes, and the same blank."""
    if tokens != classes:
        hint = " The blank is one of them." if tokens + 1 == classes else ""
        raise InvalidInputError(
            f"log_probs has C = {classes} classes, but vocabulary has {tokens}; expected a token for each class.{hint}"
        )
    if blank_there != blank:
        raise InvalidInputError(f"blank is {blank}, but vocabulary says {blank_there}; expected the same class.")


def differing_shapes(name: str, shape: tuple[int, ...], other: str, expected: tuple[int, ...]) -> InvalidInputError:
    """Return the error for two arrays that must have the same shape."""
    return InvalidInputError(f"{name} has shape {shape}; expected that of {other}, {expected}.")


def expect_instance(value: Any, name: str, kind: type, expected: str) -> None:
    """Check that a value has a type, which the message calls ``expected``."""
    if not isinstance(value, kind):
        raise InvalidInputError(f"{name} is of type {type(value).__name__}; expected {expected}.")


def positive_integer(count: int, name: str) -> int:
    """Return a count; check that it is a positive integer."""
    if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < 1:
        raise InvalidInputError(f"{name} is {count!r}; expected a positive integer.")
    return int(count)


def number(value: Any, name: str, least: float, most: float) -> float:
    """Return a number; check that it is real and in ``least``..``most``."""
    real = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not real or not least <= value <= most:  # a comparison with NaN is False
        raise InvalidInputError(f"{name} is {value!r}; expected a number in {least:g}..{most:g}.")
    return float(value)


def missing(error: ModuleNotFoundError, what: str, extra: str) -> ImportError:
    """Return the error for a failed import; for a missing optional package, with the command to install it."""
    package = (error.name or "").partition(".")[0]
    return error if package in ("", "ctckit") else MissingDependencyError(what, package, extra)


@contextmanager
def item_of_error(item: int) -> Iterator[None]:
    """Add a note that names the item to an exception that passes through. Python 3.10 has no notes."""
    try:
        yield
    except Exception as error:
        if sys.version_info >= (3, 11):
            error.add_note(f"In item {item} of log_probs.")
        raise
