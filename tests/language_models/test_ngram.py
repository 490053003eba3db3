"""N-gram models: queries against a dictionary of the ARPA file, file formats, training, and the interface."""

import copy
import copyreg
import gzip
import lzma
import math
import pickle
import random
import re
import shutil
import subprocess

import numpy as np
import pytest

from ctckit import NGramModel, errors
from ctckit.errors import DataError, InvalidInputError
from ctckit.language_models import LanguageModel, files
from tests.support import ngram_oracle as oracle
from tests.support.paths import SHARED
from tests.support.tolerances import ARPA_LOG10, DOUBLE, LM_LOG10, LM_NATS, LM_READ, LM_SUM

TEXT = ["the cat sat on the mat", "the cat ate the rat", "a rat sat", "the dog ran", "a dog sat on a rat", "cat"]


def load_text(tmp_path, text, **options):
    path = tmp_path / "m.arpa"
    path.write_text(text, encoding="utf-8")
    return NGramModel.load(path, **options)


def expect_same_scores(model, reference, lines):
    order = max(map(len, reference))
    for line in lines:
        context, state, total = ["<s>"], model.start, 0.0
        for word in line:
            found, state = model.score(state, word)
            expected = oracle.log_prob(reference, context, word, order)
            assert found == pytest.approx(expected, abs=LM_NATS)
            context.append(word)
            total += expected
        assert model.end(state) == pytest.approx(oracle.log_prob(reference, context, "</s>", order), abs=LM_NATS)
        assert model.log_prob(line, eos=False) == pytest.approx(total, abs=LM_NATS * (1 + len(line)))
        total += oracle.log_prob(reference, context, "</s>", order)
        assert model.log_prob(line) == pytest.approx(total, abs=LM_NATS * (1 + len(line)))
        if line:
            alone = sum(oracle.log_prob(reference, line[:i], word, order) for i, word in enumerate(line))
            assert model.log_prob(line, bos=False, eos=False) == pytest.approx(alone, abs=LM_NATS * (1 + len(line)))


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("seed", range(12))
def test_queries_are_those_of_the_file(tmp_path, order, seed):
    reference = oracle.random_model(seed, order, unknown=seed % 3 > 0)
    model = load_text(tmp_path, oracle.write_arpa(reference))
    assert (model.order, model.unit) == (max(map(len, reference)), "word")
    expect_same_scores(model, reference, oracle.random_text(seed, reference))
    words = {each for (each,) in (gram for gram in reference if len(gram) == 1)} | {"<unk>"}
    assert (set(model), len(model)) == (words, len(words))
    assert "<unk>" in model
    assert "never-seen" not in model
    assert model.unknown_log_prob == pytest.approx(oracle.log_prob(reference, (), "<unk>", order), rel=LM_READ)


@pytest.mark.parametrize("seed", range(8))
def test_contexts_that_the_file_lacks_change_no_probability(tmp_path, seed):
    draw = random.Random(seed)
    reference = oracle.random_model(seed, 5)
    dropped = {gram for gram in reference if 1 < len(gram) < 5 and draw.random() < 0.4}
    reference = {gram: value for gram, value in reference.items() if gram not in dropped}
    model = load_text(tmp_path, oracle.write_arpa(reference))
    expect_same_scores(model, reference, oracle.random_text(seed, reference, lines=60))
    # Along n-grams whose contexts were dropped, too: random texts seldom meet them.
    expect_same_scores(model, reference, [[w for w in gram if w[0] != "<"] for gram in reference if len(gram) > 3])


def test_equal_contexts_are_equal_states(tmp_path):
    text = oracle.write_arpa(
        {("<unk>",): (-2, 0), ("<s>",): (0, -1), ("</s>",): (-1, 0), ("a",): (-1, -1), ("b",): (-1, 0)}
        | {("a", "b"): (-0.5, 0.0), ("<s>", "a"): (-0.5, 0.0)}
    )
    model = load_text(tmp_path, text)
    _, after_a = model.score(model.start, "a")
    assert model.score(after_a, "b")[1] == model.empty  # nothing begins with b, or with a b
    assert model.score(model.empty, "a")[1] == after_a  # <s> a has no continuation of its own


def arpa(model):
    """Return the ARPA text of a model in any layout."""
    return files.automaton(model.native).arpa()


