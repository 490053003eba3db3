"""``rescore``: rank the texts of n-best lists again, with a model that is too slow for the search.

The search asks a language model thousands of times for each item. A large neural network, or a model behind a web
service, is too slow for that. But it can score the few texts of an n-best list, all in one call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from ctckit import _checks
from ctckit.decoding.hypothesis import Hypothesis
from ctckit.decoding.settings import MAX_WEIGHT
from ctckit.errors import InvalidInputError

Scorer = Callable[[list[str]], Any]


@overload
def rescore(hypotheses: Sequence[Hypothesis], scorer: Scorer, weight: float) -> list[Hypothesis]: ...


@overload
def rescore(hypotheses: Sequence[Sequence[Hypothesis]], scorer: Scorer, weight: float) -> list[list[Hypothesis]]: ...


def rescore(hypotheses: Any, scorer: Scorer, weight: float) -> Any:
    """Return the hypotheses ranked by score + weight · log p_scorer(text), best first.

    The scorer is called once, with the texts of all lists. Hypotheses with equal new scores keep their order. The
    hypotheses that are passed in do not change. Only the texts of the lists can win, so decode with a large ``n_best``.

    Args:
        hypotheses: An n-best list, or a list of such lists, as ``BeamDecoder.decode(…, n_best=…)`` returns them.
        scorer: A function from N texts to their N log-probabilities in nats: a sequence, an array or a torch CPU
            tensor, at most 0; −∞ is an impossible text.
        weight: The weight of its log-probabilities, −60..60. It is negative for a model whose part is to be removed,
            such as one of the texts that the network was trained on. With 0 the order stays.

    Returns:
        New hypotheses in lists like the given ones. ``score`` is the new score; all else is as it was.

    Raises:
        InvalidInputError: If an entry is not a ``Hypothesis``, the weight is out of range, or the scorer returns
            another number of values, NaN, a value above 0, or −∞ where the weight is negative.

    Example:
        >>> import numpy as np
        >>> from ctckit import BeamDecoder, rescore
        >>> decoder = BeamDecoder(["", "a", "b"])
        >>> n_best = decoder.decode(np.log([[0.1, 0.5, 0.4]]), n_best=2)[0]
        >>> [(each.text, round(each.score, 2)) for each in n_best]
        [('a', -0.69), ('b', -0.92)]
        >>> best, *others = rescore(n_best, lambda texts: [-1.0 if text == "b" else -3.0 for text in texts], 0.5)
        >>> best.text, round(best.score, 2), round(best.log_prob, 2)
        ('b', -1.42, -0.92)
    """
    weight = _checks.number(weight, "weight", -MAX_WEIGHT, MAX_WEIGHT)
    lists, single = _lists(hypotheses)
    texts = [each.text for one in lists for each in one]
    log_probs = _scored(scorer, texts, least=-np.inf if weight >= 0 else np.finfo(np.float64).min)
    terms = iter((weight * log_probs if weight else np.zeros(len(texts))).tolist())  # 0 · −∞ is not a number
    rescored = [[replace(each, score=each.score + next(terms)) for each in one] for one in lists]
    ranked = [sorted(one, key=lambda each: -each.score) for one in rescored]
    return ranked[0] if single else ranked


def _lists(hypotheses: Any) -> tuple[list[list[Hypothesis]], bool]:
    """Return the lists, and whether one list was given by itself."""
    if isinstance(hypotheses, (str, Hypothesis)) or not isinstance(hypotheses, Sequence):
        raise InvalidInputError(
            f"hypotheses is of type {type(hypotheses).__name__}; expected a list of Hypothesis, or a list of such "
            "lists, as BeamDecoder.decode returns."
        )
    single = not hypotheses or isinstance(hypotheses[0], Hypothesis)
    lists = [list(hypotheses)] if single else list(hypotheses)
    for b, one in enumerate(lists):
        name = "hypotheses" if single else f"hypotheses[{b}]"
        if isinstance(one, (str, Hypothesis)) or not isinstance(one, Sequence):
            raise InvalidInputError(
                f"{name} is of type {type(one).__name__}, hypotheses[0] is a list; expected a list of Hypothesis."
            )
        for n, each in enumerate(one):
            _checks.expect_instance(each, f"{name}[{n}]", Hypothesis, "a Hypothesis")
    return [list(one) for one in lists], single


def _scored(scorer: Scorer, texts: list[str], least: float) -> npt.NDArray[np.float64]:
    """Return the (N,) log-probabilities of the texts, all of them at least ``least``."""
    if not callable(scorer):
        raise InvalidInputError(
            f"scorer is {scorer!r}; expected a function from a list of texts to their log-probabilities."
        )
    if not texts:
        return np.zeros(0)
    name = "the scorer's result"
    found = _checks.as_array(scorer(list(texts)), name)
    if found.dtype.kind not in "fiu":
        raise InvalidInputError(f"{name} is of type {found.dtype}; expected a log-probability in nats for each text.")
    if found.shape != (len(texts),):
        raise InvalidInputError(
            f"{name} has shape {found.shape} for {len(texts)} texts; expected ({len(texts)},): one log-probability for "
            "each text, in their order. All texts of all lists are scored in one call."
        )
    log_probs = found.astype(np.float64)
    for n in np.flatnonzero(~((log_probs >= least) & (log_probs <= _checks.LOG_PROB_SLACK)))[:1]:  # NaN compares False
        where = f"{name} is {log_probs[n]} for texts[{n}], {texts[n]!r}"
        if log_probs[n] < least:
            raise InvalidInputError(f"{where}, and weight is negative; expected a finite log-probability.")
        remedy = "Return logarithms of probabilities." if log_probs[n] > 0 else "Check the scorer on this text."
        raise InvalidInputError(f"{where}; expected a log-probability in nats, at most 0. {remedy}")
    return log_probs
