"""What the loss is to reach: how many times torch's speed, forward + backward through the public call."""

from __future__ import annotations

# Threads → workload → times torch.
GOALS = {
    1: {"W1": 6, "W2": 12, "W3": 35, "W4": 14, "W5": 80},
    2: {"W1": 8, "W2": 12, "W3": 28, "W4": 12, "W5": 60},
}
MOONSHOTS = {1: {"W1": 12, "W2": 30, "W3": 60, "W4": 30, "W5": 120}}
MEMORY_SHARE = 0.05  # of the logits, beyond logits and gradient
MEMORY_BYTES = 1e6  # or this, where it is more


def memory_goal(logits_bytes: float) -> float:
    """Bytes that a step may need beyond logits and gradient."""
    return max(MEMORY_SHARE * logits_bytes, MEMORY_BYTES)
