"""``BeamSearchDecoderCTC`` and ``build_ctcdecoder``: pyctcdecode's calls, with the default or the strict search."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Iterable, Sequence
from functools import partial
from multiprocessing.context import SpawnContext
from typing import Any, ClassVar

from ctckit.compat.pyctcdecode import _checks
from ctckit.compat.pyctcdecode._beams import (
    EMPTY_START_BEAM,
    NULL_FRAMES,
    Beam,
    Frames,
    LMBeam,
    LMState,
    OutputBeam,
    OutputBeamMPSafe,
    WordFrames,
)
from ctckit.compat.pyctcdecode._decoder_files import DecoderFiles
from ctckit.compat.pyctcdecode._default_search import DefaultSearch
from ctckit.compat.pyctcdecode._partial_search import ModelScores, PartialSearch
from ctckit.compat.pyctcdecode._strict_search import Labels, Pruning, StrictSearch, strict_log_probs
from ctckit.compat.pyctcdecode.alphabet import Alphabet, verify_alphabet_coverage
from ctckit.compat.pyctcdecode.constants import (
    DEFAULT_ALPHA,
    DEFAULT_BEAM_WIDTH,
    DEFAULT_BETA,
    DEFAULT_HOTWORD_WEIGHT,
    DEFAULT_MIN_TOKEN_LOGP,
    DEFAULT_PRUNE_BEAMS,
    DEFAULT_PRUNE_LOGP,
    DEFAULT_SCORE_LM_BOUNDARY,
    DEFAULT_UNK_LOGP_OFFSET,
)
from ctckit.compat.pyctcdecode.language_model import (
    AbstractLanguageModel,
    HotwordScorer,
    LanguageModel,
    load_model,
    load_unigram_set_from_arpa,
)
from ctckit.language_models.base import LanguageModelLike

__all__ = [
    "EMPTY_START_BEAM",
    "NULL_FRAMES",
    "Beam",
    "BeamSearchDecoderCTC",
    "Frames",
    "LMBeam",
    "LMState",
    "OutputBeam",
    "OutputBeamMPSafe",
    "WordFrames",
    "build_ctcdecoder",
]

RESCORED = 10  # texts of the beam that are rescored if only the best is returned
Settings = tuple[Pruning, list[str], float]  # limits, hotwords, weight of the hotwords

logger = logging.getLogger(__name__)


class BeamSearchDecoderCTC(DecoderFiles):
    """A decoder with pyctcdecode's calls and results: (T, C) scores in, texts out.

    By default it searches with ``BeamDecoder``, which is right where the original has a defect; the migration guide
    names each difference. With ``strict=True`` it searches like the original and returns the same texts and scores.

    Args:
        alphabet: The labels.
        language_model: A model of words, or None. An object with the methods of
            ``ctckit.language_models.LanguageModel`` gets the default weights; ``LanguageModel(object, …)`` sets others.
        strict: Whether to search like the original.

    Example:
        >>> from ctckit.compat.pyctcdecode import Alphabet, BeamSearchDecoderCTC
        >>> import numpy as np
        >>> decoder = BeamSearchDecoderCTC(Alphabet.build_alphabet(["", " ", "a", "b"]))
        >>> probs = np.array([[0.1, 0.0, 0.8, 0.1], [0.1, 0.7, 0.1, 0.1], [0.1, 0.1, 0.2, 0.6]])
        >>> decoder.decode(np.log(probs + 1e-9))
        'a b'
    """

    # The models of all decoders, where transformers expects them. A decoder in a pickle takes its model along.
    model_container: ClassVar[dict[bytes, AbstractLanguageModel | None]] = {}

    def __init__(
        self,
        alphabet: Alphabet,
        language_model: AbstractLanguageModel | LanguageModelLike | None = None,
        *,
        strict: bool = False,
    ) -> None:
        self._alphabet = alphabet
        self._labels = Labels(alphabet)
        self._model_key = os.urandom(16)
        self._default_search = DefaultSearch(alphabet)
        self.strict = strict
        model: Any = LanguageModel(language_model) if hasattr(language_model, "begin") else language_model
        BeamSearchDecoderCTC.model_container[self._model_key] = model

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        key = state.pop("_model_key")
        if key in BeamSearchDecoderCTC.model_container:
            state["language_model"] = BeamSearchDecoderCTC.model_container[key]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._model_key = os.urandom(16)
        if "language_model" in state:
            BeamSearchDecoderCTC.model_container[self._model_key] = state.pop("language_model")
        self.__dict__.update(state)

    def reset_params(
        self,
        alpha: float | None = None,
        beta: float | None = None,
        unk_score_offset: float | None = None,
        lm_score_boundary: bool | None = None,
    ) -> None:
        """Change the weights of the language model; None leaves a weight as it is.

        Raises:
            InvalidInputError: If one is not a float, or ``lm_score_boundary`` not a bool.
        """
        model = self._language_model
        if model is not None:
            model.reset_params(
                alpha=alpha, beta=beta, unk_score_offset=unk_score_offset, score_boundary=lm_score_boundary
            )

    @classmethod
    def clear_class_models(cls) -> None:
        """Release the language models of all decoders."""
        BeamSearchDecoderCTC.model_container.clear()

    def cleanup(self) -> None:
        """Release this decoder's language model."""
        BeamSearchDecoderCTC.model_container.pop(self._model_key, None)

    @property
    def _language_model(self) -> AbstractLanguageModel | None:
        _checks.has_model(self._model_key in BeamSearchDecoderCTC.model_container)
        return BeamSearchDecoderCTC.model_container[self._model_key]

    def decode_beams(
        self,
        logits: Any,
        beam_width: int = DEFAULT_BEAM_WIDTH,
        beam_prune_logp: float = DEFAULT_PRUNE_LOGP,
        token_min_logp: float = DEFAULT_MIN_TOKEN_LOGP,
        prune_history: bool = DEFAULT_PRUNE_BEAMS,
        hotwords: Iterable[str] | None = None,
        hotword_weight: float = DEFAULT_HOTWORD_WEIGHT,
        lm_start_state: Any = None,
    ) -> list[OutputBeam]:
        """Return the texts of the last beam, best first.

        Args:
            logits: (T, C) floating-point scores, a column for each label: logits, log-probabilities (a softmax does
                not change them), or probabilities. The scores are probabilities if every number is in 0..1 and every
                frame sums to 1 within 1e-3; with ``strict``, if the mean of the sums is 1 within 1e-9.
            beam_width: The number of entries kept in each frame.
            beam_prune_logp: Entries this far below the best are dropped; nats, 0 or less.
            token_min_logp: Classes below this log-probability are not tried in a frame, except the likeliest.
            prune_history: With ``strict``: of entries that the language model cannot tell apart, only the best is kept.
                Without ``strict`` it has no effect, because such entries cost nothing.
            hotwords: Words or phrases to favor.
            hotword_weight: Nats for each of their words.
            lm_start_state: With ``strict``: the language model's state to start from; an earlier call returned it.

        Returns:
            Tuples with names, ``OutputBeam``: the text, the language model's state after it, its words with their
            frames [start, end), the log-probability of the text given the frames, and that score with language model
            and hotwords.

        Raises:
            InvalidInputError: On a wrong shape or type, NaN, or settings that would drop every entry.
        """
        settings = self._settings(beam_width, beam_prune_logp, token_min_logp, prune_history, hotwords, hotword_weight)
        return self._beams(logits, settings, lm_start_state)

    def _beams(self, logits: Any, settings: Settings, start_state: Any, n_best: int | None = None) -> list[OutputBeam]:
        scores = _checks.scores(logits, len(self._alphabet.labels))
        if self.strict:
            return self._search_strictly(scores, settings, start_state)
        _checks.no_start_state(start_state)
        return self._default_search.decode([scores], self._language_model, *settings, n_best)[0]

    def _settings(
        self, width: int, prune: float, least: float, history: bool, hotwords: Iterable[str] | None, weight: float
    ) -> Settings:
        _checks.beam(width, prune)
        return Pruning(width, prune, least, history), _checks.strings(hotwords or (), "hotwords"), weight

    def _search_strictly(self, scores: Any, settings: Settings, start_state: Any) -> list[OutputBeam]:
        pruning, hotwords, weight = settings
        scorer = HotwordScorer.build_scorer(hotwords, weight)
        search = StrictSearch(self._labels, self._language_model, scorer, pruning, start_state)
        return search.run(strict_log_probs(scores))

    def decode(
        self,
        logits: Any,
        beam_width: int = DEFAULT_BEAM_WIDTH,
        beam_prune_logp: float = DEFAULT_PRUNE_LOGP,
        token_min_logp: float = DEFAULT_MIN_TOKEN_LOGP,
        hotwords: Iterable[str] | None = None,
        hotword_weight: float = DEFAULT_HOTWORD_WEIGHT,
        lm_start_state: Any = None,
    ) -> str:
        """Return the best text; the arguments are those of ``decode_beams``.

        The search is the same as in ``decode_beams``, but only its ten best texts are rescored, which is faster. With
        ``strict`` it is a search with ``prune_history``.
        """
        settings = self._settings(beam_width, beam_prune_logp, token_min_logp, True, hotwords, hotword_weight)
        return self._beams(logits, settings, lm_start_state, RESCORED)[0][0]

    def decode_beams_batch(
        self,
        pool: Any,
        logits_list: Sequence[Any],
        beam_width: int = DEFAULT_BEAM_WIDTH,
        beam_prune_logp: float = DEFAULT_PRUNE_LOGP,
        token_min_logp: float = DEFAULT_MIN_TOKEN_LOGP,
        prune_history: bool = DEFAULT_PRUNE_BEAMS,
        hotwords: Iterable[str] | None = None,
        hotword_weight: float = DEFAULT_HOTWORD_WEIGHT,
    ) -> list[list[OutputBeamMPSafe]]:
        """Return ``decode_beams`` of each item of a list, as tuples without the language model's state.

        Args:
            pool: With ``strict``: a pool of forked processes that was made after the decoder, or None. Without
                ``strict`` it is not used, because the search has its own threads.
            logits_list: (T, C) scores of each item.
            beam_width: See ``decode_beams``.
            beam_prune_logp: See ``decode_beams``.
            token_min_logp: See ``decode_beams``.
            prune_history: See ``decode_beams``.
            hotwords: See ``decode_beams``.
            hotword_weight: See ``decode_beams``.
        """
        settings = self._settings(beam_width, beam_prune_logp, token_min_logp, prune_history, hotwords, hotword_weight)
        return self._batch(pool, logits_list, settings)

    def _batch(
        self, pool: Any, logits_list: Sequence[Any], settings: Settings, n_best: int | None = None
    ) -> list[list[OutputBeamMPSafe]]:
        items = [_checks.scores(each, len(self._alphabet.labels)) for each in logits_list]
        pool = _usable(pool)
        if self.strict:
            decode = partial(self._beams_without_state, settings=settings)
            return list((map if pool is None else pool.map)(decode, items))
        return [
            _without_state(each) for each in self._default_search.decode(items, self._language_model, *settings, n_best)
        ]

    def _beams_without_state(self, scores: Any, settings: Settings) -> list[OutputBeamMPSafe]:
        return _without_state(self._search_strictly(scores, settings, None))

    def decode_batch(
        self,
        pool: Any,
        logits_list: Sequence[Any],
        beam_width: int = DEFAULT_BEAM_WIDTH,
        beam_prune_logp: float = DEFAULT_PRUNE_LOGP,
        token_min_logp: float = DEFAULT_MIN_TOKEN_LOGP,
        hotwords: Iterable[str] | None = None,
        hotword_weight: float = DEFAULT_HOTWORD_WEIGHT,
    ) -> list[str]:
        """Return ``decode`` of each item of a list; ``pool`` as in ``decode_beams_batch``."""
        settings = self._settings(beam_width, beam_prune_logp, token_min_logp, True, hotwords, hotword_weight)
        return [each[0][0] for each in self._batch(pool, logits_list, settings, RESCORED)]

    def get_starting_state(self) -> tuple[list[Beam], ModelScores, dict[str, float]]:
        """Return the beams before the first frame and two dictionaries, for ``partial_decode_beams``.

        Raises:
            InvalidInputError: Without ``strict``.
        """
        _checks.is_strict(self.strict)
        return [EMPTY_START_BEAM], {}, {}

    def partial_decode_beams(
        self,
        logits: Any,
        cached_lm_scores: ModelScores,
        cached_p_lm_scores: dict[str, float],
        beams: Iterable[Beam | LMBeam],
        processed_frames: int,
        beam_width: int = DEFAULT_BEAM_WIDTH,
        beam_prune_logp: float = DEFAULT_PRUNE_LOGP,
        token_min_logp: float = DEFAULT_MIN_TOKEN_LOGP,
        prune_history: bool = DEFAULT_PRUNE_BEAMS,
        hotword_scorer: HotwordScorer | None = None,
        force_next_word: bool = False,
        is_end: bool = False,
    ) -> list[LMBeam]:
        """Decode the next frames of an item, with ``strict``; pyctcdecode's development version has this method.

        Args:
            logits: (T, C) scores of the next frames, as in ``decode_beams``.
            cached_lm_scores: From ``get_starting_state``; scores of texts are added to it.
            cached_p_lm_scores: From ``get_starting_state``; not used.
            beams: From ``get_starting_state``, or what this method returned for the frames before.
            processed_frames: The number of frames before.
            beam_width: See ``decode_beams``.
            beam_prune_logp: See ``decode_beams``.
            token_min_logp: See ``decode_beams``.
            prune_history: See ``decode_beams``.
            hotword_scorer: The hotwords: ``HotwordScorer.build_scorer([…], weight)``.
            force_next_word: Whether the unfinished words are complete after these frames.
            is_end: Whether the texts end after these frames.

        Returns:
            The beams after these frames, best first.

        Raises:
            InvalidInputError: Without ``strict``; else as in ``decode_beams``.
        """
        _checks.is_strict(self.strict)
        scores = _checks.scores(logits, len(self._alphabet.labels))
        pruning, _, _ = self._settings(beam_width, beam_prune_logp, token_min_logp, prune_history, None, 0.0)
        hotwords = hotword_scorer or HotwordScorer.build_scorer()
        search = PartialSearch(self._labels, self._language_model, hotwords, pruning, known=cached_lm_scores)
        return search.run_part(beams, strict_log_probs(scores), processed_frames, force_next_word, is_end)


