import pytest

from ctckit import Vocabulary
from ctckit.errors import CharsetError, InvalidInputError


@pytest.mark.parametrize("blank", [0, 2, 3])
def test_text_goes_there_and_back(blank):
    vocabulary = Vocabulary.from_characters("abc", blank=blank)
    assert len(vocabulary) == 4
    assert vocabulary.tokens[blank] == ""
    assert vocabulary.characters == "abc"
    assert vocabulary.decode(vocabulary.encode("cabba")) == "cabba"
    assert blank not in vocabulary.encode("cabba")
    assert vocabulary.decode([blank]) == ""


def test_unknown_characters_are_named():
    with pytest.raises(
        CharsetError, match=r"text 'añb1' holds characters outside the charset of 2: '1' \(U\+0031\), 'ñ' \(U\+00F1\)\."
    ):
        Vocabulary.from_characters("ab").encode("añb1")


@pytest.mark.parametrize("token", [-1, 3, 1.0])
def test_only_classes_are_decoded(token):
    with pytest.raises(InvalidInputError, match=r"tokens\[1\] is .*"):
        Vocabulary.from_characters("ab").decode([1, token])


@pytest.mark.parametrize(
    ("tokens", "blank", "message"),
    [
        (("", "a"), 2, r"blank is 2; with C = 2 the classes are 0\.\.1\."),
        (("", "a"), None, r"blank is None; expected the index of a class, an integer\."),
        (("a", "b"), 0, r"tokens\[0\] is 'a', but 0 is the blank; expected \"\"\."),
        (("", "a", "a"), 0, r"tokens\[2\] is 'a', the same as tokens\[1\]\."),
        (("", "a", ""), 0, r"tokens\[2\] is '', the same as tokens\[0\]\."),
    ],
)
def test_nothing_is_guessed(tokens, blank, message):
    with pytest.raises(InvalidInputError, match=message):
        Vocabulary(tokens, blank)
