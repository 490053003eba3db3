"""The Chinese chapters keep step with the English ones: the same cells, code, links and tables."""

import ast
import os
import re

import pytest

from tests.support.paths import ROOT

LEARN = ROOT / "docs" / "learn"
TRANSLATED = sorted((LEARN / "zh").glob("*.py"))
CHINESE = re.compile(r"[\u3400-\u9fff]")
LINK = re.compile(r"(?:\]\(|href=\"|<(?!/))([^)>\"\s]+)[)>\"]")
PARTS = {"headings": r"^#+ ", "items": r"^(?:\*|\d\.) ", "rows": r"^\|", "formulas": r"^\$\$"}


def cells(path):
    """The cells of a chapter: whether it is prose, its tags, and its text."""
    head, *parts = re.split(r"^# %%(.*)\n", path.read_text("utf-8"), flags=re.MULTILINE)
    assert head == ""
    for options, body in zip(parts[::2], parts[1::2], strict=True):
        prose = "[markdown]" in options
        tags = re.search(r"tags=\[.*?\]", options)
        yield prose, tags and tags.group(), re.sub(r"^# ?", "", body, flags=re.MULTILINE) if prose else body


def same(english, chinese):
    """Whether two pieces of code differ only in texts that are Chinese in the second one."""
    if type(english) is not type(chinese):
        return False
    if isinstance(english, list):
        return len(english) == len(chinese) and all(map(same, english, chinese))
    if isinstance(english, ast.JoinedStr) and CHINESE.search(ast.unparse(chinese)):
        values = [[part for part in each.values if isinstance(part, ast.FormattedValue)] for each in (english, chinese)]
        return same(*values)
    if isinstance(english, ast.Constant) and isinstance(chinese.value, str) and CHINESE.search(chinese.value):
        return isinstance(english.value, str)
    if isinstance(english, ast.AST):
        return all(same(getattr(english, name, None), getattr(chinese, name, None)) for name in english._fields)
    return english == chinese


def pairs(chapter):
    """The cells of an English and a Chinese chapter side by side."""
    return list(zip(cells(LEARN / chapter.name), cells(chapter), strict=True))


def test_the_first_four_chapters_are_translated():
    assert [path.name for path in TRANSLATED] == [path.name for path in sorted(LEARN.glob("[1-4]_*.py"))]


@pytest.mark.parametrize("chapter", TRANSLATED, ids=lambda path: path.stem)
def test_the_code_is_the_same(chapter):
    for (prose, tags, english), (chinese_prose, chinese_tags, chinese) in pairs(chapter):
        assert (prose, tags) == (chinese_prose, chinese_tags), english
        if not prose:
            assert same(ast.parse(english), ast.parse(chinese)), f"{english}\n--- differs from\n{chinese}"


@pytest.mark.parametrize("chapter", TRANSLATED, ids=lambda path: path.stem)
def test_the_prose_has_the_same_parts(chapter):
    for (prose, _, english), (_, _, chinese) in pairs(chapter):
        if prose:
            count = {
                name: [len(re.findall(part, text, re.M)) for text in (english, chinese)] for name, part in PARTS.items()
            }
            assert {name: both for name, both in count.items() if both[0] != both[1]} == {}, english
            assert targets(english, LEARN) == targets(chinese, chapter.parent), english


def targets(text, folder):
    """Where links lead; chapters that are translated count as one."""
    found = {each if "://" in each else os.path.normpath(folder / each) for each in LINK.findall(text)}
    return {each.replace(f"{os.sep}zh{os.sep}", os.sep) for each in found}


@pytest.mark.parametrize(
    ("english", "chinese", "equal"),
    [
        ("print('a path')  # why", "print('路径')  # 原因", True),
        ("print(f'{n} paths, {k}')", "print(f'{n} 条路径，{k}')", True),
        ("print(f'{n} paths, {k}')", "print(f'{k} 条路径，{n}')", False),
        ("print('a path')", "print('one path')", False),
        ("x = 1", "x = 2", False),
        ("x = 1", "x = 1\ny = 2", False),
        ("f('a', b)", "f('路径', c)", False),
    ],
)
def test_only_chinese_texts_may_differ(english, chinese, equal):
    assert same(ast.parse(english), ast.parse(chinese)) == equal