@pytest.mark.parametrize("suffix", ["m.arpa", "m.arpa.gz", "m.arpa.xz", "m.ctclm"])
@pytest.mark.parametrize("order", [1, 2, 5])
def test_what_was_saved_is_loaded(tmp_path, suffix, order):
    reference = oracle.random_model(order, order)
    model = load_text(tmp_path, oracle.write_arpa(reference))
    model.save(tmp_path / suffix)
    again = NGramModel.load(tmp_path / suffix)
    assert (again.counts, again.unit, again.space) == (model.counts, "word", "|")
    assert list(again) == list(model)
    expect_same_scores(again, reference, oracle.random_text(order, reference))
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted({"m.arpa", suffix})
    if "arpa" in suffix:
        content = (tmp_path / suffix).read_bytes()
        unpacked = {"gz": gzip.decompress, "xz": lzma.decompress}.get(suffix[-2:], bytes)(content).decode()
        written = oracle.read_arpa(unpacked)
        assert written.keys() == reference.keys()
        for gram, (log_prob, back_off) in reference.items():
            assert written[gram][0] == pytest.approx(log_prob, abs=ARPA_LOG10)
            assert written[gram][1] == pytest.approx(back_off if len(gram) < order else 0, abs=ARPA_LOG10)


def test_our_file_keeps_what_arpa_cannot_say(tmp_path):
    model = NGramModel.train(["ab ba", "ab"], order=3, unit="char", space="_")
    assert "_" in model
    model.save(tmp_path / "m.ctclm")
    again = NGramModel.load(tmp_path / "m.ctclm")
    assert (again.unit, again.space) == ("char", "_")
    assert again.log_prob("ab ba") == model.log_prob(list("ab_ba"))
    assert NGramModel.load(tmp_path / "m.ctclm", unit="token").unit == "token"
    model.save(tmp_path / "m.arpa")
    assert NGramModel.load(tmp_path / "m.arpa").unit == "char"
    assert NGramModel.load(tmp_path / "m.arpa").space == "|"


def walk(model, entries):
    """Return the log-probabilities of entries, and how many words each time were matched, from the start on."""
    native, state, found = model.native, model.native.start, []
    for entry in entries:
        log_prob, after = native.query(state, native.find(entry))
        found.append((log_prob, native.match(state, native.find(entry))))
        state = after if len(found) % 11 else native.empty
    return found


@pytest.mark.parametrize(("unit", "order"), [("char", 1), ("char", 6), ("word", 2), ("word", 3), ("char", 16)])
def test_the_compact_layout_gives_the_same_bits(tmp_path, unit, order):
    model = NGramModel.train(TEXT, order=order, unit=unit)
    for layout in ("compact", "fast"):
        model.save(tmp_path / layout, layout=layout)
    model.save(tmp_path / "default")
    assert (tmp_path / "default").read_bytes() == (tmp_path / "compact").read_bytes()
    fast, compact = NGramModel.load(tmp_path / "fast"), NGramModel.load(tmp_path / "compact")
    draw = random.Random(order)
    entries = draw.choices([*model, "never seen"], k=3000)
    assert walk(compact, entries) == walk(fast, entries) == walk(model, entries)
    ids = [0, 1, 4, len(model), 2**32 - 1]
    assert [compact.native.unigram(k) for k in ids] == [fast.native.unigram(k) for k in ids]
    assert [compact.native.look_ahead(k) for k in ids] == [fast.native.look_ahead(k) for k in ids]
    assert list(compact) == list(model)
    assert arpa(compact) == arpa(fast) == arpa(model)
    compact.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "compact").read_bytes()
    compact.save(tmp_path / "again", layout="fast")
    assert walk(NGramModel.load(tmp_path / "again"), entries) == walk(model, entries)
    compact.save(tmp_path / "again.arpa")
    assert (tmp_path / "again.arpa").read_bytes() == arpa(model)


def test_the_compact_layout_of_many_words(tmp_path):
    draw = random.Random(6)
    words = [f"word{k}" for k in range(9000)]  # too many for filters of the words that follow
    model = NGramModel.train([words, *(draw.choices(words[:50], k=12) for _ in range(300))], order=3)
    model.save(tmp_path / "m.ctclm")
    entries = draw.choices(words[:60], k=3000)
    assert walk(NGramModel.load(tmp_path / "m.ctclm"), entries) == walk(model, entries)


