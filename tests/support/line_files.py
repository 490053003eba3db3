"""Data sets of tiny lines for tests: bars at the top are "a", bars at the bottom are "b"."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from functools import partial

import numpy as np
import pytest
from PIL import Image

from ctckit.ocr.data.lines import Line
from ctckit.ocr.networks import NETWORKS, NetworkType
from ctckit.ocr.networks.crnn import CRNN, CRNNConfig
from ctckit.ocr.training import loop

TEXTS = ("a", "b", "ab", "ba", "aab", "abb", "bab", "bb", "aba")


TINY = {"channels": (4, 8), "strides": ((4, 2), (4, 2)), "hidden": 8}


def register_tiny(monkeypatch):
    """Register a network that trains in no time, by the name "tiny"."""
    monkeypatch.setitem(NETWORKS, "tiny", NetworkType(partial(CRNNConfig, **TINY), CRNN))


def bars(text, *, width=8):
    """Return a line of bars."""
    image = np.full((32, width * (2 * len(text) + 1)), 255, np.uint8)
    for index, character in enumerate(text):
        rows = slice(2, 14) if character == "a" else slice(18, 30)
        image[rows, width * (2 * index + 1) : width * (2 * index + 2)] = 0
    return Line(image, text, text)


def write_line(folder, name, text, *, image=None, suffix=".png"):
    """Write a line into a folder; by default the picture of its text."""
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(bars(text).image if image is None else image).save(folder / f"{name}{suffix}")
    (folder / f"{name}.gt.txt").write_text(text + "\n", encoding="utf-8")
    return folder / f"{name}{suffix}"


def write_lines(folder, texts=TEXTS):
    """Write a folder of lines."""
    for n, text in enumerate(texts):
        write_line(folder, f"{n:03}", text)
    return folder


@contextmanager
def stopping_at_a_checkpoint(monkeypatch):
    """Let a training stop after its first checkpoint."""
    save = loop.save_checkpoint

    def save_and_stop(*arguments, **settings):
        save(*arguments, **settings)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(loop, "save_checkpoint", save_and_stop)
        with pytest.raises(KeyboardInterrupt):
            yield


def start_command(*arguments, **environment):
    """Start ``ctckit`` in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "ctckit", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )


def wait_until(true, process, *, seconds=120.0):
    """Wait until something is true while a process runs; fail if it ends first."""
    last = time.monotonic() + seconds
    while not true():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < last, "it takes too long"
        time.sleep(0.02)


def interrupt(process, number=signal.SIGINT):
    """Send a signal; return the exit code and what was printed on standard error."""
    process.send_signal(number)
    _, errors = process.communicate(timeout=120)
    return process.returncode, errors
