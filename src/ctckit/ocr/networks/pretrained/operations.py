"""The operations of a graph as functions of torch, by the names that ONNX gives them.

Each function takes the inputs of its operation, and its attributes by name. Where versions of ONNX differ, it takes all
forms: the axes of ``Squeeze``, for example, as an attribute and as an input. ``Attention``, ``Gelu``, ``HardSwish``,
``LayerNormalization``, ``Linear`` and ``Swish`` are what the simplifier makes of several operations.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

Sizes = Sequence[int]
_DTYPES = {1: torch.float32, 6: torch.int32, 7: torch.int64, 9: torch.bool, 10: torch.float32, 11: torch.float32}


def _identity(x: Tensor) -> Tensor:
    return x


def _dropout(x: Tensor, ratio: Tensor | None = None, training: Tensor | None = None, **_: float) -> Tensor:
    """Nothing: the file has a trained network."""
    return x


def _cast(x: Tensor, *, to: int) -> Tensor:
    """Half and double precision become single precision."""
    return x.to(_DTYPES[to])


def _numbers(value: Tensor | Sizes | None) -> list[int] | None:
    if value is None:
        return None
    return list(map(int, value.reshape(-1).tolist() if isinstance(value, Tensor) else value))


def _around(x: Tensor, kernel: Sizes, strides: Sizes, dilations: Sizes, pads: Sizes, auto_pad: str) -> list[int]:
    """Return the padding of an image, left, right, top, bottom, as ``F.pad`` takes it."""
    if auto_pad in ("NOTSET", "VALID"):
        top, left, bottom, right = (0, 0, 0, 0) if auto_pad == "VALID" else pads
        return [left, right, top, bottom]
    found = []
    for axis in (1, 0):
        size, stride, reach = x.shape[2 + axis], strides[axis], dilations[axis] * (kernel[axis] - 1) + 1
        total = max(0, (-(-size // stride) - 1) * stride + reach - size)
        small, large = total // 2, total - total // 2
        found += [small, large] if auto_pad == "SAME_UPPER" else [large, small]
    return found


def _split(around: list[int]) -> tuple[tuple[int, int], bool]:
    """Return the padding of rows and columns, and whether it is the same on both sides."""
    left, right, top, bottom = around
    return (top, left), (left, top) == (right, bottom)


def _convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    kernel_shape: Sizes = (),
    strides: Sizes = (1, 1),
    dilations: Sizes = (1, 1),
    pads: Sizes = (0, 0, 0, 0),
    group: int = 1,
    auto_pad: str = "NOTSET",
) -> Tensor:
    around = _around(x, weight.shape[2:], strides, dilations, pads, auto_pad)
    padding, even = _split(around)
    if not even:
        x, padding = F.pad(x, around), (0, 0)
    return F.conv2d(x, weight, bias, tuple(strides), padding, tuple(dilations), group)


def _max_pool(
    x: Tensor,
    *,
    kernel_shape: Sizes,
    strides: Sizes = (1, 1),
    dilations: Sizes = (1, 1),
    pads: Sizes = (0, 0, 0, 0),
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
) -> Tensor:
    around = _around(x, kernel_shape, strides, dilations, pads, auto_pad)
    x = F.pad(x, around, value=float("-inf")) if any(around) else x
    return F.max_pool2d(x, tuple(kernel_shape), tuple(strides), 0, tuple(dilations), bool(ceil_mode))


def _average_pool(
    x: Tensor,
    *,
    kernel_shape: Sizes,
    strides: Sizes = (1, 1),
    pads: Sizes = (0, 0, 0, 0),
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    count_include_pad: int = 0,
) -> Tensor:
    padding, even = _split(_around(x, kernel_shape, strides, (1, 1), pads, auto_pad))
    if not even:
        raise ValueError("AveragePool with different padding on two sides")
    counted = bool(count_include_pad)
    return F.avg_pool2d(x, tuple(kernel_shape), tuple(strides), padding, bool(ceil_mode), counted)


def _global_average_pool(x: Tensor) -> Tensor:
    return x.mean(dim=(2, 3), keepdim=True)


def _batch_norm(
    x: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, variance: Tensor, *, epsilon: float = 1e-5, **_: float
) -> Tensor:
    """The norm of a trained network: its statistics do not change."""
    return F.batch_norm(x, mean.detach(), variance.detach(), weight, bias, training=False, eps=epsilon)


def _layer_norm(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, *, axis: int = -1, epsilon: float = 1e-5
) -> Tensor:
    return F.layer_norm(x, x.shape[axis:], weight, bias, epsilon)


def _linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    return F.linear(x, weight, bias)


def _gemm(
    x: Tensor,
    y: Tensor,
    bias: Tensor | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,  # noqa: N803 - ONNX's names
    transB: int = 0,  # noqa: N803
) -> Tensor:
    product = alpha * ((x.T if transA else x) @ (y.T if transB else y))
    return product if bias is None else product + beta * bias


def _attention(query: Tensor, key: Tensor, value: Tensor, *, scale: float) -> Tensor:
    return F.scaled_dot_product_attention(query, key, value, scale=scale)


def _clip(x: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:
    return x.clamp(None if low is None else float(low), None if high is None else float(high))


def _divide(x: Tensor, y: Tensor) -> Tensor:
    return x / y if x.is_floating_point() else torch.div(x, y, rounding_mode="trunc")


def _mean(x: Tensor, axes: Tensor | Sizes | None = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0) -> Tensor:
    along = _numbers(axes)
    if not along and noop_with_empty_axes:
        return x
    return x.mean(dim=along or list(range(x.ndim)), keepdim=bool(keepdims))


def _shape(x: Tensor, *, start: int = 0, end: int | None = None) -> Tensor:
    return torch.tensor(x.shape[start:end], dtype=torch.int64, device="cpu")


def _reshape(x: Tensor, shape: Tensor, *, allowzero: int = 0) -> Tensor:
    sizes = _numbers(shape) or []
    return x.reshape([x.shape[n] if size == 0 and not allowzero else size for n, size in enumerate(sizes)])


def _flatten(x: Tensor, *, axis: int = 1) -> Tensor:
    return x.reshape(x.shape[:axis].numel(), -1)


def _squeeze(x: Tensor, axes: Tensor | Sizes | None = None) -> Tensor:
    along = _numbers(axes)
    return x.squeeze() if along is None else x.squeeze(tuple(along))


def _unsqueeze(x: Tensor, axes: Tensor | Sizes) -> Tensor:
    along = _numbers(axes) or []
    for axis in sorted(each % (x.ndim + len(along)) for each in along):
        x = x.unsqueeze(axis)
    return x


def _transpose(x: Tensor, *, perm: Sizes | None = None) -> Tensor:
    return x.permute(tuple(reversed(range(x.ndim))) if perm is None else tuple(perm))


def _slice(
    x: Tensor,
    starts: Tensor | Sizes,
    ends: Tensor | Sizes,
    axes: Tensor | Sizes | None = None,
    steps: Tensor | None = None,
) -> Tensor:
    first, last = _numbers(starts) or [], _numbers(ends) or []
    along = range(len(first)) if axes is None else _numbers(axes) or []
    for axis, start, end, step in zip(along, first, last, _numbers(steps) or [1] * len(first), strict=True):
        if step < 1:
            raise ValueError("Slice with a step below 1")
        x = x[(slice(None),) * (axis % x.ndim) + (slice(start, end, step),)]
    return x


def _gather(x: Tensor, indices: Tensor, *, axis: int = 0) -> Tensor:
    indices = torch.where(indices < 0, indices + x.shape[axis], indices)
    taken = x.index_select(axis, indices.reshape(-1).to(x.device))
    axis %= x.ndim
    return taken.reshape((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]))


def _parts(x: Tensor, sizes: Tensor | Sizes | None = None, *, axis: int = 0, part: int, parts: int) -> Tensor:
    """Return one part of a ``Split``: each output is an operation of its own."""
    given = _numbers(sizes)
    return torch.split(x, -(-x.shape[axis] // parts) if given is None else given, axis)[part]


def _concat(*parts: Tensor, axis: int) -> Tensor:
    return torch.cat(parts, axis)


def _expand(x: Tensor, shape: Tensor) -> Tensor:
    return x * torch.ones(_numbers(shape) or [], dtype=x.dtype, device=x.device)


def _softmax(x: Tensor, *, axis: int = -1) -> Tensor:
    return x.softmax(axis)


def _log_softmax(x: Tensor, *, axis: int = -1) -> Tensor:
    return x.log_softmax(axis)


def _hard_sigmoid(x: Tensor, *, alpha: float = 0.2, beta: float = 0.5) -> Tensor:
    return F.hardsigmoid(x) if is_usual_slope(alpha, beta) else (alpha * x + beta).clamp(0.0, 1.0)


def is_usual_slope(alpha: float, beta: float) -> bool:
    """Return whether a hard sigmoid is that of torch: (x + 3) / 6 between 0 and 1."""
    return abs(alpha - 1 / 6) < 1e-6 and beta == 0.5


def _gelu(x: Tensor, *, approximate: str = "none") -> Tensor:
    return F.gelu(x, approximate=approximate)


def _leaky_relu(x: Tensor, *, alpha: float = 0.01) -> Tensor:
    return F.leaky_relu(x, alpha)


def _power(x: Tensor, exponent: Tensor) -> Tensor:
    return x**exponent


OPERATIONS: dict[str, Callable[..., Tensor]] = {
    "Abs": torch.abs,
    "Add": operator.add,
    "Attention": _attention,
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_norm,
    "Cast": _cast,
    "Clip": _clip,
    "Concat": _concat,
    "Conv": _convolution,
    "Div": _divide,
    "Dropout": _dropout,
    "Erf": torch.erf,
    "Exp": torch.exp,
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "Gelu": _gelu,
    "Gemm": _gemm,
    "GlobalAveragePool": _global_average_pool,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": F.hardswish,
    "Identity": _identity,
    "LayerNormalization": _layer_norm,
    "LeakyRelu": _leaky_relu,
    "Linear": _linear,
    "LogSoftmax": _log_softmax,
    "MatMul": torch.matmul,
    "MaxPool": _max_pool,
    "Mul": operator.mul,
    "Neg": operator.neg,
    "Pow": _power,
    "ReduceMean": _mean,
    "Relu": F.relu,
    "Reshape": _reshape,
    "Shape": _shape,
    "Sigmoid": torch.sigmoid,
    "Slice": _slice,
    "Softmax": _softmax,
    "Split": _parts,
    "Sqrt": torch.sqrt,
    "Squeeze": _squeeze,
    "Sub": operator.sub,
    "Swish": F.silu,
    "Tanh": torch.tanh,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
