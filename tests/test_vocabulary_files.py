"""Vocabularies in files, and tokens that are bytes or silent."""

import json
import random

import numpy as np
import pytest

from ctckit import (
    BeamDecoder,
    NGramModel,
    Transcript,
    Vocabulary,
    align_utterances,
    forced_align,
    greedy_decode,
    lattice,
)
from ctckit.alignment import timed_tiers
from ctckit.alignment.spans import texts_of
from ctckit.alignment.writers.tiers import timed
from ctckit.errors import CharsetError, CTCKitError, DataError, InvalidInputError, MissingFileError

RARE = "爿"  # e7 88 bf
PIECES = ("<unk>", "<s>", "</s>", "▁the", "▁", "ca", "ts", "<0xE7>", "<0x88>", "<0xBF>", "<0x21>", "好")
FALLBACK = Vocabulary(
    (*PIECES, ""), len(PIECES), word_start="▁", silent=("<unk>", "<s>", "</s>"), byte_tokens="fallback"
)
CLASS = {token: k for k, token in enumerate(FALLBACK.tokens)}
GPT2 = ("<blank>", "Ġthe", "Ġca", "fÃ", "©", "Ġ", "çĪ", "¿", "!", "<|endoftext|>")
LEVEL = Vocabulary(("", *GPT2[1:]), word_start="Ġ", silent=["<|endoftext|>"], byte_tokens="level")


def written(folder, name, content):
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return path


def tokenizer(vocab, added=(), **parts):
    return {"version": "1.0", "added_tokens": list(added), "model": {"type": "BPE", "vocab": vocab}, **parts}


def added(content, number):
    return {"id": number, "content": content, "special": True, "single_word": False}


SPECIAL = [added("<pad>", 0), added("<s>", 3)]
METASPACE = {"decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"}}
LLAMA = {
    "decoder": {
        "type": "Sequence",
        "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
            {"type": "ByteFallback"},
            {"type": "Fuse"},
        ],
    }
}
FILES = {
    "list.json": (["<blk>", "a", "b"], {}),
    "vocab.json": ({"b": 2, "<blank>": 0, "a": 1}, {}),
    "tokenizer.json": (tokenizer({"<pad>": 0, "a": 1, "▁b": 2}, SPECIAL, **METASPACE), {"word_start": "▁"}),
    "unigram.json": (tokenizer([["<pad>", 0.0], ["▁a", -1.5], ["b", -2]], **LLAMA), {"word_start": "▁"}),
    "wordpiece.json": (
        tokenizer({"[PAD]": 0, "a": 1, "##b": 2}, decoder={"type": "WordPiece", "prefix": "##"}),
        {"continuation": "##"},
    ),
    "wav2vec2.json": (
        tokenizer(
            {"<s>": 0, "<x>": 3, "|": 2, "a": 1},
            decoder={"type": "CTC", "pad_token": "<x>", "word_delimiter_token": "|"},
        ),
        {"separator": "|"},
    ),
    "bytes.json": (
        tokenizer({"<pad>": 0, "Ġa": 1, "©": 2}, decoder={"type": "ByteLevel"}),
        {"word_start": "Ġ", "byte_tokens": "level"},
    ),
    "piece.vocab": ("<blank>\t0\n▁a\t-1.5\nb\t-2e-3\n<0xE7>\t0\n", {"word_start": "▁", "byte_tokens": "fallback"}),
    "bpe.txt": ("<pad>\t0\n▁a\t-0\nb\t-1\n", {"word_start": "▁"}),
    "tokens.txt": ("<blk> 0\n  2\na 1\n", {}),
    "sherpa.txt": ("<blk> 0\n<0xE7> 1\n▁a 2\n", {"byte_tokens": "fallback"}),
    "plain.txt": ("\na\nb\n", {}),
    "bracket.txt": ("[PAD]\na\nb\n", {}),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_files_of_every_kind(tmp_path, name, end):
    content, expected = FILES[name]
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False, indent=1)
    (tmp_path / name).write_bytes(text.replace("\n", end).encode())
    found = Vocabulary.load(tmp_path / name)
    tokens = {
        "tokenizer.json": ("", "a", "▁b", "<s>"),
        "unigram.json": ("", "▁a", "b"),
        "wordpiece.json": ("", "a", "##b"),
        "wav2vec2.json": ("<s>", "a", "|", ""),
        "bytes.json": ("", "Ġa", "©"),
        "piece.vocab": ("", "▁a", "b", "<0xE7>"),
        "bpe.txt": ("", "▁a", "b"),
        "tokens.txt": ("", "a", " "),
        "sherpa.txt": ("", "<0xE7>", "▁a"),
    }.get(name, ("", "a", "b"))
    assert found == Vocabulary(tokens, 3 if name == "wav2vec2.json" else 0, **expected)
    assert Vocabulary.load(str(tmp_path / name)) == found


