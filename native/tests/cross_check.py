"""Compile the C++ core for other systems with the cross compiler of Zig: `make cross-check`.

The bindings are compiled too where the headers of this Python can serve: not for Windows, whose types have other sizes.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nanobind

ROOT = Path(__file__).parents[2]
NATIVE = ROOT / "native"
TARGETS = ["aarch64-macos", "x86_64-windows-gnu", "x86_64-linux-musl", "aarch64-linux-musl"]
JOBS = 2


def zig() -> Path | None:
    """Return the program, if the package ziglang is installed."""
    found = importlib.util.find_spec("ziglang")
    return None if found is None or found.origin is None else Path(found.origin).with_name("zig")


def compiles_core(compiler: Path, target: str) -> bool:
    """Return whether every object file of the core compiles; errors are printed."""
    build = ROOT / "build" / "cross" / target
    options = [
        f"-DCMAKE_TOOLCHAIN_FILE={NATIVE / 'zig.cmake'}",
        f"-DCTCKIT_ZIG={compiler}",
        f"-DCTCKIT_TARGET={target}",
    ]
    options += ["-DCMAKE_BUILD_TYPE=Debug", "-DCTCKIT_SANITIZE=OFF"]
    configure = ["cmake", "-G", "Ninja", "-S", str(NATIVE / "tests"), "-B", str(build), *options]
    compile_all = ["cmake", "--build", str(build), "--parallel", str(JOBS), "--target", "ctckit_core", "--", "--quiet"]
    return all(subprocess.run(command, check=False).returncode == 0 for command in (configure, compile_all))


def compiles_bindings(compiler: Path, target: str) -> bool:
    """Return whether the object files of the bindings compile."""
    headers = [str(NATIVE), "-isystem", nanobind.include_dir(), "-isystem", sysconfig.get_path("include")]
    command = [str(compiler), "c++", "-target", target, "-std=c++20", "-c", "-I", *headers]
    objects = ROOT / "build" / "cross" / target / "bindings"
    objects.mkdir(parents=True, exist_ok=True)

    def compiles(source: Path) -> bool:
        output = objects / f"{source.stem}.o"
        return subprocess.run([*command, "-o", str(output), str(source)], check=False).returncode == 0

    with ThreadPoolExecutor(JOBS) as pool:
        return all(list(pool.map(compiles, sorted((NATIVE / "bindings").glob("*.cpp")))))


def main(targets: list[str]) -> int:
    """Return the number of targets that do not compile."""
    compiler = zig()
    if compiler is None:
        print("cross-check: ziglang is not installed; nothing was compiled for other systems")
        return 0
    failed = 0
    for target in targets or TARGETS:
        with_bindings = "windows" not in target
        accepted = compiles_core(compiler, target) and (not with_bindings or compiles_bindings(compiler, target))
        what = "core and bindings" if with_bindings else "core"
        print(f"{target}: {what} {'compile' if accepted else 'DO NOT COMPILE'}", flush=True)
        failed += not accepted
    return failed


if __name__ == "__main__":
    sys.exit(bool(main(sys.argv[1:])))
