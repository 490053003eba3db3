"""Paths are judged by their score in float64 and by the score of the best path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.alignment import exact
from benchmarks.alignment.problems import Problem
from benchmarks.common.arrays import Array

DIGITS = 6  # of log-probabilities that are saved


@dataclass
class Judge:
    """Judges the paths of a problem. The scores of the best paths are computed once."""

    problem: Problem
    best: list[float] | None = None

    def scores(self, paths: Array) -> list[float | None]:
        """Return the log-probability of each item's path; None if the path does not collapse to the text."""
        found: list[float | None] = []
        for item in range(len(self.problem)):
            path = paths[self.problem.offsets[item] : self.problem.offsets[item + 1]]
            right = exact.collapses_to(path, self.problem.target(item), self.problem.blank)
            found.append(exact.score(self.problem.frames(item), path) if right else None)
        return found

    def behind(self, scores: list[float | None]) -> dict[str, Any]:
        """Return the nats below the best path, worst and mean, and the number of wrong paths."""
        if self.best is None:
            self.best = [
                exact.optimum(
                    self.problem.frames(item),
                    self.problem.target(item),
                    self.problem.blank,
                    -np.inf if score is None else score,
                )
                for item, score in enumerate(scores)
            ]
        gaps = [best - each for best, each in zip(self.best, scores, strict=True) if each is not None]
        worst, mean = (max(gaps), sum(gaps) / len(gaps)) if gaps else (None, None)
        figures = {"worst": worst, "mean": mean}
        return {
            **{name: None if value is None else round(value, DIGITS) for name, value in figures.items()},
            "wrong": len(scores) - len(gaps),
        }

    def figures(self, paths: Array, claims: list[float | None]) -> dict[str, Any]:
        """Return what is saved of an aligner's paths and of the scores that it reports."""
        scores = self.scores(paths)
        figures: dict[str, Any] = {"behind": self.behind(scores)}
        pairs = zip(claims, scores, strict=True)
        errors = [abs(claim - each) for claim, each in pairs if claim is not None and each is not None]
        if errors:
            figures["claim_error"] = float(f"{max(errors):.2g}")
        return figures
