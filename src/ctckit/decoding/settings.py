"""The settings of a ``BeamDecoder``: their names, defaults and ranges."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from ctckit import _checks
from ctckit.errors import InvalidInputError

MAX_BEAM_WIDTH = 1 << 20  # a wider beam is a mistake
MAX_WEIGHT = 60.0  # nats; a factor of 10²⁶ outweighs anything that the frames say
# These defaults made text lines better, and none worse, with a model of words from another domain. Tune them.
LM_WEIGHT = 0.3
WORD_BONUS = 2.0  # with a model of words, which prefers fewer words
OOV_CHARGE = 0.25
HOTWORD_WEIGHT: float | None = None  # the default weight, see hotwords.default_weight
MAX_DEFAULT_HOTWORD_WEIGHT = 10.0
LETTER_SHARE = 0.36  # of ln A: the nats of a letter if those before it are known; 1.6 in English, of ln 96 = 4.6
SETTINGS = (
    "beam_width",
    "lm_weight",
    "lm_boundary",
    "word_bonus",
    "token_bonus",
    "oov_charge",
    "token_threshold",
    "beam_threshold",
    "hotwords",
    "hotword_weight",
    "on_unspellable",
)
HOTWORD_SETTINGS = SETTINGS[-3:]
ON_UNSPELLABLE = ("warn", "error")


def expect_names(settings: Mapping[str, Any]) -> None:
    """All names are those of settings; settings of hotwords come with hotwords.

    Raises:
        InvalidInputError: Names the first that is not.
    """
    for name in settings:
        if name not in SETTINGS:
            raise InvalidInputError(f"{name!r} is no setting of a decoder; expected some of {', '.join(SETTINGS)}.")
    for name in HOTWORD_SETTINGS:
        if name in settings and "hotwords" not in settings:
            raise InvalidInputError(f"{name} is given without hotwords. Give both: hotwords=…, {name}=….")


def plan_fields(
    settings: Mapping[str, Any],
    lm_weights: Callable[[Any], Mapping[str, float]],
    *,
    has_words: bool,
    has_lexicon: bool,
) -> dict[str, Any]:
    """Check settings and return them as fields of a ``SearchPlan``. Hotwords are not among them.

    Args:
        settings: Some of the settings by their names.
        lm_weights: Splits ``lm_weight`` among the language models.
        has_words: Whether the vocabulary has a mark of words.
        has_lexicon: Whether there are known words.

    Raises:
        InvalidInputError: On the first value that is out of range.
    """
    fields: dict[str, Any] = {}
    if "beam_width" in settings:
        width = _checks.positive_integer(settings["beam_width"], "beam_width")
        fields["beam_width"] = int(_checks.number(width, "beam_width", 1, MAX_BEAM_WIDTH))
    if "lm_weight" in settings:
        fields |= lm_weights(settings["lm_weight"])
    if "lm_boundary" in settings:
        fields["lm_boundary"] = _checks.flag(settings["lm_boundary"], "lm_boundary")
    for name in ("token_bonus", "word_bonus"):
        if name in settings:
            fields[name] = _checks.number(settings[name], name, -MAX_WEIGHT, MAX_WEIGHT)
    for name in ("token_threshold", "beam_threshold"):
        if name in settings:
            fields[name] = _checks.number(settings[name], name, -math.inf, 0.0)
    if "oov_charge" in settings:
        fields["oov_charge"] = _oov_charge(settings["oov_charge"], has_lexicon)
    if fields.get("word_bonus") and not has_words:
        raise InvalidInputError(
            f"word_bonus is {fields['word_bonus']:g}, but vocabulary has no mark of words. Say separator=…, "
            "word_start=… or continuation=… of the Vocabulary, or use token_bonus."
        )
    return fields


def _oov_charge(value: float | None, has_lexicon: bool) -> float:
    if value is not None:
        return _checks.number(value, "oov_charge", 0.0, MAX_WEIGHT)
    if not has_lexicon:
        raise InvalidInputError(
            "oov_charge=None forbids unknown words, but no words are known. Give a lexicon or a model of words."
        )
    return math.inf
