"""The machine, the date and the commit of a measurement."""

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
    """Return the processor's name; on x86 with family and model number, because virtual machines shorten the name."""
    if not CPUINFO.exists():
        return platform.processor() or platform.machine()
    pairs = [line.split(":", 1) for line in CPUINFO.read_text(encoding="utf-8").splitlines() if ":" in line]
    fields = {key.strip(): value.strip() for key, value in reversed(pairs)}
    name, family, model = (fields.get(field, "") for field in CPU_FIELDS)
    return f"{name or platform.machine()} (family {family}, model {model})" if family else name or platform.machine()


def huge_pages() -> str:
    """Return the system's setting for huge pages: always, madvise or never."""
    if not HUGE_PAGES.exists():
        return "unknown"
    return HUGE_PAGES.read_text(encoding="ascii").partition("[")[2].partition("]")[0]


def commit() -> str:
    """Return the commit that is measured, with "-dirty" if code was changed since; results and texts do not count."""

    def git(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["git", *words], capture_output=True, text=True, check=False)

    name = git("rev-parse", "--short", "HEAD").stdout.strip() or "unknown"
    unchanged = git("diff", "--quiet", "HEAD", "--", "*.py", "*.cpp", "*.hpp", "*.txt", "*.toml").returncode == 0
    return name if unchanged else f"{name}-dirty"


def about() -> dict[str, str | int | float]:
    """Return everything except versions of libraries. The load shows whether the machine was quiet before."""
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
