"""What a result has to be read with: the machine, the date, the commit."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import date
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
CPU_FIELDS = ("model name", "cpu family", "model")
HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")


def processor() -> str:
    """Model, and on x86 family and model number: virtual machines shorten the name."""
    if not CPUINFO.exists():
        return platform.processor() or platform.machine()
    pairs = [line.split(":", 1) for line in CPUINFO.read_text(encoding="utf-8").splitlines() if ":" in line]
    fields = {key.strip(): value.strip() for key, value in reversed(pairs)}
    name, family, model = (fields.get(field, "") for field in CPU_FIELDS)
    return f"{name or platform.machine()} (family {family}, model {model})" if family else name or platform.machine()


def huge_pages() -> str:
    """What the system does with advice to use huge pages: always, madvise, never."""
    if not HUGE_PAGES.exists():
        return "unknown"
    return HUGE_PAGES.read_text(encoding="ascii").partition("[")[2].partition("]")[0]


def commit() -> str:
    """The commit that was measured; "-dirty" where code was changed since (results and texts do not count)."""

    def git(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["git", *words], capture_output=True, text=True, check=False)

    name = git("rev-parse", "--short", "HEAD").stdout.strip() or "unknown"
    unchanged = git("diff", "--quiet", "HEAD", "--", "*.py", "*.cpp", "*.hpp", "*.txt", "*.toml").returncode == 0
    return name if unchanged else f"{name}-dirty"


def about() -> dict[str, str | int | float]:
    """Everything but versions of libraries. The load tells whether the machine was quiet before."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {
        "date": date.today().isoformat(),
        "commit": commit(),
        "processor": processor(),
        "cores": cores,
        "system": f"{platform.system()} {platform.release().split('-')[0]}, Python {platform.python_version()}",
        "huge_pages": huge_pages(),
        "load_before": round(os.getloadavg()[0], 2),
    }
