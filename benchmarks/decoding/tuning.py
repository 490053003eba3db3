"""The weights of a decoder, found on one half of the items; its errors are reported on the other."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.decoding.peer import Parameters

SWEEPS = 2
Errors = tuple[int, ...]


def tune(
    grid: dict[str, tuple[float, ...]], errors_of: Callable[[Parameters], Errors], sweeps: int = SWEEPS
) -> tuple[Parameters, int]:
    """One weight after another, each by the value with the fewest errors, until a sweep changes nothing.

    Args:
        grid: Values of each weight; the first ones are where it starts, and win ties.
        errors_of: Errors on the development items, the most important kind first.
        sweeps: At most so many times over all weights.

    Returns:
        The weights, and how many settings were tried.
    """
    best = {name: values[0] for name, values in grid.items()}
    known: dict[tuple[float, ...], Errors] = {}

    def errors(parameters: Parameters) -> Errors:
        key = tuple(parameters.values())
        if key not in known:
            known[key] = errors_of(parameters)
        return known[key]

    for _ in range(sweeps):
        before = best
        for name, values in grid.items():
            tried = [best, *({**best, name: value} for value in values)]
            best = min(tried, key=errors)
        if best == before:
            break
    return best, len(known)