def test_marks_that_are_given_replace_those_of_the_file(tmp_path):
    path = written(tmp_path, "p.vocab", "<pad>\t0\n▁a\t-1\n|\t-2\n")
    found = Vocabulary.load(path, separator="|")
    assert (found.separator, found.word_start) == ("|", None)
    assert Vocabulary.load(written(tmp_path, "q.vocab", "<pad>\t0\na\t-1\n")).word_start is None


def test_the_blank_is_found_by_its_name_or_given(tmp_path):
    path = written(tmp_path, "t.txt", "<PAD>\n<blk>\na\n")
    assert Vocabulary.load(path).blank == 1
    assert Vocabulary.load(path, blank=0).tokens == ("", "<blk>", "a")
    assert Vocabulary.load(path, blank=3).tokens == ("<PAD>", "<blk>", "a", "")
    assert Vocabulary.load(path, silent=["<blk>", "<PAD>"]).silent == ("<PAD>",)
    with pytest.raises(InvalidInputError, match=r"blank is 4; with C = 4 the classes are 0\.\.3\."):
        Vocabulary.load(path, blank=4)
    with pytest.raises(InvalidInputError, match=r"silent\[1\] is '<s>', which is not among the tokens\."):
        Vocabulary.load(path, silent=["<PAD>", "<s>"])
    message = (
        r"t\.txt: no token has a usual name of the blank \(\"\", \"<blank>\", .*\); the first ones are 'a', 'b'\. State"
    )
    with pytest.raises(DataError, match=message):
        Vocabulary.load(written(tmp_path, "t.txt", "a\nb\n"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("v.json", {"": 0, "a": 1, "b": 1}, r"v\.json: token 'b' has class 1, and so has token 'a'; expected"),
        (
            "v.json",
            {"": 0, "a": 3},
            r"v\.json: token 'a' has class 3, but no token has class 1; expected classes without",
        ),
        ("v.json", {"": 0, "a": 1e9}, r"v\.json: token 'a' has the class 1000000000\.0; expected an integer from 0 on"),
        ("v.json", {"": 0, "a": True}, r"v\.json: token 'a' has the class True; expected an integer"),
        ("v.json", {"": 0, "a": -1}, r"v\.json: token 'a' has the class -1; expected an integer from 0 on"),
        ("v.json", {"": 0, "a": 10**30}, r"v\.json: token 'a' has class 10+, but no token has class 1; expected"),
        ("v.json", {"en": {"a": 0}}, r"v\.json: token 'en' has the class {'a': 0}; expected an integer"),
        ("v.json", '{"": 0, "a": 1, "a": 2}', r"v\.json: has 'a' twice; expected each name once\."),
        ("v.json", ["", 3], r"v\.json: entry 1 is 3; expected a token, a string\."),
        ("v.json", ["", "a", "a"], r"v\.json: entry 2 is 'a', the same as entry 1; expected each token once\."),
        ("v.json", '["", "\\ud800"]', r"v\.json: entry 1 is '\\ud800', which holds a half of a character"),
        ("v.json", "7", r"v\.json: holds 7; expected a list of tokens, an object"),
        ("v.json", "[]", r"v\.json: holds no tokens\."),
        ("v.json", "[" * 100_000, r"v\.json: not (JSON|a vocabulary)"),
        ("v.json", '{"a": ' + "9" * 5000 + "}", r"v\.json: not JSON"),
        ("v.json", tokenizer(7), r"v\.json: model\.vocab is 7; expected an object, or a list of tokens and scores\."),
        ("v.json", tokenizer([["", 0], "a"]), r"v\.json: model\.vocab\[1\] is 'a'; expected a token and its score\."),
        (
            "v.json",
            tokenizer({"": 0}, [{"id": 1}]),
            r"v\.json: added_tokens\[0\] is {'id': 1}; expected an object with",
        ),
        (
            "v.json",
            tokenizer({"": 0, "a": 1}, [added("a", 2)]),
            r"added_tokens\[0\] is 'a', the same as model\.vocab\['a'\]",
        ),
        (
            "v.json",
            tokenizer({"": 0, "a": 1}, [added("b", 1)]),
            r"added_tokens\[0\] has class 1, and so has model\.vocab",
        ),
        ("v.vocab", "<blank>\t0\nabc\n", r"v\.vocab: line 2 is 'abc'; expected a piece, a tab and its score\."),
        (
            "v.txt",
            "<blk> 0\na 2\n",
            r"v\.txt: line 2 has class 2, but no token has class 1; expected classes without gaps",
        ),
        ("v.txt", "<blk> 0\na 1\nb 1\n", r"v\.txt: line 3 has class 1, and so has line 2; expected"),
        ("v.txt", "<blk> 0\na 1\na 2\n", r"v\.txt: line 3 is 'a', the same as line 2; expected each token once\."),
        ("v.txt", "\na\nb\na\n", r"v\.txt: line 4 is 'a', the same as line 2; expected each token once\."),
    ],
)
def test_nothing_in_a_file_is_trusted(tmp_path, name, content, message):
    with pytest.raises(DataError, match=message):
        Vocabulary.load(written(tmp_path, name, content))


