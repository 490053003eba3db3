"""The package ``hama``: phonemes of English and Korean (IPA), 20 ms per frame, and a network that spells words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit import _checks
from ctckit.acoustic_models.model import AcousticModel
from ctckit.errors import DataError
from ctckit.vocabulary import Vocabulary

FRAME_SAMPLES = 320
MOST_SAMPLES = 1499 * FRAME_SAMPLES  # the engine returns at most 1,500 frames, without a warning

# Measured on ten recordings of two speakers in pocketsphinx-testdata, with the borders that pocketsphinx finds: the
# median of 219 sounds within words. Tested on other speakers in docs/benchmarks/boundaries.md.
LAG = 0.06


def load(weights: str = "") -> AcousticModel:
    """Return the phoneme recognizer; the package's pronunciation network spells words that no dictionary has.

    Args:
        weights: A ``.hama`` file with other weights; by default those in the package.
    """
    try:
        import hama
    except ModuleNotFoundError as error:
        raise _checks.missing(error, 'the acoustic model "hama"', "hama") from error
    try:
        network = hama.ASRModel(model_path=Path(weights) if weights else None)
    except (OSError, RuntimeError) as error:
        raise DataError(f"{weights or 'hama'}: cannot be loaded ({error}).") from error
    tokens = list(network.decoder_tokens)
    tokens[network.blank_id] = ""
    vocabulary = Vocabulary(tuple(tokens), network.blank_id, separator=network.decode_cfg.word_boundary_token)

    def log_probs(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        inputs = {"waveform": np.clip(samples, -1, 1)[None], "waveform_lengths": np.array([len(samples)])}
        frames, lengths = network.session.run(["log_probs", "out_lengths"], inputs)
        result: npt.NDArray[np.float32] = frames[0, : int(lengths[0])]
        return result

    rate, spell = network.model_sample_rate, _speller(hama, vocabulary)
    return AcousticModel(vocabulary, rate, FRAME_SAMPLES, log_probs, spell, MOST_SAMPLES, lag=None if weights else LAG)


def _speller(hama: Any, vocabulary: Vocabulary) -> Callable[[str], Sequence[str] | None]:
    known = set(vocabulary.tokens) - {"", vocabulary.separator, " "}

    @cache
    def network() -> Any:
        return hama.G2PModel()

    @cache
    def spell(word: str) -> tuple[str, ...] | None:
        if not word.replace("'", "").isalpha():  # for other characters the network returns random phonemes
            return None
        sounds = tuple(each.phoneme for each in network()(word).alignments if each.phoneme.strip())
        return sounds if sounds and known.issuperset(sounds) else None

    return spell
