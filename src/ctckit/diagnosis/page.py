"""A diagnosis as a page of text, at most ``WIDTH`` columns wide."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from textwrap import wrap

import numpy as np

from ctckit.diagnosis.records import Record, Relabelled

WIDTH = 96
_NAME = 16  # columns for the names of the figures
_BAR = 25  # columns for a share of 1
_MOST_LISTED = 12  # classes or items in a list
_MOST_TRIALS = 2  # relabelings, each on its own line
_MOST_INFEASIBLE = 3


def draw_page(diagnosis: Record) -> str:
    """Return the findings with their remedies, then the figures."""
    items, frames, classes = diagnosis.shape
    head = f"diagnosis: {diagnosis.cause if diagnosis.findings else 'no findings yet'}, {_count(items, 'item')}, "
    lines = [head + f"T = {frames}, C = {classes}, blank {diagnosis.blank}", ""]
    for number, finding in enumerate(diagnosis.findings, start=1):
        lines += wrap(f"{number}. {finding.code}: {finding.seen}", WIDTH, subsequent_indent="   ")
        lines += wrap(f"→ {finding.remedy}", WIDTH, initial_indent="   ", subsequent_indent="     ")
        lines.append("")
    for name, text in _figures(diagnosis):
        first, *rest = wrap(text, WIDTH - _NAME) or [""]
        lines += [f"{name:<{_NAME}}{first}", *(" " * _NAME + each for each in rest)]
    return "\n".join(lines)


def _figures(diagnosis: Record) -> Iterator[tuple[str, str]]:
    yield from (("read as", each) for each in diagnosis.read_as)
    out = "; ".join(f"{reason} {listed}" for reason, listed in _reasons(diagnosis).items())
    yield "items", f"{len(diagnosis.measured)} measured" + (f"; left out: {out}" if out else "")
    yield "frames", _frames(diagnosis)
    for each in diagnosis.infeasible[:_MOST_INFEASIBLE]:
        yield (
            "infeasible",
            (f"item {each.item}: T {each.frames}, N {each.tokens}, repeats {each.repeats}, missing {each.missing}"),
        )
    if len(diagnosis.infeasible) > _MOST_INFEASIBLE:
        yield "", f"… and {len(diagnosis.infeasible) - _MOST_INFEASIBLE} more"
    yield "loss per token", _losses(diagnosis)
    for trial in diagnosis.relabellings[:_MOST_TRIALS]:
        yield "  other labels", _trial(trial)
    shares = diagnosis.blank_shares
    for name, share in (
        ("blank: arg-max", shares.argmax),
        ("  probability", shares.prob),
        ("  asked for", shares.occupancy),
        ("  gradient", shares.gradient),
    ):
        yield name, _bar(share)
    yield "peakiness", _peakiness(diagnosis)
    reading = diagnosis.reading
    yield "read", f"{reading.tokens_read} tokens of {reading.tokens_expected}, {reading.tokens_right} of them right"
    yield (
        "classes",
        (
            f"in targets but never read: {_list(reading.never_read)}; "
            f"read but in no target: {_list(reading.only_read)}; "
            f"in no target of this batch: {_list(reading.never_in_targets)}"
        ),
    )


def _reasons(diagnosis: Record) -> dict[str, str]:
    """Return for each code the items that are left out for it."""
    codes = dict.fromkeys(reason for each in diagnosis.left_out for reason in each.reasons)
    return {code: _list([each.item for each in diagnosis.left_out if code in each.reasons]) for code in codes}


def _frames(diagnosis: Record) -> str:
    peaks = diagnosis.peakiness
    lengths = diagnosis.frames or (0,)
    text = f"{min(lengths)} to {max(lengths)}"
    if math.isnan(peaks.frames_available):
        return text
    each = f"{peaks.frames_available:.1f} for each token"
    return f"{text}; {each}; the tightest item has {peaks.tightest:.1f} times what it needs"


def _losses(diagnosis: Record) -> str:
    known = np.array([loss for loss in diagnosis.loss_per_token if not math.isnan(loss)])
    if not known.size:
        return "none"
    worst = int(np.nanargmax(diagnosis.loss_per_token))
    text = f"{np.median(known):.3f} nats (median), {known.max():.3f} (item {worst}, the worst)"
    return text + (f"; standing out: {_list(diagnosis.outliers)}" if diagnosis.outliers else "")


def _trial(trial: Relabelled) -> str:
    given = f"{trial.as_given:.3f}" if math.isfinite(trial.as_given) else "infinite"
    return f"{trial.relabelled:.3f} with {trial.name}, as given {given} ({_count(trial.items, 'item')})"


def _peakiness(diagnosis: Record) -> str:
    peaks = diagnosis.peakiness
    information = (
        f"{_number(peaks.information)} nats shared by frame and class (log C = {math.log(diagnosis.shape[2]):.2f})"
    )
    return (
        f"{_number(peaks.frames_per_token)} frames in each token; entropy {_number(peaks.entropy)} nats per frame; "
        f"{information}"
    )


def _bar(share: float) -> str:
    if math.isnan(share):
        return "not measured"
    filled = round(_BAR * share)
    return f"{'█' * filled}{'·' * (_BAR - filled)} {100 * share:5.1f} %"


def _list(values: Sequence[int]) -> str:
    if not values:
        return "none"
    more = f" … ({len(values)} in all)" if len(values) > _MOST_LISTED else ""
    return ", ".join(map(str, values[:_MOST_LISTED])) + more


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.2f}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
