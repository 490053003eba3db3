"""The public API is the one in the list, and what is deprecated says for how long it stays."""

import re
from textwrap import dedent

import pytest

import ctckit
from tests.support.paths import ROOT

griffe = pytest.importorskip("griffe")

MARK = re.compile(r"@deprecated\(\s*(\"[^\"]*\")")
MESSAGE = re.compile(r'"since (\d+)\.(\d+), removed in (\d+)\.(\d+): use [^"]+"')


@pytest.mark.slow
def test_the_list_has_the_public_api():
    pytest.importorskip("sphinx")
    from tests.support.public_api import LIST, lines

    assert LIST.read_text(encoding="utf-8").splitlines() == list(lines()), "if it is deliberate, run `make api`"


def test_names_have_their_parameters():
    from tests.support.public_api import described

    source = """
    def f(a, b=1, /, c=None, *, d, _e=0): ...
    def g(*values, key="x", **options): ...
    class Base:
        def of_base(self): ...
    class C(Base):
        size: int
        def __init__(self, size, *, _own=2): self.size = size
        def _hidden(self): ...
        @property
        def area(self): ...
        @classmethod
        def load(cls, path): ...
    """
    with griffe.temporary_visited_module(dedent(source), module_name="m") as module:
        assert [line for name in ("f", "g", "C") for line in described(f"m.{name}", module[name])] == [
            "m.f(a, b=1, /, c=None, *, d)",
            "m.g(*values, key='x', **options)",
            "m.C(size)",
            "m.C.area",
            "m.C.load(path)",
            "m.C.of_base()",
            "m.C.size",
        ]


def wrong_marks(source, version):
    """Return the marks in a source that do not say until when, that are too short, or whose time is over."""
    for text in MARK.findall(source):
        found = MESSAGE.fullmatch(text)
        since, until = (tuple(map(int, found.groups()[n : n + 2])) for n in (0, 2)) if found else ((0, 0), (0, 0))
        if until == (0, 0) or until <= version or (until[0] == since[0] and until[1] < since[1] + 2):
            yield text


@pytest.mark.parametrize("text", ["", "use b", "since 0.2, removed in 0.3: use b", "since 0.1, removed in 0.3: use b"])
def test_wrong_marks_are_found(text):
    assert list(wrong_marks(f'@deprecated(\n    "{text}"\n)\ndef a(): ...', (0, 3))) == [f'"{text}"']


def test_good_marks_stay():
    assert list(wrong_marks('@deprecated("since 0.2, removed in 0.4: use b")', (0, 3))) == []


def test_what_is_deprecated_stays_for_two_minor_versions():
    version = tuple(map(int, ctckit.__version__.split(".")[:2]))
    sources = {path: path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py")}
    assert {path: found for path, text in sources.items() if (found := list(wrong_marks(text, version)))} == {}
