"""The aligners that take part, each through the call that its documentation recommends, on inputs as it likes them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, ClassVar

import numpy as np

from benchmarks.alignment.no_cuda import import_torchaudio
from benchmarks.alignment.problems import Problem
from benchmarks.loss.workloads import Array


class Aligner(ABC):
    """One library, set up in one way. It imports its library when it is made, and nowhere else.

    Class attributes: ``packages``: whose versions are reported. ``ours``: it runs in the package's own environment.
    """

    packages: ClassVar[tuple[str, ...]]
    ours: ClassVar[bool] = False

    def __init__(self, threads: int, instruction_set: str = "", **options: Any) -> None:
        self.threads, self.instruction_set, self.options = threads, instruction_set, options

    def about(self) -> dict[str, str]:
        """Versions, as reported by the packages that run."""
        return {package: version(package) for package in self.packages}

    @abstractmethod
    def load(self, problem: Problem) -> None:
        """Put the inputs into the form that the library likes best: not timed."""

    @abstractmethod
    def align(self) -> Sequence[Any]:
        """What is timed: all items, one by one or in one call."""

    @abstractmethod
    def path(self, result: Any, item: int) -> Array | None:
        """(T,) the class of each frame; None where the library does not say. Not timed."""

    def claim(self, result: Any) -> float | None:
        """The score that the library itself reports, where it does."""
        del result
        return None


class CTCKit(Aligner):
    """``ctckit.forced_align``, all items in one call."""

    packages = ("ctckit", "numpy")
    ours = True

    def __init__(self, threads: int, instruction_set: str = "", **options: Any) -> None:
        super().__init__(threads, **options)
        import ctckit
        from ctckit.kernels import native

        self.ctckit = ctckit
        ctckit.set_num_threads(threads)
        if instruction_set:
            native.set_instruction_set(instruction_set)
        self.instruction_set = native.instruction_set()

    def load(self, problem: Problem) -> None:
        """One padded batch, or views of one item each."""
        self.blank = problem.blank
        count = len(problem)
        groups = [[i] for i in range(count)] if self.options.get("single") else [list(range(count))]
        self.batches = [batch(problem, group) for group in groups]

    def align(self) -> Sequence[Any]:
        """Alignments."""
        return [each for arguments in self.batches for each in self.ctckit.forced_align(*arguments, blank=self.blank)]

    def path(self, result: Any, item: int) -> Array:
        """Worked out when it is asked for."""
        del item
        return np.asarray(result.frame_tokens)

    def claim(self, result: Any) -> float:
        """Nats."""
        return float(result.log_prob)


def batch(problem: Problem, items: list[int]) -> tuple[Array, Array, Array, Array]:
    """(B, T, C), (B, N), (B,), (B,); a single item is a view."""
    rows, texts = [problem.frames(i) for i in items], [problem.target(i) for i in items]
    lengths = [np.array([len(each) for each in group]) for group in (rows, texts)]
    if len(items) == 1:
        return rows[0][None], texts[0][None], *lengths
    log_probs = np.zeros((len(items), lengths[0].max(), rows[0].shape[1]), dtype=np.float32)
    targets = np.zeros((len(items), lengths[1].max()), dtype=np.int64)
    for b, (row, text) in enumerate(zip(rows, texts, strict=True)):
        log_probs[b, : len(row)], targets[b, : len(text)] = row, text
    return log_probs, targets, *lengths


class AsTorchaudio(CTCKit):
    """``ctckit.compat.torchaudio.forced_align``, the batch in one call."""

    packages = ("ctckit", "numpy", "torch")

    def load(self, problem: Problem) -> None:
        """Tensors over the same memory."""
        import torch

        from ctckit.compat import torchaudio

        super().load(problem)
        self.frames = [len(problem.frames(i)) for i in range(len(problem))]
        self.functional = torchaudio
        self.batches = [tuple(torch.from_numpy(each) for each in arguments) for arguments in self.batches]

    def align(self) -> Sequence[Any]:
        """Paths."""
        (arguments,) = self.batches
        return list(self.functional.forced_align(*arguments, blank=self.blank)[0])

    def path(self, result: Any, item: int) -> Array:
        """Without what is beyond its length."""
        return np.asarray(result[: self.frames[item]].numpy())

    def claim(self, result: Any) -> None:
        """Left to ``forced_align``."""
        del result


class Torchaudio(Aligner):
    """``torchaudio.functional.forced_align``: one item a call."""

    packages = ("torchaudio", "torch")

    def __init__(self, threads: int, instruction_set: str = "", **options: Any) -> None:
        super().__init__(threads, instruction_set, **options)
        self.align_one = import_torchaudio().functional.forced_align
        set_torch_threads(threads)

    def load(self, problem: Problem) -> None:
        """Tensors."""
        import torch

        self.blank = problem.blank
        self.inputs = [
            (torch.from_numpy(problem.frames(i))[None], torch.from_numpy(problem.target(i))[None])
            for i in range(len(problem))
        ]

    def align(self) -> Sequence[Any]:
        """Paths."""
        return [self.align_one(*each, blank=self.blank)[0][0] for each in self.inputs]

    def path(self, result: Any, item: int) -> Array:
        """As it is."""
        del item
        return np.asarray(result.numpy())


class Hirschberg(Aligner):
    """hirschberg-viterbi: the function named by ``method``, one item a call."""

    packages = ("hirschberg-viterbi", "torch")

    def __init__(self, threads: int, instruction_set: str = "", **options: Any) -> None:
        super().__init__(threads, instruction_set, **options)
        import hirschberg_viterbi

        self.align_one = getattr(hirschberg_viterbi, options["method"])
        set_torch_threads(threads)

    def load(self, problem: Problem) -> None:
        """Tensors; targets in int32 is all it takes."""
        import torch

        self.problem = problem
        self.inputs = [
            (torch.from_numpy(problem.frames(i)), torch.from_numpy(problem.target(i))) for i in range(len(problem))
        ]

    def align(self) -> Sequence[Any]:
        """Paths."""
        blank = self.problem.blank
        return [self.align_one(rows[None], target[None], blank=blank)[0][0] for rows, target in self.inputs]

    def path(self, result: Any, item: int) -> Array:
        """As it is."""
        del item
        return np.asarray(result.numpy())


class RawHirschberg(Hirschberg):
    """The bare operator: a state for each frame, no scores."""

    def align(self) -> Sequence[Any]:
        """States of each frame."""
        return [self.align_one(*each, self.problem.blank) for each in self.inputs]

    def path(self, result: Any, item: int) -> Array:
        """State 2 i + 1 is token i, the even ones are blanks."""
        states = result.numpy().astype(np.int64)
        target = self.problem.target(item)
        return np.where(states % 2 == 0, self.problem.blank, target[np.minimum(states // 2, len(target) - 1)])


class CTCSegmentation(Aligner):
    """ctc-segmentation: ``prepare_token_list`` and ``ctc_segmentation``, its defaults; gives times, not a path."""

    packages = ("ctc-segmentation", "numpy")

    def __init__(self, threads: int, instruction_set: str = "", **options: Any) -> None:
        super().__init__(threads, instruction_set, **options)
        import ctc_segmentation

        self.module = ctc_segmentation

    def load(self, problem: Problem) -> None:
        """Its matrix of tokens."""
        classes = problem.log_probs.shape[1]
        names = [chr(0x4E00 + i) for i in range(classes)]
        self.config = self.module.CtcSegmentationParameters(char_list=names, blank=problem.blank, index_duration=0.02)
        self.inputs = [
            (problem.frames(i), self.module.prepare_token_list(self.config, [problem.target(i)])[0])
            for i in range(len(problem))
        ]

    def align(self) -> Sequence[Any]:
        """Seconds of each token."""
        return [self.module.ctc_segmentation(self.config, *each)[0] for each in self.inputs]

    def path(self, result: Any, item: int) -> None:
        """There is none: it maximises something else."""
        del result, item


def set_torch_threads(threads: int) -> None:
    """And no others."""
    import torch

    torch.set_num_threads(threads)


@dataclass(frozen=True)
class Peer:
    """An aligner in one setting: its class, words for the page, and what is set."""

    make: type[Aligner]
    setting: str
    threads: int = 1
    instruction_set: str = ""
    options: dict[str, Any] = field(default_factory=dict)


PEERS: dict[str, Peer] = {
    "ctckit": Peer(CTCKit, "`ctckit.forced_align`, all items in one call"),
    "ctckit AVX2": Peer(CTCKit, "the same, held to AVX2", instruction_set="avx2"),
    "ctckit 2 threads": Peer(CTCKit, "the same on two threads", threads=2),
    "ctckit one by one": Peer(CTCKit, "a call for each item", options={"single": True}),
    "ctckit as torchaudio": Peer(AsTorchaudio, "`ctckit.compat.torchaudio.forced_align`, all items in one call"),
    "torchaudio": Peer(Torchaudio, "`torchaudio.functional.forced_align`, a call for each item"),
    "hirschberg-viterbi": Peer(
        Hirschberg, "`hirschberg_viterbi`, a call for each item", options={"method": "hirschberg_viterbi"}
    ),
    "hirschberg-viterbi pruned": Peer(
        Hirschberg, "`pruned_hirschberg_viterbi`, its defaults", options={"method": "pruned_hirschberg_viterbi"}
    ),
    "hirschberg-viterbi full": Peer(Hirschberg, "`viterbi`, a pointer for each cell", options={"method": "viterbi"}),
    "hirschberg-viterbi raw": Peer(
        RawHirschberg, "`raw_viterbi`: states alone, no scores, nothing checked", options={"method": "raw_viterbi"}
    ),
    "ctc-segmentation": Peer(CTCSegmentation, "`ctc_segmentation`, its defaults; another objective, no path"),
}
