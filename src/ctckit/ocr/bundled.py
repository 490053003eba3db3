"""The recognizers that lie inside packages of others, by name."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ctckit.errors import MissingDependencyError


@dataclass(frozen=True)
class Bundled:
    """A recognizer inside a package.

    Attributes:
        title: Its name.
        license: Its license.
        package: The package that has it.
        file: Its file in the package.
    """

    title: str
    license: str
    package: str
    file: str


#: The recognizers that ``ctckit train --from`` and ``ctckit read --model`` know by name.
BUNDLED = {"ppocr-v6-small": Bundled("PP-OCRv6 small", "Apache-2.0", "rapidocr", "models/PP-OCRv6_rec_small.onnx")}


def file_of(name: str) -> Path:
    """Return the ONNX file of a recognizer of ``BUNDLED``. Its package is not imported.

    Raises:
        MissingDependencyError: If the package is not installed, or another version of it.
    """
    bundled = BUNDLED[name]
    spec = find_spec(bundled.package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (path := Path(folder) / bundled.file).is_file():
            return path
    raise MissingDependencyError(f"the model {name}", f"{bundled.package} with {bundled.file}", "pretrained")


def path_of_model(source: str | Path) -> Path:
    """Return the path of a model that is given by a path, or by a name in ``BUNDLED`` that is no path here.

    Raises:
        MissingDependencyError: As for :func:`file_of`.
    """
    path = Path(source)
    return file_of(str(source)) if str(source) in BUNDLED and not path.exists() else path
