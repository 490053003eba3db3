"""Measurements that a chapter shows. The notebooks and scripts to download have the values instead of the functions."""

import json
from pathlib import Path
from typing import Any


def loss_benchmark() -> dict[str, Any]:
    """The benchmark of the loss with one thread: what chapter 9 shows of it."""
    file = Path(__file__).parents[2] / "benchmarks" / "results" / "loss-threads-1.json"
    results = json.loads(file.read_text(encoding="utf-8"))
    rows = [
        {
            **{key: row[key] for key in ("stands_for", "shape", "bytes_moved", "cells")},
            "peers": {
                name: {"both": {"median": peer["both"]["median"]}}
                for name, peer in row["peers"].items()
            },
        }
        for row in results["rows"]
    ]
    return {**{key: results[key] for key in ("date", "processor", "limits")}, "rows": rows}
