"""Write each chapter and the gallery as a notebook and as a script that run wherever ctckit is, and link to them.

A chapter imports functions from the files of docs/learn whose names begin with an underscore. In the files to download,
these functions stand in a cell of their own, with everything that they use.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import util
from pathlib import Path
from pprint import pformat
from typing import Any

import jupytext
from sphinx.application import Sphinx

RECORDED = "_recorded"  # its functions are replaced by what they return: they read files of the repository

_IMPORT = re.compile(r"^from (_\w+) import (\([^)]*\)|.*)\n", re.MULTILINE)
_CELL = re.compile(r"^(?=# %%)", re.MULTILINE)
_PROSE = "# %% [markdown]"
_OTHER_LANGUAGE = re.compile(r"^# \[(?:English|中文)\]\(.*\)\n#\n", re.MULTILINE)
_RELATIVE_LINKS = (
    re.compile(r"\[([^\]]*)\]\((?!https?:)[^)]*\)"),
    re.compile(r"<a\s(?:# )?href=\"(?!https?:)[^\"]*\">(.*?)</a>", re.DOTALL),
    re.compile(r"\{download\}(`[^<`]*?) <[^>]*>(?=`)"),
)
_SOLUTION = re.compile(r"^(assert .*)\bcheck\(", re.MULTILINE)
_WHOLE = "from ctc import ctc_loss\n"  # chapter 4 shows this file

_FOLDED = ("hide-input", "hide-cell")
_ABOUT = """# %% [markdown]
# This page needs `pip install "ctckit[ocr]"`. It is part of ctckit's documentation, version {version}. The
# next cell has the functions that draw the pictures: run it, and go on. In the exercises, put your answer in the place
# of `...`. A notebook shows under the cell whether it is right; a script prints it. Solutions are checked silently.

# %% tags=["hide-input"]
{helpers}

"""


def chapters(docs: Path) -> list[Path]:
    """Return the chapters in all languages, and the gallery."""
    learn = docs / "learn"
    return [*sorted(learn.rglob("[1-9]_*.py")), learn / "gallery.py"]


def standalone(chapter: Path, version: str) -> str:
    """Return a chapter, in percent format, that needs no file beside it."""
    text = chapter.read_text(encoding="utf-8")
    about = _ABOUT.format(version=version, helpers=_helpers(chapter, text))
    text = _SOLUTION.sub(r"\1is_right(", _IMPORT.sub("", text))
    if _WHOLE in text:
        text = text.replace(_WHOLE, _beside(chapter, "ctc").read_text(encoding="utf-8"))
    cells = _CELL.split(text)
    cells = [_without_links(cell) if cell.startswith(_PROSE) else cell for cell in cells]
    first = next(n for n, cell in enumerate(cells) if cell and not cell.startswith(_PROSE))
    return "".join([*cells[:first], about, *cells[first:]])


def _without_links(prose: str) -> str:
    """Return a cell without links to pages of the site; their words stay."""
    prose = _OTHER_LANGUAGE.sub("", prose)
    for link in _RELATIVE_LINKS:
        prose = link.sub(r"\1", prose)
    return prose


def notebook(script: str) -> str:
    """Return a script in percent format as a Jupyter notebook; code that is folded on the site is folded there."""
    book: Any = jupytext.reads(script, fmt="py:percent")
    for cell in book.cells:
        cell.metadata.pop("mystnb", None)
        if any(tag in cell.metadata.get("tags", ()) for tag in _FOLDED):
            cell.metadata["jupyter"] = {"source_hidden": True}
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return str(jupytext.writes(book, fmt="ipynb"))


def _beside(chapter: Path, module: str) -> Path:
    """Return a file that a chapter imports; translations share those of the English chapters."""
    folders = (chapter.parent, chapter.parent.parent)
    return next(path for folder in folders if (path := folder / f"{module}.py").exists())


def _helpers(chapter: Path, text: str) -> str:
    """Return the source of what a chapter imports from the files beside it, and of everything that this uses."""
    wanted: dict[str, list[str]] = {}
    for module, names in _IMPORT.findall(text):
        wanted.setdefault(module, []).extend(re.findall(r"\w+", names))
    imports: set[str] = set()
    parts: list[str] = []
    for module, names in wanted.items():
        file = _beside(chapter, module)
        found = list(_values(file, names) if module == RECORDED else _used(file, names))
        imports.update(each for each in found if each.startswith(("import ", "from ")))
        parts += [each for each in found if not each.startswith(("import ", "from "))]
    return "\n".join([*sorted(imports), "", "\n\n".join(parts)])


def _used(file: Path, names: list[str]) -> Iterator[str]:
    """Yield the statements of a file that these names need, in its order."""
    text = file.read_text(encoding="utf-8")
    lines, statements = text.splitlines(), ast.parse(text).body[1:]  # without its docstring
    defined = {name: statement for statement in statements for name in _bound(statement)}
    wanted = [statement for statement in statements if isinstance(statement, ast.Expr)]  # settings
    wanted += [defined[name] for name in names]
    for statement in wanted:  # it grows
        used = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
        wanted += [defined[name] for name in used & set(defined) if defined[name] not in wanted]
    for statement in statements:
        if statement in wanted:
            decorators = getattr(statement, "decorator_list", [])
            first = min(each.lineno for each in [statement, *decorators])
            yield "\n".join(lines[first - 1 : statement.end_lineno])


def _values(file: Path, names: list[str]) -> Iterator[str]:
    spec = util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name in names:
        value = pformat(getattr(module, name)(), width=92)
        yield f"def {name}():\n    return {value.replace(chr(10), chr(10) + ' ' * 11)}"


def _bound(statement: ast.stmt) -> list[str]:
    """Return the names that a statement of a module defines."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return [statement.name]
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return [each.asname or each.name for each in statement.names]
    return [node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]


def link(app: Sphinx, name: str, source: list[str]) -> None:
    """Put links to the two files under the title of a chapter."""
    path = Path(app.env.doc2path(name))
    if path in chapters(Path(app.srcdir)):
        chinese = path.parent.name == "zh"
        said, *kinds = ("下载：", "笔记本", "脚本") if chinese else ("Download: ", "notebook", "script")
        ends = zip(("ipynb", "py"), kinds, strict=True)
        links = " · ".join(f'<a href="{path.stem}.{end}" download>{kind}</a>' for end, kind in ends)
        title, rest = source[0].split("\n#\n", maxsplit=1)
        source[0] = f'{title}\n#\n# <p class="downloads">{said}{links}</p>\n#\n{rest}'


def write(app: Sphinx, error: Exception | None) -> None:
    """Write the files beside the pages of the chapters, if the build succeeded and makes HTML."""
    if error is None and app.builder.format == "html":
        for chapter in chapters(Path(app.srcdir)):
            script = standalone(chapter, app.config.version)
            place = Path(app.outdir) / chapter.relative_to(app.srcdir)
            place.write_text(script, encoding="utf-8")
            place.with_suffix(".ipynb").write_text(notebook(script), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register ``link`` for each page that is read, and ``write`` for the end of a build."""
    app.connect("source-read", link)
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
