"""The sdist and the wheels have all that they need and nothing else."""

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from release.contents import package_files, stray_and_missing
from release.platforms import Platform, interpreter
from release.trials import Python
from tests.support.paths import ROOT

LEFT_OUT = (".ci/", ".github/")  # of no use outside the repository
WITHOUT_CORE = {"wheel.cmake": "false", "wheel.py-api": ""}
BUILD = "import sys; from scikit_build_core import build; print(getattr(build, sys.argv[1])(sys.argv[2], {setting}))"


def build(what, folder, setting=None):
    """Build without an environment of its own, and without the C++ core: seconds."""
    pytest.importorskip("scikit_build_core")
    command = [sys.executable, "-c", BUILD.format(setting=setting), what, folder]
    environment = os.environ | {"SOURCE_DATE_EPOCH": "1700000000"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Path(folder) / done.stdout.split()[-1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build("build_wheel", tmp_path_factory.mktemp("wheel"), WITHOUT_CORE)


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    return build("build_sdist", tmp_path_factory.mktemp("sdist"))


def test_a_wheel_has_the_package_and_its_description(wheel):
    assert stray_and_missing(wheel, with_core=False) == (set(), set())


def test_package_files_are_those_that_one_expects():
    names = package_files()
    assert {"ctckit/__init__.py", "ctckit/py.typed", "ctckit/_native.pyi", "ctckit/ocr/data/digits/LICENSE"} <= names
    suffixes = {Path(name).suffix for name in names}
    assert suffixes == {".py", ".pyi", ".typed", ".css", ".html", ".js", ".npz", ".wav", ""}


def test_a_core_has_the_name_that_its_python_looks_for():
    """CPython 3.10 on musl looks for a name with "gnu", and the wheels of NumPy for it have that."""
    assert Platform("x86_64", "musl").suffix("3.10") == ".cpython-310-x86_64-linux-gnu.so"
    assert Platform("x86_64", "musl").suffix("3.11") == ".cpython-311-x86_64-linux-musl.so"
    assert Platform("aarch64", "gnu").suffix("3.11") == ".cpython-311-aarch64-linux-gnu.so"
    assert Platform("aarch64", "gnu").suffix("3.14t") == ".cpython-314t-aarch64-linux-gnu.so"


def test_a_free_threaded_python_of_pyenv_is_told_from_one_with_a_gil(tmp_path, monkeypatch):
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    for name in ("3.98.1", "3.98.2t"):
        (tmp_path / "versions" / name / "bin").mkdir(parents=True)
        (tmp_path / "versions" / name / "bin" / "python").symlink_to(sys.executable)
    assert interpreter("3.98") == tmp_path / "versions/3.98.1/bin/python"
    assert interpreter("3.98t") == tmp_path / "versions/3.98.2t/bin/python"
    assert interpreter("3.97") is None


@pytest.mark.parametrize(
    ("wheel", "versions"),
    [
        ("cp310-cp310-manylinux_2_27_x86_64", ["3.10"]),
        ("cp312-abi3-manylinux_2_27_x86_64", ["3.12", "3.14"]),
        ("cp314-cp314t-manylinux_2_27_x86_64", ["3.14t"]),
        ("cp312-abi3-musllinux_1_2_x86_64", []),
        ("cp312-abi3-manylinux_2_27_aarch64", []),
    ],
)
def test_a_wheel_is_tried_in_the_pythons_that_take_it(wheel, versions):
    pythons = {
        version: Python([], (3, int(version[2:4])), version.endswith("t"), "x86_64", "gnu")
        for version in ["3.10", "3.11", "3.12", "3.14", "3.14t"]
    }
    name = Path(f"ctckit-0.1.0-{wheel}.whl")
    assert [version for version, python in pythons.items() if python.takes(name)] == versions


def test_the_sdist_has_every_file_of_the_repository(sdist):
    done = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip("this is not a git repository")
    tracked = {name for name in done.stdout.splitlines() if (ROOT / name).exists()}
    with tarfile.open(sdist) as archive:
        found = {name.partition("/")[2] for name in archive.getnames()}
    assert {name for name in tracked - found if not name.startswith(LEFT_OUT)} == set()
    assert found - tracked == {"PKG-INFO"}


def test_two_builds_are_the_same_bytes(sdist, wheel, tmp_path):
    assert build("build_sdist", tmp_path).read_bytes() == sdist.read_bytes()
    assert build("build_wheel", tmp_path, WITHOUT_CORE).read_bytes() == wheel.read_bytes()
