"""Refinement: the best text of the beam is compared with one-token changes of itself.

The beam drops a text by its score at that moment, so a narrow beam can lose the right text over one token. After the
search, each token of the best text is therefore questioned once more: where the frames between its neighbors give
another token, or none, a higher posterior, the text with that change is rescored exactly. If its score is better, it
takes the first place.
"""

from __future__ import annotations

from collections.abc import Callable

from ctckit.kernels.search.plan import Decoded, SearchPlan

MAX_ROUNDS = 4

Tokens = tuple[int, ...]
Change = tuple[int, int]
"""A position in a text, and the token to put there; the blank stands for none."""


def refine(
    ranked: list[Decoded],
    plan: SearchPlan,
    propose: Callable[[Tokens], list[Change]],
    rescore: Callable[[Tokens], Decoded],
) -> list[Decoded]:
    """Return the texts with better ones, found by one-token changes of the best, in front.

    Args:
        ranked: Texts by their scores, the best one first.
        plan: The plan of the search.
        propose: Gives the changes to try on a text, those of later tokens first.
        rescore: Gives a text with its exact scores.
    """
    for _ in range(MAX_ROUNDS if ranked else 0):
        best = ranked[0]
        for position, token in propose(tuple(best.tokens.tolist())):
            tokens = best.tokens.tolist()
            tokens[position : position + 1] = [] if token == plan.blank else [token]
            other = rescore(tuple(tokens))
            if other.score(plan) > best.score(plan):
                best = other
        if best is ranked[0]:
            break
        ranked = [best, *(each for each in ranked if each.tokens.tolist() != best.tokens.tolist())]
    return ranked
