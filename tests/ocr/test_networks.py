"""The seam for new networks: one that is registered is trained, saved, loaded and read like the CRNN."""

import json
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from typer.testing import CliRunner

from ctckit.cli import app
from ctckit.errors import InvalidInputError, ModelFormatError
from ctckit.ocr import model_folder
from ctckit.ocr.data.rules import LineRules
from ctckit.ocr.fit import FitConfig, fit_lines
from ctckit.ocr.model_folder import load_model, save_model
from ctckit.ocr.networks import NETWORKS, NetworkType, build, name_of
from ctckit.ocr.networks.crnn import CRNN, CRNNConfig
from ctckit.ocr.recognizer import Recognizer
from ctckit.ocr.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from ctckit.vocabulary import Vocabulary

TEXTS = ("a", "b", "ab", "ba", "aab", "abb", "bab", "bb", "aba")


@dataclass(frozen=True)
class StripesConfig:
    num_classes: int
    stripe: int = 4
    hidden: tuple[int, ...] = (24,)


class Stripes(nn.Module):
    """Classifies each stripe of four columns by itself, with one hidden layer."""

    height = 16

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.frame_pixels, self.num_classes = config.stripe, config.num_classes
        self.first = nn.Linear(self.height * config.stripe, config.hidden[0])
        self.last = nn.Linear(config.hidden[0], config.num_classes)

    def frames(self, width):
        return -(-width // self.frame_pixels)

    def forward(self, images, widths):
        inside = torch.arange(images.shape[3], device=images.device) < widths[:, None]
        images = images[:, 0] * inside[:, None]
        images = nn.functional.pad(images, (0, -images.shape[2] % self.frame_pixels))
        stripes = images.unflatten(2, (-1, self.frame_pixels)).permute(0, 2, 1, 3).flatten(2)
        return self.last(self.first(stripes).relu()), (widths + self.frame_pixels - 1) // self.frame_pixels


@pytest.fixture
def registered(monkeypatch):
    monkeypatch.setitem(NETWORKS, "stripes", NetworkType(StripesConfig, Stripes))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Lines in which "a" is a bar at the top and "b" one at the bottom."""
    folder = tmp_path_factory.mktemp("lines")
    for text in TEXTS:
        image = np.full((16, 8 * (2 * len(text) + 1)), 255, np.uint8)
        for index, character in enumerate(text):
            rows = slice(1, 7) if character == "a" else slice(9, 15)
            image[rows, 8 * (2 * index + 1) : 8 * (2 * index + 2)] = 0
        Image.fromarray(image).save(folder / f"{text}.png")
        (folder / f"{text}.gt.txt").write_text(text, encoding="utf-8")
    return folder


def test_a_new_network_is_trained_saved_loaded_and_reads(registered, data, tmp_path):
    options = {"batch_size": 4, "learning_rate": 2e-2, "distort": False, "validation": 0.0}
    config = FitConfig(network="stripes", epochs=50, rules=LineRules(find="no"), **options)  # places matter here
    result = fit_lines(data, tmp_path / "model", config=config)
    assert result.record.loss[-1] < 0.1 * result.record.loss[0]
    description = json.loads((tmp_path / "model" / "model.json").read_text(encoding="utf-8"))
    assert description["network_name"] == "stripes"
    assert description["network"] == {"num_classes": 3, "stripe": 4, "hidden": [24]}
    assert description["image"]["height"] == 16
    recognizer = Recognizer.load(tmp_path / "model")
    assert isinstance(recognizer.model, Stripes)
    assert recognizer.model.config == StripesConfig(num_classes=3)
    readings = recognizer.read([data / f"{text}.png" for text in TEXTS])
    assert [reading.text for reading in readings] == list(TEXTS)
    assert [span.left // 8 for span in readings[2].spans] == [1, 3]


def test_the_command_trains_it_by_its_name(registered, data, tmp_path):
    arguments = ["train", str(data), "-o", str(tmp_path / "m"), "--network", "stripes", "--epochs", "1"]
    result = CliRunner().invoke(app, [*arguments, "--device", "cpu"])
    assert result.exit_code == 0, result.output
    assert isinstance(load_model(tmp_path / "m").model, Stripes)


def test_a_name_that_is_not_registered(data, tmp_path):
    with pytest.raises(InvalidInputError, match=r"network is 'stripes'; expected one of 'crnn'"):
        build("stripes", {"num_classes": 3})
    result = CliRunner().invoke(app, ["train", str(data), "-o", str(tmp_path / "m"), "--network", "stripes"])
    assert result.exit_code == 2
    assert "ctckit: network is 'stripes'; expected one of 'crnn'" in result.stderr


def test_a_network_that_is_not_registered_cannot_be_saved(tmp_path):
    with pytest.raises(InvalidInputError, match=r"Stripes is not a registered network\. Add it to .*NETWORKS"):
        save_model(tmp_path, Stripes(StripesConfig(3)), Vocabulary.from_characters("ab"))


def test_a_folder_of_a_network_that_is_not_known_here(registered, tmp_path, monkeypatch):
    save_model(tmp_path, Stripes(StripesConfig(3)), Vocabulary.from_characters("ab"))
    monkeypatch.delitem(NETWORKS, "stripes")
    with pytest.raises(ModelFormatError, match=r"the network 'stripes' is not known here; known are 'crnn'"):
        load_model(tmp_path)


def test_a_subclass_is_saved_as_what_it_is_of(registered, monkeypatch):
    class Wide(Stripes):
        pass

    assert name_of(Wide(StripesConfig(3))) == "stripes"
    monkeypatch.setitem(NETWORKS, "wide", NetworkType(StripesConfig, Wide))
    assert name_of(Wide(StripesConfig(3))) == "wide"
    assert name_of(Stripes(StripesConfig(3))) == "stripes"


def test_folders_written_before_networks_had_names_are_crnns(tmp_path, monkeypatch):
    describe = model_folder._describe

    def as_before(*given):
        description = describe(*given)
        del description["network_name"]
        return description

    monkeypatch.setattr(model_folder, "_describe", as_before)
    network = CRNN(CRNNConfig(num_classes=3, channels=(4, 8), strides=((4, 2), (4, 2)), hidden=8))
    save_model(tmp_path, network, Vocabulary.from_characters("ab"))
    assert "network_name" not in json.loads((tmp_path / "model.json").read_text(encoding="utf-8"))
    loaded = load_model(tmp_path).model
    assert isinstance(loaded, CRNN)
    assert loaded.config == network.config


def test_checkpoints_written_before_networks_had_names_are_of_crnns(tmp_path):
    path = tmp_path / "c.safetensors"
    state = Checkpoint(3, {"w": torch.zeros(2)}, {}, {"state": {}, "param_groups": []}, {})
    save_checkpoint(path, state, settings={"steps": 5})
    assert load_checkpoint(path, settings={"steps": 5, "network": "CRNN"}).step == 3
    with pytest.raises(ValueError, match=r"network was CRNN, now Stripes"):
        load_checkpoint(path, settings={"steps": 5, "network": "Stripes"})
