"""How long it takes until a language model can be asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.workers import Member, WorkerError
from benchmarks.decoding.cases import ROWS
from benchmarks.decoding.files import Files
from benchmarks.decoding.measure import PATIENCE
from benchmarks.decoding.peers.base import Task

LOADERS = ("ctckit", "pyctcdecode", "ctc-beam-decoder", "flashlight 10")
REPEATS = 5
OWN = "ctckit, own file"


def own_file(arpa: Path) -> Path:
    """The same model in ctckit's own format."""
    import ctckit

    path = arpa.with_suffix(".ctclm")
    ctckit.NGramModel.load(arpa, unit="word").save(path)
    return path


def measure_loading(
    member: Callable[[str], Member],
    refuse: Callable[[str, str, object], None],
    files: Files,
    names: list[str],
    found: dict[str, Any],
) -> None:
    """The word 3-gram from its ARPA file, as each library reads it when it makes a decoder; ctckit's own file as well.

    The files are in the system's cache. The median of some loads.
    """
    row = next(each for each in ROWS if each.name == "words")
    data = files.save(files.data(row, 1))
    arpa = files.model("word3")
    wanted = {name: (name, arpa) for name in LOADERS if name in names and name not in found["loading"]}
    if "ctckit" in names and OWN not in found["loading"]:
        try:
            wanted[OWN] = ("ctckit", own_file(arpa))
        except AttributeError as error:  # a version without language models
            refuse(OWN, "loading", error)
    for title, (name, path) in wanted.items():
        try:
            process = member(name)
            process.ask("load", PATIENCE, path=str(data), task=vars(Task()))
            answers = [process.ask("load_model", PATIENCE, path=str(path), unit="word") for _ in range(REPEATS)]
        except WorkerError as error:
            refuse(title, "loading", error)
            continue
        seconds = float(np.median([answer["seconds"] for answer in answers]))
        found["loading"][title] = {"seconds": float(f"{seconds:.4g}"), "bytes": answers[0]["bytes"]}
