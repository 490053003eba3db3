import json
import math
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from ctckit.errors import DataError, InvalidInputError, ModelFormatError
from ctckit.ocr import model_folder
from ctckit.ocr.model_folder import load_model, save_model
from ctckit.ocr.networks.crnn import CRNN, CRNNConfig
from ctckit.ocr.recognizer import Recognizer
from ctckit.ocr.training.record import TrainingRecord
from ctckit.vocabulary import Vocabulary
from tests.support.tolerances import NETWORK_SINGLE, TORCH_SINGLE

VOCABULARY = Vocabulary.from_characters("01é")
TINY = CRNNConfig(num_classes=4, channels=(4, 8), strides=((4, 2), (4, 2)), hidden=8)
RECORD = TrainingRecord(steps=(1, 2), loss=(3.0, 2.0), cer=(1.0, 0.5), learning_rate=(0.1, 0.0), best_step=2)


def tiny(seed=0):
    torch.manual_seed(seed)
    return CRNN(TINY).eval()


def image(width=60, height=32):
    levels = np.random.default_rng(width).integers(0, 256, size=(height, width))
    return levels.astype(np.uint8)


def same(left, right):
    return all(torch.equal(tensor, right.state_dict()[name]) for name, tensor in left.state_dict().items())


@pytest.fixture
def folder(tmp_path):
    return save_model(tmp_path / "deep" / "model", tiny(), VOCABULARY, record=RECORD)


def test_a_model_comes_back_as_it_was_saved(folder):
    saved = load_model(folder)
    assert same(saved.model, tiny())
    assert saved.model.config == TINY
    assert saved.vocabulary == VOCABULARY
    assert saved.record == RECORD
    assert not saved.model.training
    assert sorted(path.name for path in folder.iterdir()) == ["model.json", "weights.safetensors"]


def test_model_json_is_readable_and_says_what_is_needed(folder):
    description = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    assert description["format_version"] == 1
    assert description["tokens"] == ["", "0", "1", "é"]
    assert description["blank"] == 0
    assert description["image"] == {"height": 32, "levels": "grey; ink 1, paper 0", "frame_pixels": 4}
    assert description["network"]["hidden"] == 8
    assert description["training"]["loss"] == [3.0, 2.0]


def test_saving_replaces_the_old_model(folder):
    save_model(folder, tiny(1), VOCABULARY)
    assert same(load_model(folder).model, tiny(1))
    assert load_model(folder).record is None


@pytest.mark.parametrize("failing", ["fsync", "replace"])
@pytest.mark.parametrize("call", [1, 2])
def test_a_crash_while_saving_leaves_a_whole_model(folder, monkeypatch, failing, call):
    real, calls = getattr(os, failing), []

    def crash(*arguments):
        calls.append(arguments)
        if len(calls) == call:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(os, failing, crash)
    with pytest.raises(KeyboardInterrupt):
        save_model(folder, tiny(1), VOCABULARY)
    monkeypatch.undo()
    weights_were_replaced = (failing, call) == ("replace", 2)
    assert same(load_model(folder).model, tiny(1 if weights_were_replaced else 0))


def test_a_process_killed_between_the_renames_leaves_the_new_model(folder, monkeypatch):
    # what a kill leaves: nothing tidies up
    monkeypatch.setattr(model_folder, "_discard", lambda *_: None)
    real, calls = os.replace, []

    def crash(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        real(*arguments)

    monkeypatch.setattr(os, "replace", crash)
    with pytest.raises(KeyboardInterrupt):
        save_model(folder, tiny(1), VOCABULARY)
    monkeypatch.undo()
    assert same(load_model(folder).model, tiny(1))
    save_model(folder, tiny(2), VOCABULARY)
    assert same(load_model(folder).model, tiny(2))


def test_a_full_disk_is_a_data_error(folder, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match=r"the model cannot be saved \(No space left on device\)\. The old one stays"):
        save_model(folder, tiny(1), VOCABULARY)
    monkeypatch.undo()
    assert same(load_model(folder).model, tiny())
    assert len(list(folder.iterdir())) == 2


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match=r"this folder cannot be made"):
        save_model(tmp_path / "file", tiny(), VOCABULARY)


def edit(folder, **changes):
    path = folder / "model.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def damage(folder, kind):
    weights, record = folder / "weights.safetensors", folder / "model.json"
    actions = {
        "no folder": lambda: [path.unlink() for path in (weights, record)] and folder.rmdir(),
        "no weights": weights.unlink,
        "no json": record.unlink,
        "cut weights": lambda: weights.write_bytes(weights.read_bytes()[:-7]),
        "not weights": lambda: weights.write_bytes(b"\x00" * 64),
        "cut json": lambda: record.write_bytes(record.read_bytes()[:-7]),
        "other format": lambda: edit(folder, format="other"),
        "a list": lambda: record.write_text("[]"),
        "other version": lambda: edit(folder, format_version=99),
        "edited": lambda: edit(folder, tokens=["", "x", "y", "z"]),
    }
    actions[kind]()


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("no folder", r"no such folder\. A model folder holds weights\.safetensors and model\.json"),
        ("no weights", r"weights\.safetensors is missing"),
        ("no json", r"model\.json is missing"),
        ("cut weights", r"weights\.safetensors: is damaged"),
        ("not weights", r"weights\.safetensors: is damaged"),
        ("cut json", r"model\.json: is not readable JSON"),
        ("other format", r"is not a ctckit model"),
        ("a list", r"is not a ctckit model"),
        ("other version", r"format version 99; this ctckit reads version 1"),
        ("edited", r"model\.json and weights\.safetensors do not belong together"),
    ],
)
def test_folders_that_cannot_be_loaded(folder, kind, message):
    damage(folder, kind)
    with pytest.raises(ModelFormatError, match=message):
        Recognizer.load(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"blank": 7}, r"the model is damaged"),
        ({"network": {"num_classes": 4}}, r"the model is damaged"),
        ({"training": {"speed": 1}}, r"the model is damaged .*unknown entries"),
        ({"tokens": ["", "0"]}, r"2 tokens for 4 classes"),
    ],
)
def test_descriptions_that_make_no_sense(folder, monkeypatch, change, message):
    describe = model_folder._describe
    monkeypatch.setattr(model_folder, "_describe", lambda *given: {**describe(*given), **change})
    save_model(folder, tiny(), VOCABULARY)
    with pytest.raises(ModelFormatError, match=message):
        load_model(folder)


