"""1,797 handwritten digits, 8 × 8 gray levels each, in the file ``digits.npz``.

This is the test set of UCI's Optical Recognition of Handwritten Digits (E. Alpaydin and C. Kaynak, 1998), with the
values and the order of scikit-learn's ``load_digits``. ``LICENSE`` is the license of scikit-learn, whose copy this is.
"""

from __future__ import annotations

import io
from hashlib import sha256
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from ctckit.errors import DataError

SHA256 = "b2dab7b501728c22e9119ad76740b2e17c77a231e42d1e592380d90886f1a05e"

Levels = npt.NDArray[np.uint8]


def load_digits() -> tuple[Levels, Levels]:
    """Return the images, (1797, 8, 8) with the levels 0 (paper) to 16 (ink), and their values 0..9, (1797,).

    Example:
        >>> from ctckit.ocr.data.digits import load_digits
        >>> images, values = load_digits()
        >>> images.shape, values[:3].tolist()
        ((1797, 8, 8), [0, 1, 2])
    """
    content = files(__name__).joinpath("digits.npz").read_bytes()
    if sha256(content).hexdigest() != SHA256:
        raise DataError("digits.npz of the package is damaged: it has another checksum. Install ctckit again.")
    with np.load(io.BytesIO(content)) as arrays:
        return arrays["images"], arrays["labels"]
