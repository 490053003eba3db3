"""Scores of words as in pyctcdecode: an n-gram model, a list of known words, and hotwords."""

from __future__ import annotations

import abc
import json
import logging
import os
import re
import shutil
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ctckit.compat import kenlm
from ctckit.compat.pyctcdecode import _checks, _files
from ctckit.compat.pyctcdecode._own_model import with_kenlm_methods
from ctckit.compat.pyctcdecode.constants import (
    AVG_TOKEN_LEN,
    DEFAULT_ALPHA,
    DEFAULT_BETA,
    DEFAULT_HOTWORD_WEIGHT,
    DEFAULT_SCORE_LM_BOUNDARY,
    DEFAULT_UNK_LOGP_OFFSET,
    LOG_BASE_CHANGE_FACTOR,
)
from ctckit.language_models.files import is_kenlm_file

MIN_KNOWN = 0.1  # share of the unigrams that the model knows; below it, the languages probably differ
NEVER = r"(?!)"  # a pattern without matches
COLUMNS_WITH_BACKOFF = 3  # of a unigram in an ARPA file

logger = logging.getLogger(__name__)


def load_unigram_set_from_arpa(arpa_path: str | os.PathLike[str]) -> set[str]:
    """Return the unigrams of an ARPA file that have a back-off weight, as the original reads them.

    Raises:
        DataError: If there are none.
    """
    found: set[str] = set()
    inside = False
    with open(arpa_path, encoding="utf-8") as file:
        for line in map(str.strip, file):
            if line == "\\2-grams:":
                break
            columns = line.split("\t")
            if inside and len(columns) == COLUMNS_WITH_BACKOFF:
                found.add(columns[1])
            inside = inside or line == "\\1-grams:"
    if not found:
        raise _checks.no_unigrams(arpa_path)
    return found


class CharTrie:
    """The beginnings of words, with the methods of ``pygtrie.CharTrie`` that ``HotwordScorer`` calls.

    Args:
        words: The words.

    Example:
        >>> trie = CharTrie(["cream", "crab"])
        >>> trie.has_node("cre"), trie.has_node("ice"), list(trie.iterkeys("cr", shallow=True))
        (True, False, ['crab'])
    """

    def __init__(self, words: Iterable[str] = ()) -> None:
        self._shortest: dict[str, str] = {}  # for each beginning of a word, the shortest such word
        for word in sorted(words, key=len, reverse=True):
            self._shortest.update((word[:end], word) for end in range(len(word) + 1))

    def has_node(self, key: str) -> bool:
        """Tell whether a word begins with ``key``."""
        return key in self._shortest

    def iterkeys(self, prefix: str, shallow: bool = True) -> Iterator[str]:
        """Yield the shortest word that begins with ``prefix``."""
        yield self._shortest[prefix]


class HotwordScorer:
    """Scores hotwords in a text, and the beginnings of hotwords. ``build_scorer`` makes one from a list of words.

    Args:
        match_ptn: A pattern; each of its matches in a text is a hotword.
        char_trie: The hotwords by their beginnings: a ``CharTrie`` of this module or of the package pygtrie.
        weight: Nats for each hotword in a text.

    Example:
        >>> import re
        >>> from ctckit.compat.pyctcdecode import HotwordScorer
        >>> from ctckit.compat.pyctcdecode.language_model import CharTrie
        >>> scorer = HotwordScorer.build_scorer(["ice cream"], weight=10.0)
        >>> scorer.score("more ice and ice cream"), scorer.score_partial_token("cr"), scorer.score_partial_token("cow")
        (30.0, 4.0, 0.0)
        >>> HotwordScorer(re.compile("ice"), CharTrie(["ice"]), weight=2.0).score("ice ices")
        4.0
    """

    def __init__(self, match_ptn: re.Pattern[str], char_trie: Any, weight: float = DEFAULT_HOTWORD_WEIGHT) -> None:
        self._match_ptn = match_ptn
        self._char_trie = char_trie
        self.weight = weight

    def __contains__(self, item: str) -> bool:
        """Tell whether a hotword begins with ``item``."""
        return bool(self._char_trie.has_node(item))

    def score(self, text: str) -> float:
        """Return the weight times the number of hotwords in a text."""
        return self.weight * len(self._match_ptn.findall(text))

    def score_partial_token(self, token: str) -> float:
        """Return the weight in proportion to the letters read of the shortest hotword with this beginning; else 0."""
        if token not in self:
            return 0.0
        return self.weight * len(token) / len(next(iter(self._char_trie.iterkeys(token, shallow=True))))

    @classmethod
    def build_scorer(
        cls, hotwords: Iterable[str] | None = None, weight: float = DEFAULT_HOTWORD_WEIGHT
    ) -> HotwordScorer:
        """Return a scorer for a list of words or phrases; without hotwords, it scores 0.

        Phrases are split: each of their words is a hotword by itself.
        """
        words = [word for phrase in _checks.strings(hotwords or (), "hotwords") for word in phrase.split()]
        longest_first = sorted(map(re.escape, words), key=len, reverse=True)
        pattern = rf"(?<!\S)(?:{'|'.join(longest_first)})(?!\S)" if words else NEVER
        return cls(re.compile(pattern), CharTrie(words), weight)


