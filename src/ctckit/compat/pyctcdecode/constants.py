"""pyctcdecode's defaults, under its names and with its values."""

from __future__ import annotations

import math

DEFAULT_ALPHA = 0.5
"""Weight of the language model."""
DEFAULT_BETA = 1.5
"""Added for each word, nats."""
DEFAULT_UNK_LOGP_OFFSET = -10.0
"""Added to the log10-probability of an unknown word. In nats it is multiplied by alpha · ln 10."""
DEFAULT_BEAM_WIDTH = 100
DEFAULT_HOTWORD_WEIGHT = 10.0
DEFAULT_PRUNE_LOGP = -10.0
"""Entries of the beam further below the best are dropped, nats."""
DEFAULT_PRUNE_BEAMS = False
DEFAULT_MIN_TOKEN_LOGP = -5.0
"""A class below this log-probability (nats) is not tried in a frame."""
DEFAULT_SCORE_LM_BOUNDARY = True

AVG_TOKEN_LEN = 6
"""The usual length of a word in letters. Longer unknown words are charged in proportion."""
MIN_TOKEN_CLIP_P = 1e-15
LOG_BASE_CHANGE_FACTOR = 1.0 / math.log10(math.e)
"""ln 10, because KenLM's logarithms are log10."""
