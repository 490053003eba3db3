"""Parallel callers, any number of threads, and workers of a DataLoader: all get the same bits."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

import ctckit
from tests.support.problems import random_batch

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")


@pytest.fixture
def threads():
    before = ctckit.num_threads()
    yield ctckit.set_num_threads
    ctckit.set_num_threads(before)


def loss_and_gradient(seed, dtype=torch.float32):
    """Return loss and gradient of a different batch for each seed: enough items for several threads, large buffers."""
    logits, batch = random_batch(seed, items=5 + seed % 4, frames=60, classes=700 + seed, tokens=9)
    leaf = torch.from_numpy(np.nan_to_num(logits)).to(dtype).requires_grad_()
    losses = ctckit.ctc_loss(
        leaf, batch.targets, batch.input_lengths, batch.target_lengths, reduction="none", infeasible="zero"
    )
    losses.backward(torch.arange(1.0, 1 + len(losses)).to(dtype))
    return losses.detach(), leaf.grad


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_the_same_bits_from_one_to_four_threads(threads, dtype, count):
    threads(1)
    alone = loss_and_gradient(0, dtype)
    threads(count)
    for _ in range(5):
        assert same(loss_and_gradient(0, dtype), alone)


def test_parallel_callers_with_different_batches(threads):
    """One call uses the thread pool, the others compute in their own threads. Each caller gets its own gradient."""
    expected = [loss_and_gradient(seed) for seed in range(8)]
    threads(3)
    with ThreadPoolExecutor(4) as callers:
        found = list(callers.map(loss_and_gradient, [seed for seed in range(8) for _ in range(6)]))
    for k, each in enumerate(found):
        assert same(each, expected[k // 6])


class Losses(Dataset):
    """Computes losses and gradients in the worker."""

    def __len__(self):
        return 6

    def __getitem__(self, index):
        return index, *loss_and_gradient(index)


@needs_fork
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_workers_of_a_data_loader_compute_after_the_parent_did(threads):
    """Each worker is forked from a process with a running thread pool, and computes in several epochs."""
    threads(2)
    expected = [loss_and_gradient(index) for index in range(6)]
    loader = DataLoader(
        Losses(), batch_size=None, num_workers=2, multiprocessing_context="fork", timeout=60, persistent_workers=True
    )
    for _ in range(2):
        for index, losses, gradient in loader:
            assert same((losses, gradient), expected[index])
        assert same(loss_and_gradient(0), expected[0])  # the parent can still compute


@needs_fork
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_while_another_thread_computes():
    """The child does not wait for locks that other threads of the parent hold."""
    expected = loss_and_gradient(1)
    with ThreadPoolExecutor(1) as busy:
        running = busy.submit(lambda: [loss_and_gradient(2) for _ in range(30)])
        statuses = []
        for _ in range(5):
            child = os.fork()
            if child == 0:
                os._exit(0 if same(forward_only(1), expected[:1]) else 1)
            statuses.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        running.result()
    assert statuses == [0] * 5


def forward_only(seed):
    """Return the losses alone: a forked child does not have the threads of autograd and OpenMP."""
    logits, batch = random_batch(seed, items=5 + seed % 4, frames=60, classes=700 + seed, tokens=9)
    values = torch.from_numpy(np.nan_to_num(logits).astype(np.float32))
    return (
        ctckit.ctc_loss(
            values, batch.targets, batch.input_lengths, batch.target_lengths, reduction="none", infeasible="zero"
        ),
    )
