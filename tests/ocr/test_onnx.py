"""Recognizers in ONNX files: exported, equal to torch, read without it, and what a damaged file says."""

import copy
import json
import pickle
import subprocess
import sys
import unicodedata

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from ctckit import BeamDecoder, Vocabulary
from ctckit.errors import DataError, InvalidInputError, MissingDependencyError, MissingFileError, ModelFormatError
from ctckit.ocr.data.rules import LineRules
from ctckit.ocr.model_folder import SavedModel, Stage, save_model
from ctckit.ocr.networks import NETWORKS, NetworkType
from ctckit.ocr.networks.base import ConfiguredNetwork
from ctckit.ocr.networks.crnn import CRNN, CRNNConfig
from ctckit.ocr.recognizer import Recognizer
from ctckit.ocr.training.evaluation import compute_log_probs
from tests.support.line_files import TINY, bars, write_lines
from tests.support.page_files import alto, draw_page
from tests.support.tolerances import NETWORK_SINGLE

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from ctckit.ocr.export.exporting import Exported, export_onnx  # noqa: E402
from ctckit.ocr.networks.pretrained.reading import read_onnx  # noqa: E402
from ctckit.ocr.onnx.metadata import Description, characters_of, description_of, metadata_of  # noqa: E402
from ctckit.ocr.onnx.session import OnnxSession  # noqa: E402
from tests.support.onnx_models import GraphBuilder, classify, recognizer  # noqa: E402

WIDTHS = (1, 4, 5, 97, 64, 63, 33, 32, 200)
VOCABULARY = Vocabulary.from_characters(" ab")


def crnn(**config):
    torch.manual_seed(0)
    model = CRNN(CRNNConfig(num_classes=4, **{**TINY, **config})).eval()
    for each in model.modules():
        if isinstance(each, nn.BatchNorm2d):  # as after training: padding is not what the norm makes of paper
            each.running_mean.uniform_(-0.5, 0.5)
            each.bias.data.uniform_(-0.5, 0.5)
    model.classes.weight.data *= 8.0  # it is sure of what it reads
    model.classes.bias.data[0] = -2.0  # and reads something
    return model


def pretrained(folder, **options):
    return read_onnx(recognizer(folder / "source.onnx", **options))


def saved(model, vocabulary=VOCABULARY, **more):
    return SavedModel(model, vocabulary, None, **more)


def noise(widths=WIDTHS, height=32, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (height, width)).astype(np.uint8) for width in widths]


