"""pyctcdecode's defaults, under its names and with its values."""

from __future__ import annotations

import math

DEFAULT_ALPHA = 0.5
"""Weight of the language model."""
DEFAULT_BETA = 1.5
"""Added for each word, nats."""
DEFAULT_UNK_LOGP_OFFSET = -10.0
"""Added for a word that is unknown: to its log10-probability, so that it counts alpha · ln 10 times in nats."""
DEFAULT_BEAM_WIDTH = 100
DEFAULT_HOTWORD_WEIGHT = 10.0
DEFAULT_PRUNE_LOGP = -10.0
"""Entries of the beam further below the best are dropped, nats."""
DEFAULT_PRUNE_BEAMS = False
DEFAULT_MIN_TOKEN_LOGP = -5.0
"""Classes that are less likely in a frame are not tried in it, nats."""
DEFAULT_SCORE_LM_BOUNDARY = True

AVG_TOKEN_LEN = 6
"""Letters of a usual word: longer unknown ones are charged in proportion."""
MIN_TOKEN_CLIP_P = 1e-15
LOG_BASE_CHANGE_FACTOR = 1.0 / math.log10(math.e)
"""ln 10: KenLM counts in log10."""
