"""``Model`` and ``State`` of the ``kenlm`` package, on ctckit's n-gram model: the part that decoders use.

Probabilities are log10, as in KenLM. ``Model`` reads ARPA files and files in ctckit's own format, but not KenLM's
binary files.
"""

from __future__ import annotations

import math
import os

from ctckit.language_models.ngram import NGramModel

LN_10 = math.log(10.0)
UNKNOWN = "<unk>"


class State:
    """A context of words; a ``Model`` writes it.

    Example:
        >>> State() == State()
        True
    """

    __slots__ = ("number",)

    def __init__(self) -> None:
        self.number = 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, State) and self.number == other.number

    def __hash__(self) -> int:
        return hash(self.number)

    def __repr__(self) -> str:
        return f"State({self.number})"


class Model:
    """A model of words, from a file or already loaded.

    Args:
        path: The file, as for ``NGramModel.load``; or an ``NGramModel``.

    Raises:
        DataError: If the file is not a model.

    Example:
        >>> from ctckit import NGramModel
        >>> model = Model(NGramModel.train(["a rose is a rose"], order=2))
        >>> "rose" in model, "tulip" in model
        (True, False)
        >>> before, after = State(), State()
        >>> model.BeginSentenceWrite(before)
        >>> model.BaseScore(before, "a", after) > model.BaseScore(before, "rose", State())
        True
    """

    def __init__(self, path: str | os.PathLike[str] | NGramModel) -> None:
        loaded = isinstance(path, NGramModel)
        self.ngrams: NGramModel = path if isinstance(path, NGramModel) else NGramModel.load(path, unit="word")
        self.path: bytes | None = None if loaded else os.fsencode(os.path.abspath(path))  # type: ignore[arg-type]

    @property
    def order(self) -> int:
        """The longest n-gram."""
        return self.ngrams.order

    def __contains__(self, word: str) -> bool:
        return word != UNKNOWN and word in self.ngrams

    def BeginSentenceWrite(self, state: State) -> None:  # noqa: N802, KenLM's name
        """Set ``state`` to the state after <s>."""
        state.number = self.ngrams.start

    def NullContextWrite(self, state: State) -> None:  # noqa: N802
        """Set ``state`` to the state without a context."""
        state.number = self.ngrams.empty

    def BaseScore(self, in_state: State, word: str, out_state: State) -> float:  # noqa: N802
        """Return log10 p(word | in_state) and set ``out_state`` to the state after it; unknown words are <unk>."""
        nats, out_state.number = self.ngrams.score(in_state.number, word)
        return nats / LN_10

    def score(self, sentence: str, bos: bool = True, eos: bool = True) -> float:
        """Return log10 p of a sentence, whose words are separated by spaces."""
        return self.ngrams.log_prob(sentence.split(), bos=bos, eos=eos) / LN_10

    def perplexity(self, sentence: str) -> float:
        """Return 10^(−score / n), where n is the number of words plus one for </s>."""
        return float(10.0 ** (-self.score(sentence) / (len(sentence.split()) + 1)))

    def __repr__(self) -> str:
        return f"Model({self.ngrams!r})"


LanguageModel = Model