def test_the_compact_layout_is_small(tmp_path):
    draw = random.Random(5)
    words = [f"word{k}" for k in range(300)]
    model = NGramModel.train([draw.choices(words, k=12) for _ in range(2000)], order=3)
    sizes = {}
    for name, how in {"fast": {"layout": "fast"}, "compact": {}, "quantized": {"quantize": 8}}.items():
        model.save(tmp_path / name, **how)
        sizes[name] = (tmp_path / name).stat().st_size
    assert sizes["compact"] < sizes["fast"] / 5
    assert sizes["quantized"] < sizes["fast"] / 8


@pytest.mark.parametrize(("bits", "most"), [(16, 0.0), (8, 0.1), (4, 2.0)])
def test_quantized_files_are_close(tmp_path, bits, most):
    model = NGramModel.train(TEXT, order=3, unit="char")
    model.save(tmp_path / "m.ctclm", quantize=bits)
    again = NGramModel.load(tmp_path / "m.ctclm")
    entries = random.Random(bits).choices([*model, "never seen"], k=2000)
    pairs = list(zip(walk(model, entries), walk(again, entries), strict=True))
    assert [each[1] for each, _ in pairs] == [each[1] for _, each in pairs]  # the same n-grams
    assert max(abs(a[0] - b[0]) for a, b in pairs) <= most
    assert (again.counts, list(again)) == (model.counts, list(model))
    assert len({again.native.unigram(k) for k in range(len(again))}) <= 2**bits


def test_words_that_never_occur_do_not_make_a_quantized_file_coarse(tmp_path):
    model = NGramModel.train(TEXT, order=3, unit="char")
    model.save(tmp_path / "m.arpa")
    text = re.sub(r"\n[-.0-9]+\t<s>", "\n-99\t<s>", (tmp_path / "m.arpa").read_text())
    model = load_text(tmp_path, text, unit="char")
    assert model.native.unigram(model.native.begin) < -200
    model.save(tmp_path / "m.ctclm", quantize=6)
    again = NGramModel.load(tmp_path / "m.ctclm")
    entries = random.Random(7).choices([each for each in model if each != "<s>"], k=2000)
    pairs = zip(walk(model, entries), walk(again, entries), strict=True)
    assert max(abs(a[0] - b[0]) for a, b in pairs) < 0.3
    assert again.native.unigram(again.native.begin) == model.native.unigram(model.native.begin)


def test_a_quantized_file_keeps_zero_and_minus_infinity(tmp_path):
    entries = "".join(f"-{k / 7:.4f}\tw{k}\t-{k / 9:.4f}\n" for k in range(1, 40))
    text = (
        "\\data\\\nngram 1=43\nngram 2=1\n\n\\1-grams:\n-2\t<unk>\n0\t<s>\n-inf\t</s>\n-1\ta\t-0.5\n"
        f"{entries}\n\\2-grams:\n0\ta </s>\n\n\\end\\\n"
    )
    model = load_text(tmp_path, text)
    model.save(tmp_path / "m.ctclm", quantize=3)
    again = NGramModel.load(tmp_path / "m.ctclm")
    assert again.log_prob([], bos=False) == -math.inf
    assert again.score(again.score(again.empty, "a")[1], "</s>")[0] == 0.0
    assert abs(again.log_prob(["w20"], eos=False) - model.log_prob(["w20"], eos=False)) < 2


@pytest.mark.parametrize(
    ("name", "wrong", "message"),
    [
        ("m.ctclm", {"layout": "small"}, "layout is 'small'"),
        ("m.ctclm", {"quantize": 1}, "quantize is 1; expected 2 to 16 bits"),
        ("m.ctclm", {"quantize": 17}, "quantize is 17; expected 2 to 16 bits"),
        ("m.ctclm", {"quantize": True}, "quantize"),
        ("m.ctclm", {"quantize": 8, "layout": "fast"}, 'm.ctclm is layout "fast"; only layout "compact" is quantized'),
        ("m.arpa", {"quantize": 8}, r"m\.arpa is ARPA; only layout"),
    ],
)
def test_wrong_arguments_of_save(tmp_path, name, wrong, message):
    with pytest.raises(errors.InvalidInputError, match=message):
        NGramModel.train(TEXT, order=2).save(tmp_path / name, **wrong)
    assert not list(tmp_path.iterdir())


