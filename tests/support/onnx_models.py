"""Small recognizers in ONNX files, built node by node as exporters write them."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HEIGHT = 16


class GraphBuilder:
    """Builds a graph; each method returns the name of a value."""

    def __init__(self, opset=11, seed=0):
        self.opset = opset
        self.nodes, self.initializers = [], []
        self.rng = np.random.default_rng(seed)

    def add(self, kind, *inputs, outputs=1, **attributes):
        names = [f"{kind}_{len(self.nodes)}_{n}" for n in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, value, dtype=None):
        name = f"constant_{len(self.initializers)}"
        array = np.asarray(value, dtype=dtype or (np.int64 if np.asarray(value).dtype.kind == "i" else np.float32))
        self.initializers.append(numpy_helper.from_array(array, name))
        return name

    def weight(self, *shape, scale=None):
        return self.constant(self.rng.standard_normal(shape) * (scale or 1 / np.sqrt(np.prod(shape[1:]) or 1)))

    # --- what exporters write in several nodes

    def axes(self, kind, x, axes):
        """An operation along axes, which became an input in version 13."""
        if self.opset >= 13:
            return self.add(kind, x, self.constant(axes))
        return self.add(kind, x, axes=axes)

    def mean(self, x):
        if self.opset >= 18:
            return self.add("ReduceMean", x, self.constant([-1]))
        return self.add("ReduceMean", x, axes=[-1])

    def gelu(self, x):
        one_more = self.add("Add", self.add("Erf", self.add("Div", x, self.constant(2**0.5))), self.constant(1.0))
        return self.add("Mul", self.add("Mul", x, one_more), self.constant(0.5))

    def swish(self, x):
        return self.add("Mul", x, self.add("Sigmoid", x))

    def hard_swish(self, x):
        limits = (self.constant(0.0), self.constant(6.0))
        clipped = self.add("Clip", self.add("Add", x, self.constant([3.0])), *limits)
        return self.add("Div", self.add("Mul", x, clipped), self.constant([6.0]))

    def layer_norm(self, x, features):
        deviation = self.add("Sub", x, self.mean(x))
        variance = self.mean(self.add("Pow", deviation, self.constant(2.0)))
        normal = self.add("Div", deviation, self.add("Sqrt", self.add("Add", variance, self.constant(1e-5))))
        return self.add("Add", self.add("Mul", normal, self.weight(features)), self.weight(features))

    def linear(self, x, inputs, outputs):
        return self.add("Add", self.add("MatMul", x, self.weight(inputs, outputs, scale=0.3)), self.weight(outputs))

    def convolution(self, x, inputs, outputs, kernel=3, **attributes):
        weight = self.weight(outputs, inputs // attributes.get("group", 1), kernel, kernel)
        return self.add("Conv", x, weight, kernel_shape=[kernel, kernel], **attributes)

    def batch_norm(self, x, channels):
        scale, bias, mean = (self.weight(channels) for _ in range(3))
        variance = self.constant(self.rng.uniform(0.5, 2.0, channels))
        return self.add("BatchNormalization", x, scale, bias, mean, variance, epsilon=1e-5)

    def piece(self, x, axis, position):
        """``x[:, …, position]``, as a slice and a squeeze."""
        bounds = [self.constant([each]) for each in (position, position + 1, axis, 1)]
        return self.axes("Squeeze", self.add("Slice", x, *bounds), [axis])

    def attention(self, x, features, heads):
        size = features // heads
        parts = self.add("Reshape", self.linear(x, features, 3 * features), self.constant([0, -1, 3, heads, size]))
        parts = self.add("Transpose", parts, perm=[2, 0, 3, 1, 4])
        query, key, value = (self.piece(parts, 0, n) for n in range(3))
        query = self.add("Mul", query, self.constant([size**-0.5]))
        scores = self.add("MatMul", query, self.add("Transpose", key, perm=[0, 1, 3, 2]))
        mixed = self.add("Transpose", self.add("MatMul", self.add("Softmax", scores, axis=3), value), perm=[0, 2, 1, 3])
        return self.linear(self.add("Reshape", mixed, self.constant([0, -1, features])), features, features)

    # --- files

    def model(self, output, *, channels=3, height=HEIGHT, characters="abc"):
        image = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", channels, height, "W"])
        found = helper.make_tensor_value_info(output, TensorProto.FLOAT, ["N", "T", "C"])
        graph = helper.make_graph(self.nodes, "recognizer", [image], [found], self.initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)
        if characters is not None:
            helper.set_model_props(model, {"character": "\n".join(characters)})
        return model

    def save(self, path, output, **options):
        onnx.save(self.model(output, **options), Path(path))
        return path


def classify(graph, x, features, classes, *, softmax=True):
    """From features (B, F, 1, T) to probabilities (B, T, C)."""
    x = graph.add("Transpose", graph.axes("Squeeze", x, [2]), perm=[0, 2, 1])
    x = graph.linear(x, features, classes)
    return graph.add("Softmax", x, axis=2) if softmax else x


def recognizer(path, *, opset=11, characters="ab", classes=None, seed=0):
    """Write a small network with every part that PP-OCR's have; four columns for each frame."""
    graph = GraphBuilder(opset, seed)
    x = graph.convolution("x", 3, 8, pads=[1, 1, 1, 1], strides=[2, 2])
    x = graph.hard_swish(graph.batch_norm(x, 8))
    y = graph.convolution(x, 8, 8, 2, auto_pad="SAME_UPPER")
    y = graph.add("Relu", graph.add("Add", y, graph.weight(1, 8, 1, 1)))
    z = graph.add("MaxPool", x, kernel_shape=[2, 2], strides=[1, 1], auto_pad="SAME_UPPER")
    x = graph.add("Identity", graph.add("Concat", y, z, axis=1))
    y = graph.convolution(x, 16, 16, group=16, pads=[1, 1, 1, 1], strides=[2, 1])
    x = graph.add("Add", graph.add("Mul", graph.constant([1.5]), y), graph.constant([0.25]))
    y = graph.add("Relu", graph.convolution(graph.add("GlobalAveragePool", x), 16, 4, 1))
    y = graph.add("HardSigmoid", graph.convolution(y, 4, 16, 1), alpha=1 / 6, beta=0.5)
    x = graph.add("Mul", x, y)
    y = graph.convolution(graph.gelu(graph.convolution(x, 16, 32, 1)), 32, 16, 1)
    x = graph.add("Add", x, y)
    x = graph.add("AveragePool", x, kernel_shape=[4, 2], strides=[4, 2])
    shape = graph.add("Slice", graph.add("Shape", x), graph.constant([0]), graph.constant([2]), graph.constant([0]))
    flat = graph.add("Reshape", x, graph.add("Concat", shape, graph.constant([-1]), axis=0))
    y = graph.add("Transpose", flat, perm=[0, 2, 1])
    y = graph.add("Add", y, graph.attention(graph.layer_norm(y, 16), 16, 2))
    z = graph.linear(graph.swish(graph.linear(graph.layer_norm(y, 16), 16, 32)), 32, 16)
    y = graph.add("Transpose", graph.add("Add", y, z), perm=[0, 2, 1])
    y = graph.axes("Unsqueeze", y, [2])
    output = classify(graph, graph.add("Add", x, y), 16, classes or len(characters) + 1)
    return graph.save(path, output, characters=characters)
