"""Functions of batches: columns in, the same columns and what was found out; the rows are those of the commands."""

import json
import pickle

import numpy as np
import pytest
from typer.testing import CliRunner

import ctckit
from ctckit import BeamDecoder, NGramModel, Vocabulary
from ctckit.cli import app
from ctckit.distributed import DecodeLogits
from ctckit.errors import DataError, InvalidInputError
from tests.support import tiny_acoustic_model
from tests.support.tiny_acoustic_model import RATE, samples_of

VOCABULARY = Vocabulary.from_characters("ab")


@pytest.fixture(autouse=True)
def threads():
    before = ctckit.num_threads()
    yield
    ctckit.set_num_threads(before)


def rows_of_command(folder, *arguments):
    """The rows that a command writes."""
    CliRunner().invoke(app, [*map(str, arguments), "--shards", str(folder)])
    return [json.loads(line) for path in sorted(folder.glob("part-*")) for line in path.read_text("utf-8").splitlines()]


def rows_of_batch(found):
    """The rows of a batch, without what is not there."""
    rows = [dict(zip(found, values, strict=True)) for values in zip(*found.values(), strict=True)]
    return [
        {name: each for name, each in row.items() if name == "error" or not (each is None or each != each)}
        for row in rows
    ]


# --- decode


def posteriors(text, sure=0.9):
    probs = np.where(np.eye(3)[[1 + "ab".index(letter) for letter in text]] > 0, sure, (1 - sure) / 2)
    return np.log(probs).astype(np.float32)


def objects(*values):
    found = np.empty(len(values), object)
    for n, value in enumerate(values):
        found[n] = value
    return found


def test_columns_stay_and_large_ones_go():
    decode = DecodeLogits(BeamDecoder(VOCABULARY))
    found = decode({"id": np.array([4, 5]), "log_probs": objects(posteriors("ab"), posteriors("aba"))})
    assert list(found) == ["id", "error", "text", "log_prob", "lm_log_prob", "score"]
    assert found["id"].tolist() == [4, 5]
    assert found["text"].tolist() == ["ab", "aba"]
    assert found["error"].tolist() == [None, None]
    assert found["log_prob"].dtype == np.float64


def test_logits_are_normalized_and_log_probs_are_not():
    decode = DecodeLogits(BeamDecoder(VOCABULARY))
    log_probs = posteriors("ab")
    found = decode({"logits": (log_probs + 7.0)[None]})
    assert found["log_prob"] == pytest.approx(decode({"log_probs": log_probs[None]})["log_prob"])
    assert "at most 0" in decode({"log_probs": (log_probs + 7.0)[None]})["error"][0]["what"]


def test_one_bad_item_leaves_the_others():
    decode = DecodeLogits(BeamDecoder(VOCABULARY))
    given = objects(posteriors("ab"), np.full((2, 3), np.nan, np.float32), np.zeros(3), posteriors("b"), 7, "text")
    for name in ("logits", "log_probs"):
        found = decode({name: given})
        assert found["text"].tolist() == ["ab", None, None, "b", None, None]
        assert np.isnan(found["score"]).tolist() == [False, True, True, False, True, True]
        assert found["error"][4]["what"].startswith(f"{name} has dtype int64")


def test_an_empty_batch_has_the_columns():
    found = DecodeLogits(BeamDecoder(VOCABULARY), n_best=2, spans=True)({"path": np.array([], object)})
    assert [len(each) for each in found.values()] == [0] * 9
    assert list(found)[-3:] == ["tokens", "words", "hypotheses"]


def test_a_missing_column_is_named():
    with pytest.raises(
        InvalidInputError, match=r"has the columns id, x; expected one named logits or log_probs or path"
    ):
        DecodeLogits(BeamDecoder(VOCABULARY))({"id": np.zeros(1), "x": np.zeros(1)})


@pytest.mark.parametrize("options", [{}, {"n_best": 2, "spans": True, "frame_seconds": 0.5}])
def test_rows_of_paths_are_those_of_decode(tmp_path, options):
    for n, text in enumerate(("ab", "aba", "b")):
        np.save(tmp_path / f"{n}.npy", posteriors(text))
    (tmp_path / "3.npy").write_text("no array", encoding="utf-8")
    (tmp_path / "tokens.txt").write_text("\na\nb\n", encoding="utf-8")
    paths = [str(tmp_path / f"{n}.npy") for n in range(4)]
    flags = {"n_best": ["--n-best", "2"], "spans": ["--spans"], "frame_seconds": ["--frame-seconds", "0.5"]}
    arguments = [each for name in options for each in flags[name]]
    rows = rows_of_command(tmp_path / "out", "decode", *paths, "-v", tmp_path / "tokens.txt", *arguments)
    found = DecodeLogits(BeamDecoder(VOCABULARY), **options)({"path": np.array(paths)})
    assert rows_of_batch(found) == rows


