"""The loss on a GPU, compared with torch's own kernels and with cuDNN: time, bandwidth, memory. Needs a GPU.

    python -m benchmarks.gpu [--workloads G1,G4] [--rounds 30] [--types float32,bfloat16] [--out FILE]

A step is that of a training loop: from the logits to the mean loss and the gradient of the logits. torch's step
includes the log-softmax. All libraries take turns in one process; medians are reported. Losses and gradients are
compared first.
"graph" is ctckit's step, captured once and replayed, without the time of Python. The ratios do not use it.
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
from benchmarks.common.results import write
from benchmarks.gpu.measure import WORKLOADS, copy_bandwidth, device, forget, kernel_times, measure
from benchmarks.gpu.page import COLUMNS, cells


def show(console: Console, results: dict[str, Any]) -> None:
    """Print all measurements so far."""
    table = Table(*COLUMNS)
    for each in results["measurements"]:
        table.add_row(*cells(results, each))
    console.print(table)


def main() -> None:
    """Measure, and save after each workload."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workloads", default=",".join(each.name for each in WORKLOADS))
    parser.add_argument("--types", default="float32,bfloat16")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("This benchmark needs a GPU, and torch sees none. Times of Triton's interpreter would be meaningless.")
    console = Console(width=160)
    results: dict[str, Any] = {"about": about(), "device": device(), "copy_gigabytes_per_second": copy_bandwidth()}
    results |= {"rounds": arguments.rounds, "kernels": {}, "measurements": []}
    console.print_json(json.dumps(results["device"]))
    for workload in WORKLOADS:
        if workload.name not in arguments.workloads.split(","):
            continue
        for dtype in arguments.types.split(","):
            results["measurements"] += [asdict(each) for each in measure(workload, dtype, arguments.rounds)]
            forget()
        results["kernels"][workload.name] = kernel_times(workload)
        forget()
        show(console, results)
        if arguments.out:
            write(results, arguments.out)


if __name__ == "__main__":
    main()
