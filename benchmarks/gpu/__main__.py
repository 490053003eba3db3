"""The loss on a GPU against torch's own kernels and cuDNN's: time, bandwidth, memory. Needs a GPU, and says so.

    python -m benchmarks.gpu [--workloads G1,G4] [--rounds 30] [--types float32,bfloat16] [--out FILE]

Each step is what a training loop does: logits in, mean loss, gradient of the logits out; torch's with the log-softmax
that it needs. All in one process, in turns, medians; losses and gradients are compared before.
"graph" is ctckit's step captured once and replayed: what is left where Python's share is taken away. The ratio does not
use it.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.common.machine import about
from benchmarks.gpu.measure import WORKLOADS, copy_bandwidth, device, forget, kernel_times, measure
from benchmarks.gpu.page import COLUMNS, cells


def show(console: Console, results: dict[str, Any]) -> None:
    """The table of all rows so far."""
    table = Table(*COLUMNS)
    for row in results["rows"]:
        table.add_row(*cells(results, row))
    console.print(table)


def main() -> None:
    """Measures, and saves after each workload: what was measured is not lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workloads", default=",".join(each.name for each in WORKLOADS))
    parser.add_argument("--types", default="float32,bfloat16")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("This benchmark needs a GPU, and torch sees none. Figures of the interpreter would mean nothing.")
    console = Console(width=160)
    results: dict[str, Any] = {"about": about(), "device": device(), "copy_gigabytes_per_second": copy_bandwidth()}
    results |= {"rounds": arguments.rounds, "kernels": {}, "rows": []}
    console.print_json(json.dumps(results["device"]))
    for workload in WORKLOADS:
        if workload.name not in arguments.workloads.split(","):
            continue
        for dtype in arguments.types.split(","):
            results["rows"] += [asdict(row) for row in measure(workload, dtype, arguments.rounds)]
            forget()
        results["kernels"][workload.name] = kernel_times(workload)
        forget()
        show(console, results)
        if arguments.out:
            arguments.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
