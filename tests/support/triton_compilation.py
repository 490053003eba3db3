"""Compiles every Triton kernel for a GPU and prints the resources of each kernel. It needs no GPU.

    python -m tests.support.triton_compilation [--compute-capability 90] [--more]

One line for each kernel: registers of a thread, bytes spilled to memory, barriers and shuffles in the machine code. Run
it without TRITON_INTERPRET. The interpreter accepts code that the compiler rejects, so the tests run this module too.
"""

import argparse
import importlib
import os
import subprocess
import tempfile
from pathlib import Path

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from ctckit.kernels.align.triton_viterbi import Scores
from ctckit.kernels.loss.triton import launch as triton_loss
from ctckit.kernels.loss.triton.common import ROUNDING, Input, Sizes, Targets
from ctckit.kernels.loss.triton.gradient import Occupied, Scale
from ctckit.kernels.loss.triton.sweep import Checkpoints
from ctckit.kernels.loss.triton.targets import Given

SIZES = Sizes("i32", "i32", "i32")
TARGETS = Targets("*i32", "*i32", "*i32", "*i32")
CHECKPOINTS = Checkpoints("*i64", "*i64", "*i64")


def types_of(kernel, logits):
    """Return the types of a kernel's arguments by name, without those of its constants."""
    given = Input(logits, "*fp32", "*fp64", "i32", "i32", "i32")
    common = {"given": given, "targets": TARGETS, "sizes": SIZES, "checkpoints": CHECKPOINTS, "transitions_ptr": "*i64"}
    return (
        common
        | {
            "link_targets": {
                "given": Given("*i64", "*i64", "*i64", "*i32"),
                "written": TARGETS,
                **dict.fromkeys(("blank", "classes", "stride_target"), "i32"),
            },
            "normalizers": {"facts_ptr": "*i32", "frames": "i32", "classes": "i32"},
            "sweep": {"losses_ptr": "*fp64"},
            "occupancies": {"tokens_ptr": "*fp32", "blanks_ptr": "*fp32"},
            "reduce": {
                **dict.fromkeys(("losses_ptr", "weights_ptr"), "*fp64"),
                "target_lengths_ptr": "*i64",
                "result_ptr": "*fp32",
                "items": "i32",
            },
            "gradient": {
                "occupied": Occupied("*fp32", "*fp32", "i32"),
                "scale": Scale("*fp64", "*fp64", "*fp32", "i32"),
                "gradient_ptr": logits,
                "classes": "i32",
            },
            "best_paths": {
                "given": Scores(logits, "i32", "i32", "i32"),
                "states_ptr": "*fp64",
                "steps_ptr": "*i8",
                "paths_ptr": "*i32",
                "log_probs_ptr": "*fp64",
            },
        }[kernel]
    )


def kernels(more):
    """Yield (file, kernel, type of the logits, constants, warps) of each kernel."""
    loss = "loss.triton"
    yield f"{loss}.targets", "link_targets", "*fp32", {"BLOCK": 64, "CLASS_BLOCK": 1024, "GRAPHS": False}, 4
    for block, classes, one_block, warps in ((16, 128, True, 4), (1, 4096, False, 8)):
        constants = {"IS_LOGITS": True, "BLOCK": block, "CLASS_BLOCK": classes, "ONE_BLOCK": one_block}
        yield f"{loss}.softmax", "normalizers", "*fp32", constants, warps
    constants = {"MEAN": True, "EACH": False, "FREE": True, "UNCOUNTED": True, "BLOCK": 1024}
    yield f"{loss}.reduce", "reduce", "*fp32", constants, 4
    for kind, dtype in (("logits", "*fp32"), ("scores", "*bf16")):
        yield f"{loss}.gradient", "gradient", dtype, {"KIND": kind, "BLOCK": 4, "CLASS_BLOCK": 1024}, 8
    sizes = ((32, False), (256, False), (1024, False), (1024, True)) if more else ((32, False),)
    for pairs, windowed in sizes:
        warps, frames = triton_loss.warps(pairs), triton_loss.tile_of(pairs)
        common = {"PAIRS": pairs, "FRAMES": frames}
        sweep = {"IS_LOGITS": True, "KEEP": True, "WINDOWED": windowed}
        yield "align.triton_viterbi", "best_paths", "*fp32", {"WINDOWED": windowed, **common}, warps
        for weighted in (False, True) if more else (False,):
            halo = frames * (1 + weighted) if windowed else 0
            yield f"{loss}.sweep", "sweep", "*fp32", {**sweep, **common, "WEIGHTED": weighted}, warps
            yield f"{loss}.occupancy", "occupancies", "*fp32", {"HALO": halo, **common, "WEIGHTED": weighted}, warps


def signature(function, logits, constants):
    types = types_of(function.__name__, logits)
    return {name: "constexpr" if name in constants else types[name] for name in function.arg_names}


def compiled(file, kernel, logits, constants, warps, capability):
    function = getattr(importlib.import_module(f"ctckit.kernels.{file}"), kernel)
    values = {(function.arg_names.index(name),): value for name, value in constants.items()}
    source = ASTSource(fn=function, signature=signature(function, logits, constants), constexprs=values)
    return triton.compile(source, target=GPUTarget("cuda", capability, 32), options={"num_warps": warps, **ROUNDING})


def resources(binary):
    """Return the resources of a compiled kernel, from the disassembler that comes with Triton."""
    tool = next(Path(triton.__file__).parent.rglob("cuobjdump"), None)
    if tool is None:
        return "compiled"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(binary)
        file.flush()
        usage, code = (
            subprocess.run([tool, option, file.name], capture_output=True, text=True, check=True).stdout
            for option in ("--dump-resource-usage", "--dump-sass")
        )
    usage = next(line for line in usage.splitlines() if "REG:" in line)
    fields = dict(part.split(":") for part in usage.split() if part.count(":") == 1)
    counts = {name: sum(name in line for line in code.splitlines()) for name in ("BAR.SYNC", "SHFL", "LDG", "STG")}
    return f"registers {fields['REG']}, stack {fields['STACK']}, " + ", ".join(f"{n} {k}" for k, n in counts.items())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--compute-capability", type=int, default=90)
    parser.add_argument("--more", action="store_true", help="longer targets too")
    arguments = parser.parse_args()
    assert os.environ.get("TRITON_INTERPRET", "0") == "0", "unset TRITON_INTERPRET"
    for file, kernel, logits, constants, warps in kernels(arguments.more):
        found = compiled(file, kernel, logits, constants, warps, arguments.compute_capability)
        print(f"{kernel} {logits} {constants}: {resources(found.asm['cubin'])}", flush=True)


if __name__ == "__main__":
    main()
