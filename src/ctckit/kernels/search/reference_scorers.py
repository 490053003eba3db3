"""The factors of a text: what each token adds to its score, besides CTC. Plain loops, float64: the definition.

A prefix is known to the models only through its *context*:

    boundary    whether its last letter is a boundary (or it has none): a further boundary does nothing at all
    fine        the state of the fine model, and whether the last thing it was asked for is the boundary
    word        the state of the word model behind the last complete word, and the letters since: a node of the lexicon
    hotword     the state of the automaton

``Factors.walk`` extends a context by a token and tells what that gains for good. While a word or a hotword is in
progress the search gets credit in advance, the *potential* of the context. The factor of an edge is

    e^(worth of what is gained + potential behind − potential before)

so that potentials steer the search, cancel along the text and are taken back at its end: never part of a score.

    lexicon     inside a word, at node v:  word_weight · max log p(w), without context, over the words w below v;
                off the lexicon:           word_weight · log p(<unk>) − oov_charge · letters so far;
                between words:             0
    hotwords    at the node that spells the longest beginning of a hotword that the text ends in:
                max over the hotwords h below it, of which m letters of n are there: weight(h) · m / n
                (boundaries are not counted among the letters; a hotword that ends at the node is not below it)
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from ctckit.kernels.search.plan import NGram, Parts, SearchPlan

BOUNDARY = 0
ROOT = 0
OFF_LEXICON = -1


@dataclass(frozen=True)
class Context:
    """All that the factors need to know of a prefix; see the top of this file."""

    boundary: bool
    fine_state: int
    fine_boundary: bool
    word_state: int
    node: int
    letters: int
    hotword: int


class Factors:
    """The models of a plan, asked token by token."""

    def __init__(self, plan: SearchPlan) -> None:
        self.plan = plan
        self.lexicon = Lexicon(plan)
        self.hotwords = HotwordAutomaton(plan)
        self._letters = plan.letters.lists()
        self._fine_ids = plan.fine_ids.lists()

    def start(self) -> Context:
        """The context of the empty text."""
        fine, word = self.plan.fine_model, self.plan.word_model
        return Context(
            boundary=True,
            fine_state=self._first_state(fine),
            fine_boundary=True,
            word_state=self._first_state(word),
            node=ROOT,
            letters=0,
            hotword=self.hotwords.start,
        )

    def _first_state(self, model: NGram | None) -> int:
        if model is None:
            return 0
        return model.start if self.plan.lm_boundary else model.empty

    def extend(self, context: Context, token: int) -> tuple[float, Context]:
        """Log of the factor of one more token, −∞ where it is forbidden; and the context behind it."""
        gained, behind = self.walk(context, token)
        return self.plan.worth(gained, 1) + self._rise(self.potential(behind), context), behind

    def close(self, context: Context) -> float:
        """Log of the factor of ending the text here: the last word, </s>; what was credited in advance is withdrawn."""
        return self.plan.worth(self.end(context), 0) + self._rise(0.0, context)

    def _rise(self, potential: float, before: Context) -> float:
        return potential - self.potential(before)

    def potential(self, context: Context) -> float:
        """Credit in advance, in nats."""
        return self.lexicon.potential(context.node, context.letters) + self.hotwords.potential[context.hotword]

    def walk(self, context: Context, token: int) -> tuple[Parts, Context]:
        """What a token gains for good, and the context behind it."""
        fine_log_prob, fine_state, fine_boundary = self._fine(context, token)
        gained = Parts(fine_log_prob=fine_log_prob)
        boundary, word_state, node, letters = context.boundary, context.word_state, context.node, context.letters
        hotword = context.hotword
        for letter in self._letters[token]:
            if letter == BOUNDARY and boundary:
                continue
            if letter == BOUNDARY:
                word, word_state = self._word(word_state, node, letters)
                gained += word
                node, letters = ROOT, 0
            else:
                node, letters = self.lexicon.child(node, letter), letters + 1
            hotword, weight = self.hotwords.step(hotword, letter)
            gained += Parts(hotwords=weight)
            boundary = letter == BOUNDARY
        return gained, Context(boundary, fine_state, fine_boundary, word_state, node, letters, hotword)

    def end(self, context: Context) -> Parts:
        """What the end of the text gains: it acts as a boundary for words and hotwords, then </s> of each model."""
        gained, word_state = Parts(), context.word_state
        if self.plan.has_words and not context.boundary:
            gained, word_state = self._word(word_state, context.node, context.letters)
            gained += Parts(hotwords=self.hotwords.step(context.hotword, BOUNDARY)[1])
        if not self.plan.lm_boundary:
            return gained
        if self.plan.word_model is not None:
            gained += Parts(word_log_prob=self.plan.word_model.query(word_state, self.plan.word_model.end)[0])
        if self.plan.fine_model is not None:
            fine = self.plan.fine_model
            gained += Parts(fine_log_prob=fine.query(context.fine_state, fine.end)[0])
        return gained

    def _fine(self, context: Context, token: int) -> tuple[float, int, bool]:
        total, state, boundary = 0.0, context.fine_state, context.fine_boundary
        if self.plan.fine_model is None:
            return total, state, boundary
        for entry in self._fine_ids[token]:
            if entry == self.plan.fine_space and boundary:
                continue
            log_prob, state = self.plan.fine_model.query(state, entry)
            total += log_prob
            boundary = entry == self.plan.fine_space
        return total, state, boundary

    def _word(self, state: int, node: int, letters: int) -> tuple[Parts, int]:
        """A word that ends: the likeliest of those spelled so, or one that is out of vocabulary."""
        model = self.plan.word_model
        spelled = self.lexicon.words_at(node)
        if model is None:
            return Parts(
                words=1,
                oov_letters=letters if self.plan.has_lexicon and not spelled else 0,
                word_indices=(spelled[0] if spelled else -1,),
            ), state
        if not spelled:
            log_prob, behind = model.query(state, model.unknown)
            return Parts(word_log_prob=log_prob, words=1, oov_letters=letters, word_indices=(-1,)), behind
        asked = [(*model.query(state, int(self.plan.word_ids[index])), index) for index in spelled]
        log_prob, behind, index = max(asked, key=lambda each: each[0])  # of equals, the first in the lexicon
        return Parts(word_log_prob=log_prob, words=1, word_indices=(index,)), behind


class Lexicon:
    """The words as a trie over letters; where there is no lexicon every node is the root."""

    def __init__(self, plan: SearchPlan) -> None:
        self._plan = plan
        self._children: list[dict[int, int]] = [{}]
        self._words: list[list[int]] = [[]]
        self._best: list[float] = [-math.inf]  # of the words below, the highest log p without context
        for index, spelling in enumerate(plan.words.lists()):
            self._insert(index, spelling)

    def _insert(self, index: int, spelling: Sequence[int]) -> None:
        model = self._plan.word_model
        log_prob = 0.0 if model is None else model.unigram(int(self._plan.word_ids[index]))
        node = ROOT
        for letter in spelling:
            if letter not in self._children[node]:
                self._children[node][letter] = len(self._children)
                self._children.append({})
                self._words.append([])
                self._best.append(-math.inf)
            node = self._children[node][letter]
            self._best[node] = max(self._best[node], log_prob)
        self._words[node].append(index)

    def child(self, node: int, letter: int) -> int:
        """The node behind a letter."""
        if not self._plan.has_lexicon:
            return ROOT
        return OFF_LEXICON if node == OFF_LEXICON else self._children[node].get(letter, OFF_LEXICON)

    def words_at(self, node: int) -> Sequence[int]:
        """The words spelled by the way to a node, in the order of the lexicon."""
        return () if node == OFF_LEXICON else self._words[node]

    def potential(self, node: int, letters: int) -> float:
        """The look-ahead."""
        model = self._plan.word_model
        if node == ROOT:
            return 0.0
        if node == OFF_LEXICON:
            unknown = 0.0 if model is None else self._plan.word_weight * model.unigram(model.unknown)
            return unknown - self._plan.oov_charge * letters
        return 0.0 if model is None else self._plan.word_weight * self._best[node]


class HotwordAutomaton:
    """All hotwords at once (Aho and Corasick 1975): the state is the longest beginning of one that the text ends in.

    Every occurrence counts, also where two overlap. Where there are words, hotwords are whole words: their patterns
    begin and end with a boundary, which neighbours share.
    """

    def __init__(self, plan: SearchPlan) -> None:
        self._children: list[dict[int, int]] = [{}]
        self._ending: list[list[float]] = [[]]  # weights of the patterns that end here
        self.potential: list[float] = [0.0]
        for pattern, weight in zip(plan.hotwords.lists(), plan.hotword_weights.tolist(), strict=True):
            self._insert(pattern, weight)
        self._back = [ROOT] * len(self._children)
        self._link()
        self.start = self._children[ROOT].get(BOUNDARY, ROOT) if plan.has_words else ROOT

    def _insert(self, pattern: Sequence[int], weight: float) -> None:
        node, there, needed = ROOT, 0, sum(letter != BOUNDARY for letter in pattern)
        for position, letter in enumerate(pattern):
            if letter not in self._children[node]:
                self._children[node][letter] = len(self._children)
                self._children.append({})
                self._ending.append([])
                self.potential.append(0.0)
            node = self._children[node][letter]
            there += letter != BOUNDARY
            if position + 1 < len(pattern):
                self.potential[node] = max(self.potential[node], weight * there / needed)
        self._ending[node].append(weight)

    def _link(self) -> None:
        """From each node to that of its longest proper ending, breadth first."""
        waiting = deque(self._children[ROOT].values())
        while waiting:
            node = waiting.popleft()
            self._ending[node] += self._ending[self._back[node]]
            for letter, child in self._children[node].items():
                self._back[child] = self._goto(self._back[node], letter)
                waiting.append(child)

    def _goto(self, node: int, letter: int) -> int:
        while node != ROOT and letter not in self._children[node]:
            node = self._back[node]
        return self._children[node].get(letter, ROOT)

    def step(self, node: int, letter: int) -> tuple[int, float]:
        """The state behind a letter, and the weight of the hotwords that it completes."""
        node = self._goto(node, letter)
        return node, sum(self._ending[node])
