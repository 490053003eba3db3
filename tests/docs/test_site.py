"""The site: its chapters run, its reference is complete, its links have targets."""

import importlib
import inspect
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import ctckit
from tests.docs.test_examples import command_line
from tests.support.examples import run_page
from tests.support.paths import ROOT

DOCS = ROOT / "docs"
CHAPTERS = sorted((DOCS / "learn").glob("[1-9]_*.py"))
PAGES = [
    DOCS / "index.md",
    DOCS / "quickstart.md",
    DOCS / "mathematics.md",
    DOCS / "errors.md",
    DOCS / "learn" / "index.md",
    DOCS / "contributing" / "public_api.md",
]
PACKAGES = [
    "ctckit",
    *(
        f"ctckit.{name}"
        for name in (
            "acoustic_models",
            "alignment",
            "decoding",
            "diagnosis",
            "distributed",
            "language_models",
            "loss",
            "objectives",
            "ocr",
            "service",
            "viz",
        )
    ),
]
COMMANDS = "ctckit.cli"  # the reference has the help of each command instead


def read(path):
    return path.read_text(encoding="utf-8")


def toctrees(path):
    return re.findall(r"^[\w/*]+$", "".join(re.findall(r"```\{toctree\}(.*?)```", read(path), re.DOTALL)), re.MULTILINE)


def test_there_are_nine_chapters_and_the_index_has_them_in_order():
    assert [path.stem[0] for path in CHAPTERS] == list("123456789")
    assert toctrees(DOCS / "learn" / "index.md")[:9] == [path.stem for path in CHAPTERS]


def test_the_front_page_lists_all_parts():
    assert toctrees(DOCS / "index.md") == [
        "install",
        "quickstart",
        "learn/index",
        "tasks/index",
        "guides/index",
        "reference/index",
        "mathematics",
        "cheat_sheet",
        "glossary",
        "errors",
        "benchmarks/index",
        "contributing/index",
    ]


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_has_all_its_parts(chapter):
    text = read(chapter)
    assert text.startswith(f"# %% [markdown]\n# # {chapter.stem[0]} · ")
    for part in ("Where this is in the package", "Exercises", "Sources"):
        assert f"\n# ## {part}\n" in text, part
    exercises = len(re.findall(r"^# \*\*\d\.\*\*", text, re.MULTILINE))
    solutions = text.count('tags=["hide-cell"] mystnb={"code_prompt_show": "Solution"')
    assert exercises == solutions >= 2
    asked = re.findall(r'^check\(\.\.\., "(\w{6})"\)  # \S', text, re.MULTILINE)
    assert asked == re.findall(r'^assert .*check\(.+, "(\w{6})"\)', text, re.MULTILINE)  # the solution knows the answer
    assert len(asked) == exercises
    assert "assert" in text  # the chapter checks its claims when it runs


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(DOCS)))
def test_examples_on_pages_run(page):
    failures, _ = run_page(page)
    assert failures == 0


def reference_pages(monkeypatch):
    pytest.importorskip("sphinx")
    monkeypatch.syspath_prepend(str(DOCS / "_extensions"))
    return importlib.import_module("reference_pages")


def test_the_reference_has_every_public_name_once(monkeypatch):
    reference = reference_pages(monkeypatch)
    listed = [name for page in reference.all_pages() for name in reference.contents(page)]
    assert len(listed) == len(set(listed))
    documented = {id(_resolve(name)) for name in listed}
    for package in PACKAGES:
        module = importlib.import_module(package)
        missing = [name for name in module.__all__ if id(getattr(module, name)) not in documented]
        assert not missing, (package, missing)


def test_every_name_has_a_summary_and_every_page_a_guide(monkeypatch):
    reference = reference_pages(monkeypatch)
    for page in reference.all_pages():
        assert all((DOCS / f"{place}.md").exists() or (DOCS / f"{place}.py").exists() for place in page.see), page.name
        assert page.see, page.name
    index = reference.index_of(reference.all_pages())
    assert "| {py:obj}`ctc_loss <ctckit.ctc_loss>` | Return the negative log-probability of the targets" in index
    assert "```" not in index.partition("```{toctree}")[0]


def test_signatures_have_the_values_of_constants(monkeypatch):
    reference_pages(monkeypatch)
    valued = importlib.import_module("short_types").valued
    names = vars(importlib.import_module("ctckit.decoding.beam"))
    defaults = names["defaults"]
    assert defaults.HOTWORD_WEIGHT is None
    assert valued(
        "(a: float = defaults.LM_WEIGHT, b: float | None = defaults.HOTWORD_WEIGHT, c: int = OTHER)", names
    ) == (f"(a: float = {defaults.LM_WEIGHT}, b: float | None = None, c: int = OTHER)")


def test_every_command_has_an_example(monkeypatch):
    examples = reference_pages(monkeypatch).find_examples(DOCS)
    assert set(examples) == set(leaves(command_line(), []))


def leaves(command, words):
    """The commands that have no commands of their own."""
    if not hasattr(command, "commands"):
        return [" ".join(words)]
    return [leaf for name, each in command.commands.items() for leaf in leaves(each, [*words, name])]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_has_an_example(package):
    module = importlib.import_module(package)
    values = {name: getattr(module, name) for name in module.__all__}
    assert [name for name, value in values.items() if callable(value) and not has_example(value)] == []