def test_files_that_are_not_there_or_not_text(tmp_path):
    with pytest.raises(MissingFileError, match=r"nowhere\.txt: there is no such file\."):
        Vocabulary.load(tmp_path / "nowhere.txt")
    (tmp_path / "v.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"v\.txt: not a text in UTF-8 \("):
        Vocabulary.load(tmp_path / "v.txt")


@pytest.mark.parametrize("seed", range(6))
def test_damaged_files_are_refused_or_read(tmp_path, seed):
    rng = random.Random(seed)
    names = list(FILES)
    for _ in range(150):
        name = rng.choice(names)
        content = FILES[name][0]
        data = bytearray((content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)).encode())
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(data) + 1)
            data[at : at + rng.randint(0, 3)] = rng.choice(
                [b"", b"\n", b'"', b"[", b"{}", b"9", b"\xe7", b"\t-1", b"null"]
            )
        (tmp_path / name).write_bytes(data)
        try:
            found = Vocabulary.load(tmp_path / name)
        except CTCKitError as error:
            assert name in str(error) or isinstance(error, InvalidInputError)  # noqa: PT017 - most files are damaged
        else:
            assert found.tokens[found.blank] == ""
            found.decode(range(len(found)))


def test_bytes_become_characters():
    [e7, h88, bf] = [CLASS[each] for each in ("<0xE7>", "<0x88>", "<0xBF>")]
    the, space, cats = CLASS["▁the"], CLASS["▁"], [CLASS["ca"], CLASS["ts"]]
    assert FALLBACK.decode([the, space, e7, h88, bf, *cats]) == f"the {RARE}cats"
    assert FALLBACK.decode([e7, FALLBACK.blank, h88, bf]) == RARE
    assert FALLBACK.decode([e7, h88]) == "\ufffd\ufffd"  # each byte, as SentencePiece does it
    assert FALLBACK.decode([e7, CLASS["好"], bf, e7, h88, bf]) == f"\ufffd好\ufffd{RARE}"
    assert FALLBACK.decode([e7, h88, space, bf]) == "\ufffd\ufffd \ufffd"
    assert FALLBACK.decode([CLASS["<0x21>"]]) == "!"
    assert FALLBACK.decode([CLASS["<s>"], the, CLASS["<unk>"], *cats, CLASS["</s>"]]) == "thecats"
    assert LEVEL.decode([1, 2, 3, 4, 8]) == "the café!"
    assert LEVEL.decode([6, 7, 9, 5, 6]) == f"{RARE} \ufffd"  # one for the beginning of a character
    assert Vocabulary(LEVEL.tokens, byte_tokens="level").decode([1, 2]) == " the ca"


