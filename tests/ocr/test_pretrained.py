"""Networks from ONNX files: equal to the file, simplified, trained further."""

from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from ctckit.errors import DataError, InvalidInputError, MissingFileError
from ctckit.ocr.networks import build, shapes_of
from ctckit.ocr.networks.pretrained.graph import Graph, Operation
from ctckit.ocr.networks.pretrained.network import PretrainedConfig
from ctckit.ocr.networks.pretrained.operations import OPERATIONS

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from onnx import helper  # noqa: E402

from ctckit.ocr.networks.pretrained.reading import read_onnx  # noqa: E402
from tests.support.onnx_models import HEIGHT, GraphBuilder, classify, recognizer  # noqa: E402

CLOSE = 1e-4  # float32, in another order


def ink(widths, height=HEIGHT, seed=0):
    """Random lines (B, 1, height, W), padded with NaN."""
    images = np.full((len(widths), 1, height, max(widths)), np.nan, np.float32)
    rng = np.random.default_rng(seed)
    for image, width in zip(images, widths, strict=True):
        image[..., :width] = rng.uniform(0.0, 1.0, (1, height, width))
    return torch.from_numpy(images), torch.tensor(widths)


def before_softmax(model):
    """Let a model give what its last softmax takes."""
    (last,) = [node for node in model.graph.node if node.output[0] == model.graph.output[0].name]
    del model.graph.output[:]
    model.graph.output.append(onnx.ValueInfoProto(name=last.input[0]))
    return model


def outputs(model, inputs):
    """What ONNX Runtime computes."""
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, inputs)


def levels(images, channels=3):
    return np.repeat(1.0 - 2.0 * images.numpy(), channels, axis=1)


def test_the_file_of_the_tests_is_a_recognizer(tmp_path):
    model = onnx.load(recognizer(tmp_path / "m.onnx"))
    onnx.checker.check_model(model, full_check=True)
    images, _ = ink([64])
    (found,) = outputs(model, {"x": levels(images)})
    assert np.allclose(found.sum(axis=2), 1.0, atol=1e-5)
    assert found.shape == (1, 16, 3)


# --- equal to the file


@pytest.mark.parametrize("opset", [11, 13, 18])
def test_logits_are_those_of_the_file(tmp_path, opset):
    path = recognizer(tmp_path / "m.onnx", opset=opset)
    network = read_onnx(path).network
    images, widths = ink([64, 64])
    (expected,) = outputs(before_softmax(onnx.load(path)), {"x": levels(images)})
    with torch.no_grad():
        found, lengths = network(images, widths)
    assert lengths.tolist() == [16, 16]
    assert np.abs(found.numpy() - expected).max() < CLOSE


def kinds(path):
    return Counter(operation.kind for operation in read_onnx(path).network.config.graph.operations)


@pytest.mark.parametrize("opset", [11, 13, 18])
def test_operations_that_belong_together_become_one(tmp_path, opset):
    found = kinds(recognizer(tmp_path / "m.onnx", opset=opset))
    assert not {
        "Identity",
        "Erf",
        "Sqrt",
        "Pow",
        "Sub",
        "Div",
        "Clip",
        "MatMul",
        "Softmax",
        "BatchNormalization",
    } & set(found)
    ones = ("Gelu", "Swish", "HardSwish", "Attention")
    assert {name: found[name] for name in ones} == dict.fromkeys(ones, 1)
    assert found["LayerNormalization"] == 2
    assert found["Linear"] == 4  # the last one is the classes


def test_the_image_has_one_channel(tmp_path):
    config = read_onnx(recognizer(tmp_path / "m.onnx")).network.config
    assert config.graph.channels == 1
    assert (config.height, config.frame_pixels, config.more_frames, config.features) == (HEIGHT, 4, 0, 16)


