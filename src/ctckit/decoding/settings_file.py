"""Settings of a decoder as a file: a JSON object from the names of ``BeamDecoder``'s settings to their values.

::

    {
      "beam_width": 100,
      "lm_boundary": true,
      "lm_weight": 0.6,
      "oov_charge": 0.25,
      "token_bonus": 0.0,
      "word_bonus": 1.5
    }

A setting that is not in the file has its default. ``lm_weight`` is a list for two language models, and ``oov_charge``
is null where unknown words are forbidden. Models, lexicons and hotwords are not settings: they are given as usual.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ctckit import _checks, _files
from ctckit.decoding.settings import HOTWORD_SETTINGS, MAX_WEIGHT, SETTINGS, plan_fields
from ctckit.errors import DataError, InvalidInputError

NAMES = tuple(name for name in SETTINGS if name not in HOTWORD_SETTINGS)


def read_settings(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the settings of a file, as ``BeamDecoder`` and ``BeamDecoder.with_settings`` take them.

    Args:
        path: A file that ``write_settings`` or ``ctckit tune`` wrote, or that you wrote yourself.

    Raises:
        DataError: If the file cannot be read, is not a JSON object, or has a name or a value that is not of a setting;
            ``MissingFileError`` if there is none.

    Example:
        >>> from ctckit.decoding import read_settings, write_settings
        >>> import tempfile
        >>> from ctckit import BeamDecoder
        >>> tuned = BeamDecoder(["", "a"], token_bonus=0.5)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_settings(f"{folder}/settings.json", tuned.settings)
        ...     settings = read_settings(f"{folder}/settings.json")
        >>> BeamDecoder(["", "a"], **settings).settings == tuned.settings
        True
    """
    path = Path(path)
    text = _files.read_text(path)
    try:
        settings = json.loads(text)
    except (RecursionError, ValueError) as error:
        raise DataError(f"{path}: not a JSON file of settings ({error}).") from None
    if not isinstance(settings, dict):
        raise DataError(f"{path}: it holds a {type(settings).__name__}; expected an object of settings.")
    _expect_settings(settings, path)
    return settings


def write_settings(path: str | os.PathLike[str], settings: Mapping[str, Any]) -> None:
    """Write settings to a file, completely or not at all.

    Args:
        path: The file.
        settings: Settings by their names, such as ``BeamDecoder.settings``. Thresholds of −∞ are left out.

    Raises:
        DataError: If a name or a value is not of a setting, or the file cannot be written.

    Example:
        >>> from ctckit.decoding import write_settings
        >>> from pathlib import Path
        >>> from tempfile import mkdtemp
        >>> from ctckit import BeamDecoder
        >>> from ctckit.decoding import read_settings
        >>> file = Path(mkdtemp()) / "settings.json"
        >>> write_settings(file, BeamDecoder(["", "a", "b"], beam_width=20, token_bonus=0.5).settings)
        >>> read_settings(file)["token_bonus"]
        0.5
    """
    path = Path(path)
    kept = {name: settings[name] for name in sorted(settings) if settings[name] != -math.inf}
    _expect_settings(kept, path)
    text = json.dumps(kept, indent=2, allow_nan=False) + "\n"
    try:
        _files.write_atomically(path, text.encode())
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror or error}).") from error


def _expect_settings(settings: Mapping[str, Any], path: Path) -> None:
    """Check names and values; what depends on a decoder is checked when one is made."""
    for name in settings:
        if name not in NAMES:
            hint = " Hotwords are given with the decoder." if name in SETTINGS else ""
            raise DataError(f"{path}: {name!r} is no setting of a file; expected some of {', '.join(NAMES)}.{hint}")
    try:
        plan_fields(settings, _weights, has_words=True, has_lexicon=True)
    except InvalidInputError as error:
        raise DataError(f"{path}: {error}") from None


def _weights(lm_weight: Any) -> dict[str, float]:
    for each in lm_weight if isinstance(lm_weight, (list, tuple)) else [lm_weight]:
        _checks.number(each, "lm_weight", 0.0, MAX_WEIGHT)
    return {}
