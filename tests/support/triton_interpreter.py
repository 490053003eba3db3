"""Triton's interpreter for tests: quiet, with poisoned memory, and twice as fast."""

import contextlib

import numpy as np
import torch


@contextlib.contextmanager
def interpreter(monkeypatch, *, frames=None, pairs=None):
    """Kernels run in NumPy, on memory that is full of NaN; with other tiles and windows where given."""
    from ctckit.kernels.loss.triton import launch as triton_loss

    if not triton_loss.is_interpreted():
        yield
        return
    _patch_builtins_once(monkeypatch)
    empty = torch.empty

    def poisoned(*shape, **options):
        result = empty(*shape, **options)
        return result.fill_(float("nan") if result.is_floating_point() else torch.iinfo(result.dtype).max - 9)

    monkeypatch.setattr(torch, "empty", poisoned)
    if frames:
        monkeypatch.setattr(triton_loss, "FRAMES", frames)
    if pairs:
        monkeypatch.setattr(triton_loss, "MOST_PAIRS", pairs)
    with np.errstate(all="ignore"):  # of lanes that are masked
        yield


def _patch_builtins_once(monkeypatch):
    """The interpreter replaces all of Triton's builtins anew for each call of a function within a kernel."""
    from triton.runtime import interpreter as its

    if not hasattr(its, "_patch_lang"):
        return
    done = set()

    def call(function, *arguments, **options):
        module = function.fn.__module__
        if not module.startswith("ctckit.") and module not in done:
            its._patch_lang(function.fn)
            done.add(module)
        return function.rewrite()(*arguments, **options)

    monkeypatch.setattr(its.InterpretedFunction, "__call__", call)
