"""A figure of a recording with the times of its words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ctckit import _checks
from ctckit.alignment import Alignment, TimedText
from ctckit.errors import InvalidInputError
from ctckit.lattices import lattice
from ctckit.vocabulary import Vocabulary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN_SECONDS = 12.0  # tokens of a longer part would not fit on a screen
WAVE, INK, FAINT = "#5c6b7a", "#14324a", "#9aa5b1"
COLORS = ("#2a6f97", "#d1495b", "#3a7d44", "#b5651d", "#6a4c93")  # neighbors in time differ
WINDOW_SECONDS = 0.025
COLUMNS = 2000  # of the waveform; each shows its smallest and largest sample


def draw_alignment(
    alignment: Alignment,
    frame_seconds: float,
    *,
    offset_seconds: float = 0.0,
    waveform: npt.NDArray[np.floating] | None = None,
    rate: int | None = None,
    waveform_seconds: float | None = None,
    words: Sequence[TimedText] = (),
    names: Sequence[str] | Vocabulary | None = None,
    between: tuple[float, float] | None = None,
    figure: Figure | None = None,
) -> Figure:
    """Draw waveform and spectrogram with the words, and below them each token: its frames and its occupancy.

    The occupancy of a token in a frame is the probability that the frame emits it, over all alignments of the tokens in
    view. It is the height of the token's curve. The bar below is its span on the best path; the color is stronger for a
    higher confidence. Separators between words are gray. Frames without a curve are blank.

    Args:
        alignment: The result of ``forced_align`` for the item.
        frame_seconds: Length of a frame, in seconds.
        offset_seconds: Start of the first frame, in seconds.
        waveform: (S,) samples of the recording, or of the part that is drawn; None: no panels of sound.
        rate: Samples per second.
        waveform_seconds: Start of the samples, in seconds; by default the start of the first frame.
        words: Texts to write over the sound, such as the words of ``timed_tiers``.
        names: (C,) the text of each class; by default its number.
        between: First and last second to draw; by default up to 12 s from the first token on.
        figure: The figure to draw on; by default a new one of a suitable size.

    Returns:
        The figure.

    Raises:
        MissingDependencyError: If Matplotlib is not installed.
        InvalidInputError: If ``between`` is empty, ``rate`` is missing, or names are too few.

    Example:
        >>> from ctckit.viz import draw_alignment
        >>> import numpy as np, matplotlib; matplotlib.use("Agg")
        >>> from ctckit.alignment import forced_align
        >>> [found] = forced_align(np.log(np.full((50, 3), 1 / 3)), [1, 2])
        >>> len(draw_alignment(found, 0.02, waveform=np.zeros(16000), rate=16000).axes)
        3
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise _checks.missing(error, "draw_alignment", "viz") from error
    _checks.class_names(names, alignment.log_probs.shape[1])
    start, end = first_view(alignment, frame_seconds, offset_seconds) if between is None else between
    if not start < end:
        raise InvalidInputError(f"between is {(start, end)}; expected a start before an end, in seconds.")
    heights = [1.0] if waveform is None else [1.0, 1.6, 1.6]
    if figure is None:
        size = (float(np.clip(1.7 * (end - start) + 2, 7, 22)), 1.9 * sum(heights))
        figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0].tolist()
    if waveform is not None:
        if rate is None:
            raise InvalidInputError("waveform is given, but rate is None; expected the samples per second.")
        from_second = offset_seconds if waveform_seconds is None else waveform_seconds
        samples, begin = _cut(waveform, rate, start - from_second, end - from_second)
        _draw_waveform(axes[0], samples, rate, from_second + begin)
        _draw_spectrogram(axes[1], samples, rate, from_second + begin)
    _draw_words(axes[: max(1, len(heights) - 1)], words, start, end, text=waveform is not None)
    _draw_tokens(axes[-1], alignment, frame_seconds, offset_seconds, names, start, end)
    axes[-1].set_xlim(start, end)
    axes[-1].set_xlabel("seconds")
    for each in axes:
        each.spines[["top", "right"]].set_visible(False)
    return figure


def first_view(alignment: Alignment, frame_seconds: float, offset: float) -> tuple[float, float]:
    """Return the first and the last second that are drawn by default."""
    whole = alignment.frames * frame_seconds
    first = float(alignment.starts[0]) * frame_seconds if len(alignment) else 0.0
    begin = 0.0 if whole <= SHOWN_SECONDS else max(0.0, min(first - 0.5, whole - SHOWN_SECONDS))
    return offset + begin, offset + max(min(whole, begin + SHOWN_SECONDS), frame_seconds)


def _cut(waveform: npt.NDArray[np.floating], rate: int, start: float, end: float) -> tuple[Any, float]:
    """Return the samples in view, and their start in seconds from the start of the waveform."""
    first = max(0, int(start * rate))
    return waveform[first : max(first, int(end * rate))], first / rate


