"""Loads torchaudio on a machine without CUDA. The wheel of torchaudio is linked against CUDA's libraries.

The missing libraries are replaced by functions that do nothing; they are compiled here. torchaudio needs these
functions when it is loaded, and never calls them for tensors on the CPU. torchaudio itself is unchanged; its own CPU
kernel runs.
"""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

# name of a library → its version tag, the functions that torchaudio needs when it is loaded
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
    """Return ``torchaudio``, with substitutes for CUDA's libraries if they are missing.

    Raises:
        OSError, subprocess.CalledProcessError: If torchaudio cannot be loaded.
    """
    try:
        return import_module("torchaudio")
    except OSError:
        pass
    with tempfile.TemporaryDirectory() as folder:
        for name, (tag, functions) in LIBRARIES.items():
            ctypes.CDLL(str(substitute(Path(folder), name, tag, functions)), mode=ctypes.RTLD_GLOBAL)
    return import_module("torchaudio")


def substitute(folder: Path, name: str, tag: str, functions: tuple[str, ...]) -> Path:
    """Compile a shared library of this name; its functions return a pointer to null pointers."""
    source, versions, path = folder / "substitute.c", folder / "versions", folder / name
    body = "static void *nothing[8];\n" + "".join(f"void *{each}(void) {{ return nothing; }}\n" for each in functions)
    source.write_text(body, encoding="ascii")
    versions.write_text(f"{tag} {{ global: *; }};", encoding="ascii")
    command = ["cc", "-shared", "-fPIC", "-o", path, source, f"-Wl,-soname,{name}"]
    if tag:
        command.append(f"-Wl,--version-script={versions}")
    subprocess.run(command, check=True, capture_output=True)
    return path
