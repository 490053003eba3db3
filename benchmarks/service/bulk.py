"""``ctckit read --shards``: lines per second on one and on two processors, and the memory of a worker.

    python -m benchmarks.service.bulk LINES --model MODEL --title "what this is" --out benchmarks/results/bulk.json

Each figure is from a process of its own, bound to its processors. It loads the model, reads 64 lines to warm up, and
then reads all lines of the folder into shards; the time is from the first file to the last shard. The processes take
turns. The file gets the medians.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.common import memory, results

WARM_UP = 64  # lines
RUNS = ((1, 1), (2, 1), (2, 2), (2, 3))  # processors and workers


@dataclass(frozen=True)
class Figures:
    """What a process measured.

    Attributes:
        lines_per_second: Lines by the time on the clock.
        loaded: Bytes that are resident with the model loaded, after the warm-up.
        peak: The most bytes that were resident.
    """

    lines_per_second: float
    loaded: int
    peak: int


def measure(lines: Path, model: Path, workers: int) -> Figures:
    """Read the lines of a folder as the command does, on the processors that this process may use."""
    import ctckit
    from ctckit.bulk.formats import JsonLines
    from ctckit.bulk.pipeline import compute_rows
    from ctckit.bulk.shards import ShardWriter
    from ctckit.cli.bulk.read import ReadWork, inputs_to_read
    from ctckit.ocr.data.images import MAX_WIDTH
    from ctckit.ocr.recognizer import Recognizer

    threads = max(1, ctckit.num_threads() // workers)
    ctckit.set_num_threads(threads)
    work = ReadWork(Recognizer.load(model), None, 1, MAX_WIDTH, spans=False)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    paths = list(inputs_to_read([lines]))
    work.compute([work.load(Path(path)) for path in paths[:WARM_UP]])
    loaded = memory.start_peak()
    start = time.perf_counter()
    with TemporaryDirectory() as folder, ShardWriter(Path(folder), JsonLines(), 10_000) as writer:
        for rows in compute_rows(work, paths, workers):
            assert not any(row.error for row in rows)
            writer.add(rows)
        seconds = time.perf_counter() - start
    return Figures(len(paths) / seconds, loaded, memory.peak())


def in_process(lines: Path, model: Path, cores: int, workers: int) -> Figures:
    """Return the figures of a process that is bound to so many processors."""
    command = [sys.executable, "-m", __spec__.name, str(lines), "--model", str(model), "--workers", str(workers)]
    chosen = sorted(os.sched_getaffinity(0))[:cores]
    done = subprocess.run(
        ["taskset", "--cpu-list", ",".join(map(str, chosen)), *command], check=True, capture_output=True, text=True
    )
    return Figures(**json.loads(done.stdout))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lines", type=Path, help="a folder of line images")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--title", default="lines", help="what the model and the lines are")
    parser.add_argument("--out", type=Path, help="add the figures to this JSON file")
    parser.add_argument("--workers", type=int, help="measure in this process, with so many workers, and print JSON")
    given = parser.parse_args()
    if given.workers:
        print(json.dumps(asdict(measure(given.lines, given.model, given.workers))))
        return
    found: dict[tuple[int, int], list[Figures]] = {run: [] for run in RUNS}
    for _ in range(given.rounds):
        for run in RUNS:
            found[run].append(in_process(given.lines, given.model, *run))
    runs = [
        {
            "processors": cores,
            "workers": workers,
            "lines_per_second": median(each.lines_per_second for each in figures),
            "peak_mb": median(each.peak for each in figures) / 1e6,
        }
        for (cores, workers), figures in found.items()
    ]
    count = sum(1 for _ in given.lines.iterdir())
    added = {"case": given.title, "lines": count, "rounds": given.rounds, "runs": runs}
    everything = results.begin(given.out, True)
    others = [case for case in everything["cases"] if case["case"] != given.title]
    everything |= {"cases": [*others, added | results.run_of_its_own(everything)]}
    if given.out:
        results.write(everything, given.out)
    print(json.dumps(added, indent=1))


if __name__ == "__main__":
    main()
