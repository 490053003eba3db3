"""What the chapters share: pictures that follow the page's colors, a reader, the check of an answer.

Nothing here is about CTC. A chapter that needs a trained network asks for ``reader()``: the first one that does trains
the demo's network for some hundred steps; the others find it in the folder ``CACHE``.

The notebooks and scripts to download have copies of what they use (docs/_extensions/downloads.py), in one cell with
the chapter. So the names here begin with an underscore, if no chapter imports them.
"""

import builtins
import os
import re
from functools import lru_cache
from hashlib import sha256
from html import escape
from io import StringIO
from itertools import count
from pathlib import Path
from tempfile import gettempdir
from traceback import extract_stack
from typing import Any

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure

CACHE = Path(os.environ.get("CTCKIT_LEARN_CACHE", f"{gettempdir()}/ctckit-learn"))

#: The tests and CI run the chapters with short trainings and small tables: the same code, other sizes.
QUICK = bool(os.environ.get("CTCKIT_LEARN_QUICK"))

BLUE, RED, GREEN, OCHRE, VIOLET = "#2a78a8", "#d1495b", "#3a8a4d", "#c17817", "#7a5aa6"
GREY = "#8d98a5"
INK = "#010203"  # becomes the colour of the page's text, light or dark
ALSO_INK = "#14324a"  # as draw_alignment has it

_STYLE: dict[str, Any] = {
    "svg.fonttype": "path",
    "font.size": 9.5,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
}
rcParams.update(_STYLE)
_numbers = count()


class Picture:
    """A Matplotlib figure as inline SVG, with a description for those who do not see it.

    Inline, so that its ink is the text colour of the page in light and in dark.
    """

    def __init__(self, figure: Figure, description: str) -> None:
        text = StringIO()
        figure.savefig(
            text, format="svg", dpi=160, metadata={"Date": None, "Creator": None}
        )
        svg = text.getvalue()
        svg = svg[svg.index("<svg") :]
        for ink in (INK, ALSO_INK):
            svg = svg.replace(ink, "currentColor")
        name = f"p{next(_numbers)}-"
        svg = re.sub(r'\bid="', f'id="{name}', svg)
        svg = re.sub(r'(href="|url\()#', rf"\1#{name}", svg)
        svg = re.sub(
            r'<svg ([^>]*?)width="[^"]*" height="[^"]*"|<svg ', r"<svg \1", svg, count=1
        )
        label = escape(description, quote=True)
        width = f"max-width: {0.95 * figure.get_figwidth():.1f}in"
        head = f'<svg class="picture" role="img" aria-label="{label}" style="{width}" '
        self.html = svg.replace("<svg ", head, 1)
        self.description = description

    def _repr_html_(self) -> str:
        return f"<figure>{self.html}<figcaption>{escape(self.description)}</figcaption></figure>"

    def __repr__(self) -> str:
        return f"[picture: {self.description}]"


def picture(figure: Figure | Axes, description: str) -> Picture:
    """Show a figure, or the figure of these axes; the description is also its caption."""
    return Picture(figure if isinstance(figure, Figure) else figure.figure, description)  # type: ignore[arg-type]


def blank_figure(width: float, height: float) -> Figure:
    """A figure of this size in inches."""
    return Figure(figsize=(width, height), layout="constrained")


def fading(color: str) -> LinearSegmentedColormap:
    """From nothing at 0 to a colour at 1: for matrices on light and on dark pages."""
    red, green, blue = to_rgb(color)
    return LinearSegmentedColormap.from_list(
        color, [(red, green, blue, 0.03), (red, green, blue, 1.0)]
    )


