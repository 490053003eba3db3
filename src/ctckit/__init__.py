"""ctckit: the CTC toolkit for Python.

Four questions, asked of one lattice (a target's states × the frames of a recording or an image):

    how likely is this target?      ctc_loss, CTCLoss              loss.py       (torch)
    what are all its alignments?    lattice → Lattice              lattice.py
    where is each token?            forced_align → Alignment       alignment/forced.py, result.py
                                    align_utterances               alignment/utterances.py
                                    Transcript                     alignment/transcript.py
    which target is best?           greedy_decode → Hypothesis     decoding/greedy.py
                                    BeamDecoder → Hypothesis       decoding/beam.py
                                    DecodeStream                   decoding/streaming.py
                                    NGramModel                     decoding/language_model.py
                                    tune → Tuning                  decoding/tuning.py

And of a batch that does not train: why not?  ``diagnose`` → ``Diagnosis``, in diagnose/.

Around them: ``CTCVariant`` (wildcards, priors, durations: variants.py), ``ctckit.objectives`` (what is trained beside
the loss), ``Vocabulary`` (tokens and their classes), ``errors`` (what can go wrong), ``ctckit.ocr`` (train and use a
line recogniser), ``ctckit.compat`` (names of torch, pyctcdecode, kenlm), ``ctckit.viz`` (figures), and the command
``ctckit``.

Read in this order: topology.py, kernels/loss/reference.py, lattice.py, kernels/search/reference.py. Nothing heavy is
imported until it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

# Imported at once, not on demand: the functions lattice and diagnose share their modules' names, and must win.
from ctckit.alignment.spans import TokenSpan, WordSpan
from ctckit.decoding.greedy import greedy_decode
from ctckit.decoding.hypothesis import Hypothesis
from ctckit.diagnose import Diagnosis, diagnose
from ctckit.errors import MissingDependencyError
from ctckit.kernels.runtime import num_threads, set_num_threads
from ctckit.lattice import Lattice, lattice
from ctckit.variants import CTCVariant
from ctckit.vocabulary import Vocabulary

if TYPE_CHECKING:
    from ctckit.alignment.forced import forced_align
    from ctckit.alignment.result import Alignment
    from ctckit.alignment.transcript import Transcript
    from ctckit.alignment.utterances import UtteranceSpan, align_utterances
    from ctckit.decoding.beam import BeamDecoder
    from ctckit.decoding.language_model import NGramModel
    from ctckit.decoding.streaming import DecodeStream
    from ctckit.decoding.tuning import Tuning, tune
    from ctckit.loss import CTCLoss, ctc_loss

__version__ = "0.1.0"

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
    "set_num_threads",
    "tune",
]

_NEED_TORCH = ("CTCLoss", "ctc_loss")
_ON_DEMAND = {  # a third of the time of an import
    "Alignment": "alignment.result",
    "BeamDecoder": "decoding.beam",
    "DecodeStream": "decoding.streaming",
    "NGramModel": "decoding.language_model",
    "Transcript": "alignment.transcript",
    "Tuning": "decoding.tuning",
    "UtteranceSpan": "alignment.utterances",
    "align_utterances": "alignment.utterances",
    "forced_align": "alignment.forced",
    "tune": "decoding.tuning",
}


def __getattr__(name: str) -> Any:
    if name in _ON_DEMAND:
        value = globals()[name] = getattr(import_module(f"ctckit.{_ON_DEMAND[name]}"), name)
        return value
    if name not in _NEED_TORCH:
        raise AttributeError(f"module 'ctckit' has no attribute {name!r}")
    try:
        from ctckit import loss
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        return _says_what_to_install(name)
    value = globals()[name] = getattr(loss, name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _says_what_to_install(name: str) -> Any:
    """Stands in for a name that needs torch: it can be imported, and raises when it is used."""

    def missing(*_: Any, **__: Any) -> Any:
        raise MissingDependencyError(f"ctckit.{name}", "torch", "torch")

    return missing