def test_a_file_may_be_saved_over_the_one_it_was_loaded_from(tmp_path):
    NGramModel.train(TEXT, order=2).save(tmp_path / "m.ctclm")
    first = NGramModel.load(tmp_path / "m.ctclm")
    before = first.log_prob("the cat")
    NGramModel.train(TEXT[:2], order=2).save(tmp_path / "m.ctclm")
    assert first.log_prob("the cat") == before
    first.save(tmp_path / "m.ctclm")
    assert NGramModel.load(tmp_path / "m.ctclm").log_prob("the cat") == before


def test_a_model_can_be_sent_to_another_process():
    model = NGramModel.train(["ab ba"], order=3, unit="char", space="_")
    again = pickle.loads(pickle.dumps(model))
    assert (again.unit, again.space, again.discounts) == (model.unit, model.space, model.discounts)
    assert arpa(again) == arpa(model)
    assert copy.deepcopy(model) is model  # a model never changes
    restore, (content,) = copyreg.dispatch_table[type(model.native)](model.native)
    for damaged, message in [(content[:5000], "Is it truncated"), (content[:-70] + bytes(70), "is damaged"), (b"", "")]:
        with pytest.raises(errors.ModelFormatError, match=f"a pickled NGramModel: .*{message}"):
            restore(damaged)


def test_a_mapped_model_is_pickled_as_its_path(tmp_path, monkeypatch):
    trained, path = NGramModel.train(TEXT, order=3), tmp_path / "m.ctclm"
    trained.save(path)
    monkeypatch.chdir(tmp_path)
    model = NGramModel.load("m.ctclm", unit="token")  # the pickle keeps what the caller said
    content = pickle.dumps(model)
    assert len(content) < 1000 < len(pickle.dumps(trained))
    monkeypatch.chdir("/")
    again = pickle.loads(content)
    assert (again.unit, again.space) == ("token", model.space)
    assert arpa(again) == arpa(trained)
    assert pickle.dumps(again) == content

    trained.save(tmp_path / "m.arpa")
    read = NGramModel.load(tmp_path / "m.arpa")
    sent = pickle.dumps(read)
    (tmp_path / "m.arpa").unlink()
    assert arpa(pickle.loads(sent)) == arpa(read)

    NGramModel.train(TEXT[1:], order=3).save(path)
    with pytest.raises(errors.ModelFormatError, match=r"the file .*m\.ctclm, which has changed since"):
        pickle.loads(content)
    trained.save(path)
    assert arpa(pickle.loads(content)) == arpa(trained)
    path.write_bytes(path.read_bytes()[:-64])
    with pytest.raises(errors.ModelFormatError, match=r"m\.ctclm, which cannot be mapped here: .*Is it truncated"):
        pickle.loads(content)
    path.unlink()
    with pytest.raises(
        errors.ModelFormatError, match=r"m\.ctclm, which cannot be mapped here: No such file.*keep the file there"
    ):
        pickle.loads(content)


def test_a_model_of_the_same_size_is_told_apart(tmp_path):
    """The header has the checksum of the content, and it is a part of the fingerprint."""
    for name, text in [("one", "aa ab"), ("other", "aa ac")]:
        NGramModel.train([text], order=2).save(tmp_path / name)
    files = [tmp_path / name for name in ("one", "other")]
    assert files[0].stat().st_size == files[1].stat().st_size
    content = pickle.dumps(NGramModel.load(files[0]))
    files[1].replace(files[0])
    with pytest.raises(errors.ModelFormatError, match="which has changed since"):
        pickle.loads(content)


def test_a_model_is_a_language_model():
    model = NGramModel.train(TEXT, order=3)
    assert isinstance(model, LanguageModel)
    total, state = 0.0, model.begin()
    for word in ["the", "cat", "never-seen"]:
        log_prob, state = model.score(state, word)
        total += log_prob
    assert total + model.end(state) == pytest.approx(model.log_prob(["the", "cat", "never-seen"]), abs=LM_NATS)


