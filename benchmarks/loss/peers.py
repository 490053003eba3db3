"""The libraries that are compared, each through the call that a training loop makes, each with its own conventions.

``load`` puts a problem into the layout that suits the library best (time first for torch and TensorFlow, the blank last
for TensorFlow's fastest kernel) and compiles the steps if the library has a compiler. Neither is timed. All libraries
use the same reduction: the mean over items of loss / N.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np

from benchmarks.common.arrays import Array
from benchmarks.common.libraries import CTCKIT, Library, set_up_ctckit, set_up_torch
from benchmarks.loss.workloads import Problem


class Peer(Library):
    """One library. ``call``: the call that is timed, for the page."""

    name: ClassVar[str]
    call: ClassVar[str]

    @abstractmethod
    def load(self, problem: Problem) -> None:
        """Prepare the inputs and compile for them; not timed."""

    @abstractmethod
    def both(self) -> tuple[Any, Any]:
        """Run one step, forward and backward; return the loss and its gradient with respect to the logits."""

    @abstractmethod
    def forward(self) -> Any:
        """Return the loss alone."""

    def batch_first(self, gradient: Any) -> Array:
        """Return the gradient of ``both`` as (B, T, C), with the classes in the problem's order."""
        return np.asarray(gradient)


class CTCKit(Peer):
    """ctckit: batch first, from logits."""

    name = "ctckit"
    call = "`ctckit.ctc_loss(logits, …).backward()`"
    packages = ("ctckit", "torch", "numpy")
    environment = CTCKIT

    def __init__(self, threads: int, instruction_set: str = "") -> None:
        super().__init__(threads)
        self.torch = set_up_torch(threads)
        self.ctckit, self.instruction_set = set_up_ctckit(threads, instruction_set)

    def load(self, problem: Problem) -> None:
        """Wrap the arrays as tensors."""
        self.logits, *self.rest = map(self.torch.from_numpy, vars(problem).values())

    def both(self) -> tuple[Any, Any]:
        """Build a fresh graph and go backward."""
        leaf = self.logits.detach().requires_grad_()
        loss = self.ctckit.ctc_loss(leaf, *self.rest)
        loss.backward()
        return loss.detach(), leaf.grad

    def forward(self) -> Any:
        """Build no graph."""
        return self.ctckit.ctc_loss(self.logits, *self.rest)

    def batch_first(self, gradient: Any) -> Array:
        """Return it unchanged."""
        return np.asarray(gradient.numpy())


class Torch(Peer):
    """torch: time first, with a log-softmax before the loss."""

    name = "torch"
    call = "`F.ctc_loss(F.log_softmax(logits, 2), …).backward()`"
    packages = ("torch", "numpy")
    environment = CTCKIT
    dtype: ClassVar[str] = "float32"

    def __init__(self, threads: int, instruction_set: str = "") -> None:
        super().__init__(threads)
        self.torch = set_up_torch(threads)
        self.functional = self.torch.nn.functional

    def load(self, problem: Problem) -> None:
        """Make the logits time-first and contiguous."""
        logits, *self.rest = map(self.torch.from_numpy, vars(problem).values())
        self.logits = logits.transpose(0, 1).to(getattr(self.torch, self.dtype)).contiguous()

    def loss(self, logits: Any) -> Any:
        """Return the loss."""
        return self.functional.ctc_loss(self.functional.log_softmax(logits, dim=2), *self.rest)

    def both(self) -> tuple[Any, Any]:
        """Build a fresh graph and go backward."""
        leaf = self.logits.detach().requires_grad_()
        loss = self.loss(leaf)
        loss.backward()
        return loss.detach(), leaf.grad

    def forward(self) -> Any:
        """Build no graph."""
        return self.loss(self.logits)

    def batch_first(self, gradient: Any) -> Array:
        """Move the time axis to its place."""
        return np.asarray(gradient.transpose(0, 1).numpy())


class Reference(Torch):
    """torch in float64: not timed; the gradients of the others are compared with it."""

    name = "reference"
    dtype = "float64"


class Optax(Peer):
    """optax on JAX, compiled ahead of time."""

    name = "optax"
    call = "`jax.jit(jax.value_and_grad(…))` of the mean of `optax.ctc_loss(…)` / N"
    packages = ("optax", "jax", "jaxlib", "numpy")

    def __init__(self, threads: int, instruction_set: str = "") -> None:
        super().__init__(threads)
        # XLA starts one thread for each processor that the process may use; the affinity is already set.
        if threads == 1:
            os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
        os.environ["JAX_PLATFORMS"] = "cpu"
        import jax
        import optax

        self.jax, self.optax = jax, optax

    def load(self, problem: Problem) -> None:
        """Give lengths as paddings, a float for each position; compile the steps."""
        targets, input_lengths, target_lengths = problem.targets, problem.input_lengths, problem.target_lengths
        paddings = np.arange(problem.logits.shape[1]) >= input_lengths[:, None]
        target_paddings = np.arange(targets.shape[1]) >= target_lengths[:, None]
        rest = (paddings.astype("f4"), targets.astype("i4"), target_paddings.astype("f4"), problem.weights.astype("f4"))
        self.arguments = tuple(map(self.jax.device_put, (problem.logits, *rest)))

        def loss(logits: Any, paddings: Any, targets: Any, target_paddings: Any, weights: Any) -> Any:
            return self.optax.ctc_loss(logits, paddings, targets, target_paddings) @ weights

        compiled = (self.jax.jit(f).lower(*self.arguments).compile() for f in (self.jax.value_and_grad(loss), loss))
        self.compiled_both, self.compiled_forward = compiled

    def both(self) -> tuple[Any, Any]:
        """Wait for the results."""
        return self.jax.block_until_ready(self.compiled_both(*self.arguments))

    def forward(self) -> Any:
        """Wait for the result."""
        return self.jax.block_until_ready(self.compiled_forward(*self.arguments))


