"""The optional packages that commands need."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from ctckit.errors import MissingDependencyError

_OCR_PACKAGES = {
    "torch": "torch",
    "lightning_fabric": "lightning-fabric",
    "safetensors": "safetensors",
    "PIL": "pillow",
    "jiwer": "jiwer",
}


_READING_PACKAGES = {"onnxruntime": "onnxruntime", "PIL": "pillow"}
_SERVICE_PACKAGES = {
    "fastapi": "fastapi",
    "uvicorn": "uvicorn",
    "websockets": "websockets",
    "python_multipart": "python-multipart",
    "prometheus_client": "prometheus-client",
    "PIL": "pillow",
}
_EXPORT_PACKAGES = {**_OCR_PACKAGES, **_READING_PACKAGES, "onnx": "onnx"}


def need_ocr(command: str) -> None:
    """Check that the packages of ``ctckit[ocr]`` are installed, without importing them.

    Raises:
        MissingDependencyError: If one is missing; the message has the command that installs it.
    """
    _need(command, _OCR_PACKAGES, "ocr")


def need_reading(command: str, model: Path) -> None:
    """Check that the packages are installed that reading with a model needs: for an ONNX file ``ctckit[onnx]``.

    Raises:
        MissingDependencyError: As above.
    """
    from ctckit.ocr.bundled import path_of_model

    path = path_of_model(model)
    if path.suffix.lower() == ".onnx" and not path.is_dir():
        _need(command, _READING_PACKAGES, "onnx")
    else:
        need_ocr(command)


def need_export(command: str) -> None:
    """Check that the packages of ``ctckit[export]`` are installed.

    Raises:
        MissingDependencyError: As above.
    """
    _need(command, _EXPORT_PACKAGES, "export")


def need_service(command: str) -> None:
    """Check that the packages of ``ctckit[serve]`` are installed.

    Raises:
        MissingDependencyError: As above.
    """
    _need(command, _SERVICE_PACKAGES, "serve")


def _need(command: str, packages: Mapping[str, str], extra: str) -> None:
    for module, package in packages.items():
        if find_spec(module) is None:
            raise MissingDependencyError(command, package, extra)
