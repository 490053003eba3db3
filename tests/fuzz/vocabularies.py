"""Random vocabularies in every form: ``python -m tests.fuzz.vocabularies --rounds 10000 --seed 2`` (``make fuzz``).

The same tokens in another form, or in a file that the command line takes, are the same vocabulary.
"""

import json
import pickle
import tempfile
from pathlib import Path

import numpy as np

from ctckit import BeamDecoder, Vocabulary
from ctckit.cli.options import VocabularyOptions
from tests.fuzz.rounds import Rounds, expect, shown
from tests.fuzz.scripts import random_words

SIGNS = [*"abcxyz01279#▁|<>'\".,:\\/\u00a0\u2028\u3000\u200b\x0c\x85"]


def random_tokens(rng):
    """Return different tokens: characters, several characters, with spaces or tabs in them."""
    pools = (SIGNS, [*"abc"], [letter for word in random_words(rng) for letter in word])
    pool = pools[rng.integers(len(pools))]
    longest = int(rng.choice([1, 1, 4]))
    found = ["".join(rng.choice(pool, rng.integers(1, longest + 1))) for _ in range(rng.integers(1, 30))]
    spaces = [[], [" "], ["a b", " "], ["\t"], ["7", "12", "a 1"]][rng.integers(5)]
    return list(dict.fromkeys([*found, *spaces]))


def random_vocabulary(rng):
    """Return a vocabulary with a mark of words or without one."""
    tokens, marks = random_tokens(rng), {}
    kind = rng.choice(["none", "separator", "word_start", "continuation"])
    if kind == "separator":
        marks = {"separator": str(rng.choice(tokens))}
    elif kind != "none":
        marks = {kind: str(rng.choice(["▁", "##", "Ġ", tokens[0][0]]))}
        tokens = list(dict.fromkeys([*tokens, *(marks[kind] + token for token in tokens if rng.random() < 0.5)]))
        tokens = tokens if any(token.startswith(marks[kind]) for token in tokens) else [*tokens, marks[kind]]
    blank = int(rng.integers(len(tokens) + 1))
    order = [tokens[k] for k in rng.permutation(len(tokens))]
    return Vocabulary((*order[:blank], "", *order[blank:]), blank, **marks)


def marks_of(vocabulary):
    return {name: getattr(vocabulary, name) for name in ("separator", "word_start", "continuation")}


def check_vocabulary(rng):
    """Check one random vocabulary in all forms."""
    vocabulary = random_vocabulary(rng)
    with shown(vocabulary):
        for form in forms_of(rng, vocabulary.tokens):
            again = Vocabulary(form, vocabulary.blank, **marks_of(vocabulary))
            expect(again == vocabulary, f"{form!r} is {again}")
        expect(pickle.loads(pickle.dumps(vocabulary)) == vocabulary, "the pickled vocabulary is another one")
        check_decoder(rng, vocabulary)
        check_words(rng, vocabulary)
        with tempfile.TemporaryDirectory() as folder:
            check_files(rng, vocabulary, Path(folder))


def forms_of(rng, tokens):
    """Yield the tokens in the forms that ``Vocabulary`` takes."""
    classes = [(token, k) for k, token in enumerate(tokens)]
    shuffled = [classes[k] for k in rng.permutation(len(classes))]
    yield list(tokens)
    yield tuple(tokens)
    yield iter(tokens)
    yield dict.fromkeys(tokens).keys() if len(tokens) == 1 else np.array([*tokens, None])[:-1]
    yield dict(shuffled)
    yield {token: np.int64(k) for token, k in shuffled}


def check_decoder(rng, vocabulary):
    """Check that a decoder takes the tokens in all forms."""
    for form in forms_of(rng, vocabulary.tokens):
        found = BeamDecoder(form, blank=vocabulary.blank).vocabulary
        expect(found.tokens == vocabulary.tokens and found.blank == vocabulary.blank, f"{form!r} is {found}")
    expect(BeamDecoder(vocabulary).vocabulary == vocabulary, "a decoder has another vocabulary")


def check_words(rng, vocabulary):
    """Compare the text of random tokens with a second, simple implementation."""
    others = [k for k in range(len(vocabulary)) if k != vocabulary.blank]
    tokens = rng.choice(others, rng.integers(0, 9)).tolist()
    text = vocabulary.decode(tokens)
    expect(text == written(vocabulary, [vocabulary[token] for token in tokens]), f"{tokens} are {text!r}")


def written(vocabulary, names):
    """Return tokens as a text: words, with one space between them."""
    if vocabulary.continuation is not None:
        mark = vocabulary.continuation
        names = [name[len(mark) :] if name.startswith(mark) else "\0" + name for name in names]
    if vocabulary.word_start is not None:
        names = [name.replace(vocabulary.word_start, "\0") for name in names]
    if vocabulary.separator is not None:
        names = ["\0" if name == vocabulary.separator else name for name in names]
    return " ".join(filter(None, "".join(names).split("\0")))


def check_files(rng, vocabulary, folder):
    """Write the tokens in all forms of files; the command line reads the same vocabulary."""
    blank_name = None if rng.random() < 0.5 else str(rng.choice(["<blank>", "[PAD]", "ε", "<blk>"]))
    if blank_name in vocabulary.tokens:
        blank_name = None
    names = [blank_name or "" if k == vocabulary.blank else token for k, token in enumerate(vocabulary.tokens)]
    is_last = blank_name is None and vocabulary.blank == len(vocabulary) - 1  # its line may be left out
    stated = None if blank_name != "ε" and not is_last and rng.random() < 0.5 else vocabulary.blank
    for path in files_of(rng, names, folder):
        with shown(path, repr(path.read_bytes())):
            found = Vocabulary.load(path, blank=stated, **marks_of(vocabulary))
            expect(found == vocabulary, f"read {found}")
            found = VocabularyOptions(blank=stated, **marks_of(vocabulary)).load(path)
            expect(found == vocabulary, f"read {found}")


def files_of(rng, names, folder):
    """Yield files of the tokens."""
    order = rng.permutation(len(names))
    contents = {
        "list.json": json.dumps(names, ensure_ascii=bool(rng.integers(2))),
        "classes.json": json.dumps({names[k]: int(k) for k in order}, ensure_ascii=bool(rng.integers(2))),
    }
    if is_unambiguous(names):
        contents["tokens.txt"] = "\n".join(names) + "\n"
        between = " " if rng.random() < 0.5 else "\t"
        contents["classes.txt"] = "".join(f"{names[k]}{between}{k}\n" for k in order)
    for name, content in contents.items():
        end = "\r\n" if rng.random() < 0.3 else "\n"
        mark = "\ufeff" if rng.random() < 0.3 else ""
        last = content.removesuffix("\n") if rng.random() < 0.3 else content
        (folder / name).write_bytes((mark + last.replace("\n", end)).encode())
        yield folder / name


def is_unambiguous(names):
    """Tell whether lines of tokens cannot be taken for lines of "token class"."""
    return not all(name.split()[-1:] and name.split()[-1].isdigit() for name in names)


ROUNDS = Rounds("tests.fuzz.vocabularies", check_vocabulary, "{} vocabularies are the same in all forms", 10000)

if __name__ == "__main__":
    ROUNDS.command()
