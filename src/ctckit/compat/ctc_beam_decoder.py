"""The names of the package ctc-beam-decoder, which searches like pyctcdecode: a view of ``compat.pyctcdecode``.

``build_ctcdecoder`` and ``BeamSearchDecoder`` use the strict search, as ctc-beam-decoder does. Language models need
no KenLM: ARPA files, KenLM's binary files and ctckit's own files are read.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from ctckit.compat import pyctcdecode
from ctckit.compat.pyctcdecode.constants import (
    DEFAULT_ALPHA,
    DEFAULT_BEAM_WIDTH,
    DEFAULT_BETA,
    DEFAULT_HOTWORD_WEIGHT,
    DEFAULT_MIN_TOKEN_LOGP,
    DEFAULT_PRUNE_LOGP,
)
from ctckit.compat.pyctcdecode.constants import DEFAULT_UNK_LOGP_OFFSET as DEFAULT_UNK_SCORE_OFFSET
from ctckit.compat.pyctcdecode.decoder import OutputBeam

__all__ = ["BeamSearchDecoder", "build_ctcdecoder", "has_kenlm"]


class BeamSearchDecoder:
    """A decoder with ctc-beam-decoder's calls and results.

    Args:
        labels: As in ``compat.pyctcdecode.build_ctcdecoder``; a missing blank is appended.
        kenlm_model_path: An ARPA file, a binary file of KenLM, or ctckit's own model file.
        unigrams: The known words; None: the words of the ARPA file, if its name ends in ".arpa".
        alpha: Weight of the language model.
        beta: Nats for each word.
        unk_score_offset: log10 added to unknown words.
        score_boundary: Whether texts are sentences.

    Raises:
        InvalidInputError: On labels that occur twice; a ``ValueError``.
        MissingFileError: If there is no such model; a ``FileNotFoundError``.

    Example:
        >>> from ctckit.compat.ctc_beam_decoder import BeamSearchDecoder
        >>> import numpy as np
        >>> decoder = BeamSearchDecoder([" ", "a", "b"])
        >>> decoder.n_columns, decoder.blank_id
        (4, 3)
        >>> decoder.decode(np.eye(4, dtype=np.float32)[[1, 0, 2]] * 9)
        'a b'
    """

    def __init__(
        self,
        labels: Sequence[str],
        *,
        kenlm_model_path: str | os.PathLike[str] | None = None,
        unigrams: Collection[str] | None = None,
        alpha: float = DEFAULT_ALPHA,
        beta: float = DEFAULT_BETA,
        unk_score_offset: float = DEFAULT_UNK_SCORE_OFFSET,
        score_boundary: bool = True,
    ) -> None:
        self._decoder = pyctcdecode.build_ctcdecoder(
            list(labels), kenlm_model_path, unigrams, alpha, beta, unk_score_offset, score_boundary, strict=True
        )
        columns = self._decoder._alphabet.labels
        self.n_columns = len(columns)
        self.blank_id = columns.index("")

    def decode_beams(
        self,
        log_probs: Any,
        beam_width: int = DEFAULT_BEAM_WIDTH,
        beam_prune_logp: float = DEFAULT_PRUNE_LOGP,
        token_min_logp: float = DEFAULT_MIN_TOKEN_LOGP,
        prune_history: bool = False,
        hotwords: Iterable[str] | None = None,
        hotword_weight: float = DEFAULT_HOTWORD_WEIGHT,
    ) -> list[OutputBeam]:
        """Return the texts, best first, as ``compat.pyctcdecode`` does; the language model's state is always None.

        The arguments are those of ``compat.pyctcdecode.BeamSearchDecoderCTC.decode_beams``.
        """
        beams = self._decoder.decode_beams(
            log_probs, beam_width, beam_prune_logp, token_min_logp, prune_history, hotwords, hotword_weight
        )
        return [beam._replace(last_lm_state=None) for beam in beams]

    def decode(
        self,
        log_probs: Any,
        beam_width: int = DEFAULT_BEAM_WIDTH,
        beam_prune_logp: float = DEFAULT_PRUNE_LOGP,
        token_min_logp: float = DEFAULT_MIN_TOKEN_LOGP,
        hotwords: Iterable[str] | None = None,
        hotword_weight: float = DEFAULT_HOTWORD_WEIGHT,
    ) -> str:
        """Return the best text; a search with ``prune_history``."""
        return self._decoder.decode(log_probs, beam_width, beam_prune_logp, token_min_logp, hotwords, hotword_weight)


def build_ctcdecoder(
    labels: Sequence[str],
    kenlm_model_path: str | os.PathLike[str] | None = None,
    unigrams: Collection[str] | None = None,
    alpha: float = DEFAULT_ALPHA,
    beta: float = DEFAULT_BETA,
    unk_score_offset: float = DEFAULT_UNK_SCORE_OFFSET,
    lm_score_boundary: bool = True,
) -> BeamSearchDecoder:
    """Return a ``BeamSearchDecoder``; the arguments are the same.

    Example:
        >>> from ctckit.compat.ctc_beam_decoder import build_ctcdecoder
        >>> import numpy as np
        >>> build_ctcdecoder(["", "a", "b"]).decode(np.log([[0.1, 0.8, 0.1], [0.8, 0.1, 0.1], [0.1, 0.1, 0.8]]))
        'ab'
    """
    return BeamSearchDecoder(
        labels,
        kenlm_model_path=kenlm_model_path,
        unigrams=unigrams,
        alpha=alpha,
        beta=beta,
        unk_score_offset=unk_score_offset,
        score_boundary=lm_score_boundary,
    )


def has_kenlm() -> bool:
    """Return True: language models are always available.

    Example:
        >>> from ctckit.compat.ctc_beam_decoder import has_kenlm
        >>> has_kenlm()
        True
    """
    return True