@pytest.mark.parametrize("missing", ["begin", "score", "end"])
def test_a_language_model_has_all_three_methods(missing):
    methods = {"begin": lambda self: 0, "score": lambda self, state, entry: (0.0, 0), "end": lambda self, state: 0.0}
    assert type("Whole", (LanguageModel,), methods)().begin() == 0
    del methods[missing]
    with pytest.raises(TypeError, match=f"abstract method.*{missing}"):
        type("Part", (LanguageModel,), methods)()


# ---- training


def random_corpus(seed):
    draw = random.Random(seed)
    words = [f"v{i}" for i in range(draw.choice([2, 5, 20, 60]))]
    weights = [1 / (1 + i) for i in range(len(words))]
    lengths = range(draw.choice([1, 3, 12]) + 1)
    return [draw.choices(words, weights, k=draw.choice(lengths)) for _ in range(draw.choice([3, 40, 300]))] + [
        words[:1]
    ]


@pytest.mark.parametrize("order", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("seed", range(12))
def test_training_is_kneser_neys_by_the_book(tmp_path, order, seed):
    lines = random_corpus(100 * order + seed)
    prune = ((), (0, 0, 1), (0, 1), (0, 0, 1, 2))[seed % 4][:order]
    model = NGramModel.train(lines, order=order, prune=prune)
    expected, discounts = oracle.kneser_ney(lines, order, prune)
    for found, amounts in zip(model.discounts, discounts, strict=True):
        assert (found.one, found.two, found.more) == pytest.approx(amounts, abs=DOUBLE)
        assert found.fallback == (amounts == oracle.FALLBACK)
    model.save(tmp_path / "m.arpa")
    found = oracle.read_arpa((tmp_path / "m.arpa").read_text())
    assert found.keys() == expected.keys()
    for gram, (log_prob, back_off) in expected.items():
        assert found[gram] == pytest.approx((log_prob, back_off), abs=LM_LOG10), gram


def test_some_random_corpora_have_discounts_of_their_own():
    found = [NGramModel.train(random_corpus(300 + seed), order=3).discounts for seed in range(12)]
    assert {each.fallback for discounts in found for each in discounts} == {True, False}


@pytest.mark.parametrize("prune", [(), (0, 0, 1)])
def test_probabilities_after_any_context_sum_to_one(prune):
    model = NGramModel.train(random_corpus(7), order=3, prune=prune)
    states = {model.start, model.empty}
    for line in random_corpus(7)[:50]:
        state = model.start
        for word in line:
            state = model.score(state, word)[1]
            states.add(state)
    for state in states:
        total = sum(math.exp(model.score(state, word)[0]) for word in model if word != "<s>")
        assert total == pytest.approx(1, abs=LM_SUM)


def test_entries_of_each_unit():
    words = NGramModel.train(["the\u00a0cat  sat", "", " ", ["the", "cat"]], order=2)
    assert sorted(words)[-3:] == ["cat", "sat", "the"]
    assert words.counts[1] == 5  # <s> the, the cat, cat sat, sat </s>, cat </s>
    assert words.log_prob(" the  cat") == words.log_prob(["the", "cat"])
    characters = NGramModel.train(["né  e", ["n", "é"]], order=2, unit="char")
    assert [each for each in characters if each[0] != "<"] == ["n", "é", "|", "e"]
    assert characters.log_prob("é  n") == characters.log_prob(["é", "|", "n"])
    tokens = NGramModel.train(["▁ca t", ["▁ca", "t"]], order=2, unit="token")
    assert [each for each in tokens if each[0] != "<"] == ["▁ca", "t"]
    with pytest.raises(InvalidInputError, match="pass the list of its tokens"):
        tokens.log_prob("▁ca t")
    with pytest.raises(InvalidInputError, match=r"tokens\[1\] is 7; expected a string"):
        tokens.log_prob(["t", 7])


def test_the_size_of_a_batch_changes_nothing(monkeypatch, capsys):
    lines = random_corpus(5)
    whole = NGramModel.train(lines, order=3)
    monkeypatch.setattr("ctckit.language_models.files.BATCH", 3)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    pieces = NGramModel.train(iter(lines), order=3, progress=True)
    assert pieces.native.arpa() == whole.native.arpa()


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"lines": ["a <s> b"]}, DataError, "line 1: the text holds <s>"),
        ({"lines": ["a", "", "a </s>"]}, DataError, "line 3: the text holds </s>"),
        ({"lines": []}, DataError, "there is no text"),
        ({"lines": ["", " "]}, DataError, "there is no text"),
        ({"lines": ["ok", "\ud800"]}, DataError, r"lines\[1\] cannot be written as UTF-8"),
        ({"lines": [["a", "b c"]]}, InvalidInputError, r"lines\[0\]\[1\] is 'b c'"),
        ({"lines": [["a"], [""]]}, InvalidInputError, r"lines\[1\]\[0\] is ''"),
        ({"order": 0}, InvalidInputError, "order is 0; expected a positive integer"),
        ({"order": 17}, InvalidInputError, "order is 17; expected 1 to 16"),
        ({"unit": "words"}, InvalidInputError, 'unit is \'words\'; expected one of "word", "char", "token"'),
        ({"space": " "}, InvalidInputError, "space is ' '"),
        ({"space": "<s>"}, InvalidInputError, "space is '<s>'"),
        ({"prune": (1,)}, InvalidInputError, "expected 0 for order 1"),
        ({"prune": (0, 2, 1)}, InvalidInputError, "counts that do not decrease"),
        ({"prune": (0, -1)}, InvalidInputError, "expected counts of 0 or more"),
        ({"prune": (0, 0, 0)}, InvalidInputError, "prune has 3 numbers; the order is 2"),
    ],
)
def test_wrong_arguments(wrong, error, message):
    with pytest.raises(error, match=message):
        NGramModel.train(**{"lines": ["a b"], "order": 2} | wrong)