def only_bottom(axes: Axes) -> Axes:
    """Axes with nothing but the line below."""
    axes.spines[["left", "top", "right"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    return axes


def show_line(
    axes: Axes, image: np.ndarray, *, frame_pixels: int = 0, title: str = ""
) -> None:
    """A line image; with ``frame_pixels``, the borders of the frames over it."""
    height, width = image.shape
    axes.imshow(
        image, cmap="gray", vmin=0, vmax=255, aspect="auto", extent=(0, width, height, 0)
    )
    if frame_pixels:
        for x in range(frame_pixels, width, frame_pixels):
            axes.axvline(x, color=BLUE, linewidth=0.5, alpha=0.6)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.set_title(title)


def show_matrix(
    axes: Axes,
    values: np.ndarray,
    *,
    color: str = BLUE,
    most: float | None = 1.0,
    **options: Any,
) -> None:
    """A matrix (rows, columns), from 0 to ``most``, as shades of one colour."""
    options = {
        "aspect": "auto",
        "interpolation": "nearest",
        "vmin": 0,
        "vmax": most,
        **options,
    }
    axes.imshow(values, cmap=fading(color), **options)
    only_bottom(axes)


class Table:
    """A table that Jupyter shows as HTML and a terminal as text."""

    def __init__(self, rows: list[list[Any]], head: list[str]) -> None:
        self.rows, self.head = [[str(cell) for cell in row] for row in rows], head
        self._right = [
            all(_is_number(row[n]) for row in self.rows) for n in range(len(head))
        ]

    def _repr_html_(self) -> str:
        def line(tag: str, cells: list[str]) -> str:
            sides = ["right" if right else "left" for right in self._right]
            inside = "".join(
                f'<{tag} style="text-align: {side}">{escape(cell)}</{tag}>'
                for side, cell in zip(sides, cells, strict=True)
            )
            return f"<tr>{inside}</tr>"

        body = "".join(line("td", row) for row in self.rows)
        return f'<table class="docutils numbers"><thead>{line("th", self.head)}</thead><tbody>{body}</tbody></table>'

    def __repr__(self) -> str:
        return "\n".join("  ".join(row) for row in [self.head, *self.rows])


def table(rows: list[list[Any]], head: list[str]) -> Table:
    """Rows as a table, numbers to the right."""
    return Table(rows, head)


def check(answer: Any, digest: str) -> bool | None:
    """Whether an answer is right; None for ``...``, which is no answer yet. A script prints it, a notebook shows it.

    In a script, a solution asks ``is_right`` instead, which prints nothing.

    Args:
        answer: A number, a word, or several of them in a tuple or list. Three digits after the point count.
        digest: The beginning of the SHA-256 digest of the right one, so that it can be read nowhere.
    """
    right = None if answer is ... else is_right(answer, digest)
    if not hasattr(builtins, "__IPYTHON__"):
        line = extract_stack(limit=2)[0].lineno
        said = "no answer yet" if right is None else f"{answer} is {right}"
        print(f"exercise in line {line}: {said}")
    return right


def is_right(answer: Any, digest: str) -> bool:
    """Whether an answer is right; see ``check``."""
    parts = answer if isinstance(answer, tuple | list) else [answer]
    text = " ".join(
        each.lower() if isinstance(each, str) else f"{each:.3f}" for each in parts
    )
    return sha256(text.encode()).hexdigest().startswith(digest)


def _is_number(cell: str) -> bool:
    return (
        not cell
        or re.fullmatch(r"[−+-]?[\d.,]+(e[+-]?\d+)?( ?[%×])?|∞.*|inf", cell) is not None
    )


STEPS = 60 if QUICK else 420


@lru_cache(maxsize=1)
def reader() -> Any:
    """The demo's network, trained for some hundred steps: reads handwritten digit strings, with mistakes."""
    from ctckit.ocr import CRNN, CRNNConfig, Recognizer

    folder = CACHE / f"reader-{STEPS}"
    if (folder / "model.json").exists():
        return Recognizer.load(folder)
    import torch

    from ctckit.ocr.model_folder import save_model
    from ctckit.ocr.data.synthetic import CHARSET, DigitBatches, load_digit_slice
    from ctckit.ocr.training.loop import TrainingConfig, train
    from ctckit.vocabulary import Vocabulary

    vocabulary = Vocabulary.from_characters(CHARSET)
    torch.manual_seed(0)
    model = CRNN(
        CRNNConfig(num_classes=len(vocabulary), channels=(16, 32, 32, 64, 64), hidden=96)
    )
    source = DigitBatches(
        load_digit_slice("train+validation"), vocabulary, batch_size=32, seed=0
    )
    record = train(
        model,
        source,
        vocabulary,
        config=TrainingConfig(steps=STEPS, weight_decay=0.05, warmup=0.1),
    )
    CACHE.mkdir(parents=True, exist_ok=True)
    save_model(folder, model, vocabulary, record=record)
    return Recognizer(model, vocabulary, record=record)
