"""The network of a published example for captchas, in PyTorch and trained as it is there.

The example is "OCR model for reading Captchas" of Keras (A. K. Nain, 2020): two convolutions and poolings, a dense
layer, two bidirectional LSTMs; images of 50 × 200 pixels, batches of 16, 100 epochs, Adam with a learning rate of
0.001, no distortions. Its early stopping is left out: it needs held-out lines, and would only end the training before.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import nn

from ctckit.decoding.greedy import greedy_decode

_WIDTH, _HEIGHT, _BATCH = 200, 50, 16


class PublishedNetwork(nn.Module):
    """Maps images (B, 1, 50, 200) to logits (B, 50, C)."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(),
            nn.MaxPool2d(2),
        )  # fmt: skip
        self.dense = nn.Sequential(nn.Linear(64 * (_HEIGHT // 4), 64), nn.ReLU(), nn.Dropout(0.2))
        self.first = nn.LSTM(64, 128, bidirectional=True, batch_first=True)
        self.second = nn.LSTM(256, 64, bidirectional=True, batch_first=True)
        self.dropout = nn.Dropout(0.25)
        self.classes = nn.Linear(128, classes)
        self.apply(_initialize)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the logits."""
        columns = self.convolutions(images).permute(0, 3, 2, 1).flatten(2)
        features = self.dropout(self.first(self.dense(columns))[0])
        logits: torch.Tensor = self.classes(self.dropout(self.second(features)[0]))
        return logits


def _initialize(layer: nn.Module) -> None:
    """Set the first weights as Keras does."""
    if isinstance(layer, nn.Conv2d):
        nn.init.kaiming_normal_(layer.weight)
        nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    elif isinstance(layer, nn.Linear):
        nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(layer.bias)
    elif isinstance(layer, nn.LSTM):
        for name, values in layer.named_parameters():
            gates = values.detach().chunk(4)  # input, forget, cell, output
            if "weight_ih" in name:
                nn.init.xavier_uniform_(values)
            elif "weight_hh" in name:
                for gate in gates:
                    nn.init.orthogonal_(gate)
            else:
                nn.init.zeros_(values)
                gates[1].fill_(1.0 if "bias_ih" in name else 0.0)


def train(images: Sequence[Image.Image], texts: Sequence[str], *, epochs: int = 100, seed: int = 0) -> PublishedReader:
    """Train on captchas, and return what reads others."""
    torch.manual_seed(seed)
    reader = PublishedReader("".join(sorted(set("".join(texts)))))
    pictures = _as_batch(images)
    targets = [torch.tensor([reader.characters.index(each) + 1 for each in text]) for text in texts]
    optimizer = torch.optim.Adam(reader.network.parameters(), 1e-3, eps=1e-7)
    reader.network.train()
    for _ in range(epochs):
        for batch in torch.randperm(len(texts)).split(_BATCH):
            log_probs = reader.network(pictures[batch]).log_softmax(dim=2).transpose(0, 1)
            chosen = [targets[n] for n in batch]
            lengths = torch.tensor([len(each) for each in chosen])
            frames = torch.full((len(chosen),), len(log_probs))
            losses = nn.functional.ctc_loss(log_probs, torch.cat(chosen), frames, lengths, reduction="none")
            optimizer.zero_grad()
            losses.mean().backward()
            optimizer.step()
    reader.network.eval()
    return reader


class PublishedReader:
    """Reads captchas with the network."""

    def __init__(self, characters: str) -> None:
        self.characters = characters
        self.network = PublishedNetwork(len(characters) + 1)

    @torch.inference_mode()
    def read(self, images: Sequence[Image.Image]) -> list[str]:
        """Return the texts in images."""
        log_probs = self.network(_as_batch(images)).log_softmax(dim=2)
        found = greedy_decode(log_probs, blank=0)
        return ["".join(self.characters[token - 1] for token in each.tokens) for each in found]


def _as_batch(images: Sequence[Image.Image]) -> torch.Tensor:
    scaled = [image.convert("L").resize((_WIDTH, _HEIGHT), Image.Resampling.BILINEAR) for image in images]
    return torch.tensor(np.stack([np.asarray(image, np.float32) / 255 for image in scaled]))[:, None]