def test_an_image_that_is_used_otherwise_keeps_three_channels(tmp_path):
    graph = GraphBuilder()
    x = graph.convolution(graph.add("Relu", "x"), 3, 4, pads=[1, 1, 1, 1], strides=[2, 2])
    x = graph.add("AveragePool", x, kernel_shape=[8, 1], strides=[8, 1])
    path = graph.save(tmp_path / "m.onnx", classify(graph, x, 4, 4))
    network = read_onnx(path).network
    assert network.config.graph.channels == 3
    images, widths = ink([32])
    (expected,) = outputs(before_softmax(onnx.load(path)), {"x": levels(images)})
    assert np.abs(network(images, widths)[0].detach().numpy() - expected).max() < CLOSE


# --- each operation alone

X = np.random.default_rng(0).standard_normal((2, 4, 6, 8)).astype(np.float32)
I = np.array  # noqa: E741
WEIGHT = np.random.default_rng(1).standard_normal((4, 4, 3, 3)).astype(np.float32)
ROW = np.random.default_rng(2).uniform(0.5, 2.0, 8).astype(np.float32)
FOUR = np.random.default_rng(3).uniform(0.5, 2.0, 4).astype(np.float32)
MATRIX = np.random.default_rng(4).standard_normal((8, 5)).astype(np.float32)
FIVE = np.random.default_rng(5).standard_normal(5).astype(np.float32)
CASES = [
    ("Abs", [X], {}),
    ("Add", [X, ROW], {}),
    ("AveragePool", [X], {"kernel_shape": [3, 2], "strides": [3, 2]}),
    ("AveragePool", [X], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    ("AveragePool", [X], {"kernel_shape": [3, 3], "strides": [1, 1], "pads": [1, 1, 1, 1], "count_include_pad": 1}),
    ("AveragePool", [X], {"kernel_shape": [3, 3], "strides": [1, 1], "auto_pad": "SAME_UPPER"}),
    ("BatchNormalization", [X, FOUR, -FOUR, FOUR - 1, FOUR], {"epsilon": 1e-3}),
    ("Cast", [X], {"to": 7}),
    ("Clip", [X, I(-0.5, np.float32), I(0.25, np.float32)], {}),
    ("Clip", [X, I(-0.5, np.float32)], {}),
    ("Concat", [X, X], {"axis": 2}),
    ("Conv", [X, WEIGHT, FOUR], {"pads": [1, 1, 1, 1], "strides": [2, 1]}),
    ("Conv", [X, WEIGHT], {"pads": [0, 1, 2, 0], "dilations": [1, 2]}),
    ("Conv", [X, WEIGHT[:, :1]], {"group": 4, "auto_pad": "SAME_LOWER", "strides": [2, 3]}),
    ("Conv", [X, WEIGHT], {"auto_pad": "VALID"}),
    ("Div", [X, ROW], {}),
    ("Div", [I([7, -7]), I([2, 2])], {}),
    ("Dropout", [X], {}),
    ("Erf", [X], {}),
    ("Exp", [X], {}),
    ("Expand", [X[:, :1], I([2, 4, 1, 1])], {}),
    ("Flatten", [X], {"axis": 2}),
    ("Gather", [X, I([1, -1])], {"axis": 3}),
    ("Gather", [I([5, 6, 7]), I(2)], {}),
    ("Gelu", [X], {}),
    ("Gelu", [X], {"approximate": "tanh"}),
    ("Gemm", [X[0, 0], MATRIX, FIVE], {"alpha": 0.5, "beta": 2.0}),
    ("Gemm", [X[0, 0].T.copy(), MATRIX.T.copy()], {"transA": 1, "transB": 1}),
    ("GlobalAveragePool", [X], {}),
    ("HardSigmoid", [X], {}),
    ("HardSigmoid", [X], {"alpha": 1 / 6, "beta": 0.5}),
    ("HardSwish", [4 * X], {}),
    ("Identity", [X], {}),
    ("LayerNormalization", [X, ROW, -ROW], {"epsilon": 1e-3}),
    ("LeakyRelu", [X], {"alpha": 0.1}),
    ("LogSoftmax", [X], {"axis": 3}),
    ("MatMul", [X, MATRIX], {}),
    ("MaxPool", [X], {"kernel_shape": [2, 2], "strides": [2, 2]}),
    ("MaxPool", [X], {"kernel_shape": [2, 2], "strides": [1, 1], "auto_pad": "SAME_UPPER"}),
    ("MaxPool", [X], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "ceil_mode": 1}),
    ("Mul", [X, ROW], {}),
    ("Neg", [X], {}),
    ("Pow", [X, I(2.0, np.float32)], {}),
    ("ReduceMean", [X, I([2, 3])], {"keepdims": 0}),
    ("ReduceMean", [X], {}),
    ("Relu", [X], {}),
    ("Reshape", [X, I([0, -1, 4])], {}),
    ("Shape", [X], {}),
    ("Shape", [X], {"start": 1, "end": -1}),
    ("Sigmoid", [X], {}),
    ("Slice", [X, I([1]), I([-1]), I([3])], {}),
    ("Slice", [X, I([0, 1]), I([9, 7]), I([2, -1]), I([2, 3])], {}),
    ("Softmax", [X], {"axis": 1}),
    ("Sqrt", [ROW], {}),
    ("Squeeze", [X[:, :1, :, :1], I([1, -1])], {}),
    ("Squeeze", [X[:, :1]], {}),
    ("Sub", [X, ROW], {}),
    ("Tanh", [X], {}),
    ("Transpose", [X], {"perm": [0, 2, 3, 1]}),
    ("Transpose", [X], {}),
    ("Unsqueeze", [X, I([1, -1])], {}),
]
OF_OUR_OWN = {"Attention", "Linear", "Split", "Swish"}  # tested in graphs