def plain(path):
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def levels(images, columns=None):
    """What the guide tells other programs to do."""
    batch = np.zeros((len(images), 1, len(images[0]), columns or max(each.shape[1] for each in images)), np.float32)
    for item, image in zip(batch, images, strict=True):
        item[0, :, : image.shape[1]] = 2 * (image / 255) - 1
    return batch


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A small CRNN and its file."""
    model, path = crnn(), tmp_path_factory.mktemp("onnx") / "model.onnx"
    export_onnx(saved(model, rules=LineRules(direction="ltr"), history=(Stage("data", "lines", lines=3),)), path)
    return model, path


# --- equal to torch


@pytest.mark.parametrize("config", [{}, {"layers": 2}, {"channels": (4, 4, 8), "strides": ((2, 2), (1, 1), (4, 3))}])
def test_the_file_of_a_crnn_computes_what_the_network_does(tmp_path, config):
    model = crnn(**config)
    result = export_onnx(saved(model), tmp_path / "m.onnx")
    assert result.difference < NETWORK_SINGLE
    assert result.bytes == (tmp_path / "m.onnx").stat().st_size
    session = OnnxSession(tmp_path / "m.onnx")
    images = noise()
    for batch_size in (1, 4, 32):
        found = session.compute_log_probs(images, batch_size=batch_size)
        for each, expected in zip(found, compute_log_probs(model, images), strict=True):
            assert each.shape == expected.shape
            assert np.abs(each - expected.numpy()).max() < NETWORK_SINGLE


@pytest.mark.parametrize("opset", [11, 13, 18])
def test_the_file_of_a_network_from_onnx_computes_what_the_network_does(tmp_path, opset):
    source = pretrained(tmp_path, opset=opset)
    export_onnx(saved(source.network, source.vocabulary), tmp_path / "m.onnx")
    session, images = OnnxSession(tmp_path / "m.onnx"), noise(height=16)
    assert session.description.same_columns == 32
    for each, expected in zip(
        session.compute_log_probs(images), compute_log_probs(source.network, images), strict=True
    ):
        assert np.abs(each - expected.numpy()).max() < NETWORK_SINGLE


def split(graph, x):
    parts = graph.add("Split", x, graph.constant([1, 3]), outputs=2, axis=1)
    return graph.add("Concat", parts[1], parts[0], axis=1)


def double(graph, x):
    return graph.add("Cast", graph.add("Sqrt", graph.add("Abs", graph.add("Cast", x, to=11))), to=1)


def centered(graph, x):
    mean = graph.add("ReduceMean", x, axes=[2, 3]) if graph.opset < 18 else None
    return graph.add("Sub", x, mean or graph.add("ReduceMean", x, graph.constant([2, 3])))


BLOCKS = {
    "split": split,
    "cast": double,
    "mean": centered,
    "dropout": lambda graph, x: graph.add("Dropout", x),
    "norm": lambda graph, x: graph.batch_norm(graph.add("Relu", x), 4),
    "clip": lambda graph, x: graph.add("Clip", x, graph.constant(-0.5), graph.constant(0.5)),
    "swish": lambda graph, x: graph.swish(x),
    "gelu": lambda graph, x: graph.gelu(x),
    "leaky": lambda graph, x: graph.add("LeakyRelu", x, alpha=0.3),
    "pool": lambda graph, x: graph.add("MaxPool", x, kernel_shape=[3, 3], strides=[1, 1], pads=[1, 1, 1, 1]),
}


@pytest.mark.parametrize(("opset", "kind"), [(13, kind) for kind in BLOCKS] + [(18, "split"), (18, "mean")])
def test_operations_become_nodes_again(tmp_path, opset, kind):
    graph = GraphBuilder(opset)
    x = BLOCKS[kind](graph, graph.convolution("x", 3, 4, pads=[1, 1, 1, 1], strides=[2, 2]))
    x = graph.add("AveragePool", x, kernel_shape=[8, 1], strides=[8, 1])
    source = read_onnx(graph.save(tmp_path / "source.onnx", classify(graph, x, 4, 4)))
    assert export_onnx(saved(source.network, source.vocabulary), tmp_path / "m.onnx").difference < NETWORK_SINGLE


def test_a_blank_that_is_not_the_first_class_becomes_it(tmp_path):
    model, vocabulary = crnn(), Vocabulary(("a", "b", " ", ""), blank=3)
    export_onnx(saved(model, vocabulary), tmp_path / "m.onnx")
    session = OnnxSession(tmp_path / "m.onnx")
    assert session.vocabulary.tokens == ("", "a", "b", " ")
    [found], [expected] = session.compute_log_probs(noise([50])), compute_log_probs(model, noise([50]))
    assert np.abs(found - expected.numpy()[:, [3, 0, 1, 2]]).max() < NETWORK_SINGLE


def test_probabilities(tmp_path, exported):
    model, _ = exported
    export_onnx(saved(model), tmp_path / "m.onnx", output="probs")
    (found,) = plain(tmp_path / "m.onnx").run(None, {"x": levels(noise([50]))})
    assert np.allclose(found.sum(axis=2), 1.0, atol=1e-5)
    [log_probs] = OnnxSession(tmp_path / "m.onnx").compute_log_probs(noise([50]))
    assert np.abs(log_probs - compute_log_probs(model, noise([50]))[0].numpy()).max() < NETWORK_SINGLE


# --- for other programs


def test_another_program_may_pad_with_zeros_and_keep_the_frames_of_the_padding(exported):
    model, path = exported
    images = noise([30, 97, 64])
    (found,) = plain(path).run(None, {"x": levels(images, columns=120)})
    assert found.shape == (3, 30, 4)
    for each, image in zip(found, images, strict=True):
        [expected] = compute_log_probs(model, [image])
        assert np.abs(each[: len(expected)] - expected.numpy()).max() < NETWORK_SINGLE
        assert each[len(expected) :, 0].tolist() == [0.0] * (30 - len(expected))
        assert (each[len(expected) :, 1:] == -np.inf).all()


def test_three_equal_channels_are_one(exported):
    _, path = exported
    image = levels(noise([50]))
    (one,), (three,) = (plain(path).run(None, {"x": np.repeat(image, n, axis=1)}) for n in (1, 3))
    assert np.abs(one - three).max() < NETWORK_SINGLE


def test_a_network_from_onnx_takes_zeros_up_to_its_rounding(tmp_path):
    source = pretrained(tmp_path)
    export_onnx(saved(source.network, source.vocabulary), tmp_path / "m.onnx")
    images = noise([33, 50, 64], height=16)
    (found,) = plain(tmp_path / "m.onnx").run(None, {"x": levels(images)})
    for each, image in zip(found, images, strict=True):
        [expected] = compute_log_probs(source.network, [image])
        assert np.abs(each[: len(expected)] - expected.numpy()).max() < NETWORK_SINGLE


def test_the_metadata_say_how_to_use_the_file(exported):
    _, path = exported
    metadata = plain(path).get_modelmeta().custom_metadata_map
    assert metadata["character"] == " \na\nb"
    assert json.loads(metadata["ctckit"]) == {
        "format": "ctckit-onnx",
        "format_version": 1,
        "height": 32,
        "frame_pixels": 4,
        "more_frames": 0,
        "blank": 0,
        "output": "log_probs",
        "same_columns": 0,
        "int8": False,
        "input": {"paper": 1.0, "ink": -1.0, "padding": 0.0},
        "lines": {"unicode": "NFC", "spaces": "single", "direction": "ltr", "invert": "auto", "find": "yes"},
        "history": [{"kind": "data", "name": "lines", "license": "", "sha256": "", "lines": 3}],
    }


# --- reading


def test_readings_are_those_of_torch(exported):
    model, path = exported
    of_torch = Recognizer(model, VOCABULARY, rules=LineRules(direction="ltr"))
    of_onnx = Recognizer.load(path)
    assert of_onnx.rules == of_torch.rules
    images = [Image.fromarray(each).resize((each.shape[1] * 2, 50)) for each in noise()]
    assert any(reading.text for reading in of_torch.read(images))
    for decoder in (None, BeamDecoder(VOCABULARY)):
        for found, expected in zip(
            of_onnx.read_n_best(images, 2, decoder=decoder),
            of_torch.read_n_best(images, 2, decoder=decoder),
            strict=True,
        ):
            assert [each.text for each in found] == [each.text for each in expected]
            for each, other in zip(found, expected, strict=True):
                places = [[(s.character, s.start, s.end, s.left, s.right) for s in r.spans] for r in (each, other)]
                assert places[0] == places[1]
                assert each.log_prob == pytest.approx(other.log_prob, abs=20 * NETWORK_SINGLE)
                assert each.confidence == pytest.approx(other.confidence, abs=NETWORK_SINGLE)


def test_a_file_of_pp_ocr_is_read_as_the_network_that_starts_from_it(tmp_path):
    path = recognizer(tmp_path / "m.onnx", characters="abcdefg")
    source = read_onnx(path)
    of_onnx = Recognizer.load(path)
    of_torch = Recognizer(source.network, source.vocabulary, rules=of_onnx.rules)
    assert of_onnx.vocabulary == of_torch.vocabulary
    assert of_onnx.model.description == Description(16, 4, 0, "probs", same_columns=32)
    for found, expected in zip(of_onnx.read(noise(height=20)), of_torch.read(noise(height=20)), strict=True):
        assert found.text == expected.text
        assert [(s.start, s.end, s.left, s.right) for s in found.spans] == [
            (s.start, s.end, s.left, s.right) for s in expected.spans
        ]
        assert found.log_prob == pytest.approx(expected.log_prob, abs=20 * NETWORK_SINGLE)


def simple(path, *, softmax=True, classes=4, **options):
    """Write a small network by PP-OCR's conventions."""
    graph = GraphBuilder()
    x = graph.convolution("x", 3, 4, pads=[1, 1, 1, 1], strides=[2, 4])
    x = graph.add("AveragePool", x, kernel_shape=[8, 1], strides=[8, 1])
    return graph.save(path, classify(graph, x, 4, classes, softmax=softmax), **options)