def test_every_name_of_another_library_has_an_example(monkeypatch):
    reference = reference_pages(monkeypatch)
    [page] = [page for page in reference.PAGES if page.name == "compat"]
    names = reference.contents(page)
    assert [name for name in names if callable(_resolve(name)) and not has_example(_resolve(name))] == []


def has_example(value):
    """Whether the docstring, or that of a method, has one. It is run by the tests of the package."""
    texts = [value.__doc__]
    if inspect.isclass(value):
        if issubclass(value, BaseException):
            return True
        texts += [member.__doc__ for name, member in vars(value).items() if not name.startswith("_")]
    return any(">>> " in (text or "") for text in texts)


def test_every_module_with_a_list_of_names_is_checked_above():
    modules = {"ctckit", *(f"ctckit.{each.name}" for each in pkgutil.iter_modules(ctckit.__path__))}
    listing = {name for name in modules if "._" not in name and hasattr(importlib.import_module(name), "__all__")}
    assert listing - {COMMANDS} == set(PACKAGES)


def _resolve(name):
    path, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(path), attribute)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site: the one that CTCKIT_SITE names, or one that is built here without executing the chapters."""
    if built := os.environ.get("CTCKIT_SITE"):
        return Path(built).absolute()
    pytest.importorskip("myst_nb")
    pytest.importorskip("sphinx_copybutton")
    settings = ["nb_execution_mode=off", "suppress_warnings=ref.python,myst-nb.lexer"]  # without a kernel, no lexer
    unexecuted = [part for setting in settings for part in ("-D", setting)]
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", *unexecuted]
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [*command, "-d", folder / "doctrees", DOCS, folder / "html"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "html"


@pytest.mark.slow
def test_the_site_builds_without_a_warning(site):
    """It documents every public name, and has every page."""
    from sphinx.util.inventory import InventoryFile

    inventory = InventoryFile.loads((site / "objects.inv").read_bytes(), uri="").data
    documented = {name for kind, entries in inventory.items() if kind.startswith("py:") for name in entries}
    assert {f"ctckit.{name}" for name in ctckit.__all__} <= documented
    pages = {path.relative_to(site).as_posix() for path in site.rglob("*.html")}
    assert {f"learn/{path.stem}.html" for path in CHAPTERS} | {"learn/lattice.html", "mathematics.html"} <= pages
    for folder, files in (("guides", "*.md"), ("tasks", "*.md"), ("learn/zh", "*.py")):
        assert {f"{folder}/{path.stem}.html" for path in (DOCS / folder).glob(files)} <= pages
    assert [page for page in pages if "numpy._typing" in read(site / page)] == []
    fetched = re.findall(r'(?:src|href)="(https?://[^"]+\.(?:js|css|woff2?))"', read(site / "learn" / "3_forward.html"))
    assert not fetched  # the pages work without a network


CODE = re.compile(r"^```[^\n]*\n.*?^```|^>>> .*$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]*))?\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def anchors(page):
    """The anchors of a page's headings, as GitHub and MyST make them."""
    headings = HEADING.findall(CODE.sub("", read(page)))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(
    "page",
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md")), *CHAPTERS],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_links_have_targets(page):
    """Links within the repository have targets; other links are not followed, so that no test needs a network."""
    generated = re.compile(r"reference/\w+\.md$|^lattice\.html$")
    for target, anchor in LINK.findall(CODE.sub("", read(page))):
        path = page.parent / target if target else page
        assert path.exists() or generated.search(target), target
        if anchor and path.suffix == ".md" and path.exists():
            assert anchor in anchors(path), f"{target}#{anchor}"


SOURCE_PAGES = [DOCS / "mathematics.md", *CHAPTERS]
WEB_LINK = re.compile(r"\]\((https?://[^)\s]*)\)")
FORMS = {
    "arxiv.org": r"/abs/\d{4}\.\d{4,5}",
    "doi.org": r"/10\.\d{4,5}/[\w.%-]+",
    "github.com": r"/[\w.-]+/[\w.-]+(/\S*)?",
    "openreview.net": r"/forum\?id=\w+",
}


@pytest.mark.parametrize("page", SOURCE_PAGES, ids=lambda path: path.stem)
def test_every_source_has_a_link(page):
    sources = read(page).partition("## Sources\n")[2].replace("\n# ", "\n")
    entries = re.split(r"^\* ", sources, flags=re.MULTILINE)[1:]
    assert entries
    assert [entry for entry in entries if "](" not in entry] == []


@pytest.mark.parametrize("page", [*sorted(DOCS.rglob("*.md")), *CHAPTERS], ids=lambda path: str(path.relative_to(DOCS)))
def test_links_to_the_web_are_well_formed(page):
    """Each has https, a host, and where its form is known, this form. No link is followed."""
    for link in WEB_LINK.findall(CODE.sub("", read(page).replace("\n# ", "\n"))):
        assert re.fullmatch(r"https://[\w.-]+\.[a-z]+(/\S*)?", link), link
        host, _, rest = link.removeprefix("https://").partition("/")
        assert re.fullmatch(FORMS.get(host, ".*"), f"/{rest}"), link
