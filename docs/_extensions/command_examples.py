"""Find the examples of each command in the guides: the reference shows them under the help of the command."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^ *```(?:console|bash|sh)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
_COMMAND = re.compile(r"^ *\$ ctckit ((?:lm )?[a-z]+)\b.*", re.MULTILINE)
_MOST = 4


@dataclass(frozen=True)
class Example:
    """A line of a page.

    Attributes:
        line: The line, with its prompt.
        page: The path of the page, relative to the folder of the docs.
        title: The title of the page.
    """

    line: str
    page: str
    title: str


def find_examples(docs: Path) -> dict[str, list[Example]]:
    """Return the lines of all pages that call ctckit, by command; each line once, in the order of the pages."""
    found: dict[str, list[Example]] = defaultdict(list)
    for page in sorted(docs.rglob("*.md")):
        place = page.relative_to(docs).as_posix()
        if place.startswith("reference/"):
            continue
        text = page.read_text(encoding="utf-8")
        title = text.partition("\n")[0].removeprefix("# ")
        for call in _COMMAND.finditer("\n".join(_FENCE.findall(text))):
            example = Example(call.group().strip(), place, title)
            if example.line not in [each.line for each in found[call.group(1)]]:
                found[call.group(1)].append(example)
    return dict(found)


def section(examples: list[Example]) -> str:
    """Return a few of these lines as Markdown, with links to their pages, for a page in another folder."""
    shown = examples[:_MOST]
    pages = {each.page: f"[{each.title}](../{each.page})" for each in examples}
    lines = "\n".join(each.line for each in shown)
    return f"```console\n{lines}\n```\n\nSee also: {', '.join(pages.values())}.\n"