class AbstractLanguageModel(abc.ABC):
    """The interface of a language model of words in pyctcdecode. Scores are nats; states may be of any type.

    Example:
        >>> from ctckit.compat.pyctcdecode import AbstractLanguageModel
        >>> class Unigram(AbstractLanguageModel):
        ...     order = 1
        ...     def get_start_state(self):
        ...         return None
        ...     def score_partial_token(self, partial_token):
        ...         return 0.0
        ...     def score(self, prev_state, word, is_last_word=False):
        ...         return -float(len(word)), None
        >>> Unigram().score(None, "cat")
        (-3.0, None)
    """

    @property
    @abc.abstractmethod
    def order(self) -> int:
        """One plus the number of words that the next word depends on."""

    @abc.abstractmethod
    def get_start_state(self) -> Any:
        """Return the state before the first word."""

    @abc.abstractmethod
    def score_partial_token(self, partial_token: str) -> float:
        """Return the score of the beginning of a word, which counts until the word is complete."""

    @abc.abstractmethod
    def score(self, prev_state: Any, word: str, is_last_word: bool = False) -> tuple[float, Any]:
        """Return the score of a word after ``prev_state``, and the state after the word."""

    def save_to_dir(self, filepath: str) -> None:
        """Write the model into a folder."""
        raise NotImplementedError(f"{type(self).__name__} has no save_to_dir")

    @classmethod
    def load_from_dir(cls, filepath: str) -> AbstractLanguageModel:
        """Read a model from a folder."""
        raise NotImplementedError(f"{cls.__name__} has no load_from_dir")

    def reset_params(self, **params: Any) -> None:  # noqa: B027, a model may have none
        """Change parameters in place."""


