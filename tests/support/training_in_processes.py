"""Trains the same tiny network in several processes; run by torchrun, or imported for one process.

``torchrun --nproc-per-node 2 training_in_processes.py FOLDER``: see ``main``.
"""

import json
import sys
from pathlib import Path

import torch

from ctckit.ocr.data.batches import LineBatches
from ctckit.ocr.networks.line import LineConfig, LineNetwork
from ctckit.ocr.training.config import TrainingConfig
from ctckit.ocr.training.loop import train
from ctckit.vocabulary import Vocabulary
from tests.support.line_files import TEXTS, bars

STEPS, MIDDLE = 20, 10
VOCABULARY = Vocabulary.from_characters("ab")
LINES = [bars(text, width=width) for width in (6, 7, 9) for text in TEXTS]
TRAINING, HELD_OUT = LINES[:13], LINES[13:18]  # in batches of 4: the last of each epoch has one line, for two processes


def run(checkpoint=None, *, stop_after=None, resume=False):
    """Return the record of a run, and the network."""
    torch.manual_seed(1)
    network = LineNetwork(LineConfig(3, height=32, channels=(4, 8), strides=((4, 2), (4, 2)), hidden=8, dropout=0.2))
    source = LineBatches(TRAINING, VOCABULARY, network, batch_size=4, seed=3)
    config = TrainingConfig(steps=STEPS, report_every=1, validate_every=5, flat_start=8)
    options = {"validation": HELD_OUT, "checkpoint": checkpoint, "stop_after": stop_after, "resume": resume}
    return train(network, source, VOCABULARY, config=config, **options), network


def main(folder):
    """Train from the beginning to the end; then to the middle; then from the middle, where one process has stopped."""
    whole, network = run()
    run(folder / "half.safetensors", stop_after=MIDDLE)
    resumed, _ = run(folder / "half-of-one.safetensors", resume=True)
    if torch.distributed.get_rank() == 0:
        weights = {name: value.tolist() for name, value in network.state_dict().items()}
        found = {"whole": whole.to_dict(), "resumed": resumed.to_dict(), "weights": weights}
        (folder / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
