"""The inputs of torchaudio and the recorded part of its results, for the tests and golden/make_torchaudio.py."""

from dataclasses import dataclass

import numpy as np

RANDOM_CASES = 300
LONG = {"float32": 1e-4, "float16": 100.0}  # type → least difference of torchaudio's path to the optimum, nats
LONG_FRAMES, LONG_TOKENS, LONG_CLASSES = 4000, 900, 64
DTYPES = ("float32", "float64", "float16")


@dataclass
class Case:
    """One item."""

    log_probs: np.ndarray  # (1, T, C)
    targets: np.ndarray  # (1, N)
    blank: int


def log_softmax(logits, dtype):
    logits = logits - logits.max(axis=-1, keepdims=True)
    return (logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))).astype(dtype)


def random_case(seed):
    """A short problem; a third of them are in half precision, some have exactly the needed frames."""
    rng = np.random.default_rng(seed)
    classes, tokens = int(rng.integers(2, 12)), int(rng.integers(1, 10))
    blank = int(rng.integers(classes))
    targets = rng.integers(0, classes - 1, tokens)
    targets += targets >= blank
    needed = tokens + int((targets[1:] == targets[:-1]).sum())
    frames = needed + int(rng.choice([0, 1, 5, 20]))
    logits = rng.normal(0, rng.choice([0.5, 2.0, 6.0]), (1, frames, classes))
    dtype = DTYPES[seed % len(DTYPES)]
    kind = rng.choice(["int32", "int64"])
    return Case(log_softmax(logits, dtype), targets[None].astype(kind), blank)


def long_case(dtype):
    """A problem with sums of thousands of nats, and paths that differ by thousandths of a nat."""
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 0.1, (1, LONG_FRAMES, LONG_CLASSES))
    return Case(log_softmax(logits, dtype), rng.integers(1, LONG_CLASSES, (1, LONG_TOKENS)), 0)


def wrong_calls(torch):
    """Name → arguments for which torchaudio raises an error."""
    rng = np.random.default_rng(2)
    log_probs = torch.from_numpy(log_softmax(rng.normal(0, 1, (1, 5, 4)), "float32"))
    targets, frames, tokens = torch.tensor([[1, 2]]), torch.tensor([5]), torch.tensor([2])
    return {
        "blank in targets": (log_probs, torch.tensor([[1, 0]])),
        "class too large": (log_probs, torch.tensor([[1, 4]])),
        "too long": (log_probs, torch.tensor([[1, 1, 1, 2]])),
        "fewer frames": (log_probs, targets, torch.tensor([4]), tokens),
        "fewer tokens": (log_probs, targets, frames, torch.tensor([1])),
        "blank outside": (log_probs, targets, frames, tokens, 4),
        "no batch": (log_probs[0], targets, frames, tokens),
        "no batch of targets": (log_probs, targets[0], frames, tokens),
        "integers": (log_probs.long(), targets, frames, tokens),
        "fractions": (log_probs, targets.float(), frames, tokens),
        "truth values": (log_probs, targets > 0, frames, tokens),
        "more frames": (log_probs, targets, torch.tensor([6]), tokens),
        "more tokens": (log_probs, targets, frames, torch.tensor([3])),
        "frames below 0": (log_probs, targets, torch.tensor([-1]), tokens),
        "a number of frames": (log_probs, targets, torch.tensor(5), tokens),
        "a number of tokens": (log_probs, targets, frames, torch.tensor(2)),
        "a table of frames": (log_probs, targets, frames[None], tokens),
        "a table of tokens": (log_probs, targets, frames, tokens[None]),
        "blank below 0": (log_probs, targets, frames, tokens, -1),
    }


def wrong_merges(torch):
    """The same for ``merge_tokens``."""
    tokens, scores = torch.tensor([0, 1, 1]), torch.tensor([-1.0, -2.0, -3.0])
    return {"a batch": (tokens[None], scores[None]), "other lengths": (tokens, scores[:2])}


def answer(functional, torch, case):
    """Return path, types and spans."""
    arguments = torch.from_numpy(case.log_probs), torch.from_numpy(case.targets)
    tokens, scores = functional.forced_align(*arguments, blank=case.blank)
    spans = functional.merge_tokens(tokens[0], scores[0], case.blank)
    return {
        "path": tokens[0].tolist(),
        "types": [str(tokens.dtype), str(scores.dtype), list(tokens.shape), list(scores.shape)],
        "spans": [[span.token, span.start, span.end, span.score, len(span)] for span in spans],
    }


def score(case, path):
    """Return the score of a path, in float64."""
    return float(case.log_probs[0, np.arange(len(path)), path].astype(np.float64).sum())
