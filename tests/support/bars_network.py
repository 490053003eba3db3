"""A network that reads pictures of bars without any training: "a" is at the top, "b" below, "c" both, " " between."""

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from ctckit.ocr.networks import NETWORKS, NetworkType
from ctckit.ocr.recognizer import Recognizer
from ctckit.vocabulary import Vocabulary

CELL = 8  # columns of a bar, and of the paper before it; and of a frame
TOP, MIDDLE, BELOW = slice(2, 13), slice(14, 18), slice(19, 30)
ROWS = {"a": (TOP,), "b": (BELOW,), "c": (TOP, BELOW), " ": (MIDDLE,)}
CHARACTERS = "abc "


def draw(text):
    """Return the picture of a text, (32, W) uint8."""
    image = np.full((32, CELL * (2 * len(text) + 1)), 255, np.uint8)
    for n, character in enumerate(text):
        for rows in ROWS[character]:
            image[rows, CELL * (2 * n + 1) : CELL * (2 * n + 2)] = 0
    return image


def write(folder, name, drawn, text=None):
    """Write a picture of a text, and a text: the same one, or another, as if the picture were misread."""
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(draw(drawn)).save(folder / f"{name}.png")
    (folder / f"{name}.gt.txt").write_text(drawn if text is None else text, encoding="utf-8")


@dataclass(frozen=True)
class BarsConfig:
    num_classes: int = 5
    height: int = 32
    odds: float = 1e6  # of what is seen, against each of the four others


class Bars(torch.nn.Module):
    frame_pixels = CELL

    def __init__(self, config):
        super().__init__()
        self.config, self.num_classes, self.height = config, config.num_classes, config.height
        self.scale = torch.nn.Parameter(torch.tensor(float(np.log(config.odds))))

    def frames(self, width):
        return width // CELL

    def forward(self, images, widths):
        whole = images.shape[3] // CELL * CELL
        ink = images[:, 0, :, :whole].unflatten(2, (-1, CELL)).mean(dim=3)
        top, middle, below = (ink[:, rows].mean(dim=1).round() for rows in (TOP, MIDDLE, BELOW))
        paper = (1 - top) * (1 - below)
        seen = [paper * (1 - middle), top * (1 - below), below * (1 - top), top * below, paper * middle]
        return self.scale * torch.stack(seen, dim=2), widths // CELL


def register(monkeypatch):
    """Register the network by the name "bars"."""
    monkeypatch.setitem(NETWORKS, "bars", NetworkType(BarsConfig, Bars))


def recognizer(*, odds=1e6, characters=CHARACTERS, **options):
    """Return a recognizer with this network."""
    return Recognizer(Bars(BarsConfig(odds=odds)), Vocabulary.from_characters(characters), **options)
