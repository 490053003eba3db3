"""pyctcdecode, and ctc-beam-decoder, which has the same interface."""

from __future__ import annotations

import logging
import warnings
from typing import Any, ClassVar

from benchmarks.common.arrays import Array
from benchmarks.common.posteriors import DataSet
from benchmarks.decoding.peers.base import Task, arpa_of
from benchmarks.decoding.peers.texts import TextDecoder


class PyCTCDecode(TextDecoder):
    """pyctcdecode: ``decode`` of log-probabilities, which the library normalizes again.

    KenLM reads the language model from its file; pyctcdecode reads the words from the ARPA file. In cases without
    words, the space is given as an ordinary character. As a space it would be dropped at the ends of the text and
    merged with its neighbors, and the text would differ from the one that the search found.
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
        logging.disable(logging.WARNING)  # warnings about slow ARPA files and about an alphabet without a space
        warnings.simplefilter("ignore")
        self.module = self.import_module()
        self.models: dict[str, Any] = {}

    def import_module(self) -> Any:
        """Return the module."""
        import pyctcdecode

        return pyctcdecode

    def load_model(self, path: str, unit: str, data: DataSet) -> None:
        """Build a decoder with the model; the library has no other way to load one."""
        del unit
        words = None if path.endswith(".arpa") else self.module.decoder.load_unigram_set_from_arpa(arpa_of(path))
        self.models[path] = self.module.build_ctcdecoder(self.spell(data), kenlm_model_path=path, unigrams=words)

    def build(self, data: DataSet, task: Task) -> None:
        """Build a decoder, or change the weights of the one that has the model."""
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
        """Return the item unchanged."""
        return log_probs

    def decode(self, item: Array) -> str:
        """Return the best text."""
        return str(self.decoder.decode(item, **self.arguments))


class CTCBeamDecoder(PyCTCDecode):
    """ctc-beam-decoder: the search of pyctcdecode in C++, with the same interface."""

    packages = ("ctc-beam-decoder", "numpy")

    def import_module(self) -> Any:
        """Return the module."""
        import ctc_beam_decoder

        return ctc_beam_decoder

    def build(self, data: DataSet, task: Task) -> None:
        """Build a decoder with its weights; the words are read from the ARPA file once."""
        labels = self.spell(data, spaces=bool(task.model or task.hotwords))
        arguments: dict[str, Any] = {}
        if task.model:
            if task.model not in self.models:
                self.models[task.model] = self.module._unigrams_from_arpa(arpa_of(task.model))
            arguments = {"kenlm_model_path": task.model, "unigrams": self.models[task.model], **task.parameters}
        self.decoder = self.module.build_ctcdecoder(labels, **arguments)
        self.arguments = {"beam_width": task.beam, **self.options}
        if task.hotwords:
            self.arguments["hotwords"] = list(task.hotwords)