def test_byte_level_texts_are_those_of_tokenizers():
    decoders = pytest.importorskip("tokenizers.decoders")
    rng = np.random.default_rng(0)
    alphabet = sorted(pytest.importorskip("tokenizers.pre_tokenizers").ByteLevel.alphabet())
    assert len(alphabet) == 256
    tokens = list(dict.fromkeys("".join(rng.choice(alphabet, rng.integers(1, 4))) for _ in range(500)))
    vocabulary = Vocabulary(("", *alphabet, *(each for each in tokens if len(each) > 1)), byte_tokens="level")
    theirs = decoders.ByteLevel()
    for _ in range(300):
        chosen = rng.integers(1, len(vocabulary), rng.integers(1, 12)).tolist()
        assert vocabulary.decode(chosen) == theirs.decode([vocabulary[each] for each in chosen])
    for text in ("爿 café\n", "👩‍👩‍👧", "ｱ\u0301"):
        classes = vocabulary.bytes_of(text)
        assert vocabulary.decode(classes) == text == theirs.decode([vocabulary[each] for each in classes])


def test_byte_pieces_of_whole_characters_are_those_of_tokenizers():
    decoders = pytest.importorskip("tokenizers.decoders")
    vocabulary = Vocabulary(("", *(f"<0x{k:02X}>" for k in range(256)), "a", "好"), byte_tokens="fallback")
    theirs = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    for text in ("爿 a好\n", "👩‍👩‍👧a", "ｱ\u0301好"):
        classes = vocabulary.bytes_of(text)
        assert vocabulary.decode(classes) == text == theirs.decode([vocabulary[each] for each in classes])
    assert vocabulary.encode("a爿好") == [257, 0xE7 + 1, 0x88 + 1, 0xBF + 1, 258]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"silent": "a"}, r"silent is 'a'; expected a sequence of tokens\."),
        ({"silent": 3}, r"silent is 3; expected a sequence of tokens\."),
        ({"silent": ["b", "x"]}, r"silent\[1\] is 'x', which is not among the tokens\."),
        ({"silent": ["b"], "separator": "b"}, r"silent\[0\] is 'b', the separator; expected tokens without a text\."),
        ({"byte_tokens": "utf8"}, r"byte_tokens is 'utf8'; expected one of \"fallback\", \"level\"\."),
        ({"byte_tokens": "fallback"}, r"byte_tokens is \"fallback\", but no token is a byte, such as <0xE7>\."),
    ],
)
def test_what_does_not_fit_is_said(arguments, message):
    with pytest.raises(InvalidInputError, match=message):
        Vocabulary(("", "a", "b"), **arguments)
    with pytest.raises(InvalidInputError, match=r"tokens\[1\] is '\\ud8ff', which holds a half of a character"):
        Vocabulary(("", "\ud8ff"), byte_tokens="level")


def emission(classes, vocabulary, *, sure=0.9):
    """(T, C) posteriors of a path: each class and a blank after it."""
    probs = np.full((2 * len(classes), len(vocabulary)), (1 - sure) / len(vocabulary))
    probs[np.arange(0, 2 * len(classes), 2), classes] += sure
    probs[1::2, vocabulary.blank] += sure
    return np.log(probs)


SPOKEN = [CLASS[each] for each in ("▁the", "<unk>", "▁", "<0xE7>", "<0x88>", "<0xBF>", "▁", "ca", "ts", "</s>")]


