"""Model folders and checkpoints that were damaged or forged: one error of ours, before any memory is taken."""

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from ctckit.errors import ModelFormatError
from ctckit.ocr import model_folder
from ctckit.ocr.data.batches import LineBatches
from ctckit.ocr.model_folder import load_model, save_model
from ctckit.ocr.networks import NETWORKS, NetworkType
from ctckit.ocr.networks.crnn import CRNN, CRNNConfig
from ctckit.ocr.training.config import TrainingConfig
from ctckit.ocr.training.loop import train
from ctckit.ocr.training.record import TrainingRecord
from ctckit.vocabulary import Vocabulary
from tests.support.line_files import TEXTS, TINY, bars

VOCABULARY = Vocabulary.from_characters("ab")
CONFIG = CRNNConfig(num_classes=3, **TINY)
MAPS = Path("/proc/self/maps")
NESTED = "[" * 100_000 + "]" * 100_000


def network():
    torch.manual_seed(0)
    return CRNN(CONFIG)


def forge(folder, monkeypatch, **changes):
    """Save a model whose description, in both files, is changed: of "network", the entries."""
    describe = model_folder._describe

    def changed(*given):
        found = describe(*given)
        if isinstance(changes.get("network"), dict):
            return {**found, "network": {**found["network"], **changes["network"]}}
        return {**found, **changes}

    monkeypatch.setattr(model_folder, "_describe", changed)
    save_model(folder, network(), VOCABULARY, record=TrainingRecord())
    monkeypatch.undo()


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        ({"hidden": 20_000}, r"the weight 'classes\.weight' has shape \(3, 16\), expected \(3, 40000\)"),
        ({"channels": [4, 16_000]}, r"the weight 'convolutions\.1\.\S+' has shape \(8,.*\), expected \(16000,"),
        ({"num_classes": 1_000_000}, r"the weight 'classes\.\S+' has shape \(3,.*\), expected \(1000000,"),
        ({"layers": 60}, r"the weight 'lstms\.\S+' is missing"),
        ({"layers": 10**9}, r"layers is too large: 1000000000; expected 1\.\.64"),
        ({"hidden": 10**30}, r"hidden is too large"),
        ({"height": 32 * 10**6}, r"height is too large"),
        ({"strides": [[0, 2], [4, 2]]}, r"strides\[0\] is too small: 0; expected 1\.\.64"),
        ({"strides": [[4, -2], [4, 2]]}, r"strides\[0\] is too small: -2"),
        ({"strides": [4, 2]}, r"strides\[0\] is 4; expected \(vertical, horizontal\)"),
        ({"strides": ["ab", "cd"]}, r"strides\[0\] is 'ab'"),
        ({"strides": 5}, r"damaged"),
        ({"channels": []}, r"channels has 0 entries and strides 2"),
        ({"channels": ["4", "8"]}, r"channels\[0\] is '4'; expected a whole number"),
        ({"hidden": 8.0}, r"hidden is 8\.0; expected a whole number"),
        ({"hidden": True}, r"hidden is True; expected a whole number"),
        ({"hidden": None}, r"hidden is None"),
        ({"dropout": "much"}, r"damaged"),
        ({"units": 8}, r"damaged .*units"),
    ],
)
def test_a_claimed_shape_is_compared_before_the_network_is_built(tmp_path, monkeypatch, claim, message):
    forge(tmp_path, monkeypatch, network=claim)
    built = []
    monkeypatch.setitem(NETWORKS, "crnn", NetworkType(CRNNConfig, spy(built)))
    with pytest.raises(ModelFormatError, match=message):
        load_model(tmp_path)
    assert built == []


