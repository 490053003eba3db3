"""The instruction sets that the processor has, asked in another way than the core asks."""

import os
import platform
import subprocess
import sys
from pathlib import Path

AVX2 = {"avx2", "fma", "bmi1", "bmi2"}
AVX512 = {"avx512f", "avx512bw", "avx512dq", "avx512vl"}


def expected_instruction_sets():
    """Return the names that ``instruction_sets()`` should have here; CTCKIT_EXPECTED_SETS says it under emulation."""
    if "CTCKIT_EXPECTED_SETS" in os.environ:
        return os.environ["CTCKIT_EXPECTED_SETS"].split(",")
    if platform.machine() not in ("x86_64", "AMD64"):
        return ["baseline"]
    found = {"linux": _of_linux, "darwin": _of_macos, "win32": _of_windows}[sys.platform]()
    return ["baseline", *["avx2"] * (found >= AVX2), *["avx512"] * (found >= AVX2 | AVX512)]


def _of_linux():
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return set(next(line for line in lines if line.startswith("flags")).partition(":")[2].split())


def _of_macos():
    """Without AVX-512: macOS turns it on at its first use, and the core does not use what is off."""
    asked = subprocess.run(["sysctl", "-n", "hw.optional.avx2_0"], capture_output=True, text=True, check=True)
    return AVX2 if asked.stdout.strip() == "1" else set()


def _of_windows():
    import ctypes

    has = ctypes.windll.kernel32.IsProcessorFeaturePresent
    return (AVX2 if has(40) else set()) | (AVX512 if has(41) else set())
