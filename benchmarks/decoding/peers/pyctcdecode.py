"""pyctcdecode and its descendant, and fast-ctc-decode: libraries that give texts."""

from __future__ import annotations

import logging
import resource
import warnings
from typing import Any, ClassVar

import numpy as np

from benchmarks.common.posteriors import NO_SPACE, DataSet
from benchmarks.decoding.peers.base import Decoder, Task
from benchmarks.loss.workloads import Array

STAND_IN = "␣"
MOST_MEMORY = 6 << 30  # bytes of addresses; fast-ctc-decode asks for nodes × classes


class OfTexts(Decoder):
    """Each class is one character; a text is read back by them."""

    def spell(self, data: DataSet, spaces: bool = True) -> list[str]:
        """The characters, and how to read them back."""
        characters = data.characters()
        if not spaces and data.space != NO_SPACE:
            characters[data.space] = STAND_IN
        self.classes = {character: i for i, character in enumerate(characters) if i != data.blank}
        return characters

    def tokens(self, result: str) -> list[int]:
        """By character."""
        return [self.classes[character] for character in result]


class PyCTCDecode(OfTexts):
    """pyctcdecode: ``decode`` of log-probabilities, which it normalises again.

    The language model is KenLM's, from the ARPA file; the words are the model's, as it reads them by itself. Where
    nothing is known of words, the space is handed over as an ordinary character: as a space, it would be dropped at the
    ends and merged with its neighbours, and the text would no longer be the one that was searched for.
    """

    packages = ("pyctcdecode", "kenlm", "numpy")
    grids: ClassVar[dict[str, dict[str, tuple[float, ...]]]] = {
        "word": {
            "alpha": (0.05, 0.1, 0.2, 0.3, 0.5),
            "beta": (0.0, 1.5, 3.0, 4.5),
            "unk_score_offset": (-10.0, -5.0, -3.0, -1.5),
        }
    }

    def __init__(self, threads: int, instruction_set: str = "", **options: Any) -> None:
        super().__init__(threads, instruction_set, **options)
        logging.disable(logging.WARNING)  # that ARPA files load slowly, that no space is in the alphabet
        warnings.simplefilter("ignore")
        self.module = self.import_module()
        self.models: dict[str, Any] = {}

    def import_module(self) -> Any:
        """Which of the two."""
        import pyctcdecode

        return pyctcdecode

    def load_model(self, path: str, unit: str, data: DataSet) -> None:
        """A decoder with the model: it has no other way to read one."""
        del unit
        self.models[path] = self.module.build_ctcdecoder(self.spell(data), kenlm_model_path=path)

    def build(self, data: DataSet, task: Task) -> None:
        """Weights are changed in place."""
        labels = self.spell(data, spaces=bool(task.model or task.hotwords))
        if not task.model:
            self.decoder = self.module.build_ctcdecoder(labels)
        else:
            if task.model not in self.models:
                self.load_model(task.model, task.unit, data)
            self.decoder = self.models[task.model]
            self.decoder.reset_params(**task.parameters)
        self.arguments = {"beam_width": task.beam, **self.options}
        if task.hotwords:
            self.arguments["hotwords"] = list(task.hotwords)

    def convert(self, log_probs: Array) -> Array:
        """As they are."""
        return log_probs

    def decode(self, item: Array) -> str:
        """The best text."""
        return str(self.decoder.decode(item, **self.arguments))


class CTCBeamDecoder(PyCTCDecode):
    """ctc-beam-decoder: pyctcdecode's search in C++, under the same names."""

    packages = ("ctc-beam-decoder", "numpy")

    def import_module(self) -> Any:
        """This one."""
        import ctc_beam_decoder

        return ctc_beam_decoder

    def build(self, data: DataSet, task: Task) -> None:
        """Weights belong to its constructor; the words are read from the ARPA file once."""
        labels = self.spell(data, spaces=bool(task.model or task.hotwords))
        arguments: dict[str, Any] = {}
        if task.model:
            if task.model not in self.models:
                self.models[task.model] = self.module._unigrams_from_arpa(task.model)
            arguments = {"kenlm_model_path": task.model, "unigrams": self.models[task.model], **task.parameters}
        self.decoder = self.module.build_ctcdecoder(labels, **arguments)
        self.arguments = {"beam_width": task.beam, **self.options}
        if task.hotwords:
            self.arguments["hotwords"] = list(task.hotwords)


class FastCTCDecode(OfTexts):
    """fast-ctc-decode: probabilities, the blank first; ``cut``: tokens below this probability are not looked at."""

    packages = ("fast-ctc-decode", "numpy")

    def __init__(self, threads: int, instruction_set: str = "", **options: Any) -> None:
        super().__init__(threads, instruction_set, **options)
        import fast_ctc_decode

        self.module = fast_ctc_decode
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))

    def build(self, data: DataSet, task: Task) -> None:
        """The cut has to be below 1 / C."""
        self.order = [data.blank, *(i for i in range(data.classes) if i != data.blank)]
        characters = self.spell(data)
        characters[data.blank] = chr(0x10FFFD)
        self.alphabet = [characters[i] for i in self.order]
        self.beam, self.cut = task.beam, min(self.options["cut"], 0.99 / data.classes)

    def convert(self, log_probs: Array) -> Array:
        """The blank in front."""
        return np.ascontiguousarray(np.exp(log_probs)[:, self.order])

    def decode(self, item: Array) -> str:
        """The text; it also gives a frame for each character."""
        return str(self.module.beam_search(item, self.alphabet, beam_size=self.beam, beam_cut_threshold=self.cut)[0])