@pytest.mark.parametrize(
    ("kind", "inputs", "attributes"), CASES, ids=[f"{n}-{case[0]}" for n, case in enumerate(CASES)]
)
def test_an_operation_is_that_of_onnx(kind, inputs, attributes):
    names = [f"i{n}" for n in range(len(inputs))]
    node = helper.make_node(kind, names, ["y"], **attributes)
    values = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(each.dtype), each.shape)
        for name, each in zip(names, inputs, strict=True)
    ]
    graph = helper.make_graph([node], "g", values, [onnx.ValueInfoProto(name="y")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    (expected,) = outputs(model, dict(zip(names, inputs, strict=True)))
    found = OPERATIONS[kind](*map(torch.tensor, inputs), **attributes).numpy()
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 1e-5


def test_every_operation_is_tested():
    assert {case[0] for case in CASES} | OF_OUR_OWN == set(OPERATIONS)


# --- patterns


def with_a_block(path, block, opset=13):
    """Write a recognizer with a block in the middle of it, (B, 4, 8, W / 2) to the same shape."""
    graph = GraphBuilder(opset)
    x = block(graph, graph.convolution("x", 3, 4, pads=[1, 1, 1, 1], strides=[2, 2]))
    x = graph.add("AveragePool", x, kernel_shape=[8, 1], strides=[8, 1])
    return graph.save(path, classify(graph, x, 4, 4))


def plus_one(graph, x):
    return graph.add("Add", graph.add("Erf", x), graph.constant(1.0))


def relu6(graph, x):
    return graph.add("Clip", graph.add("Add", graph.constant(3.0), x), graph.constant(0.0), graph.constant(6.0))


BLOCKS = {
    "gelu, half first": (
        "Gelu",
        lambda g, x: g.add("Mul", g.add("Mul", g.constant(0.5), x), plus_one(g, g.add("Mul", x, g.constant(0.5**0.5)))),
    ),
    "gelu, half of the sum": (
        "Gelu",
        lambda g, x: g.add("Mul", x, g.add("Mul", g.constant(0.5), plus_one(g, g.add("Div", x, g.constant(2**0.5))))),
    ),
    "hard swish, times 1/6": ("HardSwish", lambda g, x: g.add("Mul", g.add("Mul", relu6(g, x), x), g.constant(1 / 6))),
    "hard swish, of a hard sigmoid": (
        "HardSwish",
        lambda g, x: g.add("Mul", x, g.add("HardSigmoid", x, alpha=1 / 6, beta=0.5)),
    ),
    "hard swish, divided first": (
        "HardSwish",
        lambda g, x: g.add("Mul", x, g.add("Div", relu6(g, x), g.constant(6.0))),
    ),
    "swish with a factor of 1": (
        "Swish",
        lambda g, x: g.add("Mul", x, g.add("Sigmoid", g.add("Mul", x, g.constant([1.0])))),
    ),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_a_form_is_recognized_and_equal(tmp_path, name):
    kind, block = BLOCKS[name]
    path = with_a_block(tmp_path / "m.onnx", block)
    found = kinds(path)
    assert found[kind] == 1
    assert not {"Mul", "Div", "Erf", "Clip", "HardSigmoid", "Sigmoid"} & set(found)
    expect_equal(path)


def expect_equal(path):
    images, widths = ink([48])
    images *= 3.0
    (expected,) = outputs(before_softmax(onnx.load(path)), {"x": levels(images)})
    assert np.abs(read_onnx(path).network(images, widths)[0].detach().numpy() - expected).max() < CLOSE


OTHERS = {
    "a hard sigmoid of another slope": lambda g, x: g.add("Mul", x, g.add("HardSigmoid", x, alpha=0.2, beta=0.5)),
    "an inner value that is used twice": lambda g, x: (lambda s: g.add("Add", g.add("Mul", x, s), s))(
        g.add("Sigmoid", x)
    ),
    "a value for each row": lambda g, x: g.add("Add", x, g.weight(8, 1)),
    "a sum of 2": lambda g, x: g.add(
        "Mul",
        g.add("Mul", x, g.add("Add", g.add("Erf", g.add("Div", x, g.constant(2**0.5))), g.constant(2.0))),
        g.constant(0.5),
    ),
    "a split": lambda g, x: g.add(
        "Concat", *reversed(g.add("Split", x, g.constant([1, 3]), outputs=2, axis=1)), axis=1
    ),
    "a norm that is not after a convolution": lambda g, x: g.batch_norm(g.add("Relu", x), 4),
    "a convolution that is used twice": lambda g, x: (lambda y: g.add("Add", y, g.add("Mul", y, g.constant(2.0))))(
        g.convolution(x, 4, 4, 1)
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_only_looks_like_a_pattern_stays_equal(tmp_path, name):
    expect_equal(with_a_block(tmp_path / "m.onnx", OTHERS[name]))


# --- a network


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return read_onnx(recognizer(tmp_path_factory.mktemp("onnx") / "m.onnx"))


def test_a_batch_equals_its_items(small):
    given = [1, 5, 31, 32, 33, 64, 90]
    images, widths = ink(given)
    with torch.no_grad():
        logits, lengths = small.network(images, widths)
        assert lengths.tolist() == [small.network.frames(width) for width in given]
        for image, width, item, length in zip(images, given, logits, lengths.tolist(), strict=True):
            (alone,), _ = small.network(image[None, :, :, :width], torch.tensor([width]))
            assert alone.shape == (length, 3)
            assert (alone - item[:length]).abs().max() < 1e-5


def test_a_network_that_gives_fewer_frames(tmp_path):
    graph = GraphBuilder()
    x = graph.convolution("x", 3, 4, pads=[1, 1, 1, 1], strides=[2, 2])
    x = graph.add("AveragePool", x, kernel_shape=[8, 12], strides=[8, 1])
    found = read_onnx(graph.save(tmp_path / "m.onnx", classify(graph, x, 4, 4))).network
    assert (found.frame_pixels, found.config.more_frames) == (2, -11)
    given = [1, 22, 24, 40]
    images, widths = ink(given)
    logits, lengths = found(images, widths)
    assert lengths.tolist() == [1, 1, 1, 9]
    for image, width, item, length in zip(images, given, logits, lengths.tolist(), strict=True):
        (alone,), _ = found(image[None, :, :, :width], torch.tensor([width]))
        assert (alone - item[:length]).abs().max() < 1e-5


def test_a_batch_of_nothing(small):
    logits, lengths = small.network(torch.zeros(0, 1, HEIGHT, 8), torch.zeros(0, dtype=torch.int64))
    assert (tuple(logits.shape), tuple(lengths.shape)) == ((0, 0, 3), (0,))


def test_training_computes_gradients_of_all_parameters(small):
    network = build(
        "pretrained", {name: getattr(small.network.config, name) for name in PretrainedConfig.__dataclass_fields__}
    )
    network.load_state_dict(small.network.state_dict())
    images, widths = ink([40, 64])
    logits, lengths = network.train()(images, widths)
    assert lengths.tolist() == [10, 16]
    logits.square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in network.parameters())


@pytest.mark.parametrize(
    ("shape", "widths", "message"),
    [
        ((1, 1, 15, 40), [40], r"images has height 15, this PretrainedNetwork reads lines 16 pixels high"),
        ((1, 3, 16, 40), [40], r"images has shape"),
        ((2, 1, 16, 40), [40], r"widths has shape \(1,\) but images holds 2 lines"),
        ((1, 1, 16, 40), [41], r"widths lie in 41\.\.41; images 40 pixels wide hold lines of 1\.\.40"),
    ],
)
def test_wrong_images_are_refused(small, shape, widths, message):
    with pytest.raises(InvalidInputError, match=message):
        small.network(torch.zeros(shape), torch.tensor(widths))


def test_a_configuration_is_checked():
    graph = Graph((Operation("Magic", ("x",), "y"),), {}, {}, "x", 1, "y")
    with pytest.raises(InvalidInputError, match="operations that are not known: Magic"):
        PretrainedConfig(3, graph, 16, 4, 4)
    with pytest.raises(InvalidInputError, match=r"height is 0; expected a whole number, 1\.\.1024"):
        PretrainedConfig(3, Graph((), {}, {}, "x", 1, "x"), 0, 4, 4)


def test_its_shapes_need_no_memory():
    graph = {
        "operations": (),
        "shapes": {"w": [1 << 20, 1 << 20]},
        "constants": {},
        "image": "x",
        "channels": 1,
        "features": "x",
    }
    shapes = shapes_of("pretrained", {"num_classes": 3, "graph": graph, "height": 16, "features": 4, "frame_pixels": 4})
    assert shapes["weights.w"].shape == (1 << 20, 1 << 20)


# --- files that cannot be used


def test_all_unknown_operations_are_named(tmp_path):
    def block(graph, x):
        y = graph.add("Selu", graph.add("Mish", x))
        return graph.add("LeakyRelu", graph.add("MaxPool", y, kernel_shape=[1, 1], storage_order=1))

    path = with_a_block(tmp_path / "m.onnx", block, opset=18)
    with pytest.raises(
        DataError, match=r"m\.onnx: these operations are not supported: MaxPool with .*, Mish, Selu\. Supp"
    ):
        read_onnx(path)


def test_no_linear_layer_at_the_end(tmp_path):
    graph = GraphBuilder()
    path = graph.save(tmp_path / "m.onnx", graph.add("Relu", "x"))
    with pytest.raises(DataError, match=r"its last operation is Relu; expected a linear layer to the classes"):
        read_onnx(path)


def test_output_that_does_not_grow_with_the_width(tmp_path):
    graph = GraphBuilder()
    x = graph.add("GlobalAveragePool", graph.convolution("x", 3, 4))
    with pytest.raises(DataError, match=r"its output has shape \(2, 1, 4\) for two lines; expected \(2, T, C\)"):
        read_onnx(graph.save(tmp_path / "m.onnx", classify(graph, x, 4, 4)))


def test_constants_that_do_not_fit(tmp_path):
    def block(graph, x):
        return graph.add("Add", x, graph.add("Add", graph.constant([1.0, 2.0]), graph.constant([1.0, 2.0, 3.0])))

    with pytest.raises(DataError, match=r"its operations do not fit together \(.*\)\. Export it again"):
        read_onnx(with_a_block(tmp_path / "m.onnx", block))


def test_a_network_of_a_fixed_width(tmp_path):
    graph = GraphBuilder()
    x = graph.add("AveragePool", graph.convolution("x", 3, 4), kernel_shape=[14, 1], strides=[1, 1])
    x = graph.add("Reshape", x, graph.constant([-1, 4, 1, 77]))
    with pytest.raises(DataError, match=r"does not take lines of \d+ columns and height 16 .*for lines of any width"):
        read_onnx(graph.save(tmp_path / "m.onnx", classify(graph, x, 4, 4)))


def test_a_file_that_is_missing_or_no_onnx(tmp_path):
    with pytest.raises(MissingFileError, match="there is no such file"):
        read_onnx(tmp_path / "no.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    with pytest.raises(DataError, match=r"bad\.onnx: cannot be read as an ONNX file"):
        read_onnx(tmp_path / "bad.onnx")


# --- characters


def tokens(tmp_path, characters, classes, beside=None):
    path = recognizer(tmp_path / "m.onnx", characters=characters, classes=classes)
    if beside is not None:
        (tmp_path / "m.txt").write_text(beside, encoding="utf-8")
    return read_onnx(path).vocabulary.tokens


def test_characters_of_the_metadata(tmp_path):
    assert tokens(tmp_path, "ab", 3) == ("", "a", "b")
    assert tokens(tmp_path, "ab", 4) == ("", "a", "b", " ")


def test_characters_of_a_file_beside_it(tmp_path):
    assert tokens(tmp_path, None, 4, "a\r\n\u3000\n") == ("", "a", "\u3000", " ")


def test_a_file_of_characters_that_is_no_text(tmp_path):
    (tmp_path / "m.txt").write_bytes(b"\xff\xfe\xfd")
    with pytest.raises(DataError, match=r"m\.txt: cannot be read as UTF-8 text"):
        tokens(tmp_path, None, 4)


def test_of_a_character_that_is_there_twice_the_first_stays(tmp_path):
    assert tokens(tmp_path, "aba", 4) == ("", "a", "b")
    both = read_onnx(recognizer(tmp_path / "m.onnx", characters="abc")).network.classes.weight
    found = read_onnx(recognizer(tmp_path / "m.onnx", characters="aba")).network.classes.weight
    assert torch.equal(found, both[:3])


@pytest.mark.parametrize(
    ("characters", "classes", "message"),
    [
        (None, 4, r"its characters are not known.*m\.txt"),
        ("ab", 5, r"2 characters for 5 classes; expected 4, or one less"),
    ],
)
def test_characters_that_do_not_fit(tmp_path, characters, classes, message):
    with pytest.raises(DataError, match=message):
        tokens(tmp_path, characters, classes)


# --- PP-OCR's own files, where they are installed


def installed(package, file):
    spec = find_spec(package)
    return Path(spec.submodule_search_locations[0]) / file if spec else None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("package", "file", "characters"),
    [
        ("rapidocr", "models/PP-OCRv6_rec_small.onnx", 18709),
        ("rapidocr_onnxruntime", "models/ch_PP-OCRv4_rec_infer.onnx", 6624),
    ],
)
def test_logits_of_pp_ocr_are_those_of_onnx_runtime(package, file, characters):
    path = installed(package, file)
    if path is None or not path.is_file():
        pytest.skip(f"{package} is not installed")
    found = read_onnx(path)
    assert (len(found.vocabulary), found.network.frame_pixels, found.network.height) == (characters + 1, 8, 48)
    images, widths = ink([320, 320], height=48)
    (expected,) = outputs(before_softmax(onnx.load(path)), {"x": levels(images)})
    with torch.no_grad():
        logits, _ = found.network(images, widths)
    assert np.abs(logits.numpy() - expected).max() < CLOSE