def test_logits_and_probabilities_give_the_same_log_probs(tmp_path):
    one = OnnxSession(simple(tmp_path / "probs.onnx"))
    other = OnnxSession(simple(tmp_path / "logits.onnx", softmax=False))
    assert (one.description.output, other.description.output) == ("probs", "logits")
    for found, expected in zip(
        one.compute_log_probs(noise(height=16)), other.compute_log_probs(noise(height=16)), strict=True
    ):
        assert np.abs(found - expected).max() < NETWORK_SINGLE
        assert np.allclose(np.exp(found).sum(axis=1), 1.0, atol=1e-5)


def test_characters_beside_the_file_and_the_space(tmp_path):
    path = simple(tmp_path / "m.onnx", characters=None)
    with pytest.raises(ModelFormatError, match=r"m\.onnx: its characters are not known.*m\.txt"):
        OnnxSession(path)
    (tmp_path / "m.txt").write_text("x\r\ny\r\n", encoding="utf-8")
    assert OnnxSession(path).vocabulary.tokens == ("", "x", "y", " ")


def test_of_a_character_that_is_there_twice_the_first_counts(tmp_path):
    path = simple(tmp_path / "m.onnx", characters="aba")
    session, source = OnnxSession(path), read_onnx(path)
    assert session.vocabulary == source.vocabulary
    assert session.num_classes == 3
    for found, expected in zip(
        session.compute_log_probs(noise(height=16)), compute_log_probs(source.network, noise(height=16)), strict=True
    ):
        assert np.abs(found - expected.numpy()).max() < NETWORK_SINGLE


