"""Truncated, wrong and damaged files: a clear error or a model, never a crash."""

import gzip
import lzma
import math
import random
import sys

import pytest

from ctckit import NGramModel
from ctckit.errors import DataError, InvalidInputError, ModelFormatError
from ctckit.language_models.files import automaton
from ctckit.language_models.ngram import LAYOUTS
from tests.language_models.test_ngram import TEXT, expect_same_scores, load_text
from tests.support import ngram_oracle as oracle
from tests.support.tolerances import LM_NATS

ARPA = """
\\data\\
ngram 1=4
ngram 2=2

\\1-grams:
-2\t<unk>
-99\t<s>\t-0.5
-1\t</s>
-0.5\ta\t-0.25

\\2-grams:
-0.1\t<s> a
-0.2\ta </s>

\\end\\
"""


def test_the_plain_file_is_fine(tmp_path):
    model = load_text(tmp_path, ARPA)
    assert model.counts == (4, 2)
    expect_same_scores(model, oracle.read_arpa(ARPA), [["a"], ["a", "a", "x"], []])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("\\data\\", "data"), r'line 2: expected \\data\\, found "data", and no line .* This is not an ARPA'),
        (("ngram 1=4\nngram 2=2\n", ""), r'line 3: no "ngram 1=count"'),
        (("ngram 1=4", "ngram 1:4"), r'line 3: expected "ngram N=count", found "ngram 1:4"'),
        (("ngram 1=4", "ngram 1=four"), r'line 3: expected "ngram N=count"'),
        (("ngram 1=4", "ngram 1=-4"), r'line 3: expected "ngram N=count"'),
        (("ngram 1=4", "ngram 1=4 5"), r'line 3: expected "ngram N=count"'),
        (("ngram 1=4\n", ""), "line 3: expected the count of 1-grams, found that of 2-grams"),
        (("ngram 2=2", "ngram 3=2"), "line 4: expected the count of 2-grams, found that of 3-grams"),
        (("ngram 1=4", "ngram 1=4000000000"), "line 3: 4000000000 1-grams are declared; the 105 bytes that follow"),
        (("ngram 2=2", "ngram 2=18446744073709551615"), "line 4: 18446744073709551615 2-grams are declared"),
        (("ngram 2=2", "ngram 2=18446744073709551616"), r'line 4: expected "ngram N=count"'),
        (("ngram 1=4", "ngram 1=5"), r"line 11: the section ends after 4 1-grams; \\data\\ says 5"),
        (("ngram 1=4", "ngram 1=3"), r"line 10: expected \\2-grams:, found .* Are there more 1-grams than"),
        (("ngram 2=2", "ngram 2=3"), r"line 15: the section ends after 2 2-grams; \\data\\ says 3"),
        (("ngram 2=2", "ngram 2=1"), r"line 14: expected \\end\\, found .* Are there more 2-grams"),
        (("ngram 2=2\n", ""), "line 7: a back-off in the highest order"),
        (("\\2-grams:", "\\3-grams:"), r"line 12: expected \\2-grams:, found"),
        (("\\end\\", ""), r"line 16: the file ends here; expected \\end\\. Is it truncated\?"),
        (("\\end\\", "\\end\\\nmore"), r'line 17: text after \\end\\: "more"'),
        (("-0.5\ta", "0.5\ta"), "line 10: the log-probability is above 0"),
        (("-0.5\ta", "nan\ta"), 'line 10: the log-probability is "nan"; expected a finite number or -inf'),
        (("-0.5\ta", "inf\ta"), 'line 10: the log-probability is "inf"'),
        (("-0.5\ta", "1e400\ta"), 'line 10: the log-probability is "1e400"'),
        (("-0.5\ta", "a\t-0.5"), 'line 10: the log-probability is "a"'),
        (("-0.5\ta", "-0,5\ta"), 'line 10: the log-probability is "-0,5"'),
        (("-0.5\ta", "-\ta"), 'line 10: the log-probability is "-"'),
        (("a\t-0.25", "a\tx"), 'line 10: the back-off is "x"'),
        (("a\t-0.25", "a\tinf"), 'line 10: the back-off is "inf"'),
        (("a\t-0.25", "a\t-inf"), r'line 10: the back-off is "-inf"; expected a finite number\.'),
        (("a\t-0.25", "a\t-1e400"), 'line 10: the back-off is "-1e400"'),
        (("a\t-0.25", "a\t-0.25\t0"), "line 10: expected a log-probability, 1 words and at most a back-off"),
        (("-0.5\ta\t-0.25", "-0.5"), "line 10: expected 1 words after"),
        (("-0.1\t<s> a", "-0.1\t<s>"), "line 13: expected 2 words after"),
        (("-0.1\t<s> a", "-0.1\t<s> a\t-0.3"), "line 13: a back-off in the highest order"),
        (("-0.1\t<s> a", "-0.1\t<s> b"), 'line 13: the word "b" is not among the 1-grams'),
        (("-0.2\ta </s>", "-0.2\ta </s> b"), 'line 14: the back-off is "b"'),
        (("-0.2\ta </s>", "-0.2\t<s> a"), "line 14: the same n-gram occurs twice"),
        (("-1\t</s>", "-1\ta"), 'line 10: the 1-gram "a" occurs twice'),
        (("-2\t<unk>", "-2\t</s>"), 'line 9: the 1-gram "</s>" occurs twice'),
        (("-1\t</s>", "-1\tb"), "line 10: the 1-grams lack </s>"),
        (("<s>", "<S>"), "line 10: the 1-grams lack <s>"),
    ],
)
def test_what_is_wrong_with_an_arpa_file_and_where(tmp_path, change, message):
    text = ARPA.replace(*change, 1) if change[0] in ("<s>",) else ARPA.replace(*change)
    assert text != ARPA
    with pytest.raises(DataError, match=r"m\.arpa: " + message):
        load_text(tmp_path, text)


