"""The two commands of the README can install their packages, on every supported Python and architecture."""

import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.paths import ROOT

COMMANDS = {"make demo": ["ocr"], "make test": ["dev", "gpu"]}  # each command and its extras
PYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14"]
ARCHITECTURES = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"]
UNREACHABLE = ("error sending request", "Could not connect", "Failed to fetch", "dns error", "timed out")


def resolve(command, *target):
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if uv is None:
        pytest.skip("uv is not installed")
    options = ["--quiet", "--no-header", "--no-annotate", "--constraint", "constraints.txt", *target]
    extras = [word for extra in COMMANDS[command] for word in ("--extra", extra)]
    arguments = [uv, "pip", "compile", *options, *extras, "pyproject.toml"]
    return subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=False)


def expect_pinned(done):
    if any(sign in done.stderr for sign in UNREACHABLE):
        pytest.skip("the package index cannot be reached")
    assert done.returncode == 0, done.stderr
    pinned = {re.split(r"[= ]", line)[0] for line in (ROOT / "constraints.txt").read_text().splitlines()}
    found = {re.split(r"[=\[ ]", line)[0] for line in done.stdout.splitlines()}
    assert {"torch", "numpy"} <= found
    assert not {name for name in found - pinned if not name.startswith(("nvidia-", "cuda-"))}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_pins_resolve_for_all_pythons_and_platforms_at_once(command):
    expect_pinned(resolve(command, "--universal", "--python-version", PYTHONS[0]))


@pytest.fixture(scope="module")
def resolutions():
    """Return the results of uv for each command, Python and architecture. This takes minutes, mostly for the index."""
    if "CI" not in os.environ:
        pytest.skip("takes minutes: set CI=true to run it")
    cases = [(command, python, machine) for command in COMMANDS for python in PYTHONS for machine in ARCHITECTURES]
    targets = [
        (command, "--python-version", python, "--python-platform", machine) for command, python, machine in cases
    ]
    with ThreadPoolExecutor(8) as pool:
        return dict(zip(cases, pool.map(lambda target: resolve(*target), targets), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("machine", ARCHITECTURES)
@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("command", COMMANDS)
def test_the_pins_resolve(command, python, machine, resolutions):
    expect_pinned(resolutions[command, python, machine])


def test_all_supported_pythons_are_tested():
    assert f'requires-python = ">={PYTHONS[0]}"' in (ROOT / "pyproject.toml").read_text()


def test_the_lowest_versions_are_those_that_are_claimed():
    """After a change to the requirements, run ``make constraints``."""
    lowest = dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "constraints-lowest.txt").read_text(), re.MULTILINE))
    claims = re.findall(r'"([\w.-]+)>=([\d.]+)', (ROOT / "pyproject.toml").read_text())
    tested = {name: (version, lowest[name]) for name, version in claims if name in lowest}
    assert {"numpy", "typer", "rich", "torch", "pillow", "onnxruntime", "pytest"} <= set(tested)
    for claimed, found in tested.values():
        assert numbers(found)[: len(numbers(claimed))] == numbers(claimed)


def numbers(version):
    return [int(number) for number in version.split(".")]
