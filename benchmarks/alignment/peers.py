"""The aligners, each through the call that its documentation recommends, with inputs in its best layout."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.alignment.no_cuda import import_torchaudio
from benchmarks.alignment.problems import Problem
from benchmarks.common.arrays import Array, padded
from benchmarks.common.libraries import CTCKIT, Library, Setting, set_up_ctckit, set_up_torch


class Aligner(Library):
    """One library with one setting."""

    @abstractmethod
    def load(self, problem: Problem) -> None:
        """Put the inputs into the layout that suits the library best; not timed."""

    @abstractmethod
    def align(self) -> Sequence[Any]:
        """Align all items, one by one or in one call; this is timed."""

    @abstractmethod
    def path(self, result: Any, item: int) -> Array | None:
        """Return the class of each frame, (T,); None if the library does not return it. Not timed."""

    def claim(self, result: Any) -> float | None:
        """Return the score that the library reports; None if it reports none."""
        del result
        return None


class CTCKit(Aligner):
    """``ctckit.forced_align``, all items in one call."""

    packages = ("ctckit", "numpy")
    environment = CTCKIT

    def __init__(self, threads: int, instruction_set: str = "", **options: Any) -> None:
        super().__init__(threads, **options)
        self.ctckit, self.instruction_set = set_up_ctckit(threads, instruction_set)

    def load(self, problem: Problem) -> None:
        """Make one padded batch, or views of single items."""
        self.blank = problem.blank
        count = len(problem)
        groups = [[i] for i in range(count)] if self.options.get("single") else [list(range(count))]
        self.batches = [batch(problem, group) for group in groups]

    def align(self) -> Sequence[Any]:
        """Return alignments."""
        return [each for arguments in self.batches for each in self.ctckit.forced_align(*arguments, blank=self.blank)]

    def path(self, result: Any, item: int) -> Array:
        """Return the classes; ctckit computes them on demand."""
        del item
        return np.asarray(result.frame_tokens)

    def claim(self, result: Any) -> float:
        """Return the log-probability."""
        return float(result.log_prob)


def batch(problem: Problem, items: list[int]) -> tuple[Array, Array, Array, Array]:
    """Return log-probabilities (B, T, C), targets (B, N), and their lengths (B,); a single item is a view."""
    frames, texts = [problem.frames(i) for i in items], [problem.target(i) for i in items]
    if len(items) == 1:
        return frames[0][None], texts[0][None], np.array([len(frames[0])]), np.array([len(texts[0])])
    log_probs, input_lengths = padded(frames, np.float32)
    targets, target_lengths = padded(texts, np.int64)
    return log_probs, targets, input_lengths, target_lengths


class AsTorchaudio(CTCKit):
    """``ctckit.compat.torchaudio.forced_align``, the batch in one call."""

    packages = ("ctckit", "numpy", "torch")

    def load(self, problem: Problem) -> None:
        """Make tensors that share the memory of the arrays."""
        import torch

        from ctckit.compat import torchaudio

        super().load(problem)
        self.frames = [len(problem.frames(i)) for i in range(len(problem))]
        self.functional = torchaudio
        self.batches = [tuple(torch.from_numpy(each) for each in arguments) for arguments in self.batches]

    def align(self) -> Sequence[Any]:
        """Return paths."""
        (arguments,) = self.batches
        return list(self.functional.forced_align(*arguments, blank=self.blank)[0])

    def path(self, result: Any, item: int) -> Array:
        """Return the path without padding."""
        return np.asarray(result[: self.frames[item]].numpy())

    def claim(self, result: Any) -> None:
        """Report nothing; the setting "ctckit" checks the scores."""
        del result


class Torchaudio(Aligner):
    """``torchaudio.functional.forced_align``: one item a call."""

    packages = ("torchaudio", "torch")

    def __init__(self, threads: int, instruction_set: str = "", **options: Any) -> None:
        super().__init__(threads, instruction_set, **options)
        self.align_one = import_torchaudio().functional.forced_align
        set_up_torch(threads)

    def load(self, problem: Problem) -> None:
        """Make tensors."""
        import torch

        self.blank = problem.blank
        self.inputs = [
            (torch.from_numpy(problem.frames(i))[None], torch.from_numpy(problem.target(i))[None])
            for i in range(len(problem))
        ]

    def align(self) -> Sequence[Any]:
        """Return paths."""
        return [self.align_one(*each, blank=self.blank)[0][0] for each in self.inputs]

    def path(self, result: Any, item: int) -> Array:
        """Return the path."""
        del item
        return np.asarray(result.numpy())


class Hirschberg(Aligner):
    """hirschberg-viterbi: the function named by ``method``, one item a call."""

    packages = ("hirschberg-viterbi", "torch")

    def __init__(self, threads: int, instruction_set: str = "", **options: Any) -> None:
        super().__init__(threads, instruction_set, **options)
        import hirschberg_viterbi

        self.align_one = getattr(hirschberg_viterbi, options["method"])
        set_up_torch(threads)

    def load(self, problem: Problem) -> None:
        """Make tensors; the targets must be int32."""
        import torch

        self.problem = problem
        self.inputs = [
            (torch.from_numpy(problem.frames(i)), torch.from_numpy(problem.target(i))) for i in range(len(problem))
        ]

    def align(self) -> Sequence[Any]:
        """Return paths."""
        blank = self.problem.blank
        return [self.align_one(frames[None], target[None], blank=blank)[0][0] for frames, target in self.inputs]

    def path(self, result: Any, item: int) -> Array:
        """Return the path."""
        del item
        return np.asarray(result.numpy())


class RawHirschberg(Hirschberg):
    """The operator below the function: it returns a state for each frame, no scores."""

    def align(self) -> Sequence[Any]:
        """Return the state of each frame."""
        return [self.align_one(*each, self.problem.blank) for each in self.inputs]

    def path(self, result: Any, item: int) -> Array:
        """Convert states to classes: state 2 i + 1 is token i, even states are blanks."""
        states = result.numpy().astype(np.int64)
        target = self.problem.target(item)
        return np.where(states % 2 == 0, self.problem.blank, target[np.minimum(states // 2, len(target) - 1)])


class CTCSegmentation(Aligner):
    """ctc-segmentation: ``prepare_token_list`` and ``ctc_segmentation``, its defaults; returns times, not a path."""

    packages = ("ctc-segmentation", "numpy")

    def __init__(self, threads: int, instruction_set: str = "", **options: Any) -> None:
        super().__init__(threads, instruction_set, **options)
        import ctc_segmentation

        self.module = ctc_segmentation

    def load(self, problem: Problem) -> None:
        """Prepare the token matrix of the library."""
        classes = problem.log_probs.shape[1]
        names = [chr(0x4E00 + i) for i in range(classes)]
        self.config = self.module.CtcSegmentationParameters(char_list=names, blank=problem.blank, index_duration=0.02)
        self.inputs = [
            (problem.frames(i), self.module.prepare_token_list(self.config, [problem.target(i)])[0])
            for i in range(len(problem))
        ]

    def align(self) -> Sequence[Any]:
        """Return the seconds of each token."""
        return [self.module.ctc_segmentation(self.config, *each)[0] for each in self.inputs]

    def path(self, result: Any, item: int) -> None:
        """Return nothing: the library maximizes another objective and returns no path."""
        del result, item


PEERS: dict[str, Setting] = {
    "ctckit": Setting(CTCKit, "`ctckit.forced_align`, all items in one call"),
    "ctckit AVX2": Setting(CTCKit, "the same, restricted to AVX2", instruction_set="avx2"),
    "ctckit 2 threads": Setting(CTCKit, "the same on two threads", threads=2),
    "ctckit one by one": Setting(CTCKit, "a call for each item", options={"single": True}),
    "ctckit as torchaudio": Setting(AsTorchaudio, "`ctckit.compat.torchaudio.forced_align`, all items in one call"),
    "torchaudio": Setting(Torchaudio, "`torchaudio.functional.forced_align`, a call for each item"),
    "hirschberg-viterbi": Setting(
        Hirschberg, "`hirschberg_viterbi`, a call for each item", options={"method": "hirschberg_viterbi"}
    ),
    "hirschberg-viterbi pruned": Setting(
        Hirschberg, "`pruned_hirschberg_viterbi`, its defaults", options={"method": "pruned_hirschberg_viterbi"}
    ),
    "hirschberg-viterbi full": Setting(Hirschberg, "`viterbi`, a pointer for each cell", options={"method": "viterbi"}),
    "hirschberg-viterbi raw": Setting(
        RawHirschberg, "`raw_viterbi`: states alone, no scores, nothing checked", options={"method": "raw_viterbi"}
    ),
    "ctc-segmentation": Setting(CTCSegmentation, "`ctc_segmentation`, its defaults; another objective, no path"),
}
