"""Debug a loss that does not fall: a training with a mistake in it, found in three steps.

python loss_does_not_fall.py [MISTAKE]

MISTAKE is "pixels", "blank", "white", "rate" or "none". Put your network and your
batches in place of these.
"""

import sys
from dataclasses import replace

import torch

import ctckit
from ctckit.diagnosis import TrainingWatch
from ctckit.ocr import CRNN, CRNNConfig
from ctckit.ocr.data.batches import make_batch
from ctckit.ocr.data.synthetic import CHARSET, TEST_STYLE, compose_strings, load_digit_slice

MISTAKES = ("pixels", "blank", "white", "rate", "none")
vocabulary = ctckit.Vocabulary.from_characters(CHARSET)
style = replace(TEST_STYLE, digits=(1, 3))
lines = compose_strings(load_digit_slice("train"), 64, seed=3, style=style)


def outputs(network: CRNN, chosen: list, mistake: str) -> tuple[torch.Tensor, ...]:
    """Return the four arguments of the loss, as a data loader and a network make them."""
    batch = make_batch(chosen, vocabulary)
    images = torch.zeros_like(batch.images) if mistake == "white" else batch.images
    targets = batch.targets - 1 if mistake == "blank" else batch.targets
    logits, frames = network(images, batch.widths)
    if mistake == "pixels":
        frames = batch.widths
    return logits, targets, frames, batch.target_lengths


def main(mistake: str = "pixels") -> None:
    """Look at a batch, train, look at what was learned."""
    if mistake not in MISTAKES:
        sys.exit(f"MISTAKE is {mistake!r}; expected one of {', '.join(MISTAKES)}.")
    torch.manual_seed(0)
    sizes = {"channels": (8, 16, 32, 32, 32), "hidden": 48, "dropout": 0.0}
    network = CRNN(CRNNConfig(num_classes=len(vocabulary), **sizes))
    # 1. Before training, look at one batch: lengths, axes, labels, texts that do not fit.
    found = ctckit.diagnose(*outputs(network, lines[:16], mistake))
    normal_now = ("constant-output", "blank-phase", "no-finding")
    if found.cause not in normal_now:
        first = found.findings[0]
        print(f"before training: {first.code}\n{first.seen}\n→ {first.remedy}")
        return
    # 2. Learn a few lines by heart. A watch explains the batch if the loss does not fall.
    pages = []
    watch = TrainingWatch(patience=80, write=pages.append)
    optimizer = torch.optim.Adam(
        network.parameters(), lr=1e-9 if mistake == "rate" else 5e-3
    )
    for step in range(1, 201):
        chosen = [lines[n] for n in torch.randint(0, len(lines), (16,))]
        batch = outputs(network, chosen, mistake)
        loss = ctckit.ctc_loss(*batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 40 == 0:
            print(f"step {step}: loss {loss.item():.3f}")
        if watch(loss.item(), *batch):
            print(pages[-1].partition("\n\nitems")[0])  # without the figures
            return
    # 3. The same page for a network that has learned: what does it read?
    with torch.inference_mode():
        found = ctckit.diagnose(*outputs(network.eval(), lines, mistake))
    print(f"after training: {found.findings[0].code}\n{found.findings[0].seen}")


if __name__ == "__main__":
    main(*sys.argv[1:])
