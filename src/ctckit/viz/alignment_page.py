"""A page that shows how well texts fit their recordings: the suspicious stretches, drawn and playable."""

from __future__ import annotations

import base64
import io
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import numpy.typing as npt

from ctckit._page.page import Figure, heading, section, whole_page
from ctckit._page.svg import open_svg
from ctckit.alignment import AlignmentSummary, NumberedLine, TimedText

_WIDTH, _HEIGHT = 900, 90  # of a waveform, in pixels
_ROW = 22  # the height of the words below it
_BARS = 20  # of the histogram


@dataclass(frozen=True, eq=False)
class Sound:
    """A part of a recording.

    Attributes:
        samples: (S,) numbers in −1..1.
        rate: Samples per second.
        start_seconds: Its start in the recording.
    """

    samples: npt.NDArray[np.float32]
    rate: int
    start_seconds: float

    @property
    def end_seconds(self) -> float:
        """Its end in the recording."""
        return self.start_seconds + len(self.samples) / self.rate


@dataclass(frozen=True, eq=False)
class Stretch:
    """A suspicious line.

    Attributes:
        recording: The name of the recording.
        line: The line.
        sound: The recording around it; None if there is only the text.
        words: The words in this part, with their times.
    """

    recording: str
    line: NumberedLine
    sound: Sound | None
    words: tuple[TimedText, ...] = ()


def alignment_page(title: str, summary: AlignmentSummary, stretches: Sequence[Stretch]) -> str:
    """Return a self-contained HTML page.

    Args:
        title: What was aligned.
        summary: The numbers, and the lines.
        stretches: The suspicious lines to show; they may be fewer than those of the summary.

    Example:
        >>> line = TimedText("Never!", 1.5, 1.9, 0.01)
        >>> page = alignment_page("talk.wav", AlignmentSummary((NumberedLine(2, line),), 1, 0.01, 0.1), [])
        >>> "1 of them not shown" in page
        True
    """
    suspicious = len(summary.suspicious)
    figures = [
        Figure(f"{len(summary.lines):,}", "lines"),
        Figure(f"{summary.words:,}", "words"),
        Figure("–" if summary.confidence is None else f"{summary.confidence:.2f}", "mean confidence"),
        Figure(f"{suspicious:,}", f"lines below {summary.below:g}"),
    ]
    lead = "How well the text fits the recording. A line that was not said has a confidence of about 0.00."
    hidden = suspicious - len(stretches)
    note = "Each with a second before and behind it." + (f" {hidden:,} of them not shown." if hidden else "")
    shown = "".join(_card(each) for each in stretches) or '<p class="quiet">None.</p>'
    body = [
        heading(title, lead, figures),
        section("Confidences of lines", "", f'<figure class="plate">{_histogram(summary)}</figure>'),
        section("Suspicious lines", note, shown),
        "<footer>Made by <code>ctckit align</code>.</footer>",
    ]
    return whole_page(f"{title}: alignment", "\n\n".join(body))


def _histogram(summary: AlignmentSummary) -> str:
    sure = [each.line.confidence for each in summary.lines if each.line.confidence is not None]
    counts, _ = np.histogram(sure, bins=_BARS, range=(0, 1))
    step, height = 30, 120
    parts = [open_svg(_BARS * step + 20, height + 36, "chart", "how many lines have which confidence")]
    for k, count in enumerate(counts.tolist()):
        tall = height * count / max(1, int(counts.max()))
        kind = "wrong" if (k + 1) / _BARS <= summary.below + 1e-9 else "share"
        x, y = 10 + k * step, 14 + height - tall
        parts.append(f'<rect class="{kind}" x="{x}" y="{y:.1f}" width="{step - 3}" height="{tall:.1f}"/>')
        if count:
            parts.append(
                f'<text class="muted" x="{x + step / 2 - 1:g}" y="{y - 3:.1f}" text-anchor="middle">{count}</text>'
            )
    for k in range(0, _BARS + 1, 4):
        parts.append(
            f'<text class="muted" x="{10 + k * step}" y="{height + 30}" text-anchor="middle">{k / _BARS:g}</text>'
        )
    return "".join([*parts, "</svg>"])


def _card(stretch: Stretch) -> str:
    line = stretch.line.line
    sure = "" if line.confidence is None else f" · confidence {line.confidence:.2f}"
    where = f"{stretch.recording}, line {stretch.line.number} · {line.start_seconds:.2f}–{line.end_seconds:.2f} s{sure}"
    parts = [f'<figure class="card"><figcaption><span>{escape(line.text)}</span>']
    parts.append(f'<span class="quiet">{escape(where)}</span></figcaption>')
    if stretch.sound is not None:
        parts.append(f'<div class="scroll">{_drawing(stretch, stretch.sound)}</div>')
        parts.append(f'<audio controls preload="metadata" src="{_wave_uri(stretch.sound)}"></audio>')
    return "".join([*parts, "</figure>"])


def _drawing(stretch: Stretch, sound: Sound) -> str:
    scale = _WIDTH / max(1e-3, sound.end_seconds - sound.start_seconds)

    def x_of(seconds: float) -> float:
        return scale * (min(max(seconds, sound.start_seconds), sound.end_seconds) - sound.start_seconds)

    line = stretch.line.line
    left, right = x_of(line.start_seconds), x_of(line.end_seconds)
    bottom = _HEIGHT + _ROW
    parts = [
        open_svg(_WIDTH, bottom + 18, "sound", f"the sound of {line.text}"),
        f'<rect class="field" width="{_WIDTH}" height="{_HEIGHT}"/>',
        f'<rect class="span" x="{left:.1f}" y="0" width="{max(1.0, right - left):.1f}" height="{_HEIGHT}"/>',
        f'<path class="curve" d="{_outline(sound.samples)}"/>',
    ]
    for word in stretch.words:
        middle = (x_of(word.start_seconds) + x_of(word.end_seconds)) / 2
        inside = line.start_seconds <= word.start_seconds < line.end_seconds
        kind = "name" if inside else "muted"
        parts.append(
            f'<text class="{kind}" x="{middle:.1f}" y="{_HEIGHT + 15}" text-anchor="middle">{escape(word.text)}</text>'
        )
    for seconds, anchor in ((sound.start_seconds, "start"), (sound.end_seconds, "end")):
        x, y = f"{x_of(seconds):.1f}", bottom + 12
        parts.append(f'<text class="muted" x="{x}" y="{y}" text-anchor="{anchor}">{seconds:.2f} s</text>')
    return "".join([*parts, "</svg>"])


def _outline(samples: npt.NDArray[np.float32]) -> str:
    """Return a path from the lowest to the highest sample of each column."""
    if not len(samples):
        return ""
    loudest = max(float(np.abs(samples).max()), 1e-3)
    middle = _HEIGHT / 2
    columns = np.array_split(samples, min(_WIDTH, len(samples)))
    step = _WIDTH / len(columns)
    lines = []
    for k, column in enumerate(columns):
        low, high = (middle - 0.95 * middle * float(edge) / loudest for edge in (column.min(), column.max()))
        lines.append(f"M{k * step:.1f} {high:.1f}V{low:.1f}")
    return "".join(lines)


def _wave_uri(sound: Sound) -> str:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sound.rate)
        file.writeframes((np.clip(sound.samples, -1, 1) * 32767).astype("<i2").tobytes())
    return "data:audio/wav;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