class LanguageModel(AbstractLanguageModel):
    """An n-gram model of words with pyctcdecode's weights.

    A word w after a context scores alpha · (ln p(w | context) + [w is unknown] · unk_score_offset · ln 10) + beta nats.

    Args:
        kenlm_model: An ``NGramModel``, a ``ctckit.compat.kenlm.Model``, a ``Model`` of the kenlm package, or a model of
            words of your own, an object with the methods of ``ctckit.language_models.LanguageModel``.
        unigrams: The known words, without those that the model does not know. None: all words that the model knows.
        alpha: Weight of the model.
        beta: Nats for each word.
        unk_score_offset: log10 added to unknown words.
        score_boundary: Whether a text is a sentence, which begins after <s> and ends with </s>.

    Example:
        >>> from ctckit.compat.pyctcdecode import LanguageModel
        >>> from ctckit import NGramModel
        >>> model = LanguageModel(NGramModel.train(["a rose is a rose"], order=2), ["a", "rose", "is"])
        >>> score, state = model.score(model.get_start_state(), "a")
        >>> score > model.score(state, "tulip")[0]
        True
    """

    JSON_ATTRS = ("alpha", "beta", "unk_score_offset", "score_boundary")
    _ATTRS_SERIALIZED_FILENAME = "attrs.json"
    _UNIGRAMS_SERIALIZED_FILENAME = "unigrams.txt"

    def __init__(
        self,
        kenlm_model: Any,
        unigrams: Collection[str] | None = None,
        alpha: float = DEFAULT_ALPHA,
        beta: float = DEFAULT_BETA,
        unk_score_offset: float = DEFAULT_UNK_LOGP_OFFSET,
        score_boundary: bool = DEFAULT_SCORE_LM_BOUNDARY,
    ) -> None:
        self._kenlm_model = with_kenlm_methods(kenlm_model)
        self._new_state = _checks.state_maker(self._kenlm_model)
        self._unigram_set = set() if unigrams is None else _known(unigrams, self._kenlm_model)
        self._sorted_unigrams = None if unigrams is None else sorted(self._unigram_set)
        self.alpha = alpha
        self.beta = beta
        self.unk_score_offset = unk_score_offset
        self.score_boundary = score_boundary

    def reset_params(self, **params: Any) -> None:
        """Change alpha, beta, unk_score_offset or score_boundary; None leaves a value as it is.

        Raises:
            InvalidInputError: If one is not a float, or score_boundary not a bool.
        """
        for name in self.JSON_ATTRS:
            value = params.get(name)
            if value is not None:
                kind = bool if name == "score_boundary" else float
                setattr(self, name, _checks.parameter(value, name, kind))

    @property
    def order(self) -> int:
        """The longest n-gram."""
        return int(self._kenlm_model.order)

    @property
    def kenlm_model(self) -> Any:
        """The model of words, with KenLM's methods."""
        return self._kenlm_model

    @property
    def unigrams(self) -> list[str] | None:
        """The known words, sorted; None without a list."""
        return None if self._sorted_unigrams is None else list(self._sorted_unigrams)

    def get_start_state(self) -> Any:
        """Return the state after <s>; with ``score_boundary=False``, the state without a context."""
        state = self._new_state()
        if self.score_boundary:
            self._kenlm_model.BeginSentenceWrite(state)
        else:
            self._kenlm_model.NullContextWrite(state)
        return state

    def score_partial_token(self, partial_token: str) -> float:
        """Return 0 if a known word begins so; else unk_score_offset nats, in proportion beyond six letters.

        Without a list of words, every beginning counts as unknown.
        """
        if self._begins_known(partial_token):
            return 0.0
        return self.unk_score_offset * max(AVG_TOKEN_LEN, len(partial_token)) / AVG_TOKEN_LEN

    def _begins_known(self, beginning: str) -> bool:
        words = self._sorted_unigrams
        if words is None:
            return False
        position = bisect_left(words, beginning)
        return position < len(words) and words[position].startswith(beginning)

    def score(self, prev_state: Any, word: str, is_last_word: bool = False) -> tuple[float, Any]:
        """Return the score of a word in nats, and the state after it, which never includes </s>."""
        state = self._new_state()
        log10 = self._kenlm_model.BaseScore(prev_state, word, state)
        if (self._unigram_set and word not in self._unigram_set) or word not in self._kenlm_model:
            log10 += self.unk_score_offset
        if is_last_word and self.score_boundary:
            log10 += self._kenlm_model.BaseScore(state, "</s>", self._new_state())
        return self.alpha * log10 * LOG_BASE_CHANGE_FACTOR + self.beta, state

    @property
    def serializable_attrs(self) -> dict[str, Any]:
        """The weights."""
        return {name: getattr(self, name) for name in self.JSON_ATTRS}

    def save_to_dir(self, filepath: str | os.PathLike[str], unigram_encoding: str | None = None) -> None:
        """Write attrs.json, unigrams.txt and the model's ARPA or KenLM file into an empty folder."""
        _checks.has_file(self._kenlm_model)
        folder = Path(filepath)
        unigrams = "".join(f"{word}\n" for word in self._sorted_unigrams or ())
        _files.write_text(folder / self._ATTRS_SERIALIZED_FILENAME, json.dumps(self.serializable_attrs))
        _files.write_text(folder / self._UNIGRAMS_SERIALIZED_FILENAME, unigrams, unigram_encoding)
        _save_model(self._kenlm_model, folder)

    @classmethod
    def parse_directory_contents(cls, filepath: str | os.PathLike[str]) -> dict[str, str]:
        """Return the paths of the three files of a folder.

        Raises:
            DataError: If the folder has other files.
        """
        json_attrs, unigrams = cls._ATTRS_SERIALIZED_FILENAME, cls._UNIGRAMS_SERIALIZED_FILENAME
        expected = f"{json_attrs}, {unigrams} and a model that ends in {' or '.join(_checks.MODEL_SUFFIXES)}"
        names = _checks.folder(filepath, expected)
        models = [name for name in names if name not in (json_attrs, unigrams)]
        if len(names) != len(models) + 2 or len(models) != 1 or not models[0].endswith(_checks.MODEL_SUFFIXES):
            raise _checks.incomplete(filepath, names, expected)
        files = {"json_attrs": json_attrs, "unigrams": unigrams, "kenlm": models[0]}
        return {what: os.path.join(filepath, name) for what, name in files.items()}

    @classmethod
    def load_from_dir(cls, filepath: str | os.PathLike[str], unigram_encoding: str | None = None) -> LanguageModel:
        """Read what ``save_to_dir`` wrote, in ctckit or in the original.

        Raises:
            DataError: If files are missing, or have other content.
        """
        files = cls.parse_directory_contents(filepath)
        attrs = Path(files["json_attrs"])
        weights = _checks.json_object(attrs.read_text(encoding="utf-8"), str(attrs), cls.JSON_ATTRS)
        unigrams = Path(files["unigrams"]).read_text(encoding=unigram_encoding or "utf-8").splitlines()
        return cls(load_model(files["kenlm"]), unigrams, **weights)