def test_what_an_arpa_file_may_look_like(tmp_path):
    expected = load_text(tmp_path, ARPA)
    crlf = ARPA.replace("\n", "\r\n").encode()
    blanks = ARPA.replace("\t", "  ").replace("\n\n", "\n\n \n").encode()
    for each in (crlf, blanks, b"\xef\xbb\xbf" + ARPA.lstrip().encode(), ARPA.rstrip().encode()):
        (tmp_path / "m.arpa").write_bytes(each)
        model = NGramModel.load(tmp_path / "m.arpa")
        assert model.log_prob(["a", "x"]) == expected.log_prob(["a", "x"])
    capital = load_text(tmp_path, ARPA.replace("<unk>", "<UNK>"))
    assert capital.unknown_log_prob == expected.unknown_log_prob
    without = load_text(tmp_path, ARPA.replace("-2\t<unk>\n", "").replace("1=4", "1=3"))
    assert without.unknown_log_prob == pytest.approx(-100 * math.log(10), abs=LM_NATS)  # as in KenLM: log10 p = −100
    more = load_text(tmp_path, ARPA.replace("-0.5\ta", "-000.50000000000000000000000e-0\ta"))
    assert more.log_prob(["a"]) == expected.log_prob(["a"])


@pytest.mark.parametrize("zero", ["-inf", "-1e400", "-1e39"])
def test_a_log_probability_may_be_minus_infinity(tmp_path, zero):
    model = load_text(tmp_path, ARPA.replace("-0.5\ta", f"{zero}\ta").replace("-0.2\ta </s>", f"{zero}\ta </s>"))
    saved = tmp_path / "again.arpa", tmp_path / "again.ctclm"
    for path in saved:
        model.save(path)
    assert "-inf\ta\t-0.25\n" in saved[0].read_text()
    for each in (model, *map(NGramModel.load, saved)):
        assert each.log_prob(["a"], eos=False) == pytest.approx(-0.1 * math.log(10), abs=LM_NATS)  # after <s>
        assert each.log_prob(["a"], bos=False, eos=False) == -math.inf == each.log_prob(["a"])
        assert each.log_prob(["x"]) == pytest.approx(-3.5 * math.log(10), abs=LM_NATS)


@pytest.mark.parametrize(
    ("text", "shown"),
    [(b"\\data\\\nngram 1=\xff\xfe\n", r'found "ngram 1=\?\?"'), (b"\xc3\xa9" * 80, "found \"" + "é" * 30 + "…\"")],
)  # fmt: skip
def test_messages_can_be_printed_whatever_is_in_the_file(tmp_path, text, shown):
    (tmp_path / "m.arpa").write_bytes(text)
    with pytest.raises(DataError, match=shown):
        NGramModel.load(tmp_path / "m.arpa")
    (tmp_path / "m.arpa").write_bytes(ARPA.encode().replace(b"-0.5\ta", b"-0.5\t\xe9"))
    with pytest.raises(DataError, match="line 10: the word is not UTF-8"):
        NGramModel.load(tmp_path / "m.arpa")


def test_a_truncated_arpa_file_is_refused_wherever_it_is_cut(tmp_path):
    whole = ARPA.rstrip().encode()
    for size in range(len(whole)):
        (tmp_path / "m.arpa").write_bytes(whole[:size])
        with pytest.raises(DataError, match=r"m\.arpa: "):
            NGramModel.load(tmp_path / "m.arpa")


