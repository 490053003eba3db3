"""The time that it takes to load a language model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.turns import PATIENCE
from benchmarks.common.workers import WorkerError, WorkerProcess
from benchmarks.decoding.cases import CASES
from benchmarks.decoding.files import Files
from benchmarks.decoding.peers.base import Task

LOADERS = ("ctckit", "pyctcdecode", "ctc-beam-decoder", "flashlight 10")
REPEATS = 5
OWN = "ctckit, own file"


def own_file(arpa: Path) -> Path:
    """Return the path of the same model in ctckit's own format."""
    import ctckit

    path = arpa.with_suffix(".ctclm")
    ctckit.NGramModel.load(arpa, unit="word").save(path)
    return path


def measure_loading(
    worker: Callable[[str], WorkerProcess],
    refuse: Callable[[str, str, object], None],
    files: Files,
    names: list[str],
    found: dict[str, Any],
) -> None:
    """Time the loading of the word 3-gram: the ARPA file in each library, and ctckit's own file.

    The files are in the system's cache. The median of several loads counts.
    """
    case = next(each for each in CASES if each.name == "words")
    data = files.save(files.data(case, 1))
    arpa = files.model("word3")
    wanted = {name: (name, arpa) for name in LOADERS if name in names and name not in found["loading"]}
    if "ctckit" in names and OWN not in found["loading"]:
        try:
            wanted[OWN] = ("ctckit", own_file(arpa))
        except AttributeError as error:  # a version of ctckit without language models
            refuse(OWN, "loading", error)
    for title, (name, path) in wanted.items():
        try:
            process = worker(name)
            process.ask("load", PATIENCE, path=str(data), task=vars(Task()))
            answers = [process.ask("load_model", PATIENCE, path=str(path), unit="word") for _ in range(REPEATS)]
        except WorkerError as error:
            refuse(title, "loading", error)
            continue
        seconds = float(np.median([answer["seconds"] for answer in answers]))
        found["loading"][title] = {"seconds": float(f"{seconds:.4g}"), "bytes": answers[0]["bytes"]}
