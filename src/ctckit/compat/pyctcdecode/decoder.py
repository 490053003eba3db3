"""``BeamSearchDecoderCTC`` and ``build_ctcdecoder``: the original's calls, served by ctckit's search or by its own."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Iterable, Sequence
from functools import partial
from multiprocessing.context import SpawnContext
from pathlib import Path
from typing import Any, ClassVar

from ctckit.compat.pyctcdecode import _checks, _files
from ctckit.compat.pyctcdecode._default_search import PresentDecoder
from ctckit.compat.pyctcdecode._strict_search import Labels, OutputBeam, Pruning, Search, log_probs_as_the_original
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

OutputBeamMPSafe = tuple[str, list[tuple[str, tuple[int, int]]], float, float]
LOOKED_AT = 10  # entries of the beam, where only the best text is asked for
Settings = tuple[Pruning, list[str], float]  # hotwords and their weight

logger = logging.getLogger(__name__)


class BeamSearchDecoderCTC:
    """Decodes (T, C) scores into texts, with pyctcdecode's calls and results.

    By default the search is ctckit's (``BeamDecoder``), which does the right thing where the original has a defect; the
    migration guide names each difference. ``strict=True`` is the original's search: its texts and scores.

    Args:
        alphabet: The labels.
        language_model: A model of words, or None.
        strict: Whether to search as the original does.

    Example:
        >>> import numpy as np
        >>> decoder = BeamSearchDecoderCTC(Alphabet.build_alphabet(["", " ", "a", "b"]))
        >>> probs = np.array([[0.1, 0.0, 0.8, 0.1], [0.1, 0.7, 0.1, 0.1], [0.1, 0.1, 0.2, 0.6]])
        >>> decoder.decode(np.log(probs + 1e-9))
        'a b'
    """

    # The models of all decoders, as transformers expects them: the decoders themselves can be sent to other processes.
    model_container: ClassVar[dict[bytes, AbstractLanguageModel | None]] = {}

    _ALPHABET_SERIALIZED_FILENAME = "alphabet.json"
    _LANGUAGE_MODEL_SERIALIZED_DIRECTORY = "language_model"

    def __init__(
        self, alphabet: Alphabet, language_model: AbstractLanguageModel | None = None, *, strict: bool = False
    ) -> None:
        self._alphabet = alphabet
        self._labels = Labels(alphabet)
        self._model_key = os.urandom(16)
        self._present = PresentDecoder(alphabet)
        self.strict = strict
        BeamSearchDecoderCTC.model_container[self._model_key] = language_model

    def reset_params(
        self,
        alpha: float | None = None,
        beta: float | None = None,
        unk_score_offset: float | None = None,
        lm_score_boundary: bool | None = None,
    ) -> None:
        """Changes the weights of the language model; what is None stays as it is.

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
        """Lets go of the language models of all decoders."""
        BeamSearchDecoderCTC.model_container.clear()

    def cleanup(self) -> None:
        """Lets go of this decoder's language model."""
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
        """The texts that the search ends with, best first.

        Args:
            logits: (T, C) floating-point scores, a column for each label: logits or log-probabilities (of those that
                are normalised the softmax changes nothing), or probabilities, where every number is within 0..1 and
                every row sums to 1 within 1e-3. ``strict``: probabilities where the mean of the sums is 1 within 1e-9.
            beam_width: Entries kept in each frame.
            beam_prune_logp: Entries this far below the best are dropped; nats, 0 or less.
            token_min_logp: Classes below this log-probability are not tried in a frame, but for the likeliest.
            prune_history: ``strict``: of entries that the language model cannot tell apart any more the best is kept.
                Without ``strict`` nothing is lost by them, and this changes nothing.
            hotwords: Words or phrases to prefer.
            hotword_weight: Nats for each of their words.
            lm_start_state: ``strict``: the language model's state to go on from, as an earlier call gave it.

        Returns:
            Tuples of text, the language model's state after it, its words with their frames [start, end),
            log-probability of the text given the frames, and that with language model and hotwords.

        Raises:
            InvalidInputError: On a wrong shape or type, NaN, or settings that leave no entry.
        """
        settings = self._settings(beam_width, beam_prune_logp, token_min_logp, prune_history, hotwords, hotword_weight)
        return self._beams(logits, settings, lm_start_state)

    def _beams(self, logits: Any, settings: Settings, start_state: Any, n_best: int | None = None) -> list[OutputBeam]:
        scores = _checks.scores(logits, len(self._alphabet.labels))
        if self.strict:
            return self._as_the_original(scores, settings, start_state)
        _checks.no_start_state(start_state)
        return self._present.decode([scores], self._language_model, *settings, n_best)[0]

    def _settings(
        self, width: int, prune: float, least: float, history: bool, hotwords: Iterable[str] | None, weight: float
    ) -> Settings:
        _checks.beam(width, prune)
        return Pruning(width, prune, least, history), _checks.strings(hotwords or (), "hotwords"), weight

    def _as_the_original(self, scores: Any, settings: Settings, start_state: Any) -> list[OutputBeam]:
        pruning, hotwords, weight = settings
        scorer = HotwordScorer.build_scorer(hotwords, weight)
        search = Search(self._labels, self._language_model, scorer, pruning, start_state)
        return search.run(log_probs_as_the_original(scores))

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
        """The best text; the arguments are those of ``decode_beams``.

        It is that of the same search. Only its ten best entries are looked at closely, which takes less time.
        ``strict``: it is that of a search with ``prune_history``.
        """
        settings = self._settings(beam_width, beam_prune_logp, token_min_logp, True, hotwords, hotword_weight)
        return self._beams(logits, settings, lm_start_state, LOOKED_AT)[0][0]

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
        """``decode_beams`` for a list of items; the tuples are without the language model's state.

        Args:
            pool: ``strict``: a pool of forked processes made after the decoder, or None. Without ``strict`` it is not
                used: the search has threads of its own.
            logits_list: (T, C) scores of each item.
            beam_width: As in ``decode_beams``, and so are the rest.
            beam_prune_logp: 〃
            token_min_logp: 〃
            prune_history: 〃
            hotwords: 〃
            hotword_weight: 〃
        """
        settings = self._settings(beam_width, beam_prune_logp, token_min_logp, prune_history, hotwords, hotword_weight)
        return self._batch(pool, logits_list, settings)

    def _batch(
        self, pool: Any, logits_list: Sequence[Any], settings: Settings, n_best: int | None = None
    ) -> list[list[OutputBeamMPSafe]]:
        items = [_checks.scores(each, len(self._alphabet.labels)) for each in logits_list]
        if self.strict:
            return list(_mapping(pool)(partial(self._sendable, settings=settings), items))
        return [_without_state(each) for each in self._present.decode(items, self._language_model, *settings, n_best)]

    def _sendable(self, scores: Any, settings: Settings) -> list[OutputBeamMPSafe]:
        return _without_state(self._as_the_original(scores, settings, None))

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
        """``decode`` for a list of items; ``pool`` as in ``decode_beams_batch``."""
        settings = self._settings(beam_width, beam_prune_logp, token_min_logp, True, hotwords, hotword_weight)
        return [each[0][0] for each in self._batch(pool, logits_list, settings, LOOKED_AT)]

    def save_to_dir(self, filepath: str | os.PathLike[str]) -> None:
        """Writes alphabet.json and, with a language model, the folder language_model: the original's files.

        Raises:
            DataError: If there is such a folder already.
        """
        folder = Path(filepath)
        model = self._language_model
        if model is not None:
            with _files.new_folder(folder / self._LANGUAGE_MODEL_SERIALIZED_DIRECTORY) as unfinished:
                model.save_to_dir(str(unfinished))
        _files.write_text(folder / self._ALPHABET_SERIALIZED_FILENAME, self._alphabet.dumps())

    @staticmethod
    def parse_directory_contents(filepath: str | os.PathLike[str]) -> dict[str, str | None]:
        """The paths of alphabet.json and of the folder language_model, None where there is none.

        Raises:
            DataError: If there is no alphabet.
        """
        alphabet = BeamSearchDecoderCTC._ALPHABET_SERIALIZED_FILENAME
        models = BeamSearchDecoderCTC._LANGUAGE_MODEL_SERIALIZED_DIRECTORY
        names = _checks.folder(filepath, alphabet)
        if alphabet not in names:
            raise _checks.incomplete(filepath, names, f"{alphabet} among them")
        return {
            "alphabet": os.path.join(filepath, alphabet),
            "language_model": os.path.join(filepath, models) if models in names else None,
        }

    @classmethod
    def load_from_dir(
        cls, filepath: str | os.PathLike[str], unigram_encoding: str | None = None, *, strict: bool = False
    ) -> BeamSearchDecoderCTC:
        """Reads a folder that ``save_to_dir`` wrote, here or in the original.

        Raises:
            DataError: If files are missing, or hold something else.
        """
        files = cls.parse_directory_contents(filepath)
        alphabet = Alphabet.loads(Path(str(files["alphabet"])).read_text(encoding="utf-8"))
        folder = files["language_model"]
        model = None if folder is None else LanguageModel.load_from_dir(folder, unigram_encoding)
        return cls(alphabet, model, strict=strict)

    @classmethod
    def load_from_hf_hub(
        cls, model_id: str, cache_dir: str | None = None, *, strict: bool = False, **kwargs: Any
    ) -> BeamSearchDecoderCTC:
        """Reads a decoder that is kept on the hub, by the package huggingface_hub; ``kwargs`` are its own.

        Raises:
            MissingDependencyError: If that is not installed.
        """
        hub = _checks.huggingface_hub()
        cache = cache_dir or os.path.join(Path.home(), ".cache", "pyctcdecode")
        return cls.load_from_dir(hub.snapshot_download(model_id, cache_dir=cache, **kwargs), strict=strict)


