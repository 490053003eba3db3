"""Write the pages of the reference before a build, with every public name of the package.

The public names of a module are those in its ``__all__``. If it has none, they are the functions and classes that the
module defines, without those that begin with an underscore. A name of ``ctckit`` itself is documented as
``ctckit.NAME`` and not again under its module. The module that defines a name decides on its page; a module that is
not in PAGES gets a page of its own.
"""

from __future__ import annotations

import importlib
import inspect
import os
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx


@dataclass(frozen=True)
class Page:
    """A page of the reference.

    Attributes:
        name: The file name, without ``.md``.
        title: The heading.
        modules: The page has those public names of ``ctckit`` that these modules, or modules inside of them, define.
        also: Modules whose public names all follow after these.
    """

    name: str
    title: str
    modules: tuple[str, ...]
    also: tuple[str, ...] = ()


def _parts(package: str) -> tuple[str, ...]:
    """Return the modules and packages in a package, without those that begin with an underscore."""
    found = pkgutil.iter_modules(importlib.import_module(package).__path__)
    return tuple(f"{package}.{each.name}" for each in found if not each.name.startswith("_"))


PAGES = (
    Page("loss", "The loss", ("ctckit.loss", "ctckit.variants"), ("ctckit.objectives",)),
    Page("lattice", "The lattice", ("ctckit.lattices",)),
    Page("alignment", "Alignment", ("ctckit.alignment",), ("ctckit.alignment",)),
    Page("acoustic_models", "Acoustic models", (), ("ctckit.acoustic_models",)),
    Page("language_models", "Language models", ("ctckit.language_models",), ("ctckit.language_models",)),
    Page("decoding", "Decoding", ("ctckit.decoding",), ("ctckit.decoding",)),
    Page("diagnosis", "Diagnosis", ("ctckit.diagnosis",), ("ctckit.diagnosis", "ctckit.diagnosis.records")),
    Page("vocabulary", "Vocabulary", ("ctckit.vocabulary",)),
    Page("settings", "Settings", ("ctckit.kernels.runtime",)),
    Page("topology", "Topology", (), ("ctckit.topology", "ctckit.variants")),
    Page(
        "kernels",
        "The definition in plain Python",
        (),
        ("ctckit.kernels.loss.reference", "ctckit.kernels.search.reference"),
    ),
    Page(
        "ocr",
        "Line recognizers",
        ("ctckit.ocr",),
        (
            "ctckit.ocr",
            *_parts("ctckit.ocr.data"),
            *_parts("ctckit.ocr.networks"),
            "ctckit.ocr.training.loop",
            "ctckit.ocr.training.config",
            "ctckit.ocr.training.interruption",
            "ctckit.ocr.training.evaluation",
            "ctckit.ocr.training.observing",
            "ctckit.ocr.training.log",
            "ctckit.ocr.training.tensorboard",
            "ctckit.ocr.starting",
            "ctckit.ocr.judging.run",
            "ctckit.ocr.judging.result",
            "ctckit.ocr.judging.calibration",
            "ctckit.ocr.comparing",
            "ctckit.ocr.report.evaluation",
            "ctckit.ocr.report.training",
            "ctckit.ocr.networks.pretrained.reading",
            "ctckit.ocr.page_reader",
            "ctckit.ocr.backend",
            *_parts("ctckit.ocr.onnx"),
            *_parts("ctckit.ocr.export"),
            "ctckit.ocr.model_folder",
        ),
    ),
    Page("viz", "Figures", ("ctckit.viz",), ("ctckit.viz",)),
    Page(
        "compat",
        "Other libraries' names",
        (),
        _parts("ctckit.compat"),
    ),
    Page("errors", "Errors", (), ("ctckit.errors",)),
)


