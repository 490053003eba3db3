"""The files, folders and modules of this repository that the documentation names exist; counts of mutants agree."""

import importlib.util
import os
import pkgutil
import re
import sys
from pathlib import PurePosixPath

import pytest

from tests.support.paths import ROOT

FOLDERS = ("benchmarks", "docs", "native", "release", "src", "tests")
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted(path for path in (ROOT / "docs").rglob("*.md") if "reference" not in path.parts),
    *sorted((ROOT / "docs" / "learn").glob("*.py")),
]
COUNTING_PAGES = [*PAGES, *sorted((ROOT / "benchmarks" / "notes").glob("*.md"))]

# Files and folders of the reader's own, or written by a command: they are not in the repository.
NOT_OURS = {
    "benchmarks/results/gpu.json",  # `python -m benchmarks.gpu` writes it on a machine with a GPU
    "build/",
    "images/",
    "lines/",
    "model/",
    "others/",
    "read/",
    "scans/",
    "texts/",
    "transcribed/",
}
PLACEHOLDER = re.compile(r"NAME|…")  # `networks/NAME.py` in a recipe stands for a file that the reader adds

URL = re.compile(r"\w+://[^\s)>`\"]+")
LINK_TARGET = re.compile(r"\]\([^)\s]+\)")  # tests/docs/test_site.py follows links
TOCTREE = re.compile(r"^```\{toctree\}.*?^```", re.DOTALL | re.MULTILINE)
FENCE = re.compile(r"^```\w*\n(.*?)^```", re.DOTALL | re.MULTILINE)
START = r"(?<![\w/.~*-])"
FROM_THE_ROOT = re.compile(rf"{START}(?:{'|'.join(FOLDERS)})/[\w./*-]*")
SOURCE_FILE = re.compile(rf"{START}[\w*][\w./*-]*\.(?:py|pyi|hpp|cpp|js|toml)\b(?![\w/])")
FOLDER_IN_CODE = re.compile(r"`([\w][\w./-]*/)`")
RUN_MODULE = re.compile(r"-m ((?:benchmarks|tests|ctckit)[\w.]*)")
MODULE_IN_CODE = re.compile(r"`(?:[^`\n]*[^`\w./])?(ctckit(?:\.\w+)+)[^`\n]*`")
MUTANTS = re.compile(r"`make mutants`[^.:]{0,20}[(:]\s*(\d+)\s|(\d+)\s+mutants\b|(\d+)\s+rules\s+broken")


def read(path):
    return path.read_text(encoding="utf-8")


def everything():
    """All files and folders of the repository, as paths from its root; what builds leave behind is not among them."""
    files, folders = [PurePosixPath(each.name) for each in ROOT.iterdir() if each.is_file()], []
    for top in FOLDERS:
        for place, inside, names in os.walk(ROOT / top):
            inside[:] = [name for name in inside if name != "__pycache__"]
            here = PurePosixPath(os.path.relpath(place, ROOT))
            folders.append(here)
            files.extend(here / name for name in names)
    return files, folders


FILES, ALL_FOLDERS = everything()


def trees(text):
    """The paths of each drawn tree: a code block whose first line is a folder; deeper lines are inside of it."""
    for block in FENCE.findall(text):
        lines = [line for line in block.splitlines() if line.strip()]
        if not lines or not re.match(r"[\w./-]+/(\s|$)", lines[0]):
            continue
        above = []  # the folders that are open, with their indentation
        for line in lines:
            indent, first = len(line) - len(line.lstrip()), line.split()[0]
            above = [(depth, name) for depth, name in above if depth < indent]
            if not re.fullmatch(r"[\w./*-]+(/|\.\w+)", first):
                continue  # a description that goes on
            yield "".join(name for _, name in above) + first
            if first.endswith("/"):
                above.append((indent, first))


def named(text):
    """The paths that a page names."""
    text = LINK_TARGET.sub("]", URL.sub("", TOCTREE.sub("", text)))
    in_trees = set(trees(text))
    text = FENCE.sub(lambda found: "" if any(True for _ in trees(found.group())) else found.group(), text)
    found = {each.rstrip(".") for each in FROM_THE_ROOT.findall(text)}
    found |= set(SOURCE_FILE.findall(text)) | set(FOLDER_IN_CODE.findall(text)) | in_trees
    return sorted(each for each in found - NOT_OURS if not PLACEHOLDER.search(each))


def exists(name):
    """Whether a path leads to something: from the root if it begins there, else as the end of any path."""
    if name.split("/")[0] in FOLDERS:
        return any(ROOT.glob(name.rstrip("/"))) and (not name.endswith("/") or (ROOT / name).is_dir())
    return any(path.match(name) for path in (ALL_FOLDERS if name.endswith("/") else FILES))


def module_exists(name):
    """Whether a dotted name is a module, or a public name in one."""
    try:
        pkgutil.resolve_name(name)
    except (AttributeError, ModuleNotFoundError):
        return False
    return True


def can_be_run(name):
    """Whether ``python -m name`` finds a file."""
    path = name.replace(".", "/")
    ends = (".py", "/__main__.py")
    return any((ROOT / place / f"{path}{end}").is_file() for place in ("", "src") for end in ends)


def entry_point_groups():
    return set(re.findall(r'^\[project\.entry-points\."([\w.]+)"\]', read(ROOT / "pyproject.toml"), re.MULTILINE))


def page_name(path):
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_named_files_and_folders_exist(page):
    assert [name for name in named(read(page)) if not exists(name)] == []


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_named_modules_exist(page):
    text = read(page)
    missing = [name for name in RUN_MODULE.findall(text) if not can_be_run(name.rstrip("."))]
    if page.name != "CHANGELOG.md":  # it names modules that are gone, too
        for package in ("torch", "PIL", "fastapi"):
            pytest.importorskip(package)
        dotted = set(MODULE_IN_CODE.findall(text)) - entry_point_groups()
        missing += [name for name in sorted(dotted) if not module_exists(name)]
    assert missing == []


def test_the_count_of_mutants_is_the_same_everywhere():
    spec = importlib.util.spec_from_file_location("native_mutants", ROOT / "native" / "tests" / "mutants.py")
    mutants = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = mutants  # its dataclass looks for it there
    spec.loader.exec_module(mutants)
    said = {
        page_name(page): int(next(filter(None, numbers)))
        for page in COUNTING_PAGES
        for numbers in MUTANTS.findall(read(page))
    }
    assert said
    assert said == dict.fromkeys(said, len(mutants.MUTANTS))


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("see `triton_alignment.py`", "triton_alignment.py"),
        ("in native/align.hpp, line 3", "native/align.hpp"),
        ("the package `kernels/lost/`", "kernels/lost/"),
        ("```text\nsrc/ctckit/\n  kernels/   numbers\n    lost/   nothing\n```\n", "src/ctckit/kernels/lost/"),
        ("`tests/test_beam_*.py`", "tests/test_beam_*.py"),
    ],
)
def test_wrong_names_are_found(text, wrong):
    right = "`loss/reference.py` `topology.py` `docs/learn/*.py` `viz/live/`\n```text\nsrc/\n  ctckit/   all\n```\n"
    assert [name for name in named(f"{right}\n{text}") if not exists(name)] == [wrong]