def spy(built):
    """Return a CRNN that notes when it is built with memory for its values."""

    class Spied(CRNN):
        def __init__(self, config):
            super().__init__(config)
            if self.classes.weight.device.type != "meta":
                built.append(config)

    return Spied


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"training": []}, r"the training record is \[\], expected its values by name"),
        ({"training": {"loss": 5}}, r"loss is 5, expected numbers"),
        ({"training": {"loss": ["x"]}}, r"loss is \['x'\], expected numbers"),
        ({"training": {"best_step": "last"}}, r"best_step is last, expected a number"),
        ({"training": "none"}, r"the training record is none"),
        ({"tokens": {"a": 1}}, r"tokens is \{'a': 1\}, expected a list of texts"),
        ({"tokens": 3}, r"tokens is 3, expected a list of texts"),
        ({"tokens": ["", "a", 5]}, r"expected a list of texts"),
        ({"tokens": ["", "a", "a"]}, r"the model is damaged"),
        ({"blank": "0"}, r"the model is damaged"),
        ({"blank": None}, r"the model is damaged"),
        ({"network": []}, r"network is \[\], expected its configuration by name"),
        ({"network": None}, r"network is None, expected its configuration"),
        ({"network_name": ["crnn"]}, r"the network \['crnn'\] is not known here"),
        ({"network_name": None}, r"the network None is not known here"),
        ({"format_version": [1]}, r"format version \[1\]"),
    ],
)
def test_descriptions_of_the_wrong_kind(tmp_path, monkeypatch, changes, message):
    forge(tmp_path, monkeypatch, **changes)
    with pytest.raises(ModelFormatError, match=message):
        load_model(tmp_path)


@pytest.mark.parametrize("key", ["tokens", "blank", "network", "training"])
def test_a_missing_entry_is_named(tmp_path, monkeypatch, key):
    describe = model_folder._describe

    def without(*given):
        found = describe(*given)
        del found[key]
        return found

    monkeypatch.setattr(model_folder, "_describe", without)
    save_model(tmp_path, network(), VOCABULARY)
    with pytest.raises(ModelFormatError, match=rf"the model is damaged \('{key}' is missing\)"):
        load_model(tmp_path)


@pytest.mark.parametrize("content", [NESTED, "9" * 5000, '{"format": ' + NESTED + "}"])
def test_json_that_cannot_be_parsed(tmp_path, content):
    save_model(tmp_path, network(), VOCABULARY)
    (tmp_path / "model.json").write_text(content, encoding="utf-8")
    with pytest.raises(ModelFormatError, match=r"model\.json: is not readable JSON"):
        load_model(tmp_path)


@pytest.mark.parametrize("text", [NESTED, "{", "9" * 5000])
def test_weights_whose_header_cannot_be_parsed(tmp_path, text):
    save_model(tmp_path, network(), VOCABULARY)
    save_file(network().state_dict(), tmp_path / "weights.safetensors", metadata={"ctckit": text})
    with pytest.raises(ModelFormatError, match=r"weights\.safetensors: is damaged"):
        load_model(tmp_path)


def test_weights_of_another_kind_of_number(tmp_path):
    save_model(tmp_path, network(), VOCABULARY)
    with safe_open(tmp_path / "weights.safetensors", framework="pt") as file:
        metadata = file.metadata()
    weights = {name: torch.zeros(tensor.shape, dtype=torch.int64) for name, tensor in network().state_dict().items()}
    save_file(weights, tmp_path / "weights.safetensors", metadata=metadata)
    with pytest.raises(ModelFormatError, match=r"is torch\.int64, expected torch\.float32"):
        load_model(tmp_path)


def test_a_network_that_cannot_be_built_without_values_still_loads(tmp_path, monkeypatch):
    class Measured(CRNN):
        def __init__(self, config):
            super().__init__(config)
            self.size = self.classes.weight.sum().item()

    monkeypatch.setitem(NETWORKS, "measured", NetworkType(CRNNConfig, Measured))
    save_model(tmp_path, Measured(CONFIG), VOCABULARY)
    assert isinstance(load_model(tmp_path).model, Measured)


# --- checkpoints