def test_long_repetitions_are_sorted_at_last():
    lines = [["a"] * 3000, ["a"] * 3000, ["b", *["a"] * 2000]] * 3
    model = NGramModel.train(lines, order=16)
    assert model.counts[15] == 5  # a…a, <s> a…a, <s> b a…a, b a…a, a…a </s>
    assert oracle.kneser_ney(lines, 16)[0].keys() == oracle.read_arpa(model.native.arpa().decode()).keys()


# ---- lmplz' own files


def shared(name):
    if not (SHARED / f"{name}.xz").is_file():
        pytest.skip("the shared data is not here")
    return lzma.decompress((SHARED / f"{name}.xz").read_bytes()).decode()


def king_james():
    """The verses that lmplz read after lm_text.txt. Debian has the same text in its package bible-kjv."""
    bible = shutil.which("bible")
    if bible is None:
        pytest.skip("lmplz was given the King James Bible as well: apt-get install bible-kjv")
    verses = subprocess.run(
        [bible, "-f", "Gen1:1-Rev22:21"], stdin=subprocess.DEVNULL, capture_output=True, check=True, text=True
    ).stdout
    return [line.split(" ", 1)[1].strip() for line in verses.split("\n") if line.strip()]


def words_of(line):
    return [word for word in (each.strip("'") for each in re.findall("[a-z']+", line.lower())) if word]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "unit", "entries", "prune"),
    [("word3", "word", words_of, (0, 0, 1)), ("char6", "char", str, (0, 0, 0, 1))],
)
def test_training_gives_what_lmplz_gives(name, unit, entries, prune):
    lines = [entries(line) for line in shared("lm_text.txt").split("\n") + king_james()]
    expected = oracle.read_arpa(shared(f"{name}.arpa"))
    model = NGramModel.train(lines, order=int(name[-1]), unit=unit, prune=prune)
    found = oracle.read_arpa(model.native.arpa().decode())
    assert found.keys() == expected.keys()
    differences = np.array([found[gram] for gram in expected]) - np.array(list(expected.values()))
    assert np.abs(differences).max() < LM_LOG10


@pytest.mark.slow
@pytest.mark.parametrize("name", ["word3", "char6"])
def test_lmplz_own_files_are_queried_right(name):
    lines = shared("lm_text.txt").split("\n")[::97]
    reference = oracle.read_arpa(shared(f"{name}.arpa"))
    model = NGramModel.load(SHARED / f"{name}.arpa.xz")
    assert (sum(model.counts), model.unit) == (len(reference), "word" if name == "word3" else "char")
    expect_same_scores(model, reference, [model.entries(line.lower() if name == "word3" else line) for line in lines])


def test_everything_is_exported():
    assert errors.ModelFormatError.__mro__[1] is DataError
    assert repr(NGramModel.train(["a"], order=2)) == "NGramModel(order=2, unit='word', counts=(4, 2))"