def test_results_have_the_text_of_bytes():
    log_probs = emission(SPOKEN, FALLBACK)
    decoder = BeamDecoder(FALLBACK, beam_width=20)
    for best in (decoder.decode(log_probs)[0][0], greedy_decode(log_probs, vocabulary=FALLBACK)[0]):
        assert best.text == f"the {RARE} cats"
        assert [word.text for word in best.words] == ["the", RARE, "cats"]
        assert [(each.start, each.end) for each in best.words][1] == (6, 11)
        assert [each.text for each in best.times(0.1)] == ["the", RARE, "cats"]
    assert "\n      ▁t<u▁ <0<0<0▁ cats<\n" in decoder.decode(log_probs)[0][0].draw()
    texts = [each.text for each in decoder.decode(log_probs, n_best=20)[0] if "\ufffd" not in each.text]
    assert len(set(texts)) == len(texts) > 5
    unmarked = Vocabulary(FALLBACK.tokens, FALLBACK.blank, silent=("<unk>", "</s>"), byte_tokens="fallback")
    best = greedy_decode(log_probs, vocabulary=unmarked)[0]
    assert [each.text for each in best.times(0.5)] == ["▁the", "▁", RARE, "▁", "ca", "ts"]
    assert [(each.start_seconds, each.end_seconds) for each in best.times(0.5)][2] == (3.0, 5.5)
    level = emission([1, 6, 7, 2, 3, 4, 9], LEVEL)
    assert BeamDecoder(LEVEL).decode(level)[0][0].text == f"the{RARE} café"


def test_spellings_of_one_text_in_bytes_and_characters_are_one_hypothesis():
    vocabulary = Vocabulary(("", "好", "<0xE5>", "<0xA5>", "<0xBD>"), byte_tokens="fallback")
    log_probs = np.log(np.random.default_rng(0).dirichlet(np.ones(5), 6))
    found = BeamDecoder(vocabulary, beam_width=4000).decode(log_probs, n_best=4000)[0]
    whole = [each.text for each in found if "\ufffd" not in each.text]
    assert len(set(whole)) == len(whole) > 10
    total = np.logaddexp(*(lattice(log_probs, each).log_likelihood for each in ([1], [2, 3, 4])))
    [one] = [each for each in found if each.text == "好"]
    assert one.log_prob == pytest.approx(total, abs=1e-5)


def test_stable_text_of_a_stream_never_changes():
    rng = np.random.default_rng(3)
    shown = []
    for seed in range(40):
        vocabulary = FALLBACK if seed % 2 else LEVEL
        tokens = rng.integers(0, len(vocabulary), 30)
        tokens = np.where(rng.random(30) < 0.5, [SPOKEN[3], SPOKEN[4], SPOKEN[5]] * 10, tokens) if seed % 2 else tokens
        log_probs = emission(tokens, vocabulary, sure=0.97)
        stream = BeamDecoder(vocabulary, beam_width=2).stream()
        stable = ""
        for frame in log_probs:
            stream.push(frame[None])
            now = stream.partial()
            assert now.stable.startswith(stable), (seed, stable, now.stable)
            stable = now.stable
        last = stream.finish().text
        assert last.startswith(stable)
        shown.append(stable)
    assert sum(RARE in each for each in shown) > 5
    assert sum("\ufffd" in each for each in shown) > 5


def test_a_character_in_parts_is_no_stable_text():
    stream = BeamDecoder(FALLBACK, beam_width=3).stream()
    stream.push(emission([CLASS["好"], *SPOKEN[3:5]], FALLBACK, sure=1 - 1e-9))
    now = stream.partial()
    assert len(now.stable_tokens) == 2
    assert (now.stable, now.tentative) == ("好", "\ufffd\ufffd")
    stream.push(emission([SPOKEN[5], CLASS["ca"], CLASS["ts"]], FALLBACK, sure=1 - 1e-9))
    assert stream.partial().stable.startswith(f"好{RARE}")
    assert stream.finish().text == f"好{RARE}cats"