# --- reading


def test_reading_takes_paths_pictures_and_arrays_alike(tmp_path, folder):
    levels = image()
    Image.fromarray(levels).save(tmp_path / "a.png")
    colored = np.repeat(levels[:, :, None], 3, axis=2)
    recognizer = Recognizer.load(folder)
    inputs = [tmp_path / "a.png", str(tmp_path / "a.png"), Image.fromarray(levels), levels, colored]
    readings = recognizer.read(inputs)
    assert Recognizer.load(folder, device="auto").read(inputs[:1])[0].text == readings[0].text
    assert len({reading.text for reading in readings}) == 1
    assert str(readings[0]) == readings[0].text


def test_a_batch_of_images_reads_like_each_alone(folder):
    recognizer = Recognizer.load(folder)
    images = [image(width) for width in (31, 90, 47, 64)]
    for together, alone in zip(recognizer.read(images, batch_size=3), images, strict=True):
        (single,) = recognizer.read([alone])
        assert together.text == single.text
        assert [(span.start, span.end) for span in together.spans] == [(span.start, span.end) for span in single.spans]
        assert together.log_prob == pytest.approx(single.log_prob, abs=NETWORK_SINGLE)


def test_a_reading_says_where_how_likely_and_how_sure(folder):
    recognizer = Recognizer.load(folder)
    recognizer.model.classes.bias.data[0] = -2.0  # make it talk
    wide = np.repeat(np.repeat(image(40), 3, axis=0), 3, axis=1)
    (reading,) = recognizer.read([wide])
    (log_probs,) = recognizer.compute_log_probs([np.asarray(Image.fromarray(wide).resize((40, 32), 3))])
    assert reading.text == "".join(span.character for span in reading.spans) != ""
    targets = torch.tensor([VOCABULARY.encode(reading.text)])
    loss = torch.nn.functional.ctc_loss(
        log_probs[:, None], targets, [len(log_probs)], [targets.shape[1]], reduction="none"
    )
    assert reading.log_prob == pytest.approx(-float(loss), rel=TORCH_SINGLE)
    assert reading.confidence == math.exp(reading.log_prob / len(reading.text))
    end = 0
    for span in reading.spans:
        assert end <= span.start < span.end <= 10
        assert (span.left, span.right) == (span.start * 12, span.end * 12)
        assert span.log_prob <= 0
        end = span.end


def test_nothing_to_read_reads_nothing(folder):
    assert Recognizer.load(folder).read([]) == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            lambda: np.zeros((32, 9), np.float32),
            r"images\[0\] is an array of float32 with shape \(32, 9\); expected uint8",
        ),
        (lambda: np.zeros((32, 9, 2), np.uint8), r"images\[0\] is an array of uint8 with shape \(32, 9, 2\)"),
        (lambda: np.zeros((0, 9), np.uint8), r"images\[0\] is an array of uint8 with shape \(0, 9\)"),
        (lambda: 5, r"images\[0\] is a int; expected a path, a PIL image or a uint8 array"),
    ],
)
def test_what_is_not_an_image_is_refused(folder, given, message):
    with pytest.raises(InvalidInputError, match=message):
        Recognizer.load(folder).read([given()])


def test_a_single_image_is_not_a_list_of_images(folder):
    with pytest.raises(
        InvalidInputError, match=r"images is a single image; expected a list of them: read\(\[image\]\)"
    ):
        Recognizer.load(folder).read("a.png")


def test_a_missing_image_is_named(folder):
    with pytest.raises(DataError, match=r"nowhere\.png: there is no such image file"):
        Recognizer.load(folder).read(["nowhere.png"])


@pytest.mark.skipif(torch.cuda.is_available(), reason="here it would work")
def test_a_device_that_is_not_there(folder):
    with pytest.raises(InvalidInputError, match=r'device="cuda" cannot be used here .*Use device="cpu"'):
        Recognizer.load(folder, device="cuda")


# --- the package's own names


def test_the_package_names_its_verbs_and_nouns():
    import ctckit.ocr

    assert ctckit.ocr.__all__ == sorted(ctckit.ocr.__all__)
    assert ctckit.ocr.Recognizer is Recognizer
    assert set(ctckit.ocr.__all__) <= set(dir(ctckit.ocr))
    for name in ctckit.ocr.__all__:
        assert getattr(ctckit.ocr, name).__name__ == name
    with pytest.raises(AttributeError, match=r"has no attribute 'Recogniser'"):
        _ = ctckit.ocr.Recogniser


def test_without_torch_the_names_say_what_to_install():
    code = (
        "import sys\nsys.modules['torch'] = None\nimport ctckit.ocr\nfrom ctckit.errors import MissingDependencyError\n"
        "try:\n    ctckit.ocr.fit_lines\nexcept MissingDependencyError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "ctckit.ocr.fit_lines needs torch" in done.stdout
    assert 'pip install "ctckit[ocr]"' in done.stdout