def _without_state(beams: Iterable[OutputBeam]) -> list[OutputBeamMPSafe]:
    return [beam.get_mp_safe_beam() for beam in beams]


def _usable(pool: Any) -> Any:
    """Return the pool; None, with a warning, if its processes are spawned."""
    if not isinstance(getattr(pool, "_ctx", None), SpawnContext):
        return pool
    logger.warning(
        "A pool of spawned processes has no language model, so it is not used. Falling back to sequential decoding."
    )
    return None


def build_ctcdecoder(
    labels: Sequence[str],
    kenlm_model_path: str | os.PathLike[str] | LanguageModelLike | None = None,
    unigrams: Collection[str] | None = None,
    alpha: float = DEFAULT_ALPHA,
    beta: float = DEFAULT_BETA,
    unk_score_offset: float = DEFAULT_UNK_LOGP_OFFSET,
    lm_score_boundary: bool = DEFAULT_SCORE_LM_BOUNDARY,
    *,
    strict: bool = False,
) -> BeamSearchDecoderCTC:
    """Return a decoder for a model's labels.

    Args:
        labels: One for each class; "" or "<pad>" is the blank, " " or "|" the space. A missing blank is appended.
        kenlm_model_path: An ARPA file, a binary file of KenLM, or ctckit's own model file; or a model of words, an
            object with the methods of ``ctckit.language_models.LanguageModel``.
        unigrams: The known words; None: the words of the ARPA file, if its name ends in ".arpa".
        alpha: Weight of the language model.
        beta: Nats for each word.
        unk_score_offset: log10 added to unknown words.
        lm_score_boundary: Whether texts are sentences.
        strict: Whether to search like the original; see ``BeamSearchDecoderCTC``.

    Raises:
        InvalidInputError: On labels that occur twice.
        DataError: If the model cannot be read.

    Example:
        >>> from ctckit.compat.pyctcdecode import build_ctcdecoder
        >>> import numpy as np
        >>> decoder = build_ctcdecoder(["", " ", "a", "b"], strict=True)
        >>> text, state, frames, logit_score, lm_score = decoder.decode_beams(np.eye(4)[[2, 1, 3]] * 9.0)[0]
        >>> text, frames, round(logit_score, 3) == round(lm_score, 3)
        ('a b', [('a', (0, 1)), ('b', (2, 3))], True)
    """
    alphabet = Alphabet.build_alphabet(labels)
    if kenlm_model_path is None:
        if unigrams is not None:
            logger.warning("Unigrams are not used without a language model.")
        return BeamSearchDecoderCTC(alphabet, strict=strict)
    model: Any = kenlm_model_path
    if isinstance(kenlm_model_path, (str, os.PathLike)):
        model = load_model(kenlm_model_path)
        if unigrams is None and os.fspath(kenlm_model_path).endswith(".arpa"):
            unigrams = load_unigram_set_from_arpa(kenlm_model_path)
    if unigrams is not None:
        verify_alphabet_coverage(alphabet, unigrams)
    language_model = LanguageModel(model, unigrams, alpha, beta, unk_score_offset, lm_score_boundary)
    return BeamSearchDecoderCTC(alphabet, language_model, strict=strict)
