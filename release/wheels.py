"""Build the wheels for Linux, and the sdist: `make wheels`.

Zig's Clang compiles for each platform, whatever this machine runs: for glibc it leaves out all that is newer than the
platform's tag allows, and its C++ library is linked into the wheel. auditwheel checks the
wheels for glibc and writes their tag; those for musl may need nothing but musl. Pythons that this machine lacks are
named and left out.

    python -m release.wheels [--out dist] [--platform musllinux_1_2_x86_64]
"""

from __future__ import annotations

import argparse
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import ziglang
from elftools.elf.elffile import ELFFile

from release.contents import CORE, stray_and_missing
from release.platforms import BUILD_PYTHONS, NEWEST_GLIBC, PLATFORMS, ROOT, Platform, interpreter

ZIG = Path(ziglang.__file__).with_name("zig")
LARGEST_WHEEL = 2_200_000  # bytes


def main() -> int:
    """Build everything; return 1 if a wheel is too large."""
    parser = argparse.ArgumentParser(description="Build the wheels for Linux, and the sdist.")
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    parser.add_argument("--platform", action="append", choices=[each.tag for each in PLATFORMS], help="only this one")
    parser.add_argument("--python", action="append", choices=BUILD_PYTHONS, help="only this one")
    arguments = parser.parse_args()
    os.environ.setdefault("SOURCE_DATE_EPOCH", commit_time())
    run("uv", "build", "--sdist", "--out-dir", arguments.out, ROOT)
    too_large = 0
    for platform in PLATFORMS:
        if arguments.platform and platform.tag not in arguments.platform:
            continue
        for version in arguments.python or BUILD_PYTHONS:
            python = interpreter(version)
            if python is None:
                print(f"Python {version} is not installed: no wheel of it for {platform.tag}")
                continue
            start = time.monotonic()
            wheel = finished(built(platform, version, python), platform, arguments.out)
            size = wheel.stat().st_size
            too_large += size > LARGEST_WHEEL
            print(f"{wheel.name}: {size / 1e6:.2f} MB, {time.monotonic() - start:.0f} s", flush=True)
    return int(too_large > 0)


def built(platform: Platform, version: str, python: Path) -> Path:
    """Return the wheel of one Python for one platform."""
    folder = ROOT / "build" / "wheels" / platform.tag / version
    settings = {
        "build-dir": folder.with_name("cmake"),  # what does not know Python is compiled once for all of them
        "cmake.define.CMAKE_TOOLCHAIN_FILE": ROOT / "native" / "zig.cmake",
        "cmake.define.CTCKIT_ZIG": ZIG,
        "cmake.define.CTCKIT_TARGET": platform.target,
        "install.strip": "false",  # the linker did it; strip knows only this machine's files
    }
    options = [option for name, value in settings.items() for option in ("-C", f"{name}={value}")]
    environment = {
        "PYTHONPATH": "",  # the build sees only its own packages
        "_PYTHON_HOST_PLATFORM": f"linux-{platform.machine}",
        "SETUPTOOLS_EXT_SUFFIX": platform.suffix(version),
    }
    for old in folder.glob("*.whl"):
        old.unlink()
    run("uv", "build", "--wheel", "--python", python, "--out-dir", folder, *options, ROOT, **environment)
    (wheel,) = folder.glob("*.whl")
    return wheel


def finished(wheel: Path, platform: Platform, out: Path) -> Path:
    """Return the wheel with the platform's tag, after checks of what it has and what it needs."""
    folder = wheel.parent / "finished"
    for old in folder.glob("*.whl"):
        old.unlink()
    folder.mkdir(exist_ok=True)
    if platform.library == "gnu":
        run(sys.executable, "-m", "auditwheel", "repair", "--only-plat", "--plat", "auto", "-w", folder, wheel)
    else:  # auditwheel knows musl only on a machine that runs it
        expect_musl_alone(wheel)
        copy = Path(shutil.copy(wheel, folder))
        run(sys.executable, "-m", "wheel", "tags", "--remove", "--platform-tag", platform.tag, copy)
    (checked,) = folder.glob("*.whl")
    glibc = re.search(r"manylinux_2_(\d+)_", checked.name)
    if platform.library == "gnu" and (glibc is None or int(glibc[1]) > int(NEWEST_GLIBC.partition(".")[2])):
        sys.exit(f"{checked.name} needs a newer glibc than {NEWEST_GLIBC}")
    stray, missing = stray_and_missing(checked)
    if stray or missing:
        sys.exit(f"{checked.name} has {sorted(stray)}, which no wheel should have, and lacks {sorted(missing)}")
    out.mkdir(parents=True, exist_ok=True)
    return checked.replace(out / checked.name)


def expect_musl_alone(wheel: Path) -> None:
    """End the build if the core needs other libraries than musl."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (each for each in archive.namelist() if CORE.fullmatch(each))
        dynamic = ELFFile(io.BytesIO(archive.read(name))).get_section_by_name(".dynamic")
    needed = {tag.needed for tag in dynamic.iter_tags() if tag.entry.d_tag == "DT_NEEDED"}
    if needed != {"libc.so"}:
        sys.exit(f"{wheel.name} needs {sorted(needed)}; expected only musl: libc.so")


def commit_time() -> str:
    """Return the seconds of the commit: with it, two builds of one commit are the same bytes."""
    done = subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def run(*command: object, **environment: str) -> None:
    """Run a command; if it fails, print what it said and end the build."""
    arguments = [str(part) for part in command]
    done = subprocess.run(arguments, env=os.environ | environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{done.stdout[-10000:]}\n{done.stderr[-10000:]}\n{shlex.join(arguments)}: failed")


if __name__ == "__main__":
    sys.exit(main())
