"""The notebooks and scripts of the chapters run where nothing but ctckit and its extras is."""

import ast
import builtins
import importlib
import json
import os
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest

from tests.support.paths import ROOT

LEARN = ROOT / "docs" / "learn"
CHAPTERS = [*sorted(LEARN.rglob("[1-9]_*.py")), LEARN / "gallery.py"]
pytest.importorskip("jupytext")
pytest.importorskip("sphinx")


@pytest.fixture
def downloads(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "_extensions"))
    return importlib.import_module("downloads")


def stored(tree):
    """The names that a program binds outside of its functions, comprehensions and classes."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (each.asname or each.name for each in node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif not isinstance(node, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            yield from stored(node)


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.relative_to(LEARN).as_posix())
def test_a_script_is_complete(downloads, chapter):
    script = downloads.standalone(chapter, "1.2.3")
    assert "version 1.2.3" in script
    assert script.startswith(chapter.read_text(encoding="utf-8").partition("\n#\n")[0])
    for own in ("from _", "from ctc ", "_support", ".md)", "lattice.html", "{download}", "[English]", "Path(__file__)"):
        assert own not in script
    assert "# 中文\n" not in script
    asked = [line for line in script.splitlines() if re.search(r"\bcheck\(", line) and not line.startswith("def ")]
    assert all(line.startswith("check(..., ") for line in asked)  # what a solution knows is not said
    assert chapter in downloads.chapters(ROOT / "docs")
    nodes = list(ast.walk(ast.parse(script)))
    names = [node for node in nodes if isinstance(node, ast.Name)]
    bound = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    bound |= {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.ExceptHandler)}
    bound |= {node.asname or node.name for node in nodes if isinstance(node, ast.alias)}
    bound |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    used = {node.id for node in names}
    assert used - bound - set(dir(builtins)) <= {"__name__"}


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.relative_to(LEARN).as_posix())
def test_a_chapter_does_not_redefine_what_its_pictures_need(downloads, chapter):
    text = chapter.read_text(encoding="utf-8")
    helpers = ast.parse(downloads._helpers(chapter, text))
    imports = {ast.unparse(node) for node in helpers.body if isinstance(node, ast.Import | ast.ImportFrom)}
    definitions = [node for node in helpers.body if ast.unparse(node) not in imports]
    own = ast.parse(downloads._IMPORT.sub("", text))
    assert set(stored(own)) & set(stored(ast.Module(definitions, []))) == set()


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.relative_to(LEARN).as_posix())
def test_a_notebook_has_the_cells_of_the_script(downloads, chapter):
    book = json.loads(downloads.notebook(downloads.standalone(chapter, "1.2.3")))
    text = chapter.read_text(encoding="utf-8")
    assert len(book["cells"]) == text.count("\n# %%") + 3  # the first cell, the two about the helpers
    folded = [cell for cell in book["cells"] if cell["metadata"].get("jupyter") == {"source_hidden": True}]
    assert len(folded) == text.count('"hide-') + 1
    assert book["metadata"]["kernelspec"]["name"] == "python3"


def test_only_what_is_used_is_copied(downloads, tmp_path):
    (tmp_path / "_parts.py").write_text(
        '"""Parts."""\nimport os\nimport re\nSIZE = 3\nOTHER = 4\n\ndef of(x):\n    return re.escape(x) * SIZE\n'
    )
    (tmp_path / "1_a.py").write_text(
        "# %% [markdown]\n# # A\n# [b](../b.md)\n\n# %%\nfrom _parts import of\n\nof('a')[0](1)\n"
    )
    script = downloads.standalone(tmp_path / "1_a.py", "1")
    assert "import re\n\nSIZE = 3\n\ndef of(x):\n" in script
    assert "OTHER" not in script
    assert "import os" not in script
    assert "\n# b\n" in script
    assert script.endswith("# %%\n\nof('a')[0](1)\n")


@pytest.mark.slow
@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.relative_to(LEARN).as_posix())
def test_a_script_runs_in_an_empty_folder(downloads, chapter, tmp_path):
    pytest.importorskip("matplotlib")
    script = tmp_path / chapter.name
    script.write_text(downloads.standalone(chapter, "1.2.3"), encoding="utf-8")
    cache = ROOT / "build" / "learn"
    settings = {
        "CTCKIT_LEARN_QUICK": "1",
        "CTCKIT_LEARN_CACHE": str(cache),
        "MPLBACKEND": "Agg",
        "OMP_NUM_THREADS": "1",  # threads that wait for each other are slow on a busy machine
        "PYTHONIOENCODING": "utf-8",
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", script.name],
        cwd=tmp_path,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_script_says_whether_an_answer_is_right(monkeypatch, capsys):
    pytest.importorskip("matplotlib")
    monkeypatch.syspath_prepend(str(LEARN))
    support = importlib.import_module("_support")
    check = support.check
    exec('\ncheck(..., "b3956a")\ncheck((75, 76), "b3956a")\ncheck(75, "b3956a")', {"check": check})
    assert capsys.readouterr().out == (
        "exercise in line 2: no answer yet\nexercise in line 3: (75, 76) is True\nexercise in line 4: 75 is False\n"
    )
    assert support.is_right((75, 76), "b3956a")
    assert capsys.readouterr().out == ""
    monkeypatch.setattr(builtins, "__IPYTHON__", True, raising=False)  # a notebook shows the last value of a cell
    assert check(..., "b3956a") is None
    assert check((75, 76), "b3956a")
    assert not check(75, "b3956a")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("place", ["1_why_ctc.py", "zh/1_why_ctc.py", "gallery.py", "index.md"])
def test_a_quick_build_says_so_on_each_chapter(downloads, monkeypatch, place):
    quick_build = importlib.import_module("quick_build")
    app = SimpleNamespace(srcdir=str(ROOT / "docs"), env=SimpleNamespace(doc2path=lambda name: LEARN / name))
    text = (LEARN / place).read_text(encoding="utf-8")
    source = [text]
    monkeypatch.delenv("CTCKIT_LEARN_QUICK", raising=False)
    quick_build.note(app, place, source)
    assert source == [text]
    monkeypatch.setenv("CTCKIT_LEARN_QUICK", "1")
    quick_build.note(app, place, source)
    assert source[0].count("{note}") == (place != "index.md")
    if place != "index.md":
        title, note, rest = source[0].split("\n#\n", maxsplit=2)
        assert note.startswith("# ```{note}\n# ")
        assert f"{title}\n#\n{rest}" == text