def test_hotwords_lexicons_and_models_know_bytes():
    log_probs = emission(SPOKEN, FALLBACK)
    plain = BeamDecoder(FALLBACK)
    boosted = plain.decode(log_probs, hotwords={RARE: 3.0, "cats": 2.0, "thecats": 1.0})[0][0]
    assert boosted.parts.hotwords == 5.0
    lexicon = BeamDecoder(FALLBACK, lexicon=["the", "cats", RARE], oov_charge=None)
    assert lexicon.decode(log_probs)[0][0].text == f"the {RARE} cats"
    named = BeamDecoder(FALLBACK, lexicon={"Article": "the", "Wood": ["<0xE7>", "<0x88>", "<0xBF>"], "Cats": "cats"})
    assert named.decode(log_probs)[0][0].text == "Article Wood Cats"
    words = NGramModel.train([f"the {RARE} cats"] * 3, order=2, unit="word")
    best = BeamDecoder(FALLBACK, language_model=words).decode(log_probs)[0][0]
    assert best.lm_log_prob == pytest.approx(words.log_prob(f"the {RARE} cats".split()), abs=1e-5)
    characters = NGramModel.train(["the cats"] * 3, order=3, unit="char")
    best = BeamDecoder(FALLBACK, language_model=characters).decode(log_probs)[0][0]
    entries = [*"the", characters.space, "<unk>", characters.space, *"cats"]
    assert best.lm_log_prob == pytest.approx(characters.log_prob(entries), abs=1e-5)
    tokens = NGramModel.train(["▁the ca ts"] * 3, order=2, unit="token")
    asked = BeamDecoder(FALLBACK, language_model=tokens).plan.token_lm_ids.lists()
    assert asked[CLASS["<unk>"]] == ()
    assert len(asked[CLASS["ca"]]) == 1


def test_texts_are_aligned_in_bytes_and_without_silent_tokens():
    letters = Vocabulary(
        ("", "<unk>", "a", "b", "ä", " ", "<0xE7>", "<0x88>", "<0xBF>", "<0x41>"),
        separator=" ",
        silent=("<unk>",),
        byte_tokens="fallback",
    )
    said = Transcript(f"A{RARE} b!", letters, segment=lambda text: [text])
    assert said.tokens.tolist() == [2, 6, 7, 8, 5, 3]  # "a", not the byte <0x41>
    assert letters.encode("Aa") == [9, 2]
    found = forced_align(emission([2, 6, 7, 8, 1, 5, 3], letters), [2, 6, 7, 8, 1, 5, 3])[0]
    assert [word.text for word in found.words(letters)] == [f"a{RARE}", "b"]
    aligned = forced_align(emission(said.tokens, letters), said.tokens)[0]
    assert [word.text for word in aligned.words(said)] == [f"A{RARE}", "b!"]
    tiers = timed_tiers(aligned, said, letters, 0.1)
    assert [each.text for each in tiers["tokens"]] == ["a", "<0xE7>", "<0x88>", "<0xBF>", "b"]
    [span] = align_utterances(emission(said.tokens, letters), [f"A{RARE} b!"], letters)
    assert (span.start, span.end) == (0, 11)
    with pytest.raises(CharsetError, match=r"outside the charset of 9: '<' .*, '>' .*, 'k' .*, 'n' .*, 'u' .*"):
        letters.encode("<unk>")
    silent = forced_align(emission([1, 2], letters), [1, 2])[0]
    said = Transcript("a", letters)
    assert [each.text for each in timed(silent.spans, 0.1, vocabulary=letters)] == ["<unk>", "a"]
    assert texts_of([1, 2, 6, 7], letters) == [("a", [1]), ("\ufffd\ufffd", [2, 3])]
    every = Vocabulary(("", *(chr(0x100 + k) if k <= 0x20 else chr(k) for k in range(127))), byte_tokens="level")
    assert Transcript("so it is", every).tokens.tolist() == [1 + ord(each) for each in "so it is"]


def test_names_of_tokens():
    assert [FALLBACK.name(CLASS[each]) for each in ("▁the", "<0xE7>", "<unk>")] == ["▁the", "<0xE7>", "<unk>"]
    assert [LEVEL.name(token) for token in (1, 3, 4, 7, 9)] == [" the", "fÃ", "©", "¿", "<|endoftext|>"]
    assert "\n      ␣t␣c␣\n" in BeamDecoder(LEVEL).decode(emission([1, 2, 2], LEVEL))[0][0].draw()
