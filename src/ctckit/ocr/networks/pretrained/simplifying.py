"""A graph is simplified: constants are computed, and operations that belong together become one.

Exporters write a layer norm as nine operations, and a GELU as five. One by one, they are slow and need much memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch

from ctckit.ocr.networks.pretrained.graph import Operation
from ctckit.ocr.networks.pretrained.operations import OPERATIONS, is_usual_slope
from ctckit.ocr.networks.pretrained.patterns import Draft, Match, Matcher, Pattern

Rule = Callable[[Draft, Match, str], "Operation | str | None"]

_DEVIATION = ("Sub", "x", ("ReduceMean", "x"))
_SQUARES = (("Pow", _DEVIATION, 2.0), ("Mul", _DEVIATION, _DEVIATION))
_ERF = tuple(("Add", ("Erf", part), 1.0) for part in (("Div", "x", math.sqrt(2.0)), ("Mul", "x", math.sqrt(0.5))))
_RELU6 = ("Clip", ("Add", "x", 3.0), 0.0, 6.0)
_KEYS = ("Transpose", "key")
_WITHOUT_EFFECT = (
    ("Identity", "x"),
    ("Dropout", "x"),
    ("Mul", "x", 1.0),
    ("Div", "x", 1.0),
    ("Add", "x", 0.0),
    ("Sub", "x", 0.0),
)


def simplify(draft: Draft) -> None:
    """Simplify a draft in place; its output stays the same but for rounding."""
    _compute_constants(draft)
    while _apply_rules(draft):
        draft.remove_unneeded()


def _compute_constants(draft: Draft) -> None:
    kept = []
    for operation in draft.operations:
        if all(name in draft.constants or not name for name in operation.inputs):
            inputs = [draft.constants.get(name) for name in operation.inputs]
            draft.constants[operation.output] = OPERATIONS[operation.kind](*inputs, **operation.attributes)
        else:
            kept.append(operation)
    draft.operations = kept
    draft.remove_unneeded()


def _apply_rules(draft: Draft) -> bool:
    """Apply each rule wherever its pattern is found, and return whether one was."""
    changed = False
    for pattern, rule in _RULES:
        matcher = Matcher(draft)
        for operation in list(draft.operations):
            match = matcher.find(operation, pattern)
            result = None if match is None else rule(draft, match, operation.output)
            if result is None:
                continue
            if isinstance(result, str):
                draft.replace_value(operation.output, result)
            else:
                position = next(n for n, each in enumerate(draft.operations) if each.output == operation.output)
                draft.operations[position] = result
            draft.remove_unneeded()
            matcher = Matcher(draft)
            changed = True
    return changed


def _same(draft: Draft, match: Match, output: str) -> str:
    return match.names["x"]


def _one(kind: str) -> Rule:
    """Return the rule for an operation of one input."""
    return lambda draft, match, output: Operation(kind, (match.names["x"],), output)


def _hard_sigmoid(draft: Draft, match: Match, output: str) -> Operation:
    return Operation("HardSigmoid", (match.names["x"],), output, {"alpha": 1 / 6, "beta": 0.5})


def _hard_swish(draft: Draft, match: Match, output: str) -> Operation | None:
    (found,) = match.attributes("HardSigmoid")
    usual = is_usual_slope(found.get("alpha", 0.2), found.get("beta", 0.5))
    return Operation("HardSwish", (match.names["x"],), output) if usual else None


def _layer_norm(draft: Draft, match: Match, output: str) -> Operation | None:
    names = match.names
    if any(each.get("axes") != (-1,) or not each.get("keepdims", 1) for each in match.attributes("ReduceMean")):
        return None
    if draft.constants[names["Weight"]].ndim != 1 or draft.constants[names["Bias"]].ndim != 1:
        return None
    epsilon = {"epsilon": float(draft.constants[names["Epsilon"]])}
    return Operation("LayerNormalization", (names["x"], names["Weight"], names["Bias"]), output, epsilon)


def _linear(draft: Draft, match: Match, output: str) -> Operation | None:
    names = match.names
    weight, bias = draft.constants[names["Weight"]], draft.constants.get(names.get("Bias", ""))
    if weight.ndim != 2 or (bias is not None and bias.ndim != 1):
        return None
    name = _new_name(draft, f"{names['Weight']}.T")
    draft.constants[name] = weight.T.contiguous()
    return Operation("Linear", (names["x"], name, *([] if bias is None else [names["Bias"]])), output)


def _plain_gemm(draft: Draft, match: Match, output: str) -> Operation | None:
    attributes = dict(match.operations[0].attributes)
    turned = attributes.pop("transB", 0)
    if attributes.pop("transA", 0) or any(value != 1.0 for value in attributes.values()):
        return None
    if turned:
        return Operation("Linear", tuple(match.names[name] for name in ("x", "Weight", "Bias")), output)
    return _linear(draft, match, output)


def _attention(draft: Draft, match: Match, output: str) -> Operation | None:
    perms = [tuple(each.get("perm", ())) for each in match.attributes("Transpose")]
    axes = [each.get("axis", -1) for each in match.attributes("Softmax")]
    scale = draft.constants[match.names["Scale"]]
    if perms != [(0, 1, 3, 2)] or axes[0] not in (-1, 3) or scale.numel() != 1:
        return None
    divided = any(each.kind == "Div" for each in match.operations)
    factor = 1.0 / float(scale) if divided else float(scale)
    inputs = tuple(match.names[name] for name in ("query", "key", "value"))
    return Operation("Attention", inputs, output, {"scale": factor})


def _into_convolution(draft: Draft, match: Match, output: str) -> Operation | None:
    """Multiply the kernels of a convolution, and add to its bias: ``(conv(x) + b) * factor + offset``."""
    convolution = match.operations[1]
    weight = draft.constants.get(convolution.inputs[1])
    change = None if weight is None else _change(draft, match, channels=weight.shape[0])
    if weight is None or change is None:
        return None
    factor, offset = change
    bias = draft.constants[convolution.inputs[2]] if len(convolution.inputs) > 2 else torch.zeros(weight.shape[0])
    names = (_new_name(draft, f"{convolution.output}.weight"), _new_name(draft, f"{convolution.output}.bias"))
    draft.constants[names[0]] = weight * factor.reshape(-1, 1, 1, 1)
    draft.constants[names[1]] = bias * factor + offset
    return replace(convolution, inputs=(convolution.inputs[0], *names), output=output)


def _change(draft: Draft, match: Match, *, channels: int) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Return the factor and the offset of each channel; None if they differ by place."""
    values = [draft.constants[name] for key, name in match.names.items() if key in _CHANNEL_VALUES]
    if any(value.numel() not in (1, channels) for value in values):
        return None
    if any(value.numel() > 1 and value.ndim > 1 and value.shape[-2:] != (1, 1) for value in values):
        return None
    kind = match.operations[0].kind
    if kind != "BatchNormalization" and any(value.numel() > 1 and value.ndim not in (3, 4) for value in values):
        return None  # one value for each column, not for each channel
    flat = [value.double().reshape(-1).expand(channels) for value in values]
    one, zero = torch.ones(channels), torch.zeros(channels)
    if kind == "BatchNormalization":
        weight, bias, mean, variance = flat
        factor = weight / (variance + match.operations[0].attributes.get("epsilon", 1e-5)).sqrt()
        return factor.float(), (bias - mean * factor).float()
    return (flat[0].float(), zero) if kind == "Mul" else (one, flat[0].float())