def test_a_session_can_be_pickled_and_copied(exported):
    recognizer = Recognizer.load(exported[1])
    expected = [reading.text for reading in recognizer.read(noise())]
    for other in (pickle.loads(pickle.dumps(recognizer)), copy.deepcopy(recognizer)):
        assert [reading.text for reading in other.read(noise())] == expected


# --- without torch

WITHOUT_TORCH = """
import sys

class Forbidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "lightning_fabric", "safetensors", "jiwer", "sklearn", "onnx"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Forbidden())
from ctckit.ocr import Recognizer, read_page
recognizer = Recognizer.load("model.onnx")
print(recognizer.read(["line.png"])[0].text)
print(read_page(recognizer, "page.xml").text)
from ctckit.cli import main
sys.argv = ["ctckit", "read", "line.png", "page.xml", "--model", "model.onnx", "--out", "read"]
try:
    main()
except SystemExit as stop:
    assert not stop.code, stop.code
from ctckit.cli import serve
assert serve._is_recognizer("model.onnx") and not serve._is_recognizer("hama")
assert "torch" not in sys.modules
try:
    Recognizer.load("model")
except ImportError as error:
    print(error)
"""


def test_reading_needs_no_torch(tmp_path, exported):
    model, path = exported
    (tmp_path / "model.onnx").write_bytes(path.read_bytes())
    Image.fromarray(bars("abba").image).save(tmp_path / "line.png")
    page, lines = draw_page()
    page.save(tmp_path / "page.png")
    (tmp_path / "page.xml").write_text(alto(lines, size=page.size), encoding="utf-8")
    command = [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning:typer", "-c", WITHOUT_TORCH]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    of_torch = Recognizer(model, VOCABULARY, rules=LineRules(direction="ltr"))
    (expected,) = of_torch.read([tmp_path / "line.png"])
    assert done.stdout.splitlines()[0] == expected.text
    assert done.stdout.splitlines()[-1] == (
        'model, a model folder, needs torch, which is not installed. Install it: pip install "ctckit[ocr]"'
    )
    assert (tmp_path / "read" / "line.txt").read_text(encoding="utf-8") == f"{expected.text}\n"
    assert "<String" in (tmp_path / "read" / "page.xml").read_text(encoding="utf-8")


# --- errors


def test_without_onnxruntime_the_message_has_the_command(monkeypatch, exported):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingDependencyError, match=r'onnxruntime, .*pip install "ctckit\[onnx\]"'):
        Recognizer.load(exported[1])