def public_names(module: Any) -> list[str]:
    """Return the public names of a module, in the order of ``__all__`` or of the file."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isfunction(value) or inspect.isclass(value))
        and value.__module__ == module.__name__
    ]


def contents(page: Page) -> list[str]:
    """Return the dotted names that a page documents."""
    package = importlib.import_module("ctckit")
    names = [f"ctckit.{name}" for name in package.__all__ if _page_of(getattr(package, name)) == page.name]
    known = {id(getattr(package, name)) for name in package.__all__}
    for path in page.also:
        module = importlib.import_module(path)
        names += [f"{path}.{name}" for name in public_names(module) if id(getattr(module, name)) not in known]
        known |= {id(getattr(module, name)) for name in public_names(module)}
    return names


def all_pages() -> list[Page]:
    """Return PAGES, and a page for each module that is not in PAGES."""
    package = importlib.import_module("ctckit")
    unknown = {_page_of(getattr(package, name)) for name in package.__all__} - {page.name for page in PAGES}
    return [*PAGES, *(Page(name, name.capitalize(), (f"ctckit.{name}",)) for name in sorted(unknown))]


def _page_of(value: Any) -> str:
    module = value.__module__
    for page in PAGES:
        if any(module == each or module.startswith(f"{each}.") for each in page.modules):
            return page.name
    return str(module).split(".")[1]


def text_of(page: Page) -> Iterator[str]:
    """Yield the lines of a page."""
    yield f"# {page.title}\n"
    for name in contents(page):
        value = _resolve(name)
        yield f"## {name.rpartition('.')[2]}\n\n```{{eval-rst}}"
        if inspect.isclass(value):
            yield f".. autoclass:: {name}\n   :members:"
        elif callable(value):
            yield f".. autofunction:: {name}"
        else:
            yield f".. autodata:: {name}"
        yield "```\n"


def _resolve(name: str) -> Any:
    path, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(path), attribute)


def command_line() -> str:
    """Return a page with the help of every command."""
    os.environ.update(NO_COLOR="1", COLUMNS="100", TERM="dumb")
    import typer
    from typer.testing import CliRunner

    from ctckit.cli import app

    runner, parts = CliRunner(), ["# Command line\n"]

    def add(words: list[str], command: Any) -> None:
        text = runner.invoke(app, [*words, "--help"], terminal_width=100, prog_name="ctckit").output
        parts.append(f"## {' '.join(['ctckit', *words])}\n\n```text\n{text.strip()}\n```\n")
        for name, each in getattr(command, "commands", {}).items():
            add([*words, name], each)

    add([], typer.main.get_command(app))
    return "\n".join(line.rstrip() for line in "\n".join(parts).splitlines()) + "\n"


def write(folder: Path) -> None:
    """Write all pages. Files with unchanged text are not written, so that Sphinx does not read them again."""
    pages = {page.name: "\n".join(text_of(page)) for page in all_pages()}
    pages["command_line"] = command_line()
    entries = "\n".join(pages)
    pages["index"] = (
        "# Reference\n\nEvery public name, from the docstrings of the package. Everywhere, B is the number of "
        "items, T of frames, C of classes, N of tokens, and S = 2N + 1 of states.\n\n"
        f"```{{toctree}}\n:maxdepth: 2\n\n{entries}\n```\n"
    )
    folder.mkdir(exist_ok=True)
    for name, text in pages.items():
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    for path in folder.glob("*.md"):
        if path.stem not in pages:
            path.unlink()


def formulas_are_literal(_: Sphinx, __: str, ___: str, ____: Any, _____: Any, lines: list[str]) -> None:
    """Mark indented paragraphs of docstrings as literal: they are formulas or drawings."""
    for n in reversed(range(2, len(lines))):
        indented = re.match(r" {2,}\S", lines[n]) and not lines[n - 1].strip()
        before = lines[n - 2]
        if indented and before.strip() and not re.match(r"\s|:\w|\.\. |- ", before) and not before.endswith("::"):
            lines[n - 1 : n] = ["", "::", ""]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register ``write`` for the beginning of a build."""
    app.connect("builder-inited", lambda app: write(Path(app.srcdir) / "reference"))
    app.connect("autodoc-process-docstring", formulas_are_literal)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
