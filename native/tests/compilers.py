"""Parse the C++ core with the other compilers that are installed: GCC 11, and Clang with libc++.

Both have other headers than GCC 12 and later: an include that is missing, or a newer builtin, is an error there.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nanobind

ROOT = Path(__file__).parents[2]
NATIVE = ROOT / "native"
COMPILERS = {"GCC 11": ["g++-11"], "Clang with libc++": ["clang++", "-stdlib=libc++"]}
OF_WINDOWS = NATIVE / "core" / "platform_windows.cpp"  # needs its headers: cross_check.py compiles it
OPTIONS = ["-std=c++20", "-fsyntax-only", "-w", "-I", str(NATIVE)]
SYSTEM = ["-isystem", nanobind.include_dir(), "-isystem", sysconfig.get_path("include")]


def parses(compiler: list[str], source: Path) -> bool:
    """Return whether the compiler accepts the source; its errors are printed."""
    return subprocess.run([*compiler, *OPTIONS, *SYSTEM, str(source)], check=False).returncode == 0


def works(compiler: list[str]) -> bool:
    """Return whether the compiler and its C++ library are installed."""
    if shutil.which(compiler[0]) is None:
        return False
    command = [*compiler, "-std=c++20", "-fsyntax-only", "-x", "c++", "-"]
    return subprocess.run(command, input=b"#include <vector>\n", capture_output=True, check=False).returncode == 0


def main() -> int:
    """Return the number of sources that a compiler refuses."""
    sources = [path for path in sorted(NATIVE.rglob("*.cpp")) if "tests" not in path.parts and path != OF_WINDOWS]
    refused = 0
    for name, compiler in COMPILERS.items():
        if not works(compiler):
            print(f"{name}: not installed")
            continue
        with ThreadPoolExecutor(2) as pool:
            accepted = list(pool.map(lambda source, compiler=compiler: parses(compiler, source), sources))
        print(f"{name}: {sum(accepted)} of {len(sources)} sources")
        refused += accepted.count(False)
    return refused


if __name__ == "__main__":
    sys.exit(bool(main()))
