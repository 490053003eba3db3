"""Tables: documents, confusions, skipped lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from ctckit._page.page import percent
from ctckit.ocr.comparing import Confusion, ErrorRates
from ctckit.ocr.data.pairs import Skipped
from ctckit.ocr.report.texts import show

_NONE = '<p class="quiet">None.</p>'
_DOCUMENTS = 50
_CONFUSIONS = 20
_SKIPPED = 100
_MISSING = '<span class="quiet">nothing</span>'


def draw_documents(documents: Mapping[str, ErrorRates]) -> str:
    """Return a table of documents and their error rates, with bars."""
    worst = max((rates.cer for rates in documents.values()), default=0.0)
    rows = [
        f'<td class="name">{escape(name)}</td><td>{rates.lines:,}</td><td>{percent(rates.cer)}</td>'
        f"<td>{percent(rates.wer)}</td><td>{percent(rates.exact)}</td>"
        f'<td class="bar">{_bar(rates.cer, worst)}</td>'
        for name, rates in list(documents.items())[:_DOCUMENTS]
    ]
    head = '<th class="name">document</th><th>lines</th><th>CER</th><th>WER</th><th>exact</th><th class="bar"></th>'
    return _table(head, rows) + _rest(len(documents) - _DOCUMENTS)


def draw_confusions(confusions: Sequence[Confusion]) -> str:
    """Return a table of the most frequent confusions, with bars."""
    if not confusions:
        return _NONE
    worst = confusions[0].count
    rows = [
        f'<td class="character">{_character(each.true)}</td><td class="character">{_character(each.read)}</td>'
        f'<td>{each.count:,}</td><td class="bar">{_bar(each.count, worst)}</td>'
        for each in confusions[:_CONFUSIONS]
    ]
    head = '<th class="character">text</th><th class="character">read</th><th>times</th><th class="bar"></th>'
    return _table(head, rows, kind="confusions") + _rest(len(confusions) - _CONFUSIONS)


def draw_skipped(skipped: Sequence[Skipped]) -> str:
    """Return a table of the reasons, and the messages of the skipped lines."""
    if not skipped:
        return _NONE
    counts = Counter(each.reason for each in skipped).most_common()
    head = '<th class="name">reason</th><th>lines</th>'
    rows = [f'<td class="name">{escape(reason)}</td><td>{count:,}</td>' for reason, count in counts]
    items = "".join(f"<li>{escape(each.detail)}</li>" for each in skipped[:_SKIPPED])
    listed = f'<details><summary>The lines</summary><ul class="details">{items}</ul>'
    return f"{_table(head, rows)}{listed}{_rest(len(skipped) - _SKIPPED)}</details>"


def draw_unknown(unknown: Mapping[str, int]) -> str:
    """Return characters that a model does not have, with their counts."""
    items = (f"<b>{show(character)}</b> {count:,} ×" for character, count in unknown.items())
    return f'<p class="unknown">{" · ".join(items)}</p>'


def _character(character: str) -> str:
    return show(character) if character else _MISSING


def _rest(count: int) -> str:
    return f'<p class="quiet">and {count:,} more</p>' if count > 0 else ""


def _bar(value: float, worst: float) -> str:
    return f'<span style="width:{100 * value / worst if worst else 0.0:.1f}%"></span>'


def _table(head: str, rows: Iterable[str], *, kind: str = "rates") -> str:
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return (
        f'<div class="scroll"><table class="{kind}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )
