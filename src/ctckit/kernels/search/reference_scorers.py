"""The scorers: what each token adds to the score of a text besides CTC. Plain loops, float64: the definition.

The scorers know a text only through its *context*:

    boundary       whether its last letter is a boundary (or it has no letter): another boundary then changes nothing
    token model    the state of the model of tokens, and whether the last entry it was asked for is the space
    word model     the state of the word model after the last complete word, and the node of the lexicon since then
    hotwords       the state of the automaton

``Scorers.walk`` extends a context by a token and returns what the token adds for good. Inside a word or a hotword, the
search also gets a *look-ahead*: a part of what the finished word is expected to add. One token adds, in nats,

    fusion(y, c) = fusion score gained for good + look-ahead after c − look-ahead before c

Look-aheads steer the search. They cancel along a text and are taken back at its end, so the final score has none:

    lexicon     inside a word, at node v:  word_lm_weight · max log p(w), without context, over the words w below v;
                                           less oov_charge · letters so far where w is out of vocabulary;
                off the lexicon:           word_lm_weight · log p(<unk>) − oov_charge · letters so far;
                between words:             0
    hotwords    at the node that spells the longest beginning of a hotword that the text ends in:
                the maximum, over the hotwords h below it, of weight(h) · m / n, where m of the n letters of h are read
                (boundaries are not letters here; a hotword that ends at the node is not below it)
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from ctckit.kernels.search.plan import BOUNDARY, Parts, SearchPlan, Session, weighted

Choice = tuple[float, float, tuple[int, ...]]
"""The score and the log-probability of the words so far, and these words."""

WordEnd = tuple[int, int]
"""The node of a complete word in the lexicon, and its number of letters."""

ROOT = 0
MOST_CHOICES = 32  # states of the word model after a word, and words of a spelling
OFF_LEXICON = -1


@dataclass(frozen=True)
class Context:
    """All that the scorers need to know about a text; see the top of this file."""

    boundary: bool
    token_lm_state: int
    token_lm_space: bool
    word_lm_state: int
    node: int
    letters: int
    hotword: int


class Scorers:
    """All scorers of a plan: language models, lexicon, hotwords.

    Args:
        plan: What to search for.
    """

    def __init__(self, plan: SearchPlan) -> None:
        self.plan = plan
        self.token_lm = None if plan.token_lm is None else plan.token_lm.session()
        self.word_lm = None if plan.word_lm is None else plan.word_lm.session()
        self.lexicon = LexiconTrie(plan)
        self.hotwords = HotwordAutomaton(plan)
        self._letters = plan.letters.lists()
        self._token_lm_ids = plan.token_lm_ids.lists()

    def start(self) -> Context:
        """Return the context of the empty text."""
        return Context(
            boundary=True,
            token_lm_state=self._first_state(self.token_lm),
            token_lm_space=True,
            word_lm_state=self._first_state(self.word_lm),
            node=ROOT,
            letters=0,
            hotword=self.hotwords.start,
        )

    def _first_state(self, model: Session | None) -> int:
        if model is None:
            return 0
        return model.start if self.plan.lm_boundary else model.empty

    def extend(self, context: Context, token: int) -> tuple[float, Context]:
        """Return fusion(y, token), −∞ where the token is forbidden, and the context after it."""
        gained, after = self.walk(context, token)
        return self.plan.fusion_score(gained, 1) + self._rise(self.look_ahead(after), context), after

    def close(self, context: Context) -> float:
        """Return what the end of the text adds: the last word and </s>, less the look-ahead that is taken back."""
        return self.plan.fusion_score(self.end(context), 0) + self._rise(0.0, context)

    def _rise(self, look_ahead: float, before: Context) -> float:
        return look_ahead - self.look_ahead(before)

    def look_ahead(self, context: Context) -> float:
        """Return the look-ahead of a context in nats."""
        return self.lexicon.look_ahead(context.node, context.letters) + self.hotwords.look_ahead[context.hotword]

    def walk(self, context: Context, token: int) -> tuple[Parts, Context]:
        """Return what a token adds for good, and the context after it."""
        token_lm_log_prob, token_lm_state, token_lm_space = self._ask_token_lm(context, token)
        gained = Parts(token_lm_log_prob=token_lm_log_prob)
        boundary, word_lm_state, node, letters = context.boundary, context.word_lm_state, context.node, context.letters
        hotword = context.hotword
        for letter in self._letters[token]:
            if letter == BOUNDARY and boundary:
                continue
            if letter == BOUNDARY:
                word, word_lm_state = self._end_word(word_lm_state, node, letters)
                gained += word
                node, letters = ROOT, 0
            else:
                node, letters = self.lexicon.child(node, letter), letters + 1
            hotword, weight = self.hotwords.step(hotword, letter)
            gained += Parts(hotwords=weight)
            boundary = letter == BOUNDARY
        return gained, Context(boundary, token_lm_state, token_lm_space, word_lm_state, node, letters, hotword)

    def end(self, context: Context) -> Parts:
        """Return what the end of the text adds: it is a boundary for words and hotwords, then comes </s>."""
        gained, word_lm_state = Parts(), context.word_lm_state
        if self.plan.has_words and not context.boundary:
            gained, word_lm_state = self._end_word(word_lm_state, context.node, context.letters)
            gained += Parts(hotwords=self.hotwords.step(context.hotword, BOUNDARY)[1])
        if not self.plan.lm_boundary:
            return gained
        if self.word_lm is not None:
            gained += Parts(word_lm_log_prob=self.word_lm.query(word_lm_state, self.word_lm.end)[0])
        if self.token_lm is not None:
            gained += Parts(token_lm_log_prob=self.token_lm.query(context.token_lm_state, self.token_lm.end)[0])
        return gained

    def parts(self, tokens: Sequence[int]) -> Parts:
        """Return the terms of the fusion score of a text. Words that are spelled alike are chosen by the whole text."""
        context, gained = self.start(), Parts()
        ends: list[WordEnd] = []
        for token in tokens:
            ends += self._words_ended(context, token)
            more, context = self.walk(context, token)
            gained += more
        if self.plan.has_words and not context.boundary:
            ends.append((context.node, context.letters))
        gained += self.end(context)
        log_prob, words = self._choose_words(ends)
        unknown = [letters for word, (_, letters) in zip(words, ends, strict=True) if self._is_oov(word)]
        return replace(gained, word_lm_log_prob=log_prob, word_indices=words, oov_letters=sum(unknown))

    def score_word_by_word(self, tokens: Sequence[int]) -> float:
        """Return the fusion score of a text with each word chosen where it ends, by the words before it."""
        context, gained = self.start(), Parts()
        for token in tokens:
            more, context = self.walk(context, token)
            gained += more
        return self.plan.fusion_score(gained + self.end(context), len(tokens))

    def _words_ended(self, context: Context, token: int) -> list[WordEnd]:
        ends = []
        node, letters = context.node, context.letters
        for letter in self._letters[token]:
            if letter != BOUNDARY:
                node, letters = self.lexicon.child(node, letter), letters + 1
                continue
            if letters > 0:
                ends.append((node, letters))
            node, letters = ROOT, 0
        return ends

    def _choose_words(self, ends: Sequence[WordEnd]) -> tuple[float, tuple[int, ...]]:
        """Return the words with the best score, and their log-probability with </s>: a shortest path.

        For each state of the model, the best words so far are kept (Viterbi), for at most ``MOST_CHOICES`` states.
        """
        choices: dict[int, Choice] = {self.start().word_lm_state: (0.0, 0.0, ())}
        for node, letters in ends:
            longer: dict[int, Choice] = {}
            for state, (score, log_prob, words) in choices.items():
                for more, value, word, after in self._options(state, node, letters):
                    if after not in longer or score + value > longer[after][0]:
                        longer[after] = (score + value, log_prob + more, (*words, word))
            choices = longer
            if len(longer) > MOST_CHOICES:
                choices = dict(sorted(longer.items(), key=lambda each: -each[1][0])[:MOST_CHOICES])
        last = {state: self._end_of_words(state) for state in choices}
        best = max(choices, key=lambda state: choices[state][0] + weighted(self.plan.word_lm_weight, last[state]))
        _, log_prob, words = choices[best]
        return log_prob + last[best], words

    def _options(self, state: int, node: int, letters: int) -> list[tuple[float, float, int, int]]:
        """Return log-probability, score, word and next state of the best words that a spelling may be."""
        model, plan = self.word_lm, self.plan
        found = []
        for word in self.lexicon.words_at(node) or (-1,):
            log_prob, after = 0.0, state
            if model is not None:
                log_prob, after = model.query(state, int(plan.word_lm_ids[word]) if word >= 0 else model.unknown)
            found.append((log_prob, self._word_value(log_prob, word, letters), word, after))
        return sorted(found, key=lambda each: -each[1])[:MOST_CHOICES]

    def _word_value(self, log_prob: float, word: int, letters: int) -> float:
        """Return what a word with this number of letters adds to the score, without the bonus."""
        charge = self.plan.oov_charge * letters if self._is_oov(word) else 0.0
        return weighted(self.plan.word_lm_weight, log_prob) - charge

    def _is_oov(self, word: int) -> bool:
        return self.plan.has_lexicon and (word < 0 or not self.lexicon.is_known(word))

    def _end_of_words(self, state: int) -> float:
        model = self.word_lm
        return model.query(state, model.end)[0] if model is not None and self.plan.lm_boundary else 0.0

    def written(self, tokens: Sequence[int]) -> tuple[int, ...]:
        """Return a text as it is written, with one boundary after each word: in letters, or in characters of names."""
        names = self.plan.word_names.lists()
        written = self.plan.class_names.lists() if names else self._letters
        letters = [letter for token in tokens for letter in written[token]]
        if not self.plan.has_words:
            return tuple(letters)
        words = [tuple(word) for is_end, word in groupby(letters, key=lambda each: each == BOUNDARY) if not is_end]
        if names:
            chosen = self.parts(tokens).word_indices
            words = [names[index] if index >= 0 else word for index, word in zip(chosen, words, strict=True)]
        return tuple(letter for word in words for letter in (*word, BOUNDARY))

    def _ask_token_lm(self, context: Context, token: int) -> tuple[float, int, bool]:
        total, state, after_space = 0.0, context.token_lm_state, context.token_lm_space
        if self.token_lm is None:
            return total, state, after_space
        for entry in self._token_lm_ids[token]:
            if entry == self.plan.token_lm_space and after_space:
                continue
            log_prob, state = self.token_lm.query(state, entry)
            total += log_prob
            after_space = entry == self.plan.token_lm_space
        return total, state, after_space

    def _end_word(self, state: int, node: int, letters: int) -> tuple[Parts, int]:
        """Return what a complete word adds: the likeliest word with this spelling, or an unknown one."""
        model = self.word_lm
        spelled = self.lexicon.words_at(node)
        if model is None:
            return Parts(
                words=1,
                oov_letters=letters if self.plan.has_lexicon and not spelled else 0,
                word_indices=(spelled[0] if spelled else -1,),
            ), state
        if not spelled:
            log_prob, after = model.query(state, model.unknown)
            return Parts(word_lm_log_prob=log_prob, words=1, oov_letters=letters, word_indices=(-1,)), after
        asked = [(*model.query(state, int(self.plan.word_lm_ids[index])), index) for index in spelled]
        log_prob, after, index = max(asked, key=lambda each: self._word_value(each[0], each[2], letters))
        oov_letters = 0 if self.lexicon.is_known(index) else letters
        return Parts(word_lm_log_prob=log_prob, words=1, oov_letters=oov_letters, word_indices=(index,)), after


class LexiconTrie:
    """The words as a trie over letters. Without a lexicon, every node is the root."""

    def __init__(self, plan: SearchPlan) -> None:
        self._plan = plan
        self._children: list[dict[int, int]] = [{}]
        self._words: list[list[int]] = [[]]
        self._best: list[float] = [-math.inf]  # the highest log p, without context, of the words below
        self._best_oov: list[float] = [-math.inf]  # the same of those that are out of vocabulary
        for index, spelling in enumerate(plan.words.lists()):
            self._insert(index, spelling)

    def _insert(self, index: int, spelling: Sequence[int]) -> None:
        model = self._plan.word_lm
        log_prob = 0.0 if model is None else model.look_ahead(int(self._plan.word_lm_ids[index]))
        best = self._best if self.is_known(index) else self._best_oov
        node = ROOT
        for letter in spelling:
            if letter not in self._children[node]:
                self._children[node][letter] = len(self._children)
                self._children.append({})
                self._words.append([])
                self._best.append(-math.inf)
                self._best_oov.append(-math.inf)
            node = self._children[node][letter]
            best[node] = max(best[node], log_prob)
        self._words[node].append(index)

    def is_known(self, index: int) -> bool:
        """Tell whether a word is in vocabulary."""
        return index < len(self._plan.words) - self._plan.oov_words

    def child(self, node: int, letter: int) -> int:
        """Return the node after a letter."""
        if not self._plan.has_lexicon:
            return ROOT
        return OFF_LEXICON if node == OFF_LEXICON else self._children[node].get(letter, OFF_LEXICON)

    def words_at(self, node: int) -> Sequence[int]:
        """Return the words whose spelling ends at a node, in the order of the lexicon."""
        return () if node == OFF_LEXICON else self._words[node]

    def look_ahead(self, node: int, letters: int) -> float:
        """Return the look-ahead at a node, ``letters`` letters after the last boundary."""
        model = self._plan.word_lm
        if node == ROOT:
            return 0.0
        if node == OFF_LEXICON:
            unknown = 0.0 if model is None else self._plan.word_lm_weight * model.look_ahead(model.unknown)
            return unknown - self._plan.oov_charge * letters
        if model is None:
            return 0.0
        weight, charge = self._plan.word_lm_weight, self._plan.oov_charge
        return max(weight * self._best[node], weight * self._best_oov[node] - charge * letters)


class HotwordAutomaton:
    """All hotwords in one automaton (Aho and Corasick 1975).

    Its state is the longest beginning of a hotword that the text ends in. Every occurrence counts, also where two
    overlap. Where there are words, hotwords are whole words: their patterns begin and end with a boundary, and two
    neighboring words share the boundary between them.
    """

    def __init__(self, plan: SearchPlan) -> None:
        self._children: list[dict[int, int]] = [{}]
        self._ending: list[list[float]] = [[]]  # weights of the patterns that end here
        self.look_ahead: list[float] = [0.0]
        for pattern, weight in zip(plan.hotwords.lists(), plan.hotword_weights.tolist(), strict=True):
            self._insert(pattern, weight)
        self._back = [ROOT] * len(self._children)
        self._link()
        self.start = self._children[ROOT].get(BOUNDARY, ROOT) if plan.has_words else ROOT

    def _insert(self, pattern: Sequence[int], weight: float) -> None:
        node, matched, needed = ROOT, 0, sum(letter != BOUNDARY for letter in pattern)
        for position, letter in enumerate(pattern):
            if letter not in self._children[node]:
                self._children[node][letter] = len(self._children)
                self._children.append({})
                self._ending.append([])
                self.look_ahead.append(0.0)
            node = self._children[node][letter]
            matched += letter != BOUNDARY
            if position + 1 < len(pattern):
                self.look_ahead[node] = max(self.look_ahead[node], weight * matched / needed)
        self._ending[node].append(weight)

    def _link(self) -> None:
        """Link each node to the node of its longest proper suffix, breadth first."""
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
        """Return the state after a letter, and the weight of the hotwords that it completes."""
        node = self._goto(node, letter)
        return node, sum(self._ending[node])
