"""What the package exports, what importing it loads, and what it needs."""

import importlib
import importlib.util
import pkgutil
import re
import subprocess
import sys

import pytest

import ctckit
from ctckit import errors
from ctckit.errors import CTCKitError, InvalidInputError, MissingDependencyError
from ctckit.kernels import runtime
from tests.support.examples import run_module, run_page
from tests.support.paths import ROOT

README = ROOT / "README.md"
SOURCE = ROOT / "src" / "ctckit"
MODULES = sorted(module.name for module in pkgutil.walk_packages(ctckit.__path__, "ctckit."))


def run(code):
    return subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)


def test_all_names_are_sorted_and_can_be_imported():
    assert ctckit.__all__ == sorted(ctckit.__all__)
    for name in ctckit.__all__:
        assert name in dir(ctckit)
        assert callable(getattr(ctckit, name))
    with pytest.raises(AttributeError, match="module 'ctckit' has no attribute 'ctc_lose'"):
        ctckit.ctc_lose  # noqa: B018


def test_the_version_is_the_same_everywhere():
    stated = re.search(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)[1]
    assert ctckit.__version__ == stated
    assert f"\nversion: {stated}\n" in (ROOT / "CITATION.cff").read_text()


def test_no_function_has_the_name_of_a_module():
    """Otherwise an import of the module would replace the function."""
    for name in ctckit.__all__:
        assert importlib.util.find_spec(f"ctckit.{name}") is None


def test_packages_are_imported_when_they_are_first_used():
    done = run("import ctckit; assert ctckit.topology.collapse([0, 1, 1]) == [1]; ctckit.viz.live_page; ctckit.errors")
    assert done.returncode == 0, done.stderr


def test_a_daemon_thread_that_holds_a_model_says_nothing_at_exit():
    done = run(
        "import threading, time\n"
        "from ctckit import NGramModel\n"
        "ready = threading.Event()\n"
        "def hold():\n"
        "    model = NGramModel.train(['a b'], order=1)\n"
        "    ready.set()\n"
        "    time.sleep(60)\n"
        "threading.Thread(target=hold, daemon=True).start()\n"
        "assert ready.wait(60)"
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_only_the_kernels_import_the_compiled_core():
    importing = re.compile(r"^\s*(from|import) .*\b_native\b", re.MULTILINE)
    found = {path for path in SOURCE.rglob("*.py") if importing.search(path.read_text(encoding="utf-8"))}
    assert found
    assert {path.relative_to(SOURCE).parts[0] for path in found} == {"kernels"}


def test_import_loads_nothing_heavy_and_warns_of_nothing():
    done = run(
        "import sys, ctckit\n"
        "heavy = {'torch', 'matplotlib', 'PIL', 'sklearn', 'rich', 'typer', 'scipy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    assert (done.returncode, done.stderr) == (0, "")


AT_ONCE = """
import sys, threading
sys.modules['torch'] = None  # importing it fails, as if it were not installed
import ctckit
names = [*ctckit.__all__, 'decoding', 'language_models', 'viz', 'compat']
barrier, errors = threading.Barrier(16), []
def use(first):
    barrier.wait()
    try:
        for name in names[first:] + names[:first]:
            getattr(ctckit, name)
    except BaseException as error:
        errors.append(error)
threads = [threading.Thread(target=use, args=(first,)) for first in range(16)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert not errors, errors
"""


@pytest.mark.parametrize("attempt", range(3))
def test_many_threads_can_use_the_package_for_the_first_time(attempt):
    done = run(AT_ONCE)
    assert done.returncode == 0, done.stderr


WITHOUT_TORCH = """
import sys
from pathlib import Path
sys.modules['torch'] = None  # importing it fails, as if it were not installed
import numpy as np, ctckit
item = ctckit.lattice(np.log(np.full((3, 3), 1 / 3)), [1, 2])
assert item.best_path().shape == (3,)
assert ctckit.greedy_decode(np.log([[.1, .9]]))[0].tokens == (1,)
decoder = ctckit.BeamDecoder(["", "a"])
assert decoder.decode(np.log([[.1, .9]]))[0][0].text == "a"
stream = decoder.stream()
stream.push(np.log([[.1, .9]]))
assert stream.finish().text == "a"
from ctckit import ctc_loss, CTCLoss
for name in (ctc_loss, CTCLoss):
    try:
        name(1, 2, 3, 4)
    except ctckit.errors.MissingDependencyError as error:
        print(error)
"""


def test_without_torch_the_rest_works_and_the_loss_names_the_extra():
    done = run(WITHOUT_TORCH)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        'ctckit.ctc_loss needs torch, which is not installed. Install it: pip install "ctckit[torch]"',
        'ctckit.CTCLoss needs torch, which is not installed. Install it: pip install "ctckit[torch]"',
    ]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name):
    if "triton" in name.split(".") or name.endswith(".triton_viterbi"):
        pytest.importorskip("triton", minversion="3.3")
    failures, _ = run_module(importlib.import_module(name))
    assert failures == 0


def test_the_drawn_tree_of_errors_is_the_real_one():
    classes = [each for each in vars(errors).values() if isinstance(each, type)]
    assert all(issubclass(each, CTCKitError) for each in classes)
    for each in classes:
        assert each.__name__ in errors.__doc__
        assert each.__doc__
    assert issubclass(InvalidInputError, ValueError)
    assert issubclass(MissingDependencyError, ImportError)


def test_instruction_sets_can_be_chosen():
    before = runtime.instruction_set()
    assert runtime.instruction_sets()[0] == "baseline"
    assert before == runtime.instruction_sets()[-1]
    runtime.set_instruction_set("baseline")
    assert runtime.instruction_set() == "baseline"
    runtime.set_instruction_set(before)
    with pytest.raises(
        InvalidInputError, match="instruction set 'mmx' is not available here; this machine has: baseline"
    ):
        runtime.set_instruction_set("mmx")


def test_the_environment_chooses_the_instruction_set(monkeypatch):
    code = "from ctckit.kernels import runtime; print(runtime.instruction_set())"
    for value, expected in (("baseline", "baseline"), (" ", runtime.instruction_sets()[-1])):
        monkeypatch.setenv("CTCKIT_ISA", value)
        assert run(code).stdout.strip() == expected
    monkeypatch.setenv("CTCKIT_ISA", "mmx")
    assert "the environment variable CTCKIT_ISA is 'mmx'; expected one of baseline" in run(code).stderr


@pytest.mark.parametrize("count", [0, -1, 1.5, True])
def test_threads_are_counted_from_one(count):
    with pytest.raises(InvalidInputError, match=r"count is .*; expected a positive integer\."):
        ctckit.set_num_threads(count)


def test_the_examples_of_the_readme_run():
    failures, tried = run_page(README)
    assert (failures, tried > 5) == (0, True)
