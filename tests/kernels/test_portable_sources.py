"""Only core/platform_*.cpp know the operating system."""

import re

import pytest

from tests.support.paths import ROOT

NATIVE = ROOT / "native"
SOURCES = [path for path in sorted(NATIVE.rglob("*.[ch]pp")) if "tests" not in path.parts]
PLATFORM = {NATIVE / "core" / name for name in ("platform_posix.cpp", "platform_windows.cpp")}
SYSTEM = re.compile(r"\b(_WIN\d+|__linux\w*|__APPLE__|__unix\w*|__MINGW\w+|_MSC_VER|__GLIBC__|__\w*BSD__|__CYGWIN__)\b")
HEADER = re.compile(r"#include <(sys/.*|mach/.*|windows|unistd|pthread|dlfcn|fcntl|sched|signal)(\.h)?>")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(NATIVE)))
def test_only_the_platform_layer_knows_the_system(path):
    found = [*SYSTEM.findall(path.read_text()), *HEADER.findall(path.read_text())]
    assert bool(found) == (path in PLATFORM), found
