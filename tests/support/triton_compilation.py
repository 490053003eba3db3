"""Compiles every Triton kernel for a GPU that need not be there, and prints what each takes of it.

    python -m tests.support.triton_compilation [--compute-capability 90] [--more]

A line for each: registers a thread, bytes spilled to memory, barriers and shuffles in the machine code. Run without
TRITON_INTERPRET. The interpreter forgives what the compiler does not, so the suite runs this as well.
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

from ctckit.kernels.loss.triton import launch as triton_loss
from ctckit.kernels.loss.triton.common import ROUNDING

FLOATS = ("top_ptr", "occupancy_ptr", "blanks_ptr", "upstream_ptr")
DOUBLES = ("shift_ptr", "losses_ptr", "weights_ptr", "states_ptr", "log_probs_ptr")
NUMBERS = ("alpha_ptr", "beta_ptr", "likelihood_ptr", "arrows_ptr")
LONGS = ("targets_ptr", "input_lengths_ptr", "target_lengths_ptr")


def kernels(more):
    """(file, kernel, logits' type, constants, warps)"""
    yield "targets", "link_targets", "*fp32", {"BLOCK": 64, "CLASS_BLOCK": 1024, "GRAPHS": False}, 4
    softmax = {"IS_LOGITS": True}
    yield "softmax", "normalizers", "*fp32", {**softmax, "ROWS": 16, "CLASS_BLOCK": 128, "ONE_BLOCK": True}, 4
    yield "softmax", "normalizers", "*fp32", {**softmax, "ROWS": 1, "CLASS_BLOCK": 4096, "ONE_BLOCK": False}, 8
    yield "reduce", "reduce", "*fp32", {"MEAN": True, "EACH": False, "FREE": True, "UNCOUNTED": True, "BLOCK": 1024}, 4
    for kind, dtype in (("logits", "*fp32"), ("scores", "*bf16")):
        yield "gradient", "gradient", dtype, {"KIND": kind, "ROWS": 4, "CLASS_BLOCK": 1024}, 8
    sizes = ((32, False), (256, False), (1024, False), (1024, True)) if more else ((32, False),)
    for pairs, windowed in sizes:
        warps, frames = triton_loss.warps(pairs), triton_loss.tile_of(pairs)
        common = {"PAIRS": pairs, "FRAMES": frames}
        sweep = {"IS_LOGITS": True, "KEEP": True, "WINDOWED": windowed}
        yield "viterbi", "best_paths", "*fp32", {"WINDOWED": windowed, **common}, warps
        for weighted in (False, True) if more else (False,):
            halo = frames * (1 + weighted) if windowed else 0
            yield "sweep", "sweep", "*fp32", {**sweep, **common, "WEIGHTED": weighted}, warps
            yield "occupancy", "occupancies", "*fp32", {"HALO": halo, **common, "WEIGHTED": weighted}, warps


def signature(function, logits, constants):
    kinds = {**dict.fromkeys(FLOATS, "*fp32"), **dict.fromkeys(DOUBLES, "*fp64"), **dict.fromkeys(NUMBERS, "*i64")}
    kinds |= {
        **dict.fromkeys(LONGS, "*i64"),
        "logits_ptr": logits,
        "scores_ptr": logits,
        "gradient_ptr": logits,
        "result_ptr": "*fp32",
    }

    def kind(name):
        if name in constants:
            return "constexpr"
        if name == "arrows_ptr" and function.__name__ == "best_paths":
            return "*i8"
        return kinds.get(name, "*i32" if name.endswith("_ptr") else "i32")

    return {name: kind(name) for name in function.arg_names}


def compiled(file, kernel, logits, constants, warps, capability):
    function = getattr(importlib.import_module(f"ctckit.kernels.loss.triton.{file}"), kernel)
    values = {(function.arg_names.index(name),): value for name, value in constants.items()}
    source = ASTSource(fn=function, signature=signature(function, logits, constants), constexprs=values)
    return triton.compile(source, target=GPUTarget("cuda", capability, 32), options={"num_warps": warps, **ROUNDING})


def resources(binary):
    """What the disassembler that Triton brings says of a compiled kernel."""
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