def use(model):
    """Look at everything that a model can be asked."""
    state = model.start
    for entry in [*list(model)[:20], "a", "the", "cat", "never"]:
        log_prob, state = model.score(state, entry)
        assert isinstance(log_prob, float)
        model.end(state)
    model.log_prob(["the", "cat", "a"])
    for state in (0, 1, 5, 1000, 2**32 - 1):
        for word in (0, 3, 1000, 2**32 - 1):
            model.native.query(state, word)
    model.native.word(2**32 - 1)
    repr(model)


@pytest.mark.parametrize("seed", range(4))
def test_damaged_arpa_files(tmp_path, seed):
    draw = random.Random(seed)
    whole = oracle.write_arpa(oracle.random_model(seed, 3, words=3)).encode()
    refused = unclear = 0
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(draw.choice([1, 1, 3])):
            at = draw.randrange(len(damaged))
            damaged[at : at + draw.randrange(3)] = draw.choice([b"", b"\xff", b"\n", b"\t", b"9", b"-", b"\\", b"\0"])
        (tmp_path / "m.arpa").write_bytes(damaged)
        try:
            use(NGramModel.load(tmp_path / "m.arpa"))
        except DataError as error:
            refused += str(error).startswith(str(tmp_path))
            unclear += not str(error).startswith(str(tmp_path))
    assert unclear == 0
    assert 75 < refused < 300


def test_compressed_files_that_are_damaged(tmp_path):
    for packed in (gzip.compress(ARPA.encode()), lzma.compress(ARPA.encode())):
        for damaged in (packed[:40], packed[:-5], packed[:30] + b"\0\0\0" + packed[33:]):
            (tmp_path / "m.arpa").write_bytes(damaged)
            with pytest.raises(DataError, match=r"m\.arpa: cannot be read"):
                NGramModel.load(tmp_path / "m.arpa")


def test_files_that_are_something_else(tmp_path):
    path = tmp_path / "m"
    for content, message in [
        (b"", "the file is empty"),
        (b"mmap lm http://kheafield.com/code format version 5\n\0", "the file has 52 bytes, too few for its header"),
        (b"\x89PNG\r\n\x1a\n", r"line 1: expected \\data\\"),
        (b"CTCKITLM", "the file is truncated: its header is incomplete"),
    ]:
        path.write_bytes(content)
        with pytest.raises(DataError, match=message):
            NGramModel.load(path)
    with pytest.raises(DataError, match="cannot be read"):
        NGramModel.load(tmp_path / "nothing")
    with pytest.raises(DataError, match="cannot be read"):
        NGramModel.load(tmp_path)
    with pytest.raises(DataError, match="cannot be written"):
        NGramModel.train(TEXT, order=2).save(tmp_path / "no" / "folder.ctclm")


# ---- our own file


@pytest.fixture(scope="module", params=LAYOUTS)
def own_file(tmp_path_factory, request):
    path = tmp_path_factory.mktemp("own") / "m.ctclm"
    NGramModel.train(TEXT, order=3).save(path, layout=request.param)
    return path.read_bytes()


def test_a_truncated_file_of_ours_is_refused_wherever_it_is_cut(tmp_path, own_file):
    path = tmp_path / "m.ctclm"
    path.write_bytes(own_file + b"\0")
    with pytest.raises(ModelFormatError, match=r"the file has .* bytes; its header says .* Is it truncated"):
        NGramModel.load(path)
    for size in [*range(0, len(own_file), 13), len(own_file) - 1]:
        path.write_bytes(own_file[:size])
        with pytest.raises(DataError, match=r"m\.ctclm: "):
            NGramModel.load(path)


def test_a_changed_byte_is_found_wherever_it_is(tmp_path, own_file):
    path = tmp_path / "m.ctclm"
    draw = random.Random(3)
    for at in range(0, len(own_file), 7):
        damaged = bytearray(own_file)
        damaged[at] ^= 1 << draw.randrange(8)
        path.write_bytes(damaged)
        if at < 4096:  # the header
            with pytest.raises(DataError, match=r"m\.ctclm: "):
                NGramModel.load(path)
            continue
        model = NGramModel.load(path)
        with pytest.raises(ModelFormatError, match=r"m\.ctclm: the content is damaged"):
            model.score(0, "the")
        with pytest.raises(ModelFormatError, match="damaged"):
            _ = model.start
        use(NGramModel.load(path, verify=False))  # wrong, but safe