def _known(unigrams: Collection[str], model: Any) -> set[str]:
    words = set(_checks.strings(unigrams, "unigrams"))
    known = {word for word in words if word in model}
    if len(known) < MIN_KNOWN * len(words):
        logger.warning("The model knows only %d of %d unigrams. Are they of another language?", len(known), len(words))
    return known


def load_model(path: str | os.PathLike[str]) -> kenlm.Model:
    """Return a model of words with KenLM's methods, from an ARPA file, a binary file of KenLM, or a file of ctckit."""
    return kenlm.Model(path)


def _save_model(model: Any, folder: Path) -> None:
    """Copy the model's file under a name that the original reads. A file that it cannot read is written as ARPA."""
    path = model.ngrams.source if isinstance(model, kenlm.Model) and model.path is None else model.path
    source = Path("model") if path is None else Path(os.fsdecode(path))
    stem = source.name.partition(".")[0]
    is_binary = path is not None and is_kenlm_file(source)
    name = source.name
    if not name.endswith(_checks.ORIGINAL_SUFFIXES):
        if isinstance(model, kenlm.Model) and not is_binary:
            model.ngrams.save(folder / f"{stem}.arpa")
            return
        name = f"{stem}.bin" if is_binary else f"{stem}.arpa"
    with _files.replacing(folder / name) as unfinished:
        shutil.copyfile(source, unfinished)


class MultiLanguageModel(AbstractLanguageModel):
    """Several models together: the mean of their scores.

    Args:
        language_models: Two or more.

    Example:
        >>> from ctckit.compat.pyctcdecode import AbstractLanguageModel, MultiLanguageModel
        >>> class Unigram(AbstractLanguageModel):
        ...     order = 1
        ...     def get_start_state(self):
        ...         return None
        ...     def score_partial_token(self, partial_token):
        ...         return 0.0
        ...     def score(self, prev_state, word, is_last_word=False):
        ...         return -float(len(word)), None
        >>> MultiLanguageModel([Unigram(), Unigram()]).score([None, None], "cat")
        (-3.0, [None, None])
    """

    def __init__(self, language_models: Sequence[LanguageModel]) -> None:
        self._language_models = _checks.several(language_models)

    @property
    def order(self) -> int:
        """The longest n-gram of all models."""
        return max(int(model.order) for model in self._language_models)

    def get_start_state(self) -> list[Any]:
        """Return the start state of each model."""
        return [model.get_start_state() for model in self._language_models]

    def score_partial_token(self, partial_token: str) -> float:
        """Return the mean of the models' scores."""
        each = [float(model.score_partial_token(partial_token)) for model in self._language_models]
        return sum(each) / len(each)

    def score(self, prev_state: Sequence[Any], word: str, is_last_word: bool = False) -> tuple[float, list[Any]]:
        """Return the mean of the models' scores, and the state of each model."""
        both = [
            model.score(state, word, is_last_word)
            for state, model in zip(prev_state, self._language_models, strict=True)
        ]
        return sum(score for score, _ in both) / len(both), [state for _, state in both]
