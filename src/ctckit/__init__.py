"""ctckit: the CTC toolkit for Python.

One lattice (the states of a target × the frames of a recording or an image) answers four questions:

    how likely is this target?      ctc_loss, CTCLoss              loss/                          (PyTorch)
    what are all its alignments?    lattice → Lattice              lattices.py
    where is each token?            forced_align → Alignment       alignment/forced.py, result.py
                                    align_utterances               alignment/utterances.py
                                    Transcript                     alignment/transcript.py
    which target is best?           greedy_decode → Hypothesis     decoding/greedy.py
                                    BeamDecoder → Hypothesis       decoding/beam.py
                                    DecodeStream                   decoding/streaming.py
                                    NGramModel                     language_models/ngram.py
                                    rescore                        decoding/rescoring.py
                                    tune → Tuning                  decoding/tuning.py

``diagnose`` → ``Diagnosis`` (diagnosis/) says why a batch does not train.

Around them: ``CTCVariant`` (variants.py: wildcards, priors, durations), ``ctckit.objectives`` (losses on top of the CTC
loss), ``Vocabulary`` (tokens and their classes), ``errors``, ``ctckit.ocr`` (train and use a line recognizer),
``ctckit.acoustic_models``, ``ctckit.compat`` (the names of torch, torchaudio, pyctcdecode, kenlm), ``ctckit.viz``
(figures), and the command ``ctckit`` (cli/).

The checks of arguments are in _checks.py. The fast kernels, each beside the reference that defines it, are in kernels/;
their C++ is in native/simd/loss_kernel.cpp, native/align/align.cpp and native/search/search.cpp.

Read in this order: topology.py, kernels/loss/reference.py, lattices.py, kernels/search/reference.py. Every name is
imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from threading import RLock
from typing import TYPE_CHECKING, Any

from ctckit.errors import MissingDependencyError

if TYPE_CHECKING:
    from ctckit.alignment.forced import forced_align
    from ctckit.alignment.result import Alignment
    from ctckit.alignment.spans import TokenSpan, WordSpan
    from ctckit.alignment.transcript import Transcript
    from ctckit.alignment.utterances import UtteranceSpan, align_utterances
    from ctckit.decoding.beam import BeamDecoder
    from ctckit.decoding.greedy import greedy_decode
    from ctckit.decoding.hypothesis import Hypothesis
    from ctckit.decoding.rescoring import rescore
    from ctckit.decoding.streaming import DecodeStream
    from ctckit.decoding.tuning import Tuning, tune
    from ctckit.diagnosis import Diagnosis, diagnose
    from ctckit.kernels.runtime import num_threads, set_num_threads
    from ctckit.language_models.ngram import NGramModel
    from ctckit.lattices import Lattice, lattice
    from ctckit.loss.functional import ctc_loss
    from ctckit.loss.module import CTCLoss
    from ctckit.variants import CTCVariant
    from ctckit.vocabulary import Vocabulary

    __version__: str

__all__ = [
    "Alignment",
    "BeamDecoder",
    "CTCLoss",
    "CTCVariant",
    "DecodeStream",
    "Diagnosis",
    "Hypothesis",
    "Lattice",
    "NGramModel",
    "TokenSpan",
    "Transcript",
    "Tuning",
    "UtteranceSpan",
    "Vocabulary",
    "WordSpan",
    "align_utterances",
    "ctc_loss",
    "diagnose",
    "forced_align",
    "greedy_decode",
    "lattice",
    "num_threads",
    "rescore",
    "set_num_threads",
    "tune",
]

_MODULES = {  # each name is imported when it is first used
    "Alignment": "alignment.result",
    "BeamDecoder": "decoding.beam",
    "CTCLoss": "loss.module",
    "CTCVariant": "variants",
    "DecodeStream": "decoding.streaming",
    "Diagnosis": "diagnosis",
    "Hypothesis": "decoding.hypothesis",
    "Lattice": "lattices",
    "NGramModel": "language_models.ngram",
    "TokenSpan": "alignment.spans",
    "Transcript": "alignment.transcript",
    "Tuning": "decoding.tuning",
    "UtteranceSpan": "alignment.utterances",
    "Vocabulary": "vocabulary",
    "WordSpan": "alignment.spans",
    "align_utterances": "alignment.utterances",
    "ctc_loss": "loss.functional",
    "diagnose": "diagnosis",
    "forced_align": "alignment.forced",
    "greedy_decode": "decoding.greedy",
    "lattice": "lattices",
    "num_threads": "kernels.runtime",
    "rescore": "decoding.rescoring",
    "set_num_threads": "kernels.runtime",
    "tune": "decoding.tuning",
}


_PACKAGES = (  # so that ``import ctckit`` is enough for ``ctckit.viz.draw_trellis``
    "acoustic_models",
    "alignment",
    "compat",
    "decoding",
    "diagnosis",
    "kernels",
    "language_models",
    "lattices",
    "loss",
    "objectives",
    "ocr",
    "topology",
    "variants",
    "viz",
    "vocabulary",
)


_importing = RLock()  # threads that import a module and its package at once stop with "deadlock detected"


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("importlib.metadata").version("ctckit")
    if name not in _MODULES and name not in _PACKAGES:
        raise AttributeError(f"module 'ctckit' has no attribute {name!r}")
    with _importing:
        return import_module(f"ctckit.{name}") if name in _PACKAGES else _exported(name)


def _exported(name: str) -> Any:
    try:
        value = getattr(import_module(f"ctckit.{_MODULES[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        return _says_what_to_install(name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _says_what_to_install(name: str) -> Any:
    """Stands in for a name that needs torch: it can be imported, and raises when it is used."""

    def missing(*_: Any, **__: Any) -> Any:
        raise MissingDependencyError(f"ctckit.{name}", "torch", "torch")

    return missing
