"""Triton's interpreter for tests: without warnings, with poisoned memory, and twice as fast."""

import contextlib

import numpy as np
import torch


@contextlib.contextmanager
def interpreter(monkeypatch, *, frames=None, pairs=None):
    """Run kernels in NumPy, on new memory that is full of NaN; ``frames`` and ``pairs`` change tiles and windows."""
    from ctckit.kernels.loss.triton import launch as triton_loss

    if not triton_loss.is_interpreted():
        yield
        return
    _patch_builtins_once(monkeypatch)
    empty = torch.empty

    def poisoned(*shape, **options):
        result = empty(*shape, **options)
        return result.fill_(float("nan") if result.is_floating_point() else torch.iinfo(result.dtype).max - 9)

    with torch.device("cpu"):  # the first such block records the functions that make tensors, for all later ones
        torch.empty(0)
    monkeypatch.setattr(torch, "empty", poisoned)
    if frames:
        monkeypatch.setattr(triton_loss, "FRAMES", frames)
    if pairs:
        monkeypatch.setattr(triton_loss, "MOST_PAIRS", pairs)
    with np.errstate(all="ignore"):  # masked lanes compute invalid numbers
        yield


def _patch_builtins_once(monkeypatch):
    """Patch Triton's builtins only once; the interpreter does it again for each function call inside a kernel."""
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
