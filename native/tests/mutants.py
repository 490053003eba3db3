"""Breaks the kernels on purpose, one rule at a time, and expects core_tests to fail: ``make mutants``."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

NATIVE = Path(__file__).parent.parent


@dataclass(frozen=True)
class Mutant:
    """One broken rule: in ``file``, ``original`` becomes ``broken``."""

    rule: str
    file: str
    original: str
    broken: str


MUTANTS = (
    Mutant("repeat rule", "loss_kernel.cpp", "i < tokens_ && y[i] != y[i - 1]", "i < tokens_"),
    Mutant("skip rule", "loss_kernel.cpp", "i < tokens_ && y[i] != y[i - 1]", "false"),
    Mutant(
        "skip rule, backward",
        "lattice.hpp",
        "load(next.label_exponent + i + 1) + load(skips.penalty + i + 1)",
        "load(next.label_exponent + i + 1) + Number::forbidden",
    ),
    Mutant("length mask", "loss.cpp", "  std::fill(valid_end,", "  if (false) std::fill(valid_end,"),
    Mutant("input length", "loss.cpp", "static_cast<int>(batch.input_lengths[b])", "static_cast<int>(batch.frames)"),
    Mutant(
        "blank index",
        "loss_kernel.cpp",
        "const Real blank_logit = static_cast<Real>(x[item_->blank])",
        "const Real blank_logit = static_cast<Real>(x[0])",
    ),
    Mutant("blank's gradient", "lattice.hpp", "gradient[blank_class] -=", "gradient[0] -="),
    Mutant("renormalisation", "loss_kernel.cpp", "after.renormalize(window.from, window.to);", ";"),
    Mutant(
        "checkpoint",
        "loss_kernel.cpp",
        "before.copy_from(row(checkpoints_, segment)",
        "before.copy_from(row(checkpoints_, 0)",
    ),
    Mutant("recomputation's window", "loss_kernel.cpp", "alive_.from - (past - t) - block", "alive_.from"),
    Mutant("posterior pruning", "number.hpp", "dead = -64 - 70", "dead = -4"),
    Mutant(
        "masked classes", "number.hpp", "const Bits impossible = masked<Number>(z);", "const Bits impossible = z != z;"
    ),
    Mutant("out of range", "loss.cpp", "if (outcome.out_of_range) outcome", "if (false) outcome"),
)


def survives(mutant: Mutant, folder: Path) -> bool:
    """Whether core_tests passes on the broken kernels."""
    sources = folder / "native"
    shutil.copytree(NATIVE, sources)
    path = sources / mutant.file
    text = path.read_text(encoding="utf-8")
    if text.count(mutant.original) == 0:
        raise SystemExit(f"{mutant.rule}: {mutant.file} has no {mutant.original!r} any more. Mend the list of mutants.")
    path.write_text(text.replace(mutant.original, mutant.broken, 1), encoding="utf-8")
    configure = ["cmake", "-G", "Ninja", "-S", sources / "tests", "-B", folder / "build"]
    options = ["-DCMAKE_BUILD_TYPE=Release", "-DCTCKIT_SANITIZE=OFF", "-DCTCKIT_WERROR=OFF"]
    subprocess.run([*configure, *options], check=True, capture_output=True)
    subprocess.run(["cmake", "--build", folder / "build"], check=True, capture_output=True)
    tests = subprocess.run([folder / "build" / "core_tests", "1000"], capture_output=True, timeout=300, check=False)
    return tests.returncode == 0


def main() -> int:
    """Try every mutant; the exit code counts the survivors."""
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        if not survives(Mutant("control", "loss.cpp", "", ""), Path(folder)):
            raise SystemExit("core_tests fails on the kernels as they are: nothing can be learnt from mutants.")
    survivors = 0
    for mutant in MUTANTS:
        with tempfile.TemporaryDirectory() as folder:
            alive = survives(mutant, Path(folder))
        survivors += alive
        console.print(f"{mutant.rule:24} {'[red]survived[/red]' if alive else 'killed'}")
    console.print(f"{len(MUTANTS) - survivors} killed, {survivors} survived")
    return survivors


if __name__ == "__main__":
    sys.exit(main())