class TensorFlow(Peer):
    """TensorFlow with sparse labels: a C++ kernel, which its documentation calls significantly faster on CPUs."""

    name = "tensorflow"
    call = "`tf.nn.ctc_loss` with sparse labels, under `tf.GradientTape` in a `tf.function`"
    packages = ("tensorflow-cpu", "numpy")
    traced_with: ClassVar[dict[str, bool]] = {}

    def __init__(self, threads: int, instruction_set: str = "") -> None:
        super().__init__(threads)
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
        import tensorflow

        self.tf = tensorflow
        self.tf.config.threading.set_intra_op_parallelism_threads(threads)
        self.tf.config.threading.set_inter_op_parallelism_threads(1)

    def load(self, problem: Problem) -> None:
        """Put the time first and the blank last, as the kernel needs them, so that the step copies nothing."""
        logits = self.tf.constant(np.roll(problem.logits, -1, axis=2).transpose(1, 0, 2))
        given = np.arange(problem.targets.shape[1]) < problem.target_lengths[:, None]
        labels = self.tf.SparseTensor(np.argwhere(given), problem.targets[given].astype("i4") - 1, given.shape)
        self.rest = (labels, self.tf.constant(problem.input_lengths, "int32"))
        self.prepare(logits, problem)

    def prepare(self, logits: Any, problem: Problem) -> None:
        """Trace both steps."""
        self.logits, self.weights = logits, self.tf.constant(problem.weights, "float32")
        self.traced_both = self.tf.function(self.gradient, **self.traced_with)
        self.traced_forward = self.tf.function(self.loss, **self.traced_with)

    def losses(self, logits: Any, *rest: Any) -> Any:
        """Return the loss of each item, (B,)."""
        labels, lengths = rest
        return self.tf.nn.ctc_loss(labels, logits, None, lengths, logits_time_major=True, blank_index=-1)

    def loss(self, logits: Any, weights: Any, *rest: Any) -> Any:
        """Return the weighted mean."""
        return self.tf.reduce_sum(self.losses(logits, *rest) * weights)

    def gradient(self, logits: Any, weights: Any, *rest: Any) -> tuple[Any, Any]:
        """Return the loss and its gradient."""
        with self.tf.GradientTape() as tape:
            tape.watch(logits)
            loss = self.loss(logits, weights, *rest)
        return loss, tape.gradient(loss, logits)

    def both(self) -> tuple[Any, Any]:
        """Wait for the loss; calls are synchronous."""
        loss, gradient = self.traced_both(self.logits, self.weights, *self.rest)
        loss.numpy()
        return loss, gradient

    def forward(self) -> Any:
        """Wait for the loss."""
        return self.traced_forward(self.logits, self.weights, *self.rest).numpy()

    def batch_first(self, gradient: Any) -> Array:
        """Move the time axis and the blank to their places."""
        return np.roll(gradient.numpy().transpose(1, 0, 2), 1, axis=2)


class Keras(TensorFlow):
    """Keras on TensorFlow: dense labels, batch first. On JAX it has optax's code and is not timed again."""

    name = "keras"
    call = "`keras.ops.ctc_loss` on TensorFlow, under `tf.GradientTape`, compiled by XLA as Keras does by default"
    packages = ("keras", "tensorflow-cpu", "numpy")
    traced_with: ClassVar[dict[str, bool]] = {"jit_compile": True}

    def __init__(self, threads: int, instruction_set: str = "") -> None:
        super().__init__(threads)
        os.environ["KERAS_BACKEND"] = "tensorflow"
        import keras

        self.keras = keras

    def load(self, problem: Problem) -> None:
        """Give dense labels, batch first; the blank is class 0."""
        integers = (problem.targets, problem.target_lengths, problem.input_lengths)
        self.rest = tuple(self.tf.constant(each, "int32") for each in integers)
        self.prepare(self.tf.constant(problem.logits), problem)

    def losses(self, logits: Any, *rest: Any) -> Any:
        """Return the loss of each item, (B,)."""
        targets, target_lengths, input_lengths = rest
        return self.keras.ops.ctc_loss(targets, logits, target_lengths, input_lengths, mask_index=0)

    def batch_first(self, gradient: Any) -> Array:
        """Return it unchanged."""
        return np.asarray(gradient.numpy())


PEERS: dict[str, type[Peer]] = {each.name: each for each in (CTCKit, Torch, Optax, TensorFlow, Keras, Reference)}
TIMED = ("ctckit", "torch", "optax", "tensorflow", "keras")
