"""The lists of differences in the guides, generated from the tests that assert them.

A test of a difference between an adapter and the original has a mark, also as the mark of one ``pytest.param``::

    @pytest.mark.difference("torchaudio", "batches", "one item", "any number")

First comes the name of the list, then the cells of a row of a table, or one sentence for a list without a table. All
are literals. A guide has two comments around the place of the list, and the heading of a table after the first one::

    <!-- differences: torchaudio -->
    | | torchaudio | here |
    |---|---|---|

    <!-- end of differences -->

``python -m tests.support.differences`` (``make differences``) writes the lists into the guides. They have the order of
the files of tests and of the lines in them; a list has each row once. tests/docs/test_differences.py compares them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.support.paths import ROOT

GUIDES = sorted((ROOT / "docs" / "guides").glob("*.md"))
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))
MARK = "pytest.mark.difference"
LIST = re.compile(
    r"(?P<begin><!-- differences: (?P<name>[^>]+) -->\n(?:\|.*\|\n\|[-:| ]+\|\n)?)"
    r"(?P<rows>(?:.*\n)*?)"
    r"(?P<end>\n<!-- end of differences -->)"
)


def marks(source: str) -> Iterator[tuple[str, ...]]:
    """Yield the arguments of each mark of a test in Python source: the name of the list and the cells of the row."""
    for test in ast.walk(ast.parse(source)):
        if isinstance(test, ast.FunctionDef) and test.name.startswith("test_"):
            calls = [node for each in test.decorator_list for node in ast.walk(each) if isinstance(node, ast.Call)]
            for call in calls:
                if ast.unparse(call.func) == MARK:
                    yield tuple(ast.literal_eval(each) for each in call.args)


def rows_by_list(paths: list[Path] = TESTS) -> dict[str, list[str]]:
    """Return the rows of each list, in Markdown."""
    result: dict[str, list[str]] = {}
    for path in paths:
        for name, *cells in marks(path.read_text(encoding="utf-8")):
            row = f"| {' | '.join(cells)} |" if len(cells) > 1 else f"- {cells[0]}"
            if row not in result.setdefault(name, []):
                result[name].append(row)
    return result


def lists(text: str) -> list[str]:
    """Return the names of the lists that a guide has."""
    return [found["name"] for found in LIST.finditer(text)]


def filled(text: str, rows: dict[str, list[str]]) -> str:
    """Return a guide with its lists as the marks say."""

    def block(found: re.Match[str]) -> str:
        lines = "".join(f"{row}\n" for row in rows.get(found["name"], []))
        return f"{found['begin']}{lines}{found['end']}"

    return LIST.sub(block, text)


def main() -> None:
    """Write the lists into the guides."""
    rows = rows_by_list()
    for guide in GUIDES:
        text = guide.read_text(encoding="utf-8")
        guide.write_text(filled(text, rows), encoding="utf-8")


if __name__ == "__main__":
    main()
