"""flashlight-text, which torchaudio's ``ctc_decoder`` wraps."""

from __future__ import annotations

import math
from itertools import groupby
from typing import Any, ClassVar

import numpy as np

from benchmarks.common.arrays import Array
from benchmarks.common.posteriors import NO_SPACE, DataSet
from benchmarks.decoding.peers.base import Decoder, Task, arpa_of

# torchaudio's defaults except the beam width; all tokens are tried (None → C).
DEFAULTS = {"beam_size_token": None, "beam_threshold": 50.0, "log_add": False}
UNREADABLE = "<no entry of the model>"


class Flashlight(Decoder):
    """flashlight: without a lexicon, or with the words of a word model.

    Scores of language models are base-10 logarithms here, so weights are 2.3 times those of other libraries. Each word
    is spelled with the separator at its end, as in flashlight's own lexicons. An item gets one more frame in which the
    separator has probability 1, so that the last word can end. ``glue`` adds spellings without the separator, and
    single digits and punctuation marks as words. Words may then follow each other without a space, so that most unknown
    words can be composed.
    """

    packages = ("flashlight-text", "kenlm", "numpy")
    grids: ClassVar[dict[str, dict[str, tuple[float, ...]]]] = {
        "word": {
            "lm_weight": (0.1, 0.25, 0.5, 1.0),
            "word_score": (-2.0, -1.0, 0.0, 1.0),
            "glue": (0.0, 1.0),
        },
        "char": {
            "lm_weight": (0.25, 0.5, 0.75, 1.0, 1.5),
            "sil_score": (-1.0, 0.0, 1.0, 2.0),
        },
    }

    def __init__(self, threads: int, instruction_set: str = "", **options: Any) -> None:
        super().__init__(threads, instruction_set, **(DEFAULTS | options))
        from flashlight.lib.text import decoder, dictionary

        self.module, self.dictionary = decoder, dictionary
        self.models: dict[str, Any] = {}
        self.tries: dict[tuple[str, str, bool], Any] = {}

    def load_model(self, path: str, unit: str, data: DataSet) -> None:
        """Load a file by KenLM, with a dictionary: the classes, or the words of the file."""
        names = tokens_in_model(data) if unit == "char" else words_of_arpa(arpa_of(path))
        entries = self.dictionary.Dictionary()
        for name in names:
            entries.add_entry(name)
        entries.set_default_index(entries.get_index("<unk>") if unit == "word" else data.blank)
        self.models[path] = self.module.KenLM(path, entries), entries

    def model(self, data: DataSet, task: Task) -> tuple[Any, Any]:
        """Return the model and its dictionary."""
        if not task.model:
            return self.module.ZeroLM(), None
        if task.model not in self.models:
            self.load_model(task.model, task.unit, data)
        model, entries = self.models[task.model]
        return model, entries

    def build(self, data: DataSet, task: Task) -> None:
        """Build one of the two decoders of flashlight."""
        self.data = data
        self.space = data.space if data.space != NO_SPACE else data.blank
        model, entries = self.model(data, task)
        chosen = {"lm_weight": 0.0, "word_score": 0.0, "sil_score": 0.0, **task.parameters}
        glue = bool(chosen.pop("glue", 0.0))
        shared = {
            "beam_size": task.beam,
            "beam_size_token": min(self.options["beam_size_token"] or data.classes, data.classes),
            "beam_threshold": self.options["beam_threshold"],
            "log_add": self.options["log_add"],
            "criterion_type": self.module.CriterionType.CTC,
            "lm_weight": chosen["lm_weight"],
            "sil_score": chosen["sil_score"],
        }
        self.of_words = bool(task.lexicon) or task.unit == "word"
        if not self.of_words:
            options = self.module.LexiconFreeDecoderOptions(**shared)
            self.decoder = self.module.LexiconFreeDecoder(options, model, self.space, data.blank, [])
            return
        words = task.words() if task.lexicon else words_of_arpa(arpa_of(task.model))
        trie = self.trie(data, task, words, model, entries, glue)
        unknown = entries.get_index("<unk>") if entries else -1
        options = self.module.LexiconDecoderOptions(**shared, word_score=chosen["word_score"], unk_score=-math.inf)
        self.decoder = self.module.LexiconDecoder(options, trie, model, self.space, data.blank, unknown, [], False)

    def trie(self, data: DataSet, task: Task, words: list[str], model: Any, entries: Any, glue: bool) -> Any:
        """Return a trie of the spellings, each with the score of its word at the beginning of a text."""
        key = (task.model, task.lexicon, glue)
        if key in self.tries:
            return self.tries[key]
        index = {token: i for i, token in enumerate(data.tokens) if i not in (data.blank, data.space)}
        single = [token for token in index if not token.isalpha()] if glue else []
        trie = self.module.Trie(data.classes, self.space)
        start = model.start(False)
        for i, word in enumerate([*words, *single]):
            if word in ("", "<unk>") or not all(character in index for character in word):
                continue
            number = entries.get_index(word) if entries else i
            score = model.score(start, number)[1]
            spelling = [index[character] for character in word]
            trie.insert([*spelling, data.space], number, score)
            if glue:
                trie.insert(spelling, number, score)
        trie.smear(self.module.SmearingMode.MAX)
        self.tries[key] = trie
        return trie

    def convert(self, log_probs: Array) -> Array:
        """Return the item; with words it gets one more frame."""
        if not self.of_words:
            return np.ascontiguousarray(log_probs)
        end = np.full((1, log_probs.shape[1]), -30.0, dtype=np.float32)
        end[0, self.space] = 0
        return np.concatenate((log_probs, end))

    def decode(self, item: Array) -> Any:
        """Return the list of results."""
        return self.decoder.decode(item.ctypes.data, *item.shape)

    def tokens(self, result: Any) -> list[int]:
        """Collapse the frames of the best result; the decoder adds a separator at both ends."""
        if not result:
            return []
        frames = result[0].tokens[1:-1]
        found = [token for token, _ in groupby(frames) if token not in (self.data.blank, -1)]
        if self.of_words and found and found[-1] == self.space:
            found.pop()
        return found


def tokens_in_model(data: DataSet) -> list[str]:
    """Return the names of the classes in a character model. The space is "|", so the character "|" is unknown."""
    names = [UNREADABLE + token if token == "|" else token for token in data.tokens]
    names[data.blank] = UNREADABLE
    if data.space != NO_SPACE:
        names[data.space] = "|"
    return names


def words_of_arpa(path: str) -> list[str]:
    """Return the unigrams of an ARPA file without sentence marks."""
    words = []
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.startswith("\\2-grams"):
                break
            fields = line.rstrip("\n").split("\t")
            if len(fields) > 1 and fields[1] not in ("<s>", "</s>"):
                words.append(fields[1])
    return words