_CHANNEL_VALUES = ("Value", "Weight", "Offset", "Mean", "Variance")


def _new_name(draft: Draft, name: str) -> str:
    taken = {operation.output for operation in draft.operations} | set(draft.constants)
    while name in taken:
        name += "_"
    return name


def _rules() -> list[tuple[Pattern, Rule]]:
    rules: list[tuple[Pattern, Rule]] = [
        *((pattern, _same) for pattern in _WITHOUT_EFFECT),
    ]
    for convolution in (("Conv", "x", "Kernel"), ("Conv", "x", "Kernel", "Bias")):
        rules += [
            (("BatchNormalization", convolution, "Weight", "Offset", "Mean", "Variance"), _into_convolution),
            (("Mul", convolution, "Value"), _into_convolution),
            (("Add", convolution, "Value"), _into_convolution),
        ]
    for one_plus_erf in _ERF:
        rules += [
            (("Mul", ("Mul", "x", one_plus_erf), 0.5), _one("Gelu")),
            (("Mul", ("Mul", "x", 0.5), one_plus_erf), _one("Gelu")),
            (("Mul", "x", ("Mul", one_plus_erf, 0.5)), _one("Gelu")),
        ]
    rules += [
        (("Mul", "x", ("Sigmoid", "x")), _one("Swish")),
        (("Div", ("Mul", "x", _RELU6), 6.0), _one("HardSwish")),
        (("Mul", ("Mul", "x", _RELU6), 1 / 6), _one("HardSwish")),
        (("Div", _RELU6, 6.0), _hard_sigmoid),
        (("Mul", _RELU6, 1 / 6), _hard_sigmoid),
        (("Mul", "x", ("HardSigmoid", "x")), _hard_swish),
    ]
    for square in _SQUARES:
        deviation = ("Sqrt", ("Add", ("ReduceMean", square), "Epsilon"))
        rules.append((("Add", ("Mul", ("Div", _DEVIATION, deviation), "Weight"), "Bias"), _layer_norm))
    rules += [
        (("Add", ("MatMul", "x", "Weight"), "Bias"), _linear),
        (("MatMul", "x", "Weight"), _linear),
        (("Gemm", "x", "Weight", "Bias"), _plain_gemm),
    ]
    for scores in (
        ("MatMul", ("Mul", "query", "Scale"), _KEYS),
        ("Mul", ("MatMul", "query", _KEYS), "Scale"),
        ("Div", ("MatMul", "query", _KEYS), "Scale"),
    ):
        rules.append((("MatMul", ("Softmax", scores), "value"), _attention))
    return rules


_RULES = _rules()
