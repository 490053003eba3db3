"""flashlight-text, which is also torchaudio's ``ctc_decoder``; and TensorFlow's ``ctc_beam_search_decoder``."""

from __future__ import annotations

import math
import os
from itertools import groupby
from typing import Any, ClassVar

import numpy as np

from benchmarks.common.posteriors import NO_SPACE, DataSet
from benchmarks.decoding.peers.base import Decoder, Task
from benchmarks.loss.workloads import Array

# torchaudio's defaults, but for the beam width; it gives all tokens a chance (None → C).
DEFAULTS = {"beam_size_token": None, "beam_threshold": 50.0, "log_add": False}
UNREADABLE = "<no entry of the model>"


class Flashlight(Decoder):
    """flashlight: without a lexicon, or with the words of a word model.

    A model's scores are base-10 logarithms here, so that weights are 2.3 times those of others. Words are spelled with
    the separator behind them, as flashlight's own lexicons are; an item gets one more frame in which the separator
    is certain, so that the last word can end. ``glue`` adds the spellings without it, and single digits and
    punctuation marks as words: words may then touch, so that most of what is not in the lexicon can be pieced together.
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
        """KenLM's file, seen through a dictionary: the classes, or the words of the file."""
        names = tokens_in_model(data) if unit == "char" else words_of_arpa(path)
        entries = self.dictionary.Dictionary()
        for name in names:
            entries.add_entry(name)
        entries.set_default_index(entries.get_index("<unk>") if unit == "word" else data.blank)
        self.models[path] = self.module.KenLM(path, entries), entries

    def model(self, data: DataSet, task: Task) -> tuple[Any, Any]:
        """It and its dictionary."""
        if not task.model:
            return self.module.ZeroLM(), None
        if task.model not in self.models:
            self.load_model(task.model, task.unit, data)
        model, entries = self.models[task.model]
        return model, entries

    def build(self, data: DataSet, task: Task) -> None:
        """One of its two decoders."""
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
        words = task.words() if task.lexicon else words_of_arpa(task.model)
        trie = self.trie(data, task, words, model, entries, glue)
        unknown = entries.get_index("<unk>") if entries else -1
        options = self.module.LexiconDecoderOptions(**shared, word_score=chosen["word_score"], unk_score=-math.inf)
        self.decoder = self.module.LexiconDecoder(options, trie, model, self.space, data.blank, unknown, [], False)

    def trie(self, data: DataSet, task: Task, words: list[str], model: Any, entries: Any, glue: bool) -> Any:
        """The words' spellings, each with its score at the beginning of a text, smeared towards the root."""
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
        """With words: one more frame."""
        if not self.of_words:
            return np.ascontiguousarray(log_probs)
        end = np.full((1, log_probs.shape[1]), -30.0, dtype=np.float32)
        end[0, self.space] = 0
        return np.concatenate((log_probs, end))

    def decode(self, item: Array) -> Any:
        """Its list of results."""
        return self.decoder.decode(item.ctypes.data, *item.shape)

    def tokens(self, result: Any) -> list[int]:
        """The best's frames, collapsed; a separator is put at both ends by the decoder."""
        if not result:
            return []
        frames = result[0].tokens[1:-1]
        found = [token for token, _ in groupby(frames) if token not in (self.data.blank, -1)]
        if self.of_words and found and found[-1] == self.space:
            found.pop()
        return found


def tokens_in_model(data: DataSet) -> list[str]:
    """How a character model names the classes: the space is "|", so that a bar itself is unknown."""
    names = [UNREADABLE + token if token == "|" else token for token in data.tokens]
    names[data.blank] = UNREADABLE
    if data.space != NO_SPACE:
        names[data.space] = "|"
    return names


def words_of_arpa(path: str) -> list[str]:
    """The unigrams of an ARPA file, sentence marks left out."""
    words = []
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.startswith("\\2-grams"):
                break
            fields = line.rstrip("\n").split("\t")
            if len(fields) > 1 and fields[1] not in ("<s>", "</s>"):
                words.append(fields[1])
    return words


class TensorFlow(Decoder):
    """TensorFlow: logits time first, the blank last; one item a call, in a ``tf.function``."""

    packages = ("tensorflow-cpu", "numpy")

    def __init__(self, threads: int, instruction_set: str = "", **options: Any) -> None:
        super().__init__(threads, instruction_set, **options)
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
        import tensorflow

        self.tf = tensorflow
        self.tf.config.threading.set_intra_op_parallelism_threads(threads)
        self.tf.config.threading.set_inter_op_parallelism_threads(1)

    def build(self, data: DataSet, task: Task) -> None:
        """Traced once for any number of frames."""
        self.order = [*(i for i in range(data.classes) if i != data.blank), data.blank]

        def search(logits: Any, lengths: Any) -> Any:
            paths, _ = self.tf.nn.ctc_beam_search_decoder(logits, lengths, beam_width=task.beam, top_paths=1)
            return paths[0].values

        shapes = (self.tf.TensorSpec((None, 1, data.classes)), self.tf.TensorSpec((1,), "int32"))
        self.search = self.tf.function(search, input_signature=shapes)

    def convert(self, log_probs: Array) -> Any:
        """A tensor, and its length."""
        logits = np.ascontiguousarray(log_probs[:, None, self.order])
        return self.tf.constant(logits), self.tf.constant([len(logits)], "int32")

    def decode(self, item: Any) -> Array:
        """Calls are synchronous; ``numpy`` makes sure."""
        return np.asarray(self.search(*item).numpy())

    def tokens(self, result: Array) -> list[int]:
        """In the order of the data."""
        return [self.order[i] for i in result]
