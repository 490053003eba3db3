"""Arrays, images and recordings out of the bytes of a request. Nothing of them is trusted or unpickled."""

from __future__ import annotations

import io
import math
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit.errors import DataError

_FLOATS = ("f2", "f4", "f8")
_HEADERS: dict[tuple[int, int], Any] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def array_of(content: bytes, *, name: str = "the body", classes: int, most_frames: int) -> npt.NDArray[Any]:
    """Return log-probabilities, (T, C), from the content of a .npy file.

    Raises:
        DataError: If it is something else: says what was found and what is expected.
    """
    file = io.BytesIO(content)
    expected = f"expected a .npy file of floats, (T, {classes})"
    try:
        version = np.lib.format.read_magic(file)
        shape, by_columns, dtype = _HEADERS[version](file)
    except Exception as error:  # what the reader raises on damaged headers is not documented
        raise DataError(f"{name} is not a .npy file of NumPy ({error}); {expected}.") from None
    if dtype.hasobject or dtype.str[1:] not in _FLOATS:
        raise DataError(f"{name} has the dtype {dtype}; {expected}.")
    if len(shape) != 2 or shape[1] != classes:
        raise DataError(f"{name} has the shape {shape}; {expected}, with the classes of this service's model.")
    if shape[0] > most_frames:
        raise DataError(f"{name} has {shape[0]:,} frames; this service takes at most {most_frames:,}.")
    wanted, there = math.prod(shape) * dtype.itemsize, len(content) - file.tell()
    if there != wanted:
        raise DataError(f"{name} has {there:,} bytes after its header, which says {wanted:,}. Send the whole file.")
    values = np.frombuffer(content, dtype, offset=file.tell())
    return values.reshape(shape, order="F" if by_columns else "C").astype(dtype.newbyteorder("="), copy=False)


def image_of(content: bytes, *, name: str, most_pixels: int) -> Any:
    """Return a PIL image, with its pixels in memory.

    Raises:
        DataError: If it cannot be read, or is too large.
    """
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limit here is our own
            image = Image.open(io.BytesIO(content))
            if image.width * image.height > most_pixels:
                size = f"{image.width} × {image.height} pixels"
                raise DataError(f"{name} has {size}; this service takes at most {most_pixels:,}.")
            image.load()
    except DataError:
        raise
    except Exception as error:  # PIL raises many kinds on damaged files
        why = str(error).partition(" <_io")[0]
        raise DataError(f"{name} cannot be read as an image ({why or type(error).__name__}).") from None
    return image


@contextmanager
def recording_file(content: bytes, name: str) -> Iterator[Path]:
    """Give a recording as a file, which the readers of recordings need; it is removed afterwards.

    Raises:
        DataError: If the caller raises one. Its message calls the file ``name``.
    """
    with tempfile.TemporaryDirectory(prefix="ctckit-") as folder:
        path = Path(folder) / "recording"
        path.write_bytes(content)
        try:
            yield path
        except DataError as error:
            raise DataError(str(error).replace(str(path), name)) from None
