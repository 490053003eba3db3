"""torchaudio where there is no CUDA: its wheel is linked against libraries that a CPU has not.

What it needs of them to be loaded, and never calls for tensors on the CPU, is put in their place: functions that do
nothing, compiled when they are needed. torchaudio itself is not touched; its own CPU kernel runs.
"""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

# name of a library → its version tag, what it is asked for while torchaudio is loaded
LIBRARIES = {
    "libcudart.so.13": (
        "libcudart.so.13",
        (
            "__cudaGetKernel",
            "__cudaLaunchKernel",
            "__cudaPopCallConfiguration",
            "__cudaPushCallConfiguration",
            "__cudaRegisterFatBinary",
            "__cudaRegisterFatBinaryEnd",
            "__cudaRegisterFunction",
            "__cudaRegisterVar",
            "__cudaUnregisterFatBinary",
            "cudaGetLastError",
            "cudaMemcpyAsync",
            "cudaMemset",
            "cudaSetDevice",
        ),
    ),
    "libc10_cuda.so": ("", ("torch_c10_cuda_check_msg", "torch_c10_cuda_free_error_msg")),
    "libtorch_cuda.so": (
        "",
        (
            "aoti_torch_get_current_cuda_stream",
            "torch_cuda_stream_synchronize",
            "torch_get_cuda_stream_from_pool",
            "torch_set_current_cuda_stream",
        ),
    ),
}


def import_torchaudio() -> Any:
    """``torchaudio``, with stand-ins for CUDA's libraries where they are missing.

    Raises:
        OSError, subprocess.CalledProcessError: Where it cannot be had.
    """
    try:
        return import_module("torchaudio")
    except OSError:
        pass
    with tempfile.TemporaryDirectory() as folder:
        for name, (tag, functions) in LIBRARIES.items():
            ctypes.CDLL(str(stand_in(Path(folder), name, tag, functions)), mode=ctypes.RTLD_GLOBAL)
    return import_module("torchaudio")


def stand_in(folder: Path, name: str, tag: str, functions: tuple[str, ...]) -> Path:
    """A shared library of this name whose functions return a pointer to nothing."""
    source, versions, path = folder / "stand_in.c", folder / "versions", folder / name
    body = "static void *nothing[8];\n" + "".join(f"void *{each}(void) {{ return nothing; }}\n" for each in functions)
    source.write_text(body, encoding="ascii")
    versions.write_text(f"{tag} {{ global: *; }};", encoding="ascii")
    command = ["cc", "-shared", "-fPIC", "-o", path, source, f"-Wl,-soname,{name}"]
    if tag:
        command.append(f"-Wl,--version-script={versions}")
    subprocess.run(command, check=True, capture_output=True)
    return path