def test_a_file_of_random_bytes_after_its_header_is_safe(tmp_path, own_file):
    path = tmp_path / "m.ctclm"
    draw = random.Random(4)
    path.write_bytes(own_file)
    counts = NGramModel.load(path).counts
    for fill in [draw.randbytes, bytes, lambda n: b"\xff" * n, lambda n: b"\1\0\0\0" * (n // 4)] * 5:
        path.write_bytes(own_file[:4096] + fill(len(own_file) - 4096))
        model = NGramModel.load(path, verify=False)
        try:
            use(model)
            automaton(model.native).arpa()
        except (DataError, ValueError, UnicodeDecodeError):
            pass
        assert model.counts == counts  # of the header


@pytest.mark.parametrize(
    ("at", "message"), [(8, "version 3 of the format; this ctckit reads versions 1 and 2"), (12, "another byte order")]
)
def test_other_versions_and_machines(tmp_path, own_file, at, message):
    path = tmp_path / "m.ctclm"
    changed = bytearray(own_file)
    changed[at : at + 4] = changed[at : at + 4][::-1] if at == 12 else (3).to_bytes(4, sys.byteorder)
    path.write_bytes(changed)
    with pytest.raises(ModelFormatError, match=message):
        NGramModel.load(path)


def test_the_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "m.ctclm"
    NGramModel.train(TEXT, order=2).save(path)
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DataError, match=r"m\.ctclm: cannot be written \(No space left on device\)"):
        NGramModel.train(TEXT, order=3).save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


COMMENTED = """## from another program

# order 1
\\data\\
ngram 1=4

\\1-grams:
-1\t<unk>
-99\t<s>
-0.5\t</s>
-0.3\ta

\\end\\
"""


PROSE = """This is an n-gram model. It was made from text A,
with ngram 1=3 and more.

  # and this is a comment
"""


@pytest.mark.parametrize("before", ["", PROSE, PROSE * 1000, "\ufeff" + PROSE, "\r\n", "\\data\r\n"])
def test_comments_and_prose_before_the_data_are_skipped(tmp_path, before):
    path = tmp_path / "model.arpa"
    path.write_text(before + COMMENTED, encoding="utf-8", newline="")
    assert NGramModel.load(path).log_prob("a", eos=False) == pytest.approx(-0.3 * math.log(10), abs=LM_NATS)


def test_lines_before_the_data_are_counted(tmp_path):
    path = tmp_path / "model.arpa"
    path.write_text(COMMENTED.replace("\\data\\", "data"), encoding="utf-8")
    with pytest.raises(DataError, match=r'line 1: expected \\data\\, found "## from another program", and no line'):
        NGramModel.load(path)
    path.write_text(COMMENTED.replace("-0.3\ta", "-0.3\ta b"), encoding="utf-8")
    with pytest.raises(DataError, match=r"line 11: "):
        NGramModel.load(path)


@pytest.mark.parametrize(
    ("entries", "unit"),
    [
        (["a", "b", "<pad>", "[UNK]", "<blank>"], "char"),
        (["a", "e\u0301", "각"], "char"),  # e and a combining accent are one character
        (["a", "b", "_"], "char"),
        (["a", "b", "▁"], "char"),
        (["a", "b", "ab"], "word"),
        (["a", "<3"], "word"),
    ],
)
def test_the_unit_is_told_by_the_entries(tmp_path, entries, unit):
    path = tmp_path / "model.arpa"
    NGramModel.train([entries], order=2, unit="token").save(path)
    assert NGramModel.load(path).unit == unit


@pytest.mark.parametrize("name", ["<space>", "|", "[space]"])
def test_a_model_of_characters_is_told_by_the_name_of_its_space(tmp_path, name):
    path = tmp_path / "model.arpa"
    model = NGramModel.train(["ab ba", "a b"], order=2, unit="char", space=name)
    model.save(path)
    loaded = NGramModel.load(path)
    assert (loaded.unit, loaded.space) == ("char", name)
    assert loaded.log_prob("ab a") == pytest.approx(model.log_prob("ab a"), abs=LM_NATS)
    assert NGramModel.load(path, unit="word").unit == "word"


def test_the_space_can_be_named(tmp_path):
    path = tmp_path / "model.arpa"
    NGramModel.train(["ab ba", "a b"], order=2, unit="char", space="_").save(path)
    assert NGramModel.load(path).space == "|"
    assert NGramModel.load(path, space="_").log_prob("a b") > NGramModel.load(path).log_prob("a b")
    with pytest.raises(InvalidInputError, match=r"space is ' '; expected a string without white space"):
        NGramModel.load(path, space=" ")
