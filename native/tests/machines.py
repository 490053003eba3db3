"""Run the native tests on other machines: `make native-check-machines`.

GCC, Clang, and GCC for aarch64 build them without sanitizers. QEMU runs the programs for aarch64, and those of GCC once
more on an x86-64 processor without AVX. What is not installed is named and left out; with `--all`, it is a failure.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
HERE: list[str] = []
OLD_PROCESSOR = ["qemu-x86_64-static", "-cpu", "Nehalem"]
AARCH64 = ["qemu-aarch64-static"]

#: The compilers, and where their programs run.
MACHINES = {"g++": [HERE, OLD_PROCESSOR], "clang++": [HERE], "aarch64-linux-gnu-g++": [AARCH64]}
#: The tests, and the rounds of each: fewer than elsewhere, as they look for faults of compilers.
TESTS = {"core_tests": 60, "ngram_tests": 6, "search_tests": 60, "align_tests": 60}
OPTIONS = ["-DCMAKE_CXX_FLAGS=-O1", "-DCTCKIT_SANITIZE=OFF", "-DCTCKIT_WERROR=OFF", "-DCMAKE_EXE_LINKER_FLAGS=-static"]


def built(compiler: str) -> Path | None:
    """Return the folder of the programs; None if they cannot be built."""
    folder = ROOT / "build" / "machines" / compiler
    options = [*OPTIONS, f"-DCMAKE_CXX_COMPILER={compiler}"]
    if compiler.startswith("aarch64"):
        options += ["-DCMAKE_SYSTEM_NAME=Linux", "-DCMAKE_SYSTEM_PROCESSOR=aarch64"]
    configure = ["cmake", "-G", "Ninja", "-S", str(ROOT / "native" / "tests"), "-B", str(folder), *options]
    compile_all = ["cmake", "--build", str(folder), "--parallel", "2", "--target", *TESTS]
    for command in (configure, compile_all):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            print(done.stdout[-3000:], done.stderr[-3000:])
            return None
    return folder


def passes(folder: Path, emulator: list[str]) -> bool:
    """Return whether all tests pass."""
    commands = [[*emulator, str(folder / test), str(rounds)] for test, rounds in TESTS.items()]
    return all(subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode == 0 for command in commands)


def main(arguments: list[str]) -> int:
    """Return the number of machines where the tests fail or do not build."""
    failed = 0
    all_needed = "--all" in arguments
    for compiler in [each for each in arguments if each != "--all"] or MACHINES:
        emulators = MACHINES[compiler]
        if shutil.which(compiler) is None:
            print(f"{compiler} is not installed: the native tests are not built with it")
            failed += all_needed
            continue
        start = time.monotonic()
        folder = built(compiler)
        print(f"{compiler}: {'built' if folder else 'DOES NOT BUILD'} in {time.monotonic() - start:.0f} s", flush=True)
        failed += folder is None
        for emulator in emulators if folder else []:
            name = " ".join(emulator) or "this machine"
            if emulator and shutil.which(emulator[0]) is None:
                print(f"{compiler}: {emulator[0]} is not installed: the native tests do not run on {name}")
                failed += all_needed
                continue
            start = time.monotonic()
            right = passes(folder, emulator)
            print(f"{compiler}, {name}: {'pass' if right else 'FAIL'}, {time.monotonic() - start:.0f} s", flush=True)
            failed += not right
    return failed


if __name__ == "__main__":
    sys.exit(bool(main(sys.argv[1:])))
