"""Forced alignment: the most likely single path of a given target through the frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit import _checks
from ctckit._padding import frames_of_items
from ctckit.alignment.frames import DeviceFrames, Frames, frames_of, mean_log_probs
from ctckit.alignment.result import Alignment
from ctckit.alignment.wildcards import STAR_PENALTY, WildcardGraph, relative_scores, wildcard_graphs
from ctckit.errors import InvalidInputError
from ctckit.kernels.align import native as aligner
from ctckit.kernels.align.reference import BestPath
from ctckit.kernels.batch import TargetBatch, expect_feasible, target_batch


def forced_align(
    log_probs: npt.ArrayLike | Any,
    targets: npt.ArrayLike | Any,
    input_lengths: Any = None,
    target_lengths: Any = None,
    *,
    blank: int = 0,
    star: int | None = None,
    edges: bool = False,
    star_penalty: float = STAR_PENALTY,
) -> list[Alignment]:
    """Return the frames of each token: those of the path π of states with the largest Σ_t log_probs[t, label(π_t)].

    The path is the exact optimum (Viterbi) for any T and N. Ties: staying in a state wins over advancing, advancing
    over skipping a blank; among equally good ends the later state wins.

    A *wildcard* stands for anything, or for nothing: speech that the transcript lacks, noise, silence. In each frame
    its score is that of the best class. Using it costs ``star_penalty`` once, for any number of frames.

    Args:
        log_probs: (B, T, C), or (T, C) for one item; NumPy array, torch tensor or lists, natural logarithms, −∞
            allowed. Or a list of B items (T_b, C) of different lengths. For a tensor on a GPU the paths are computed
            there; with wildcards, or if the table of transitions exceeds 1 GiB, on the CPU. The frames stay on the GPU;
            they are copied when a property of an alignment needs them.
        targets: (B, N) integers, or (N,) for one item, or a list of B sequences; classes other than the blank.
        input_lengths: (B,) frames of each item; all T by default. Frames beyond it are not read.
        target_lengths: (B,) tokens of each item; all N by default. Tokens beyond it are not read.
        blank: The class of the blank.
        star: The number that stands for a wildcard in ``targets``. It must not be a class; −1 is usual. None: there are
            no wildcards.
        edges: Whether to put a wildcard before and behind each target, so that it may begin late and end early.
        star_penalty: Nats for each wildcard that takes frames. Lower: wildcards take frames about which the model is
            unsure. Higher: the transcript is trusted more.

    Returns:
        B alignments.

    Raises:
        InfeasibleTargetError: If a target needs more frames than there are, or if each of its paths uses a class of
            probability 0; names all such items.
        InvalidInputError: On a wrong rank, type or length, a class outside 0..C−1, a blank in a target, NaN, values
            above 0.

    Example:
        >>> from ctckit import forced_align
        >>> import numpy as np
        >>> probs = np.full((6, 3), 0.1)
        >>> probs[range(6), [0, 1, 1, 0, 2, 0]] = 0.8
        >>> found = forced_align(np.log(probs), [1, 2])[0]
        >>> [(span.token, span.start, span.end) for span in found.spans]
        [(1, 1, 3), (2, 4, 5)]
        >>> found.frame_tokens.tolist()
        [0, 1, 1, 0, 2, 0]

    Source: Graves et al. 2006, section 4.1, with the maximum for the sum; wildcards: Pratap et al. 2022, section 3.
    """
    problem = _problem(log_probs, targets, input_lengths, target_lengths, blank=blank, star=star)
    _checks.flag(edges, "edges")
    _checks.number(star_penalty, "star_penalty", 0.0, float(np.finfo(np.float32).max))
    _expect_feasible(problem)
    if not (edges or problem.has_wildcards):
        return _align_plain(problem)
    return _align_with_wildcards(
        problem, edges=edges, star_penalty=float(star_penalty), star=-1 if star is None else star
    )


def why_impossible(target: npt.NDArray[np.integer[Any]], frames: int, star: int) -> str:
    """Return why no alignment emits a target in so many frames, for a message that says whose target it is."""
    spoken = target[target != star]
    repeats = int((spoken[1:] == spoken[:-1]).sum())
    if len(spoken) + repeats <= frames:
        return "every alignment passes a class whose log_probs are −∞ in its frame."
    return (
        f"{len(spoken)} tokens with {repeats} adjacent repeats need {len(spoken) + repeats} frames, there are {frames}."
    )


LARGEST = np.iinfo(np.int64).max


@dataclass(frozen=True, eq=False)
class _Problem:
    frames: Frames | DeviceFrames
    batch: TargetBatch  # a wildcard is class C
    has_wildcards: bool


def _problem(
    log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any, *, blank: int, star: int | None
) -> _Problem:
    log_probs, input_lengths = frames_of_items(log_probs, input_lengths)
    found = frames_of(log_probs)
    targets, input_lengths, target_lengths = (_in_memory(each) for each in (targets, input_lengths, target_lengths))
    tokens, target_lengths = _target_array(targets, target_lengths, single=found.single)
    items, frames, classes = found.shape
    input_lengths = np.full(items, frames) if input_lengths is None else input_lengths
    wild = _wildcards_in(tokens, star, classes)
    if target_lengths is None and tokens.ndim == 2:
        target_lengths = np.full(len(tokens), tokens.shape[1])
    some_class = 1 if blank == 0 else 0
    given = tokens if wild is None else np.where(wild, some_class, tokens)
    batch = target_batch(found.shape, given, input_lengths, target_lengths, blank, name="log_probs")
    if wild is not None:
        wild = wild if wild.ndim == 2 else _checks.padded(wild, target_lengths, items)
        batch = replace(batch, targets=np.where(wild, np.int32(classes), batch.targets))
    found.expect_alignable(batch.input_lengths)
    return _Problem(found, batch, wild is not None)


def _in_memory(integers: Any) -> Any:
    return integers.cpu() if getattr(integers, "is_cuda", False) else integers


def _target_array(targets: Any, target_lengths: Any, *, single: bool) -> tuple[npt.NDArray[Any], Any]:
    """Return targets as an array, and their lengths where they are known; sequences of different lengths are padded."""
    listed = target_lengths is None and isinstance(targets, (list, tuple))
    if listed and (any(hasattr(each, "__len__") for each in targets) or not (single or targets)):
        return _checks.padded_sequences(targets, "targets")
    if target_lengths is not None:
        targets = _checks.padded_targets(targets, target_lengths)
    array = _checks.as_array(targets, "targets")
    if single and array.ndim == 1 and target_lengths is None:
        return _checks.integers(array, "targets", "(N,)")[None], None
    if target_lengths is None and array.ndim == 1:
        raise InvalidInputError(
            f"targets has shape {array.shape}; expected (B, N), or target_lengths in addition to concatenated targets."
        )
    return _checks.integers(array, "targets", "(Σ N_b,)" if array.ndim == 1 else "(B, N)"), target_lengths


def _wildcards_in(tokens: npt.NDArray[Any], star: int | None, classes: int) -> npt.NDArray[np.bool_] | None:
    """Return which entries are wildcards, or None if there are none."""
    if star is None:
        return None
    if isinstance(star, bool) or not isinstance(star, (int, np.integer)) or abs(int(star)) > LARGEST:
        raise InvalidInputError(f"star is {star!r}; expected an integer that is not a class, such as −1, or None.")
    if 0 <= star < classes:
        raise InvalidInputError(
            f"star is {star}, one of the classes 0..{classes - 1}; expected a number that is not a class, such as −1."
        )
    wild = np.asarray(tokens == star)
    return wild if wild.any() else None


def _expect_feasible(problem: _Problem) -> None:
    batch = problem.batch
    if not problem.has_wildcards:
        return expect_feasible(batch)
    star = problem.frames.shape[2]
    spoken, lengths = np.zeros_like(batch.targets), np.zeros_like(batch.target_lengths)
    for b in range(len(batch)):
        tokens = batch.target(b)[batch.target(b) != star]
        lengths[b] = len(tokens)
        spoken[b, : len(tokens)] = tokens
    return expect_feasible(replace(batch, targets=spoken, target_lengths=lengths))


def _align_plain(problem: _Problem) -> list[Alignment]:
    batch, frames = problem.batch, problem.frames
    paths, means = frames.best_paths(batch)
    result = []
    for b, (path, length) in enumerate(zip(_found(paths), batch.input_lengths.tolist(), strict=True)):
        spans = batch.target(b), path.starts, path.ends, means[b]
        result.append(Alignment(*spans, path.log_prob, length, batch.blank, frames.item(b, length)))
    return result


def _align_with_wildcards(problem: _Problem, *, edges: bool, star_penalty: float, star: int) -> list[Alignment]:
    batch, scores = problem.batch, problem.frames.in_memory().scores
    classes = scores.shape[2]
    graphs, origins = wildcard_graphs(batch, classes, edges=edges, penalty=star_penalty)
    relative = relative_scores(scores, batch.input_lengths)
    found = _found(
        aligner.align_batch(
            relative, batch.input_lengths, graphs.tokens, graphs.lengths, blank=batch.blank, graphs=graphs
        )
    )
    result = []
    for b, (path, frames) in enumerate(zip(found, batch.input_lengths.tolist(), strict=True)):
        graph = WildcardGraph(graphs.topology(b), path.starts, path.ends, origins[b], classes)
        result.append(_alignment_of_graph(graph, batch.target(b), scores[b, :frames], batch.blank, star))
    return result


def _alignment_of_graph(
    graph: WildcardGraph, target: npt.NDArray[Any], scores: npt.NDArray[Any], blank: int, star: int
) -> Alignment:
    tokens = np.where(target == graph.classes, np.int64(star), target)
    starts, ends = graph.spans(len(target))
    means = np.zeros(len(tokens))
    classes = target != graph.classes
    whole = BestPath(0.0, starts[classes], ends[classes])
    means[classes] = mean_log_probs(scores[None], [target[classes]], [whole])[0]
    log_prob = graph.log_prob(scores)
    return Alignment(tokens, starts, ends, means, log_prob, len(scores), blank, scores, star, graph)


def _found(paths: Sequence[BestPath | None]) -> list[BestPath]:
    missing = np.array([b for b, path in enumerate(paths) if path is None], dtype=np.int64)
    if missing.size:
        raise _checks.impossible_items(missing, "log_probs")
    return [path for path in paths if path is not None]
