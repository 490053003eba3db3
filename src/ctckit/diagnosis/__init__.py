"""Why does a network not train? ``diagnose`` examines one batch and names the cause.

Read in this order:

    result.py         Diagnosis, the result
    records.py        its parts: the measured figures and the findings
    inputs.py         reads the batch leniently: a mistake in it becomes a finding, not an exception
    measures.py       computes the figures from losses, gradients and the arg-max
    relabelling.py    tests whether the labels fit better with another charset or another blank
    findings.py       the causes, most important first, each with a sentence and a remedy
    remedies.py       the longer texts of the remedies
    page.py           the page in characters
    watch.py          TrainingWatch: runs a diagnosis when a loss is not finite or does not fall
"""

from __future__ import annotations

from typing import Any

from ctckit.diagnosis.records import Finding
from ctckit.diagnosis.result import Diagnosis
from ctckit.diagnosis.watch import TrainingWatch

__all__ = ["Diagnosis", "Finding", "TrainingWatch", "diagnose"]


def diagnose(
    logits: Any,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    *,
    blank: int = 0,
) -> Diagnosis:
    """Return the reasons why a network does not learn from a batch, or that there is none.

    Let p_t = softmax(logits[b, t]), and let γ_t(c) be the probability, given the target, that frame t emits c. The
    negative gradient of the loss by a logit is γ_t(c) − p_t(c). The function measures γ, p, the arg-max of p and the
    loss of each item. It tests each cause before it reports it: a shifted charset, for example, by the loss under
    shifted labels.

    A mistake in the data (lengths beyond T, labels that are not classes, a time-major batch, NaN, …) becomes a finding,
    and the figures leave out the items concerned. If the axes, the two lengths or the scale of ``input_lengths`` are
    certainly wrong, the figures are those of the corrected batch, and the finding says so.

    Args:
        logits: (B, T, C) network output before the softmax, or log-probabilities. NumPy array or torch tensor on any
            device, of any floating-point type; computed in float64. Frames beyond the lengths are not read.
        targets: (B, N) integers, padded.
        input_lengths: (B,) integers, frames of each item.
        target_lengths: (B,) integers, tokens of each item.
        blank: The class of the blank.

    Returns:
        A ``Diagnosis``: ``print`` shows it as a page, ``to_dict()`` returns JSON values, ``findings`` are the causes.

    Raises:
        InvalidInputError: If the input cannot be read as a batch: a wrong rank, lengths that are not integers,
            different numbers of items, a blank that is not a class.

    Example:
        >>> from ctckit import diagnose
        >>> import numpy as np
        >>> found = diagnose(np.zeros((2, 4, 5)), [[1, 2, 2, 3], [4, 0, 0, 0]], [4, 3], [4, 1])
        >>> [finding.code for finding in found.findings]
        ['infeasible-data', 'blank-phase']
        >>> print(found.findings[0].seen)
        1 of 2 items cannot be emitted: targets[0] has 4 tokens with 1 adjacent repeat and needs 5 frames of 4.
        >>> found.infeasible[0]
        InfeasibleItem(item=0, frames=4, tokens=4, repeats=1, missing=1)

    Source: Graves et al., Connectionist Temporal Classification, ICML 2006, equation 16, for the gradient.
    """
    # Imported when used: they are a quarter of ctckit's import time without NumPy (8 of 31 ms measured).
    from ctckit.diagnosis.findings import find_causes
    from ctckit.diagnosis.inputs import read_problem
    from ctckit.diagnosis.measures import measure

    problem = read_problem(logits, targets, input_lengths, target_lengths, blank)
    measured = measure(problem)
    return measured.with_findings(find_causes(measured, problem))
