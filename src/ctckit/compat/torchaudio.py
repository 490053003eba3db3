"""``torchaudio.functional.forced_align`` and ``merge_tokens``: same signatures and results, also for batches.

torchaudio sums the score of a path in the type of its input and stores a byte for each frame and state. So long inputs
get worse paths, and then run out of memory. Here the path is the optimum in float64 arithmetic, and memory does not
grow with T · N. Errors are those of torchaudio: each is a ``RuntimeError`` and a ``ValueError``, and its message begins
with torchaudio's.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ctckit import _checks
from ctckit.alignment import runs_of_path
from ctckit.errors import InfeasibleTargetError, InvalidInputError
from ctckit.kernels.align import native as native_align
from ctckit.kernels.batch import TargetBatch, target_batch

Tensor = torch.Tensor


class AlignmentInputError(InvalidInputError, RuntimeError):
    """An argument is wrong. It is a ``RuntimeError`` as well, because torchaudio raises both types."""


class TargetTooLongError(InfeasibleTargetError, RuntimeError):
    """A target that no path can emit."""


def forced_align(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Tensor | None = None,
    target_lengths: Tensor | None = None,
    blank: int = 0,
) -> tuple[Tensor, Tensor]:
    """Return the result of ``torchaudio.functional.forced_align``, with its signature; B > 1 is allowed.

    Args:
        log_probs: (B, T, C) log-probabilities, of a floating-point type, on any device; the computation is on the CPU.
        targets: (B, N) tokens, int32 or int64; values beyond the lengths are arbitrary.
        input_lengths: (B,) frames, the largest of which is T; None: T each.
        target_lengths: (B,) tokens, the largest of which is N; None: N each.
        blank: The class of the blank.

    Returns:
        The class of each frame on the best path, (B, T) of the type of ``targets``, and its log-probability, (B, T) of
        the type of ``log_probs``, which is differentiable. Beyond ``input_lengths``: the blank, and 0. Ties: stay over
        advance over skip, as in torchaudio; of two equally good ends the later one, the blank, while torchaudio takes
        the last token.

    Raises:
        AlignmentInputError: On wrong types, ranks, sizes, lengths, classes, NaN or +∞; before any computation.
        TargetTooLongError: If no path emits a target: T < N + adjacent repeats, or each path contains a class of −∞.

    Example:
        >>> from ctckit.compat.torchaudio import forced_align, merge_tokens
        >>> import torch
        >>> probs = torch.tensor([[[0.1, 0.8, 0.1], [0.7, 0.2, 0.1], [0.2, 0.1, 0.7], [0.1, 0.1, 0.8]]])
        >>> tokens, scores = forced_align(probs.log(), torch.tensor([[1, 2]]))
        >>> tokens
        tensor([[1, 0, 2, 2]])
        >>> [(span.token, span.start, span.end) for span in merge_tokens(tokens[0], scores[0])]
        [(1, 0, 1), (2, 2, 4)]
    """
    with _torchaudio_errors():
        batch = _checked(log_probs, targets, (input_lengths, target_lengths), blank)
        values = _checks.as_array(log_probs.detach().cpu(), "log_probs")
        if values.dtype == np.float16:
            values = values.astype(np.float32)
        _expect_numbers(values, batch.input_lengths)
        paths = _paths(values, batch)
    tokens = torch.from_numpy(paths).to(log_probs.device)
    return tokens.to(targets.dtype), _scores(log_probs, tokens, batch.input_lengths)


@contextmanager
def _torchaudio_errors() -> Iterator[None]:
    """Raise every error of an argument as a ``RuntimeError`` as well."""
    try:
        yield
    except RuntimeError:
        raise
    except InvalidInputError as error:
        raise AlignmentInputError(str(error)) from None


def _paths(values: npt.NDArray[np.floating[Any]], batch: TargetBatch) -> npt.NDArray[np.int64]:
    """Return (B, T) the class of each frame on the best path."""
    items, frames = values.shape[:2]
    paths = np.full(items * frames, batch.blank, dtype=np.int64)
    found = native_align.align_batch(
        values, batch.input_lengths, batch.targets, batch.target_lengths, blank=batch.blank
    )
    kept = [best for best in found if best is not None]
    if len(kept) < items:
        missing = np.flatnonzero([best is None for best in found])
        error = _checks.impossible_items(missing, "log_probs")
        raise TargetTooLongError(str(error), error.items)
    if items:
        starts = np.concatenate([best.starts + b * frames for b, best in enumerate(kept)])
        ends = np.concatenate([best.ends + b * frames for b, best in enumerate(kept)])
        tokens = np.concatenate([batch.target(b) for b in range(items)])
        counts = ends - starts
        before = np.cumsum(counts) - counts  # the number of frames of earlier tokens
        paths[np.arange(counts.sum()) + np.repeat(starts - before, counts)] = np.repeat(tokens, counts)
    return paths.reshape(items, frames)


def _scores(log_probs: Tensor, tokens: Tensor, input_lengths: npt.NDArray[np.int64]) -> Tensor:
    scores = log_probs.gather(2, tokens[..., None]).squeeze(2)
    if (input_lengths == scores.shape[1]).all():
        return scores
    inside = torch.arange(scores.shape[1]) < torch.from_numpy(input_lengths)[:, None]
    return torch.where(inside.to(scores.device), scores, 0)  # values beyond the lengths may be NaN


def _checked(log_probs: Any, targets: Any, lengths: tuple[Any, Any], blank: Any) -> TargetBatch:
    _expect_tensors(log_probs, targets)
    items, frames, classes = log_probs.shape
    blank = _blank(blank, classes)
    if len(targets) != items:
        raise AlignmentInputError(
            f"The batch dimension for targets must be {items}, as in log_probs; its shape is {tuple(targets.shape)}."
        )
    tokens = targets.cpu()
    input_lengths = _lengths(lengths[0], "input", "log_probs", items, frames)
    target_lengths = _lengths(lengths[1], "target", "targets", items, tokens.shape[1])
    _expect_classes(tokens, target_lengths, classes, blank)
    batch = target_batch(tuple(log_probs.shape), tokens, input_lengths, target_lengths, blank, name="log_probs")
    _expect_feasible(batch)
    return batch


def _blank(blank: Any, classes: int) -> int:
    """Return the class of the blank; it may be any integer, also of NumPy or in a tensor."""
    try:
        found = operator.index(blank)
    except TypeError:
        found = -1
    if not 0 <= found < classes:
        raise AlignmentInputError(f"blank must be within [0, num classes); it is {blank}, there are {classes} classes.")
    return found


def _lengths(given: Any, kind: str, array: str, items: int, size: int) -> npt.NDArray[np.int64]:
    """Return (B,) lengths; the largest must be ``size``."""
    if given is None:
        return np.full(items, size)
    name = f"{kind}_lengths"
    values = _checks.as_array(_on_cpu(given), name)
    if values.ndim != 1:
        raise AlignmentInputError(f"{name} must be 1-D (batch_size,); its shape is {values.shape}.")
    counts = _checks.integers(values, name, "(B,)")
    if len(counts) != items:
        raise AlignmentInputError(f"{name} has {len(counts)} entries; expected one for each of the B = {items} items.")
    if items and (counts.min() < 0 or counts.max() != size):
        b = int(counts.argmin() if counts.min() < 0 else counts.argmax())
        raise AlignmentInputError(
            f"{kind} length mismatch: {array}.shape[1] is {size}, {name}[{b}] is {counts[b]}; expected lengths of at "
            f"least 0, the largest of them {size}. Cut off frames and tokens that are padding in all items."
        )
    return counts.astype(np.int64)


def _expect_tensors(log_probs: Any, targets: Any) -> None:
    for name, each in (("log_probs", log_probs), ("targets", targets)):
        if not isinstance(each, torch.Tensor):
            kind = type(each).__name__
            raise AlignmentInputError(f"{name} is a {kind}; expected a torch tensor. ctckit.forced_align takes arrays.")
        _checks.expect_dense(each, name, on_device=True)
        if each.is_meta:
            raise AlignmentInputError(f"{name} is a meta tensor, which has no values; expected a tensor with values.")
    if not log_probs.dtype.is_floating_point:
        raise AlignmentInputError(
            f"log_probs must be float64, float32 or float16 (half) type; it is {log_probs.dtype}."
        )
    if targets.dtype.is_floating_point or targets.dtype.is_complex or targets.dtype == torch.bool:
        raise AlignmentInputError(f"targets must be int32 or int64 type; it is {targets.dtype}.")
    for name, each, axes in (
        ("log_probs", log_probs, "3-D (batch_size, input length, num classes)"),
        ("targets", targets, "2-D (batch_size, target length,)"),
    ):
        if each.ndim != int(axes[0]):
            raise AlignmentInputError(f"{name} must be {axes}; its shape is {tuple(each.shape)}.")


def _on_cpu(values: Any) -> Any:
    return values.cpu() if isinstance(values, torch.Tensor) else values


def _expect_classes(targets: Tensor, counts: npt.NDArray[np.int64], classes: int, blank: int) -> None:
    """Raise the two ``ValueError``s of torchaudio, with its messages."""
    array = _checks.as_array(targets, "targets")
    inside = np.arange(array.shape[1]) < counts[:, None]
    if (inside & (array == blank)).any():
        raise AlignmentInputError(f"targets Tensor shouldn't contain blank index. Found {targets}.")
    if (inside & (array >= classes)).any():
        raise AlignmentInputError(
            f"targets values must be less than the CTC dimension; the largest is {array[inside].max()}, "
            f"with C = {classes} the classes are 0..{classes - 1}."
        )


def _expect_feasible(batch: TargetBatch) -> None:
    bad = np.flatnonzero(~batch.feasible)
    for b in bad[:1]:
        raise TargetTooLongError(
            f"targets length is too long for CTC. Found log_probs length: {batch.input_lengths[b]}, targets length: "
            f"{batch.target_lengths[b]}, and number of repeats: {batch.repeats[b]} (item {b}).",
            tuple(bad.tolist()),
        )


def _expect_numbers(values: npt.NDArray[np.floating[Any]], input_lengths: npt.NDArray[np.int64]) -> None:
    if values.max(initial=-np.inf) < np.inf:  # true for the padding too; NaN is never below
        return
    top = values.max(axis=2)  # NaN where there is one
    inside = np.arange(values.shape[1]) < input_lengths[:, None]
    for b, t in np.argwhere(inside & ~(top < np.inf))[:1]:
        raise AlignmentInputError(f"log_probs[{b}, {t}] has a class of {top[b, t]}; expected finite numbers or −∞.")


@dataclass
class TokenSpan:
    """A token with its frames, as ``merge_tokens`` returns it.

    Attributes:
        token: The class.
        start: First frame.
        end: One past the last frame.
        score: The mean of the scores of these frames.

    Example:
        >>> from ctckit.compat.torchaudio import TokenSpan
        >>> span = TokenSpan(token=3, start=4, end=7, score=0.9)
        >>> len(span)
        3
    """

    token: int
    start: int
    end: int
    score: float

    def __len__(self) -> int:
        return self.end - self.start


def merge_tokens(tokens: Tensor, scores: Tensor, blank: int = 0) -> list[TokenSpan]:
    """Return the runs of equal tokens on a path, without the blank: ``torchaudio.functional.merge_tokens``.

    Args:
        tokens: (T,) the class of each frame: one item of the result of ``forced_align``.
        scores: (T,) a score for each frame; means are taken in float64.
        blank: The class of the blank.

    Raises:
        ValueError: If either is not a vector, or their lengths differ.

    Example:
        >>> import torch
        >>> from ctckit.compat.torchaudio import merge_tokens
        >>> merge_tokens(torch.tensor([0, 3, 3, 0, 3]), torch.tensor([-1.0, -2.0, -4.0, -1.0, -0.5]))
        [TokenSpan(token=3, start=1, end=3, score=-3.0), TokenSpan(token=3, start=4, end=5, score=-0.5)]
    """
    if tokens.ndim != 1 or scores.ndim != 1:
        raise AlignmentInputError(
            f"`tokens` and `scores` must be 1D Tensor; their shapes are {tuple(tokens.shape)} and "
            f"{tuple(scores.shape)}. For one item of a batch pass tokens[b], scores[b]."
        )
    if len(tokens) != len(scores):
        raise AlignmentInputError(
            f"`tokens` and `scores` must be the same length; they have {len(tokens)} and {len(scores)} entries."
        )
    with _torchaudio_errors():
        path = _checks.integers(_on_cpu(tokens), "tokens", "(T,)").astype(np.int64)
        runs = runs_of_path(path, _checks.as_array(_on_cpu(scores), "scores"), blank)
    columns = (runs.tokens, runs.starts, runs.ends, runs.log_probs)
    return [TokenSpan(*each) for each in zip(*(column.tolist() for column in columns), strict=True)]
