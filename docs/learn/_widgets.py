"""Small things to look at beside pictures: source code of the library, and a box to type paths into."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from html import escape
from typing import Any

_COLLAPSE = """
<div class="collapse-box">
<label>a path, _ or ∅ for the blank: <input type="text" value="{path}" spellcheck="false" autocapitalize="off"></label>
<output aria-live="polite"></output>
<script>
(() => {{
  const box = document.currentScript.parentElement;
  const [input, output] = [box.querySelector("input"), box.querySelector("output")];
  const show = () => {{
    const path = [...input.value.replaceAll("∅", "_")];
    const merged = path.filter((letter, t) => t === 0 || letter !== path[t - 1]);
    const text = merged.filter((letter) => letter !== "_").join("");
    output.textContent = `repeats merged: ${{merged.join("") || "–"}}   blanks removed: ${{text || "(nothing)"}}`;
  }};
  input.addEventListener("input", show);
  show();
}})();
</script>
</div>
"""


class Html:
    """Something that a page shows as HTML, and a terminal as text."""

    def __init__(self, html: str, text: str) -> None:
        self.html, self.text = html, text

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text


def collapse_box(path: str) -> Html:
    """A box to type a path into; its collapse is shown as you type."""
    return Html(
        _COLLAPSE.format(path=escape(path, quote=True)),
        f"[a box to type paths into: {path}]",
    )


def source_of(function: Callable[..., Any], *, docstring: bool = False) -> Html:
    """The source of a function of the library, as it stands, coloured."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    text = textwrap.dedent(inspect.getsource(function))
    if not docstring and (written := inspect.getdoc(function)) is not None:
        text = _without_docstring(text, written)
    html = highlight(text, PythonLexer(), HtmlFormatter(cssclass="highlight"))
    return Html(f'<div class="highlight-python notranslate">{html}</div>', text)


def _without_docstring(text: str, docstring: str) -> str:
    first, last = docstring.strip().splitlines()[0], docstring.strip().splitlines()[-1]
    lines = text.splitlines()
    begin = next(n for n, line in enumerate(lines) if first in line and '"""' in line)
    end = next(
        n for n in range(begin, len(lines)) if last in lines[n] or lines[n].strip() == '"""'
    )
    end = next(n for n in range(end, len(lines)) if lines[n].rstrip().endswith('"""'))
    return "\n".join([*lines[:begin], *lines[end + 1 :]]) + "\n"


def audio(samples: Any, rate: int, label: str) -> str:
    """A player for samples in −1..1, as HTML that needs no file."""
    import base64
    import io
    import wave

    import numpy as np

    data = io.BytesIO()
    with wave.open(data, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    uri = "data:audio/wav;base64," + base64.b64encode(data.getvalue()).decode("ascii")
    name = escape(label, quote=True)
    return f'<span class="sound">{name} <audio controls preload="none" aria-label="{name}" src="{uri}"></audio></span>'


def players(parts: list[tuple[Any, int, str]]) -> Html:
    """Players side by side: (samples, rate, label) each."""
    inside = " ".join(audio(*part) for part in parts)
    return Html(
        f'<div class="sounds">{inside}</div>',
        f"[to listen to: {', '.join(label for *_, label in parts)}]",
    )
