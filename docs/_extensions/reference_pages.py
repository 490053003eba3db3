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

from command_examples import find_examples, section
from sphinx.application import Sphinx


@dataclass(frozen=True)
class Page:
    """A page of the reference.

    Attributes:
        name: The file name, without ``.md``.
        title: The heading.
        modules: The page has those public names of ``ctckit`` that these modules, or modules inside of them, define.
        also: Modules whose public names all follow after these.
        without: Modules whose public names are on another page, whatever defines them.
        see: The guides and chapters about it: paths from the folder of the docs, without their ends.
    """

    name: str
    title: str
    modules: tuple[str, ...]
    also: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    see: tuple[str, ...] = ()


def _parts(package: str) -> tuple[str, ...]:
    """Return the modules and packages in a package, without those that begin with an underscore."""
    found = pkgutil.iter_modules(importlib.import_module(package).__path__)
    return tuple(f"{package}.{each.name}" for each in found if not each.name.startswith("_"))


_FOR_USERS = ("ctckit.ocr", "ctckit.ocr.networks.base", "ctckit.ocr.training.observing", "ctckit.ocr.data.synthetic")
PAGES = (
    Page(
        "loss",
        "The loss",
        ("ctckit.loss", "ctckit.variants"),
        ("ctckit.objectives",),
        see=("guides/loss", "guides/variants", "guides/gpu", "learn/3_forward", "learn/5_backwards"),
    ),
    Page("lattice", "The lattice", ("ctckit.lattices",), see=("learn/3_forward", "learn/5_backwards", "learn/live")),
    Page(
        "alignment",
        "Alignment",
        ("ctckit.alignment",),
        ("ctckit.alignment",),
        see=("guides/alignment", "guides/align_recordings", "learn/8_alignment"),
    ),
    Page(
        "acoustic_models",
        "Acoustic models",
        (),
        ("ctckit.acoustic_models",),
        see=("guides/transcribe", "guides/align_recordings", "learn/8_alignment"),
    ),
    Page(
        "language_models",
        "Language models",
        ("ctckit.language_models",),
        ("ctckit.language_models",),
        see=("guides/language_models", "guides/rescoring", "learn/7_reading_out"),
    ),
    Page(
        "decoding",
        "Decoding",
        ("ctckit.decoding",),
        ("ctckit.decoding",),
        see=("guides/decoding", "guides/serving", "guides/rescoring", "learn/7_reading_out"),
    ),
    Page(
        "diagnosis",
        "Diagnosis",
        ("ctckit.diagnosis",),
        ("ctckit.diagnosis", "ctckit.diagnosis.records"),
        see=("guides/diagnose", "learn/6_training"),
    ),
    Page("service", "A service", (), ("ctckit.service",), see=("guides/serving",)),
    Page(
        "distributed", "Many machines", (), ("ctckit.distributed",), see=("guides/many_machines", "guides/many_files")
    ),
    Page("vocabulary", "Vocabulary", ("ctckit.vocabulary",), see=("guides/decoding", "learn/2_from_cross_entropy")),
    Page("settings", "Settings", ("ctckit.kernels.runtime",), see=("guides/serving", "learn/9_speed")),
    Page(
        "topology",
        "Topology",
        (),
        ("ctckit.topology", "ctckit.variants"),
        see=("guides/variants", "learn/2_from_cross_entropy", "learn/3_forward"),
    ),
    Page(
        "kernels",
        "The definition in plain Python",
        (),
        ("ctckit.kernels.loss.reference", "ctckit.kernels.search.reference"),
        see=("mathematics", "learn/4_by_hand", "learn/7_reading_out", "learn/9_speed"),
    ),
    Page(
        "ocr",
        "Line recognizers",
        ("ctckit.ocr",),
        _FOR_USERS,
        see=(
            "guides/train_on_your_lines",
            "guides/pages",
            "guides/evaluate",
            "guides/onnx",
            "learn/1_why_ctc",
            "learn/6_training",
        ),
    ),
    Page("viz", "Figures", ("ctckit.viz",), ("ctckit.viz",), see=("learn/gallery", "learn/live")),
    Page(
        "compat",
        "Other libraries' names",
        (),
        _parts("ctckit.compat"),
        see=("guides/moving_from_torch", "guides/moving_from_other_decoders", "guides/moving_from_other_aligners"),
    ),
    Page("errors", "Errors", (), ("ctckit.errors",), see=("errors",)),
    Page(
        "ocr_parts",
        "Parts of the line recognizers",
        (),
        (
            *_parts("ctckit.ocr.data"),
            *_parts("ctckit.ocr.networks"),
            "ctckit.ocr.training.loop",
            "ctckit.ocr.training.config",
            "ctckit.ocr.training.interruption",
            "ctckit.ocr.training.evaluation",
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
        without=_FOR_USERS,
        see=("contributing/adding", "contributing/layout"),
    ),
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
    for path in page.without:
        module = importlib.import_module(path)
        known |= {id(getattr(module, name)) for name in public_names(module)}
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


def text_of(page: Page, docs: Path) -> Iterator[str]:
    """Yield the lines of a page."""
    yield f"# {page.title}\n"
    yield f"See also: {', '.join(_link(docs, place) for place in page.see)}.\n"
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


def _link(docs: Path, place: str) -> str:
    """Return a link to a guide or a chapter by its title."""
    path = next(path for end in ("md", "py") if (path := docs / f"{place}.{end}").exists())
    [title] = re.findall(r"^(?:# )?# (?!%)(.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)[:1]
    return f"[{title}](../{path.relative_to(docs).as_posix()})"


def summary(value: Any) -> str:
    """Return the first sentence of a docstring, as Markdown for the cell of a table."""
    text = (inspect.getdoc(value) or "").partition("\n\n")[0]
    return re.sub(r"``?([^`]*)``?", r"`\1`", " ".join(text.split())).replace("|", r"\|")


def index_of(pages: list[Page]) -> str:
    """Return the index: each name with its summary."""
    parts = [
        "# Reference\n\nEvery public name, from the docstrings of the package. Everywhere, B is the number of items, T "
        "of frames, C of classes, N of tokens, and S = 2N + 1 of states. "
        "The [command line](command_line.md) has its own page.\n"
    ]
    for page in pages:
        parts.append(f"## [{page.title}]({page.name}.md)\n")
        if page.without:
            parts.append("What the commands are made of, for those who change them.\n")
            continue
        parts.append("| name | |\n|---|---|")
        for name in contents(page):
            value = _resolve(name)
            parts.append(
                f"| {{py:obj}}`{name.rpartition('.')[2]} <{name}>` | {summary(value) if callable(value) else ''} |"
            )
        parts.append("")
    entries = "\n".join([*(page.name for page in pages), "command_line"])
    return "\n".join([*parts, f"```{{toctree}}\n:hidden:\n\n{entries}\n```\n"])


def _resolve(name: str) -> Any:
    path, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(path), attribute)


def command_line(docs: Path) -> str:
    """Return a page with the help of every command, and examples from the guides."""
    os.environ.update(NO_COLOR="1", COLUMNS="100", TERM="dumb")
    from typer.testing import CliRunner

    from ctckit.cli import app
    from ctckit.cli.lazy import with_all_commands

    runner, parts, examples = CliRunner(), ["# Command line\n"], find_examples(docs)

    def add(words: list[str], command: Any) -> None:
        text = runner.invoke(app, [*words, "--help"], terminal_width=100, prog_name="ctckit").output
        parts.append(f"## {' '.join(['ctckit', *words])}\n\n```text\n{text.strip()}\n```\n")
        if " ".join(words) in examples:
            parts.append(section(examples[" ".join(words)]))
        for name, each in getattr(command, "commands", {}).items():
            add([*words, name], each)

    add([], with_all_commands(app))
    return "\n".join(line.rstrip() for line in "\n".join(parts).splitlines()) + "\n"


def write(folder: Path) -> None:
    """Write all pages. Files with unchanged text are not written, so that Sphinx does not read them again."""
    docs = folder.parent
    pages = {page.name: "\n".join(text_of(page, docs)) for page in all_pages()}
    pages |= {"command_line": command_line(docs), "index": index_of(all_pages())}
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
