"""``tune``: choose the weights of a decoder on texts that are known.

``tune`` counts the errors on a development set: first on a grid of settings, then around the best point with half the
step, again and again. With few items, the lowest point is often luck. So a point is judged by its own error and,
equally, by the mean error of the points within one step of the grid around it: a wide valley is better than a single
low point.

The error at the chosen point is optimistic, because the point was chosen for it. ``folds=k`` therefore repeats the
whole search k times, each time without one k-th of the items, and counts the errors on the held-out items only. So the
errors of an item are never counted with settings that it helped to choose. Report this number, or the error on a test
set that took no part.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit import _checks
from ctckit._padding import pad_frames
from ctckit.decoding.beam import BeamDecoder
from ctckit.decoding.settings import MAX_WEIGHT
from ctckit.errors import InvalidInputError

METRICS = ("cer", "wer")
Point = tuple[float, ...]
Trials = MutableMapping[Point, npt.NDArray[np.int64]]
Distance = Callable[[Sequence[str], Sequence[str]], int]


@dataclass(frozen=True)
class Fold:
    """One part of a cross-validation.

    Attributes:
        settings: The settings chosen on the other parts.
        error: The error of these settings on this part: errors per reference character or word.
    """

    settings: Mapping[str, float]
    error: float


@dataclass(frozen=True, eq=False)
class Tuning:
    """The result of ``tune``. ``print(tuning)`` draws the errors over the settings.

    Attributes:
        decoder: The decoder with the best settings.
        settings: The best settings: those with the fewest errors at and around them; of equals, the one in the middle.
        error: Errors per reference character or word with these settings. It is optimistic: they were chosen for it.
        held_out_error: The same error by cross-validation; None without ``folds``.
        folds: The parts of the cross-validation.
        metric: "cer" or "wer".
        names: The settings that were tuned.
        points: (P, len(names)) the values that were tried, without those of the cross-validation.
        errors: (P,) the error at each point.

    Example:
        >>> import numpy as np
        >>> from ctckit import BeamDecoder, tune
        >>> log_probs = np.log([[[0.5, 0.4, 0.1], [0.6, 0.1, 0.3]]] * 4)
        >>> tuning = tune(BeamDecoder(["", "a", "b"]), log_probs, ["ab"] * 4, grid={"token_bonus": [0.0, 2.0]})
        >>> tuning.names, tuning.points.shape, tuning.error
        (('token_bonus',), (6, 1), 0.0)
        >>> tuning.decoder.decode(log_probs)[0][0].text
        'ab'
    """

    decoder: BeamDecoder
    settings: Mapping[str, float]
    error: float
    held_out_error: float | None
    folds: tuple[Fold, ...]
    metric: str
    names: tuple[str, ...]
    points: npt.NDArray[np.float64]
    errors: npt.NDArray[np.float64]

    def draw(self) -> str:
        """Draw the errors: the first setting down, the second across; a cell has the least error over the others."""
        downwards = np.unique(self.points[:, 0])
        across = self.points[:, 1] if len(self.names) > 1 else np.zeros(len(self.points))
        columns = np.unique(across)
        lines = [f"{self.metric} in %: {self.names[0]} downwards"]
        if len(self.names) > 1:
            lines[0] += f", {self.names[1]} across"
            lines.append(" " * 8 + "".join(f"{column:8.4g}" for column in columns))
        for value in downwards:
            cells = [self.errors[(self.points[:, 0] == value) & (across == column)] for column in columns]
            marked = [self._cell(each) for each in cells]
            lines.append((f"{value:8.4g}" + "".join(f"{cell:>8}" for cell in marked)).rstrip())
        lines.append(f"best: {_written(self.settings)}: {100 * self.error:.2f} % on the items they were chosen on")
        if self.held_out_error is not None:
            lines.append(f"held out, {len(self.folds)} folds: {100 * self.held_out_error:.2f} %")
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.draw()

    def _cell(self, errors: npt.NDArray[np.float64]) -> str:
        if not len(errors):
            return "·"
        return f"{100 * errors.min():.2f}" + "*" * bool(errors.min() == self.errors.min())


def tune(
    decoder: BeamDecoder,
    log_probs: Any,
    references: Sequence[str],
    input_lengths: Any = None,
    *,
    metric: str = "cer",
    grid: Mapping[str, Sequence[float]] | None = None,
    refinements: int = 2,
    folds: int = 0,
    progress: Callable[[int], None] | None = None,
    trials: Trials | None = None,
) -> Tuning:
    """Choose lm_weight, word_bonus and other settings on a development set.

    Do not use the test set: its error would then be too optimistic. With ``folds`` the result also has a held-out
    error.

    Args:
        decoder: The decoder to tune.
        log_probs: (B, T, C), or a list of B arrays (T_b, C).
        references: The B true texts, as ``Hypothesis.text`` writes them.
        input_lengths: (B,) frames of each item; by default all.
        metric: "cer": errors per reference character, or "wer": errors per reference word (words are
            separated by spaces).
        grid: The first values of each setting to tune: lm_weight, word_bonus, token_bonus, oov_charge …; with two
            language models "lm_weight[0]" and "lm_weight[1]". By default lm_weight, word_bonus with a model of
            words, and token_bonus with a model of characters or tokens.
        refinements: How often to continue around the best point with half the step.
        folds: 0, or the number of parts of a cross-validation, at least 2. Item b is in part b modulo folds.
        progress: Is called with the number of settings tried so far.
        trials: Where the results are kept: from the values of the settings, in their order, to the (B,) numbers of
            errors. What it holds already, of an interrupted run with the same arguments, is not computed again. By
            default a new dictionary.

    Returns:
        A ``Tuning``: the tuned decoder, its settings and error, and the errors of all settings that were tried.

    Raises:
        InvalidInputError: If the arguments do not fit each other; also whenever ``BeamDecoder.decode`` raises it.
        MissingDependencyError: Without rapidfuzz, which counts the errors.

    Example:
        >>> import numpy as np
        >>> from ctckit import BeamDecoder, tune
        >>> log_probs = np.log([[[0.5, 0.4, 0.1], [0.6, 0.1, 0.3]]] * 4)
        >>> tuning = tune(BeamDecoder(["", "a", "b"]), log_probs, ["ab"] * 4, grid={"token_bonus": [0.0, 2.0]}, folds=2)
        >>> tuning.settings, tuning.error, tuning.held_out_error
        ({'token_bonus': 3.5}, 0.0, 0.0)
        >>> print(tuning)
        cer in %: token_bonus downwards
               0   50.00
               1   50.00
               2   0.00*
             2.5   0.00*
               3   0.00*
             3.5   0.00*
        best: token_bonus = 3.5: 0.00 % on the items they were chosen on
        held out, 2 folds: 0.00 %
    """
    if input_lengths is None and isinstance(log_probs, (list, tuple)):
        log_probs, input_lengths = pad_frames(log_probs)
    _checks.choice(metric, "metric", METRICS)
    texts = _references(references, len(log_probs), metric)
    axes = axes_of(decoder, grid)
    surface = _Surface(decoder, log_probs, input_lengths, texts, tuple(axes), metric, progress, trials)
    if isinstance(refinements, bool) or not isinstance(refinements, int) or refinements < 0:
        raise InvalidInputError(f"refinements is {refinements!r}; expected a whole number, 0 or more.")
    parts = _parts(folds, len(texts))
    everything = np.ones(len(texts), dtype=bool)
    best, tried = _search(surface, axes, refinements, everything)
    found = tuple(_fold(surface, axes, refinements, part) for part in parts)
    held_out = None
    if parts:
        chosen = [tuple(fold.settings.values()) for fold in found]
        held_out = float(
            sum(surface.errors_of(p, part) for p, part in zip(chosen, parts, strict=True)) / surface.units.sum()
        )
    settings = dict(zip(axes, best, strict=True))
    return Tuning(
        decoder=decoder.with_settings(**_as_settings(settings)),
        settings=settings,
        error=surface.error(best, everything),
        held_out_error=held_out,
        folds=found,
        metric=metric,
        names=tuple(axes),
        points=np.array(tried),
        errors=np.array([surface.error(point, everything) for point in tried]),
    )


class _Surface:
    """The errors of every item at every point of the settings that was asked for; each point is decoded once."""

    def __init__(
        self,
        decoder: BeamDecoder,
        log_probs: Any,
        input_lengths: Any,
        references: Sequence[str],
        names: tuple[str, ...],
        metric: str,
        progress: Callable[[int], None] | None,
        trials: Trials | None,
    ) -> None:
        self._decoder, self._log_probs, self._lengths = decoder, log_probs, input_lengths
        self._distance = _distance()
        self._split: Callable[[str], Sequence[str]] = str.split if metric == "wer" else str
        self._references = [self._split(text) for text in references]
        self._names = names
        self._progress = progress
        self._known: Trials = {} if trials is None else trials
        self.units = np.array([len(each) for each in self._references])
        for point, errors in self._known.items():
            if np.shape(errors) != (len(references),):
                raise InvalidInputError(
                    f"trials[{point}] has shape {np.shape(errors)}; expected the errors of the B = {len(references)} "
                    "items. Are these the trials of other items?"
                )

    def errors_of(self, point: Point, items: npt.NDArray[np.bool_]) -> int:
        """Return the number of errors of some items."""
        if point not in self._known:
            self._known[point] = self._measure(point)
            if self._progress is not None:
                self._progress(len(self._known))
        return int(self._known[point][items].sum())

    def error(self, point: Point, items: npt.NDArray[np.bool_]) -> float:
        """Return the errors per reference character or word."""
        return self.errors_of(point, items) / max(1, int(self.units[items].sum()))

    def _measure(self, point: Point) -> npt.NDArray[np.int64]:
        settings = _as_settings(dict(zip(self._names, point, strict=True)))
        decoded = self._decoder.with_settings(**settings).decode(self._log_probs, self._lengths)
        pairs = zip(self._references, decoded, strict=True)
        return np.array([self._distance(truth, self._split(found[0].text)) for truth, found in pairs], dtype=np.int64)


def _search(
    surface: _Surface, axes: Mapping[str, list[float]], refinements: int, items: npt.NDArray[np.bool_]
) -> tuple[Point, list[Point]]:
    """Return the best point for some items, from a grid and then finer ones around it; and all points tried."""
    steps = [max((b - a for a, b in itertools.pairwise(sorted(values))), default=0.0) for values in axes.values()]
    reach = np.array(steps)
    tried = list(itertools.product(*axes.values()))
    best = _middle_of_the_best(surface, tried, items, reach)
    for _ in range(refinements):
        steps = [step / 2 for step in steps]
        moves = [
            (value - step, value, value + step) if step else (value,) for value, step in zip(best, steps, strict=True)
        ]
        tried += [point for point in itertools.product(*moves) if _in_range(tuple(axes), point) and point not in tried]
        best = _middle_of_the_best(surface, tried, items, reach)
    return best, tried


def _middle_of_the_best(
    surface: _Surface, points: Sequence[Point], items: npt.NDArray[np.bool_], reach: npt.NDArray[np.float64]
) -> Point:
    """Return the point with the fewest errors, its own plus the mean within ``reach``; of equals the middle one."""
    positions = np.array(points)
    errors = np.array([surface.errors_of(point, items) for point in points])
    near = (np.abs(positions[:, None] - positions[None]) <= 1.001 * reach).all(axis=2)
    judged = errors + (near * errors).sum(axis=1) / near.sum(axis=1)
    equal = [point for point, error in zip(points, judged, strict=True) if error <= judged.min() + 1e-9]
    spread = np.maximum(np.ptp(np.array(points), axis=0), 1e-12)
    apart = np.linalg.norm((np.array(equal) - np.mean(equal, axis=0)) / spread, axis=1)
    return equal[int(apart.argmin())]


def _in_range(names: Sequence[str], point: Point) -> bool:
    """Tell whether all values are in the range of their settings."""
    for name, value in zip(names, point, strict=True):
        weight = name.startswith("lm_weight") or name == "oov_charge"
        if (weight and value < 0) or (name.endswith("_threshold") and value > 0) or abs(value) > MAX_WEIGHT:
            return False
    return True


def _fold(surface: _Surface, axes: Mapping[str, list[float]], refinements: int, part: npt.NDArray[np.bool_]) -> Fold:
    best, _ = _search(surface, axes, refinements, ~part)
    return Fold(dict(zip(axes, best, strict=True)), surface.error(best, part))


def _parts(folds: int, items: int) -> list[npt.NDArray[np.bool_]]:
    if isinstance(folds, bool) or not isinstance(folds, int) or folds < 0 or folds == 1 or folds > items:
        raise InvalidInputError(f"folds is {folds!r}; expected 0, or 2..{items}: at most one for each item.")
    return [np.arange(items) % folds == k for k in range(folds)]


def axes_of(decoder: BeamDecoder, grid: Mapping[str, Sequence[float]] | None) -> dict[str, list[float]]:
    """Return the first values of each setting: those of a grid, or the default. Checks that the decoder accepts them.

    Raises:
        InvalidInputError: If a name, or a value, is not of a setting that can be tuned.
    """
    chosen = _default_grid(decoder) if grid is None else grid
    if not isinstance(chosen, Mapping) or not chosen:
        raise InvalidInputError(f"grid is {grid!r}; expected a mapping from settings to the values to begin with.")
    axes = {}
    for name, values in chosen.items():
        if name == "beam_width":
            raise InvalidInputError("grid has beam_width; a wider beam only costs time: choose it by that.")
        if isinstance(values, (str, int, float)) or not len(values):
            raise InvalidInputError(f"grid[{name!r}] is {values!r}; expected a list of values.")
        axes[name] = [float(value) for value in dict.fromkeys(values)]
    for values in itertools.product(*({min(each), max(each)} for each in axes.values())):
        decoder.with_settings(**_as_settings(dict(zip(axes, values, strict=True))))
    return axes


def _default_grid(decoder: BeamDecoder) -> dict[str, list[float]]:
    plan = decoder.plan
    units = [model.unit for model in decoder.language_models]
    with_word_lm, with_token_lm = "word" in units, any(unit != "word" for unit in units)
    both = with_word_lm and with_token_lm
    weights = ["lm_weight[0]", "lm_weight[1]"] if both else ["lm_weight"] * (with_word_lm or with_token_lm)
    grid = {name: [0.0, 0.25, 0.5, 0.75, 1.0] if both else [0.0, 0.2, 0.4, 0.6, 0.8, 1.0] for name in weights}
    if with_word_lm or (plan.has_words and not with_token_lm):
        grid["word_bonus"] = [-1.0, 0.0, 1.0, 2.0, 3.0]
    if with_token_lm:  # it makes each token cost something: without a bonus, short texts win
        grid["token_bonus"] = [0.0, 1.5, 3.0] if both else [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    return grid or {"token_bonus": [-0.5, 0.0, 0.5, 1.0, 1.5]}


def _as_settings(values: Mapping[str, float]) -> dict[str, Any]:
    """Return the settings as ``with_settings`` takes them: the weights of two models are one setting."""
    settings: dict[str, Any] = {name: value for name, value in values.items() if "[" not in name}
    weights = [values[name] for name in sorted(values) if name.startswith("lm_weight[")]
    if weights:
        settings["lm_weight"] = weights
    return settings


def _references(references: Sequence[str], items: int, metric: str) -> list[str]:
    if isinstance(references, str):
        raise InvalidInputError("references is a string; expected a list of texts, one for each item.")
    texts = list(references)
    if len(texts) != items or not texts:
        raise InvalidInputError(f"references has {len(texts)} entries; expected one for each of the B = {items} items.")
    for b, text in enumerate(texts):
        if not isinstance(text, str):
            raise InvalidInputError(f"references[{b}] is {text!r}; expected a string.")
    if not any(text.split() if metric == "wer" else text for text in texts):
        raise InvalidInputError("references are all empty; there is nothing to count errors on.")
    return texts


def _distance() -> Distance:
    try:
        from rapidfuzz.distance import Levenshtein
    except ModuleNotFoundError as error:
        raise _checks.missing(error, "ctckit.tune", "tune") from error
    distance: Distance = Levenshtein.distance
    return distance


def _written(settings: Mapping[str, float]) -> str:
    return ", ".join(f"{name} = {value:g}" for name, value in settings.items())
