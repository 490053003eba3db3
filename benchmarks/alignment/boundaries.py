"""Which of the three boundaries is nearest to the truth? Networks are trained with CTC on signals with known segments.

A signal is a sequence of segments. Each segment is one of 24 sounds: a fixed pattern of 20 features, blurred over its
borders, with noise. Some segments are silence, which has no token. A small convolutional network with a lower frame
rate learns the tokens by CTC alone; it never sees a border. Then held-out signals are aligned with their tokens, and
the boundaries are compared with the true borders.

Run: python -m benchmarks.alignment.boundaries [--steps 600] (some minutes on one core).
"""

from __future__ import annotations

import argparse

import numpy as np
import torch

from ctckit import ctc_loss, forced_align

SOUNDS, FEATURES = 24, 20
KINDS = ("spike", "midpoint", "occupancy")


def signals(
    count: int, rng: np.random.Generator, patterns: np.ndarray
) -> list[tuple[np.ndarray, list[int], np.ndarray]]:
    """Return the features, the tokens, and the borders in frames of the features, of each signal."""
    return [signal(rng, patterns) for _ in range(count)]


def signal(rng: np.random.Generator, patterns: np.ndarray) -> tuple[np.ndarray, list[int], np.ndarray]:
    tokens, borders, segments = [], [], [np.zeros((int(rng.integers(4, 20)), FEATURES))]
    for _ in range(int(rng.integers(10, 30))):
        if rng.random() < 0.12:
            segments.append(np.zeros((int(rng.integers(6, 40)), FEATURES)))
        sound = int(rng.integers(1, SOUNDS + 1))
        frames = int(np.clip(rng.gamma(4.0, 3.0), 4, 40))
        start = sum(map(len, segments))
        tokens.append(sound)
        borders.append((start, start + frames))
        segments.append(np.repeat(patterns[sound - 1][None], frames, axis=0))
    segments.append(np.zeros((int(rng.integers(4, 20)), FEATURES)))
    clean = np.concatenate(segments)
    blurred = np.stack([np.convolve(column, np.ones(5) / 5, mode="same") for column in clean.T], axis=1)
    return blurred + rng.normal(size=clean.shape) * 0.8, tokens, np.array(borders)


class Network(torch.nn.Module):
    """Features (B, T, F) to logits (B, T // stride, C)."""

    def __init__(self, reach: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.thin = torch.nn.Conv1d(FEATURES, 48, 3 * stride, stride=stride, padding=stride)
        layers = [torch.nn.Conv1d(48, 48, 3, padding=2**k, dilation=2**k) for k in range(reach)]
        self.layers = torch.nn.ModuleList(layers)
        self.norms = torch.nn.ModuleList(torch.nn.BatchNorm1d(48) for _ in layers)
        self.out = torch.nn.Linear(48, SOUNDS + 1)

    def forward(self, features: torch.Tensor) -> torch.Tensor:  # noqa: D102
        hidden = torch.relu(self.thin(features.transpose(1, 2)))
        for layer, norm in zip(self.layers, self.norms, strict=True):
            hidden = hidden + torch.relu(norm(layer(hidden)))
        return self.out(hidden.transpose(1, 2))


def batch_of(
    items: list[tuple[np.ndarray, list[int], np.ndarray]], stride: int
) -> tuple[torch.Tensor, torch.Tensor, list[int], list[int]]:
    frames = max(len(features) for features, *_ in items)
    x = torch.zeros(len(items), frames, FEATURES)
    targets = torch.zeros(len(items), max(len(tokens) for _, tokens, _ in items), dtype=torch.long)
    for b, (features, tokens, _) in enumerate(items):
        x[b, : len(features)] = torch.from_numpy(features)
        targets[b, : len(tokens)] = torch.tensor(tokens)
    return x, targets, [len(features) // stride for features, *_ in items], [len(tokens) for _, tokens, _ in items]


def train(network: Network, steps: int, patterns: np.ndarray, rng: np.random.Generator) -> None:
    """Train for so many more steps."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=4e-3)
    network.train()
    for _ in range(steps):
        x, targets, frames, counts = batch_of(signals(12, rng, patterns), network.stride)
        loss = ctc_loss(network(x), targets, frames, counts)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
    network.eval()


def errors(network: Network, items: list[tuple[np.ndarray, list[int], np.ndarray]]) -> dict[str, np.ndarray]:
    """Return the signed errors of starts and ends in frames, (tokens, 2), for each kind; print two statistics."""
    x, targets, frames, counts = batch_of(items, network.stride)
    with torch.no_grad():
        log_probs = network(x).log_softmax(dim=-1)
    found = forced_align(log_probs, targets, frames, counts)
    result = {kind: [] for kind in KINDS}
    for each, (_, _, truth) in zip(found, items, strict=True):
        for kind in KINDS:
            result[kind].append(each.boundaries(kind) - truth / network.stride)
    lasting = np.concatenate([each.ends - each.starts for each in found])
    true = np.concatenate([truth[:, 1] - truth[:, 0] for *_, truth in items]) / network.stride
    print(f"  spikes last {lasting.mean():.1f} frames, sounds {true.mean():.1f}")
    greedy = log_probs.argmax(dim=-1).numpy()
    print(f"  blank is the likeliest class in {np.mean(greedy == 0):.0%} of the frames")
    return {kind: np.concatenate(each) for kind, each in result.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    patterns = np.random.default_rng(123).normal(size=(SOUNDS, FEATURES))
    held_out = signals(100, np.random.default_rng(10**6 + options.seed), patterns)
    for reach, stride in ((2, 2), (5, 2), (5, 4)):
        torch.manual_seed(options.seed)
        rng, network, done = np.random.default_rng(options.seed), Network(reach, stride), 0
        for until in (options.steps // 4, options.steps):
            train(network, until - done, patterns, rng)
            done = until
            seen = stride * (2 * (2**reach - 1) + 3)
            print(f"one frame out of {stride}, {seen} of them seen at once, after {until} steps", flush=True)
            for kind, off in errors(network, held_out).items():
                size = np.abs(off)
                print(
                    f"  {kind:>9}: starts off {size[:, 0].mean():.2f}, ends {size[:, 1].mean():.2f} frames; "
                    f"middles {np.abs(off.mean(axis=1)).mean():.2f}; within 1 frame {np.mean(size <= 1):.0%}, "
                    f"within 2 {np.mean(size <= 2):.0%}; bias {off[:, 0].mean():+.2f} {off[:, 1].mean():+.2f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