def run(path, **options):
    source = LineBatches([bars(text) for text in TEXTS], VOCABULARY, CONFIG, batch_size=4)
    config = TrainingConfig(steps=8, validate_every=4, report_every=2)
    lines = [bars("ab")]
    return train(network(), source, VOCABULARY, config=config, validation=lines, checkpoint=path, **options)


def edit(path, change):
    with safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["ctckit"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    text = change(header, tensors)
    save_file(tensors, path, metadata={"ctckit": json.dumps(header) if text is None else text})


def first(tensors, start):
    return next(name for name in sorted(tensors) if name.startswith(start))


EDITS = {
    "nested": lambda header, tensors: NESTED,
    "not an object": lambda header, tensors: "[1, 2]",
    "no settings": lambda header, tensors: header.pop("settings") and None,
    "settings of another kind": lambda header, tensors: header.update(settings=[1]),
    "no step": lambda header, tensors: header.pop("step") and None,
    "a step of another kind": lambda header, tensors: header.update(step="four"),
    "a step below 0": lambda header, tensors: header.update(step=-1),
    "a step beyond the end": lambda header, tensors: header.update(step=99),
    "a step that is true": lambda header, tensors: header.update(step=True),
    "no curves": lambda header, tensors: header.pop("progress") and None,
    "curves of another kind": lambda header, tensors: header.update(progress=[]),
    "an unknown curve": lambda header, tensors: header["progress"].update(x=1),
    "a counter of another kind": lambda header, tensors: header["progress"].update(seconds="long"),
    "a record of another kind": lambda header, tensors: header["progress"].update(record=None),
    "a curve of texts": lambda header, tensors: header["progress"]["record"].update(loss=["x"]),
    "a missing weight": lambda header, tensors: tensors.pop(first(tensors, "weights/")) is None,
    "a weight of another shape": lambda header, tensors: tensors.update({first(tensors, "weights/"): torch.zeros(2)}),
    "a best weight of another shape": lambda header, tensors: tensors.update({first(tensors, "best/"): torch.zeros(2)}),
    "an unknown weight": lambda header, tensors: tensors.update({"weights/x": torch.zeros(2)}),
    "a moment of another shape": lambda header, tensors: tensors.update({"optimizer/0/exp_avg": torch.zeros(7)}),
    "a missing moment": lambda header, tensors: tensors.pop("optimizer/0/exp_avg") is None,
    "no such parameter": lambda header, tensors: tensors.update({"optimizer/999/step": torch.zeros(())}),
    "a parameter without number": lambda header, tensors: tensors.update({"optimizer/x/step": torch.zeros(())}),
    "a parameter without key": lambda header, tensors: tensors.update({"optimizer/3": torch.zeros(())}),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edited_checkpoint(tmp_path, name):
    path = tmp_path / "checkpoint.safetensors"
    run(path, stop_after=4)

    def change(header, tensors):
        text = EDITS[name](header, tensors)
        return text if isinstance(text, str) else None

    edit(path, change)
    with pytest.raises(ModelFormatError, match=r"the checkpoint is damaged \(.+\)\. Start without"):
        run(path, resume=True)


@pytest.mark.skipif(not MAPS.exists(), reason="Linux lists the mapped files")
def test_a_checkpoint_is_not_mapped(tmp_path):
    """A resumed run must not need the file that it replaces: it may be cut, and its room must become free."""
    path = tmp_path / "checkpoint.safetensors"
    run(path, stop_after=4)
    lines = []

    def note(step):
        lines.extend(line for line in MAPS.read_text().splitlines() if str(path) in line)

    class Noting(LineBatches):
        def batch(self, step):
            note(step)
            return super().batch(step)

    source = Noting([bars(text) for text in TEXTS], VOCABULARY, CONFIG, batch_size=4)
    config = TrainingConfig(steps=8, validate_every=4, report_every=2)
    train(network(), source, VOCABULARY, config=config, validation=[bars("ab")], checkpoint=path, resume=True)
    assert lines == []
