"""Why will it not train? ``diagnose`` looks at one batch and names the cause.

Read in this order:

    result.py         what comes out: Diagnosis
    records.py        its parts: what was measured, the findings
    inputs.py         what comes in, read leniently: a mistake here becomes a finding, not an exception
    measures.py       what the losses, gradients and readings of the batch say
    relabelling.py    would the labels fit better with another charset or another blank?
    findings.py       the causes, most important first, each with its sentence and its remedy
    page.py           the page in characters
    watch.py          TrainingWatch: calls all this when a loss is not finite or does not fall
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
    """Say why a network does not learn from a batch, or that nothing stands out.

    With p_t = softmax(logits[b, t]) and γ_t(c) the probability, given the target, that frame t emits c: the loss pulls
    each logit by γ_t(c) − p_t(c). What is measured is γ, p, the arg-max of p and the losses, item by item; what is
    claimed was tested: a shifted charset, say, by the loss under shifted labels.

    A mistake in the data (lengths beyond T, labels that are no classes, a time-major batch, NaN, …) is what this is
    for: it becomes a finding, and the items concerned are left out of the figures. Where the axes, the two lengths or
    the scale of ``input_lengths`` are mistaken beyond doubt, the figures are those of the corrected batch, and the
    finding says so.

    Args:
        logits: (B, T, C) network output before the softmax, or log-probabilities. NumPy array or torch tensor on any
            device, of any floating-point type; computed in float64. What is beyond the lengths is not read.
        targets: (B, N) integers, padded.
        input_lengths: (B,) integers, frames of each item.
        target_lengths: (B,) integers, tokens of each item.
        blank: The class of the blank.

    Returns:
        A ``Diagnosis``; ``print`` shows it as a page, ``to_dict()`` makes it JSON, ``findings`` holds the causes.

    Raises:
        InvalidInputError: Where the input has no meaning at all: a wrong rank, lengths that are no integers, different
            numbers of items, a blank that is not a class.

    Example:
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
    # Imported when used: they are a quarter of what ctckit takes to import beside NumPy (8 of 31 ms measured).
    from ctckit.diagnosis.findings import find_causes
    from ctckit.diagnosis.inputs import read_problem
    from ctckit.diagnosis.measures import measure

    problem = read_problem(logits, targets, input_lengths, target_lengths, blank)
    measured = measure(problem)
    return measured.with_findings(find_causes(measured, problem))