def test_without_onnx_the_message_has_the_command(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingDependencyError, match=r'onnx, .*pip install "ctckit\[export\]"'):
        export_onnx(saved(crnn()), tmp_path / "m.onnx")


def test_a_file_that_is_no_recognizer(tmp_path):
    with pytest.raises(MissingFileError, match=r"m\.onnx: there is no such file"):
        Recognizer.load(tmp_path / "m.onnx")
    (tmp_path / "m.onnx").write_bytes(b"\x08\x07hello")
    with pytest.raises(ModelFormatError, match=r"m\.onnx: cannot be read as an ONNX file \(.*Export it again"):
        Recognizer.load(tmp_path / "m.onnx")


def changed(path, target, change):
    model = onnx.load(path)
    change(model)
    onnx.save(model, target)
    return target


def with_metadata(path, target, **values):
    """Copy a file with changed metadata; None removes an entry, and a mapping changes our own."""

    def change(model):
        entries = {each.key: each.value for each in model.metadata_props}
        for name, value in values.items():
            if isinstance(value, dict):
                ours = {**json.loads(entries["ctckit"]), **value}
                entries[name] = json.dumps({key: each for key, each in ours.items() if each is not None})
            else:
                entries[name] = value
        del model.metadata_props[:]
        onnx.helper.set_model_props(model, {name: each for name, each in entries.items() if each is not None})

    return changed(path, target, change)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"character": None}, 'no entry "character"'),
        ({"character": "a\nb"}, "2 characters for 4 classes; expected 3"),
        ({"character": "a\nb\nc\nd"}, "4 characters for 4 classes; expected 3"),
        ({"character": "a\nb\na"}, "twice in its metadata"),
        ({"character": "a\n\nb"}, "twice in its metadata, or is empty"),
        ({"character": ""}, "1 characters for 4 classes"),
        ({"ctckit": "{"}, "not readable JSON"),
        ({"ctckit": "[" * 100_000}, "not readable JSON"),
        ({"ctckit": "[1]"}, "not of a model"),
        ({"ctckit": {"format": "x"}}, "not of a model"),
        ({"ctckit": {"format_version": 2}}, "format version 2; this ctckit reads version 1"),
        ({"ctckit": {"format_version": None}}, "format version None"),
        ({"ctckit": {"height": None}}, "damaged"),
        ({"ctckit": {"height": 48}}, "its metadata say height 48, its input has height 32"),
        ({"ctckit": {"height": 10**9}}, "height is 1000000000; expected a whole number, 1..1024"),
        ({"ctckit": {"height": True}}, "height is True"),
        ({"ctckit": {"frame_pixels": 0}}, "frame_pixels is 0"),
        ({"ctckit": {"frame_pixels": 8}}, "its output has shape"),
        ({"ctckit": {"frame_pixels": "16"}}, "frame_pixels is '16'"),
        ({"ctckit": {"more_frames": 3}}, "its output has shape"),
        ({"ctckit": {"same_columns": -1}}, "same_columns is -1"),
        ({"ctckit": {"output": "scores"}}, "output is 'scores'"),
        ({"ctckit": {"int8": 1}}, "int8 is 1"),
        ({"ctckit": {"lines": None}}, "'lines' is missing"),
        ({"ctckit": {"lines": {"unicode": "NFX"}}}, "unicode is 'NFX'"),
        ({"ctckit": {"lines": [1]}}, "the rules are"),
        ({"ctckit": {"history": 5}}, "damaged"),
        ({"ctckit": {"history": [5]}}, "damaged"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_metadata_that_are_damaged(tmp_path, exported, values, message):
    path = with_metadata(exported[1], tmp_path / "m.onnx", **values)
    with pytest.raises(ModelFormatError) as raised:
        Recognizer.load(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert message in str(raised.value)


def test_a_charset_of_another_length_by_the_conventions_of_pp_ocr(tmp_path):
    path = simple(tmp_path / "m.onnx", characters="abcdef")
    with pytest.raises(ModelFormatError, match="6 characters for 4 classes; expected 3, or one less"):
        Recognizer.load(path)


def time_first(graph, x):
    return graph.add("Transpose", x, perm=[1, 0, 2])


def without_time(graph, x):
    return graph.add("ReduceMean", x, axes=[1], keepdims=0)


@pytest.mark.parametrize(
    ("last", "message"),
    [
        (time_first, "its output has shape (48, 2, 4) for 2 lines; expected (2, T, C)"),
        (without_time, "its output has shape (2, 4) for 2 lines; expected (2, T, C)"),
        (lambda graph, x: graph.add("Slice", x, *map(graph.constant, ([0], [5], [1]))), "5 and 5 frames"),
    ],
    ids=["time first", "no frames", "always as many frames"],
)
def test_outputs_of_unknown_shape(tmp_path, last, message):
    graph = GraphBuilder()
    x = graph.convolution("x", 3, 4, pads=[1, 1, 1, 1], strides=[2, 4])
    x = classify(graph, graph.add("AveragePool", x, kernel_shape=[8, 1], strides=[8, 1]), 4, 4)
    path = graph.save(tmp_path / "m.onnx", last(graph, x))
    with pytest.raises(ModelFormatError) as raised:
        OnnxSession(path)
    assert message in str(raised.value)


def test_inputs_of_unknown_shape(tmp_path):
    path = simple(tmp_path / "m.onnx")

    def five(model):
        model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 5

    with pytest.raises(ModelFormatError):
        OnnxSession(changed(path, tmp_path / "five.onnx", five))

    def narrow(model):
        model.graph.input[0].type.tensor_type.shape.dim[3].dim_value = 320

    with pytest.raises(ModelFormatError, match=r"does not take an image of shape \(2, 3, 16, 192\).*any width"):
        OnnxSession(changed(path, tmp_path / "narrow.onnx", narrow))

    def two(model):
        model.graph.output.append(onnx.ValueInfoProto(name=model.graph.node[0].output[0]))

    with pytest.raises(ModelFormatError, match="1 inputs and 2 outputs; expected the image"):
        OnnxSession(changed(path, tmp_path / "two.onnx", two))


def test_a_file_for_one_line_at_a_time(tmp_path):
    def one(model):
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1

    path = simple(tmp_path / "m.onnx")
    session = OnnxSession(changed(path, tmp_path / "one.onnx", one))
    for found, expected in zip(
        session.compute_log_probs(noise(height=16)), OnnxSession(path).compute_log_probs(noise(height=16)), strict=True
    ):
        assert np.abs(found - expected).max() < NETWORK_SINGLE


def test_arguments(exported):
    with pytest.raises(InvalidInputError, match='device="mps" cannot be used with an ONNX file here'):
        Recognizer.load(exported[1], device="mps")
    session = OnnxSession(exported[1], device="auto", threads=1)
    with pytest.raises(InvalidInputError, match="threads is 0"):
        OnnxSession(exported[1], threads=0)
    with pytest.raises(InvalidInputError, match=r"lines\[1\] is an array of uint8 with shape \(16, 9\); expected"):
        session.compute_log_probs([*noise([9]), *noise([9], height=16)])
    with pytest.raises(InvalidInputError, match="batch_size is 0"):
        session.compute_log_probs(noise([9]), batch_size=0)
    assert session.compute_log_probs([]) == []


# --- what cannot be exported


def test_a_line_end_among_the_characters(tmp_path):
    with pytest.raises(InvalidInputError, match=r"the character '\\x85' ends a line"):
        export_onnx(saved(crnn(), Vocabulary(("", "a", "\x85", "b"))), tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def test_characters_of_all_kinds_come_back():
    tokens = ("", " ", "é", unicodedata.normalize("NFD", "é"), "\u200d", "א", "𝔞", '"', "\\")
    metadata = metadata_of(Description(32, 4), Vocabulary(tokens))
    assert ("", *characters_of(metadata)) == tokens
    assert description_of(metadata) == Description(32, 4)
    assert description_of({}) is None


class Counting(ConfiguredNetwork):
    """A network that computes with Python numbers: what torch traces holds for one batch only."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.last = nn.Linear(config.height, config.num_classes)

    def forward(self, images, widths):
        x = self.last(images[:, 0].permute(0, 2, 1)[:, :: self.frame_pixels])
        longest = max(widths.tolist())
        return x * longest, (widths + self.frame_pixels - 1) // self.frame_pixels


def test_a_network_that_cannot_be_traced_is_found_before_the_file_is_written(tmp_path, monkeypatch):
    monkeypatch.setitem(NETWORKS, "counting", NetworkType(CRNNConfig, Counting))
    (tmp_path / "m.onnx").write_bytes(b"old")
    with pytest.raises(DataError, match=r"exported Counting computes other log-probabilities.*tensors only"):
        export_onnx(saved(Counting(CRNNConfig(num_classes=4))), tmp_path / "m.onnx")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("m.onnx", b"old")]


def test_what_export_needs(tmp_path):
    with pytest.raises(InvalidInputError, match=r"m\.bin does not end with \.onnx"):
        export_onnx(saved(crnn()), tmp_path / "m.bin")
    with pytest.raises(InvalidInputError, match="int8 needs lines"):
        export_onnx(saved(crnn()), tmp_path / "m.onnx", int8=True)
    with pytest.raises(InvalidInputError, match="output is 'scores'"):
        export_onnx(saved(crnn()), tmp_path / "m.onnx", output="scores")
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="file"):
        export_onnx(saved(crnn()), tmp_path / "file" / "m.onnx")


# --- whole numbers of 8 bits


@pytest.mark.parametrize("kind", ["crnn", "pretrained"])
def test_whole_numbers_of_8_bits(tmp_path, kind):
    if kind == "crnn":
        model, vocabulary = crnn(channels=(16, 32), hidden=64), VOCABULARY
    else:
        source = pretrained(tmp_path)
        model, vocabulary = source.network, source.vocabulary
    lines = write_lines(tmp_path / "lines", ["ab", "ba", "aab", "b"])
    save_model(tmp_path / "model", model, vocabulary, rules=LineRules(direction="ltr"))
    floats = export_onnx(tmp_path / "model", tmp_path / "float.onnx", lines=lines)
    result = export_onnx(tmp_path / "model", tmp_path / "int8.onnx", int8=True, lines=lines)
    assert (floats.cer, floats.int8_cer, floats.lines) == (result.cer, None, 4)
    assert result.int8_cer is not None
    assert result.difference < NETWORK_SINGLE
    session = OnnxSession(tmp_path / "int8.onnx")
    assert session.description.int8
    assert session.vocabulary == vocabulary
    operations = {node.op_type for node in onnx.load(tmp_path / "int8.onnx").graph.node}
    assert "QuantizeLinear" in operations
    if kind == "crnn":
        assert "DynamicQuantizeLSTM" in operations
        assert result.bytes < 0.6 * floats.bytes
    images = [bars("abab").image] if kind == "crnn" else [np.ascontiguousarray(bars("abab").image[::2, ::2])]
    [found], [expected] = session.compute_log_probs(images), compute_log_probs(model, images)
    difference = np.abs(np.exp(found) - np.exp(expected.numpy())).max()
    assert 0.0 < difference < 0.2  # other numbers, but the same network


def test_the_summary_of_an_export(tmp_path):
    path = tmp_path / "m.onnx"
    assert Exported(path, 2_340_000, 1.2e-6).summary == (
        "2.3 MB; its log-probabilities differ from the network's by 1e-06 nats at most."
    )
    assert Exported(path, 2_340_000, 1e-6, 9, 0.1234).summary.endswith("at most. CER on 9 lines: 12.34 %.")
    assert Exported(path, 2_340_000, 1e-6, 9, 0.1, 0.11).summary == (
        "2.3 MB. CER on 9 lines: 10.00 % before, 11.00 % with whole numbers of 8 bits."
    )
