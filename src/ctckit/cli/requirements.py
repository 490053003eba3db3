"""The optional packages that commands need."""

from __future__ import annotations

from importlib.util import find_spec

from ctckit.errors import MissingDependencyError

_OCR_PACKAGES = {
    "torch": "torch",
    "lightning_fabric": "lightning-fabric",
    "safetensors": "safetensors",
    "PIL": "pillow",
    "jiwer": "jiwer",
    "sklearn": "scikit-learn",
}


def need_ocr(command: str) -> None:
    """Check that the packages of ``ctckit[ocr]`` are installed, without importing them.

    Raises:
        MissingDependencyError: If one is missing; the message has the command that installs it.
    """
    for module, package in _OCR_PACKAGES.items():
        if find_spec(module) is None:
            raise MissingDependencyError(command, package, "ocr")