def _draw_waveform(axes: Axes, samples: npt.NDArray[np.floating], rate: int, begin: float) -> None:
    step = max(1, len(samples) // COLUMNS)
    columns = samples[: len(samples) // step * step].reshape(-1, step)
    times = begin + (np.arange(len(columns)) + 0.5) * step / rate
    axes.fill_between(times, columns.min(axis=1), columns.max(axis=1), color=WAVE, linewidth=0.4)
    most = float(np.abs(samples).max()) if len(samples) else 0.0
    axes.set_ylim(-1.05 * (most or 1), 1.5 * (most or 1))  # room for the words above
    axes.set_yticks([])
    axes.set_ylabel("waveform")


def _draw_spectrogram(axes: Axes, samples: npt.NDArray[np.floating], rate: int, begin: float) -> None:
    window = max(2, round(WINDOW_SECONDS * rate))
    axes.set_ylabel("kHz")
    if len(samples) < window:
        return
    hop = max(1, window // 5, (len(samples) - window) // (2 * COLUMNS))
    frames = np.lib.stride_tricks.sliding_window_view(samples, window)[::hop]
    power = np.abs(np.fft.rfft(frames * np.hanning(window), n=2 * window, axis=1)) ** 2
    decibels = 10 * np.log10(np.maximum(power, power.max() * 1e-6 + 1e-30))
    left = begin + (window - hop) / 2 / rate
    axes.imshow(
        decibels.T,
        origin="lower",
        aspect="auto",
        cmap="Greys",
        extent=(left, left + len(frames) * hop / rate, 0, rate / 2000),
        interpolation="bilinear",
    )
    axes.set_ylim(0, min(rate / 2000, 8))


def _draw_words(panels: Sequence[Axes], words: Sequence[TimedText], start: float, end: float, *, text: bool) -> None:
    for n, word in enumerate(words):
        if word.end_seconds < start or word.start_seconds > end:
            continue
        color = COLORS[n % len(COLORS)]
        for axes in panels:
            for at in (word.start_seconds, word.end_seconds):
                axes.axvline(at, color=color, linewidth=0.9, alpha=0.8)
        if text:
            panels[0].axvspan(word.start_seconds, word.end_seconds, color=color, alpha=0.13, linewidth=0)
        panels[0].text(
            min(max((word.start_seconds + word.end_seconds) / 2, start), end),
            0.97 if text else 1.02,
            word.text,
            transform=panels[0].get_xaxis_transform(),
            ha="center",
            va="top" if text else "bottom",
            color=INK,
            fontsize="medium",
            rotation=0 if _has_room(word, end - start) else 35,
        )


def _has_room(word: TimedText, seconds: float) -> bool:
    return (word.end_seconds - word.start_seconds) / seconds > 0.006 * len(word.text)


def _draw_tokens(
    axes: Axes,
    alignment: Alignment,
    frame_seconds: float,
    offset: float,
    names: Sequence[str] | Vocabulary | None,
    start: float,
    end: float,
) -> None:
    first = max(0, int((start - offset) / frame_seconds))
    last = min(alignment.frames, int(np.ceil((end - offset) / frame_seconds)))
    sure = alignment.confidences
    for positions, begin, hills in _stretches(alignment, first, last):
        times = offset + (begin + np.arange(len(hills)) + 0.5) * frame_seconds
        for k, hill in zip(positions, hills.T, strict=True):
            written = _written(int(alignment.tokens[k]), names)
            color = COLORS[k % len(COLORS)] if written else FAINT
            axes.fill_between(times, 0, hill, color=color, alpha=0.3, linewidth=0)
            axes.plot(times, hill, color=color, linewidth=1 if written else 0.5)
            left, right = (offset + at * frame_seconds for at in (alignment.starts[k], alignment.ends[k]))
            strength = 0.25 + 0.75 * (0.0 if np.isnan(sure[k]) else float(sure[k]))
            axes.barh(-0.08, right - left, left=left, height=0.1, color=color, alpha=strength, linewidth=0)
            height = 1.03 + 0.09 * (k % 2)  # the texts of neighbors do not overlap
            axes.text((left + right) / 2, height, written, ha="center", va="bottom", color=color, fontsize="medium")
    axes.set_ylim(-0.16, 1.27)
    axes.set_yticks([0, 0.5, 1])
    axes.set_ylabel("occupancy")
    axes.axhline(0, color=FAINT, linewidth=0.6)


def _written(token: int, names: Sequence[str] | Vocabulary | None) -> str:
    """Return the token's text; an empty string for separators between words."""
    if names is None:
        return str(token)
    return "" if isinstance(names, Vocabulary) and names[token] == names.separator else names[token]


def _stretches(alignment: Alignment, first: int, last: int) -> Iterator[tuple[list[int], int, npt.NDArray[np.float64]]]:
    """Yield tokens in view without a wildcard among them, their first frame, and their occupancies (frames, tokens).

    A stretch of tokens has the frames in view up to its neighbors.
    """
    classes = alignment.log_probs.shape[1]
    starts, ends, tokens = alignment.starts, alignment.ends, alignment.tokens
    seen = [k for k in range(len(tokens)) if starts[k] < ends[k] and ends[k] > first and starts[k] < last]
    stretch: list[int] = []
    for k in [*seen, None]:
        if k is not None and 0 <= tokens[k] < classes:
            stretch.append(k)
            continue
        if stretch:
            before, behind = stretch[0] - 1, stretch[-1] + 1
            begin = int(max(first, ends[before] if before >= 0 else 0))
            stop = int(min(last, starts[behind] if behind < len(tokens) else alignment.frames))
            frames = np.asarray(alignment.log_probs[begin:stop], dtype=np.float64)
            yield stretch, begin, lattice(frames, tokens[stretch], blank=alignment.blank).occupancy[:, 1::2]
        stretch = []