def _without_state(beams: Iterable[OutputBeam]) -> list[OutputBeamMPSafe]:
    return [(text, words, logit_score, lm_score) for text, _, words, logit_score, lm_score in beams]


def _mapping(pool: Any) -> Any:
    """The pool's map, or the plain one."""
    if pool is not None and isinstance(pool._ctx, SpawnContext):
        logger.warning("A pool of spawned processes has no language model: items are decoded one after another.")
        pool = None
    return map if pool is None else pool.map


def build_ctcdecoder(
    labels: Sequence[str],
    kenlm_model_path: str | os.PathLike[str] | None = None,
    unigrams: Collection[str] | None = None,
    alpha: float = DEFAULT_ALPHA,
    beta: float = DEFAULT_BETA,
    unk_score_offset: float = DEFAULT_UNK_LOGP_OFFSET,
    lm_score_boundary: bool = DEFAULT_SCORE_LM_BOUNDARY,
    *,
    strict: bool = False,
) -> BeamSearchDecoderCTC:
    """A decoder for a model's labels.

    Args:
        labels: One for each class; "" or "<pad>" is the blank, " " or "|" the space. Without a blank one is appended.
        kenlm_model_path: An ARPA file, or ctckit's own model file. KenLM's binary files need the kenlm package.
        unigrams: The known words; None: those of the ARPA file, if its name ends in ".arpa".
        alpha: Weight of the language model.
        beta: Nats for each word.
        unk_score_offset: log10 added to unknown words.
        lm_score_boundary: Whether texts are sentences.
        strict: Whether to search as the original does; see ``BeamSearchDecoderCTC``.

    Raises:
        InvalidInputError: On labels that occur twice.
        DataError: If the model cannot be read.

    Example:
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
    model = load_model(kenlm_model_path)
    if unigrams is None and os.fspath(kenlm_model_path).endswith(".arpa"):
        unigrams = load_unigram_set_from_arpa(kenlm_model_path)
    if unigrams is not None:
        verify_alphabet_coverage(alphabet, unigrams)
    language_model = LanguageModel(model, unigrams, alpha, beta, unk_score_offset, lm_score_boundary)
    return BeamSearchDecoderCTC(alphabet, language_model, strict=strict)