def test_a_pickle_has_the_path_of_a_mapped_model(tmp_path):
    NGramModel.train(["ab ba ab", "ab ab"], order=2, unit="char").save(tmp_path / "chars.ctclm")
    decoder = BeamDecoder(VOCABULARY, language_model=NGramModel.load(tmp_path / "chars.ctclm"))
    decode = DecodeLogits(decoder)
    batch = {"log_probs": posteriors("ab", sure=0.5)[None]}
    first = decode(batch)
    sent = pickle.dumps(decode)
    assert str(tmp_path / "chars.ctclm").encode() in sent
    assert "_work" not in pickle.loads(sent).__dict__
    again = pickle.loads(sent)(batch)
    assert {name: each.tolist() for name, each in again.items()} == {
        name: each.tolist() for name, each in first.items()
    }


def test_a_worker_has_so_many_threads():
    DecodeLogits(BeamDecoder(VOCABULARY), threads=2)({"log_probs": posteriors("a")[None]})
    assert ctckit.num_threads() == 2


# --- read


@pytest.fixture
def lines(tmp_path):
    """A network that was never trained, and images of lines, the last of which is damaged."""
    torch = pytest.importorskip("torch")
    image = pytest.importorskip("PIL.Image")
    from ctckit.ocr.model_folder import save_model
    from ctckit.ocr.networks.crnn import CRNN, CRNNConfig

    torch.manual_seed(0)
    save_model(tmp_path / "model", CRNN(CRNNConfig(num_classes=3)), VOCABULARY)
    for n in range(3):
        noise = np.random.default_rng(n).integers(0, 256, (32, 60 + n)).astype(np.uint8)
        image.fromarray(noise).save(tmp_path / f"{n}.png")
    (tmp_path / "3.png").write_bytes(b"no image")
    threads = torch.get_num_threads()
    yield tmp_path
    torch.set_num_threads(threads)


@pytest.mark.parametrize("options", [{}, {"n_best": 2, "spans": True}])
def test_rows_of_paths_are_those_of_read(lines, options):
    from ctckit.distributed import ReadLines

    paths = [str(lines / f"{n}.png") for n in range(4)]
    flags = {"n_best": ["--n-best", "2"], "spans": ["--spans"]}
    arguments = [each for name in options for each in flags[name]]
    rows = rows_of_command(lines / "out", "read", *paths, "--model", lines / "model", *arguments)
    found = ReadLines(lines / "model", **options)({"path": objects(*paths)})
    assert json.loads(json.dumps(rows_of_batch(found))) == rows


def test_images_are_read_from_bytes_and_arrays(lines):
    image = pytest.importorskip("PIL.Image")
    from ctckit.distributed import ReadLines

    paths = [lines / f"{n}.png" for n in range(4)]
    read = ReadLines(lines / "model")
    expected = read({"path": objects(*paths)})
    contents = read({"id": np.arange(4), "image": objects(*(path.read_bytes() for path in paths))})
    arrays = read({"image": objects(*(np.asarray(image.open(path)) for path in paths[:3]), np.zeros((2, 2)))})
    for found in (contents, arrays):
        assert "image" not in found
        assert found["log_prob"] == pytest.approx(expected["log_prob"], nan_ok=True)
        assert [error is not None for error in found["error"]] == [False, False, False, True]
    assert contents["error"][3]["what"].startswith("cannot be read as an image")
    assert arrays["error"][3]["what"].startswith("image[3] is an array of float64")


def test_models_are_loaded_at_the_first_batch(tmp_path):
    pytest.importorskip("PIL")
    from ctckit.distributed import ReadLines

    read = ReadLines(tmp_path / "none")
    with pytest.raises(DataError):
        read({"path": np.array([])})


# --- align


@pytest.fixture
def recordings(tmp_path, monkeypatch):
    soundfile = pytest.importorskip("soundfile")
    tiny_acoustic_model.install(tmp_path, tiny="tests.support.tiny_acoustic_model:load_speller")
    monkeypatch.syspath_prepend(tmp_path)
    for text in ("bad cab", "face"):
        soundfile.write(tmp_path / f"{text[:3]}.wav", samples_of(text[::-1], lead=2), RATE)
    (tmp_path / "bad.txt").write_text("Bac\n dab!\n", encoding="utf-8")
    (tmp_path / "fac.txt").write_text("face", encoding="utf-8")
    (tmp_path / "none.txt").write_text("a", encoding="utf-8")
    (tmp_path / "none.wav").write_text("no recording", encoding="utf-8")
    return tmp_path


def test_rows_are_those_of_align(recordings):
    from ctckit.distributed import AlignUtterances

    paths = [recordings / f"{name}.wav" for name in ("bad", "fac", "none")]
    rows = rows_of_command(recordings / "out", "align", recordings / "*.wav", "--model", "tiny", "--spans")
    align = AlignUtterances("tiny", spans=True)
    texts = [path.with_suffix(".txt").read_text("utf-8") for path in paths]
    found = rows_of_batch(align({"path": objects(*paths), "text": objects(*texts)}))
    assert [{**row, "path": str(row["path"])} for row in found] == [
        {**row, "text": t} for row, t in zip(rows, texts, strict=True)
    ]
    assert [row["error"] is None for row in rows] == [True, True, False]


def test_a_recording_without_a_text_has_an_error(recordings):
    from ctckit.distributed import AlignUtterances

    found = AlignUtterances("tiny")({"path": [recordings / "fac.wav"], "text": [" \n"]})
    assert found["error"][0]["what"] == "its text is empty; expected what was said, one utterance a line."
    assert found["lines"].tolist() == [None]
