"""The docstrings of the reference: sentences with a colon stay whole, examples import what they use."""

import ast
import builtins
import doctest
import importlib
import inspect

import pytest

from tests.docs.test_site import reference_pages


@pytest.fixture
def documented(monkeypatch):
    """The names in the reference, and what they name."""
    reference = reference_pages(monkeypatch)
    return [(name, resolve(name)) for page in reference.all_pages() for name in reference.contents(page)]


def resolve(name):
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def docstrings(name, value):
    """The docstrings of a name and of its members, each with what autodoc calls it."""
    if inspect.isclass(value):
        for key, member in vars(value).items():
            if not key.startswith("_") and inspect.getdoc(member):
                kind = "method" if callable(member) or isinstance(member, classmethod | staticmethod) else "property"
                yield f"{name}.{key}", kind, inspect.getdoc(member)
    if inspect.isclass(value) or inspect.isroutine(value):
        yield name, "class" if inspect.isclass(value) else "function", inspect.getdoc(value) or ""


def test_sentences_with_a_colon_are_no_types(documented):
    docstring = pytest.importorskip("sphinx.ext.napoleon.docstring")
    state_no_type = importlib.import_module("untyped_returns").state_no_type
    torn, seen = [], 0
    for name, value in documented:
        for place, what, text in docstrings(name, value):
            lines = text.splitlines()
            state_no_type(what, lines)
            written = docstring.GoogleDocstring(lines, what=what, name=place, obj=object()).lines()
            seen += any(line.startswith(":returns:") for line in written)
            torn += [(place, line) for line in written if line.startswith((":rtype:", ":type:"))]
    assert torn == []
    assert seen > 50


def test_examples_import_what_they_use(documented):
    unknown, seen = {}, 0
    for name, value in documented:
        for place, _, text in docstrings(name, value):
            examples = [example.source for example in doctest.DocTestParser().get_examples(text)]
            seen += bool(examples)
            if missing := unbound(examples):
                unknown[place] = missing
    assert unknown == {}
    assert seen > 100


def unbound(sources):
    """The names that programs, run one after the other, read and do not bind."""
    bound, read = set(dir(builtins)), set()
    for source in sources:
        nodes = list(ast.walk(ast.parse(source)))
        names = [node for node in nodes if isinstance(node, ast.Name)]
        bound |= {node.id for node in names if not isinstance(node.ctx, ast.Load)}
        bound |= {(node.asname or node.name).partition(".")[0] for node in nodes if isinstance(node, ast.alias)}
        bound |= {node.arg for node in nodes if isinstance(node, ast.arg)}
        bound |= {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.ExceptHandler)}
        read |= {node.id for node in names if isinstance(node.ctx, ast.Load)} - bound
    return read


def test_unbound_names_are_found():
    assert unbound(["import numpy as np", "x = np.zeros(3)", "y(x)", "[n for n in x]"]) == {"y"}
