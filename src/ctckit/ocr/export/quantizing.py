"""Whole numbers of 8 bits instead of floating-point numbers, by ONNX Runtime's tools.

Convolutions and matrix products compute with whole numbers; their ranges come from lines that the float network reads.
The weights of LSTMs become whole numbers, too. Everything else stays as it is.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit.errors import DataError

_STATIC = ("Conv", "MatMul", "Gemm")
_RUNTIME = "com.microsoft"


def quantize(content: bytes, name: str, inputs: Sequence[npt.NDArray[np.float32]]) -> bytes:
    """Return a network of 8 bits.

    Args:
        content: A float network, the content of a file.
        name: The name of its input.
        inputs: Inputs as they will come, from which the ranges of the numbers are found.

    Raises:
        DataError: If ONNX Runtime cannot quantize it.
    """
    from onnxruntime import quantization

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.rest = iter(inputs)

        def get_next(self) -> dict[str, Any] | None:
            return next(({name: each} for each in self.rest), None)

    with TemporaryDirectory() as folder, _quiet():
        whole, static, last = (str(Path(folder) / f"{step}.onnx") for step in ("whole", "static", "last"))
        Path(whole).write_bytes(content)
        try:
            quantization.quantize_static(
                whole,
                static,
                Reader(),
                quant_format=quantization.QuantFormat.QDQ,
                op_types_to_quantize=list(_STATIC),
                per_channel=True,
                activation_type=quantization.QuantType.QUInt8,
                weight_type=quantization.QuantType.QInt8,
            )
            quantization.quantize_dynamic(
                static, last, op_types_to_quantize=["LSTM"], per_channel=True, weight_type=quantization.QuantType.QInt8
            )
            return _with_fast_gelus(Path(last).read_bytes())
        except Exception as error:  # of any kind, from Python code that expects other graphs
            said = " ".join(str(error).split())[:300]
            raise DataError(f"ONNX Runtime cannot quantize the network ({said}). Export it without int8.") from error


def _with_fast_gelus(content: bytes) -> bytes:
    """Return a network with the Gelus of ONNX Runtime, which are faster than its Gelus of ONNX."""
    import onnx

    model = onnx.load_from_string(content)
    gelus = [node for node in model.graph.node if node.op_type == "Gelu" and not node.attribute]
    for node in gelus:
        node.domain = _RUNTIME
    if gelus and all(opset.domain != _RUNTIME for opset in model.opset_import):
        model.opset_import.append(onnx.helper.make_opsetid(_RUNTIME, 1))
    return bytes(model.SerializeToString())


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the advice of the tools to prepare the graph, which is done."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
