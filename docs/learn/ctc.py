"""The CTC loss of a batch and its gradient, by dynamic programming, in PyTorch.

`ctc_loss` has the arguments and the results of `torch.nn.functional.ctc_loss`;
`ctc_gradient` is what `backward()` gives for the logits. Columns are rescaled, in float64:
for thousands of frames that is not enough (chapter 4). Frames and states count from 0.
T frames, B items, C classes, N tokens of the longest target, S = 2N + 1 states.
"""

import torch
from torch import Tensor
from torch.nn.functional import pad
from torch.nn.utils.rnn import pad_sequence


def ctc_loss(
    log_probs: Tensor,  # (T, B, C): log-softmax of the logits
    targets: Tensor,  # (B, N), padded with anything; or (sum of target_lengths,), joined
    input_lengths: Tensor,  # (B,): frames of each item
    target_lengths: Tensor,  # (B,): tokens of each item
    blank: int = 0,
    reduction: str = "mean",  # "none", "sum", or "mean": losses per token, averaged
    zero_infinity: bool = False,  # the loss of a target without a path: 0, or infinity
) -> Tensor:
    """Return -log p(target): the sum over all paths that collapse to the target."""
    labels, skip, final = states(targets, target_lengths, blank)
    alpha, log_scale = forward(emissions(log_probs, labels), skip, input_lengths)[-1]
    end = (alpha * final).sum(1)  # the paths that end in the last token or the last blank
    without_path = torch.full_like(end, 0 if zero_infinity else torch.inf)
    losses = -(torch.where(end > 0, end, 1).log() + log_scale)
    losses = torch.where(end > 0, losses, without_path).to(log_probs.dtype)
    if reduction == "none":
        return losses
    if reduction == "sum":
        return losses.sum()
    if reduction == "mean":
        return (losses / target_lengths.clamp(min=1)).mean()
    raise ValueError(f'reduction is {reduction!r}; expected "none", "sum" or "mean".')


@torch.no_grad()
def ctc_gradient(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Tensor,
    target_lengths: Tensor,
    blank: int = 0,
) -> Tensor:
    """Return the gradient (T, B, C) of the summed loss for the logits.

    It is the probability of a class minus its occupancy: alpha * beta, divided by the sum
    over the states of the frame. Where the loss is infinite, target classes have NaN.
    """
    labels, skip, final = states(targets, target_lengths, blank)
    emission = emissions(log_probs, labels)
    columns = forward(emission, skip, input_lengths)[1:]
    gradient, beta = log_probs.double().exp(), final
    for t in reversed(range(len(log_probs))):
        if t < len(log_probs) - 1:
            going = rescaled(departures(emission[t + 1] * beta, skip))[0]
            beta = torch.where((t < input_lengths - 1)[:, None], going, final)
        occupancy = columns[t][0] * beta
        occupancy = occupancy / occupancy.sum(1, keepdim=True)
        gradient[t].scatter_add_(1, labels, -occupancy)
    padding = torch.arange(len(log_probs))[:, None] >= input_lengths
    return gradient.masked_fill(padding[:, :, None], 0).to(log_probs.dtype)


def states(targets: Tensor, lengths: Tensor, blank: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return each state's class, and 1 where a skip may end, and where a path may end."""
    if targets.ndim == 1:
        rows = list(targets.split(lengths.tolist()))
    else:
        rows = [row[:n] for row, n in zip(targets, lengths.tolist(), strict=True)]
    tokens = pad_sequence(rows, batch_first=True, padding_value=blank)  # (B, N)
    labels = torch.full((len(rows), 2 * tokens.shape[1] + 1), blank)  # (B, S)
    labels[:, 1::2] = tokens
    skip = torch.zeros(labels.shape, dtype=torch.float64)  # into the first two states: none
    is_blank = labels[:, 2:] == blank  # condition 1: no skip to a blank
    is_repeat = labels[:, 2:] == labels[:, :-2]  # condition 2: none between equal tokens
    skip[:, 2:] = (~is_blank & ~is_repeat).double()  # condition 3: any other
    state, last = torch.arange(labels.shape[1]), 2 * lengths[:, None]
    final = (state == last) | ((state == last - 1) & (last > 0))
    return labels, skip, final.double()


def emissions(log_probs: Tensor, labels: Tensor) -> Tensor:
    """Return the probability (T, B, S) of each state's class in each frame."""
    return log_probs.double().exp().gather(2, labels.expand(len(log_probs), *labels.shape))


def forward(emission: Tensor, skip: Tensor, lengths: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Return (alpha, log of its divisors) before the first frame, then after each frame."""
    alpha = torch.zeros_like(skip)
    alpha[:, 0] = 1  # from here, the first frame reaches the first blank or the first token
    log_scale = torch.zeros(len(skip), dtype=torch.float64)
    columns = [(alpha, log_scale)]
    for t, frame in enumerate(emission):
        new, scale = rescaled(arrivals(alpha, skip) * frame)
        alpha = torch.where((t < lengths)[:, None], new, alpha)  # padding changes nothing
        log_scale = torch.where(t < lengths, log_scale + scale.log(), log_scale)
        columns.append((alpha, log_scale))
    return columns


def arrivals(a: Tensor, skip: Tensor) -> Tensor:
    """Return what comes into each state: stay, advance, skip."""
    return a + pad(a, (1, 0))[:, :-1] + pad(a, (2, 0))[:, :-2] * skip


def departures(b: Tensor, skip: Tensor) -> Tensor:
    """Return what goes out of each state: the same transitions from their other end."""
    return b + pad(b, (0, 1))[:, 1:] + pad(b * skip, (0, 2))[:, 2:]


def rescaled(column: Tensor) -> tuple[Tensor, Tensor]:
    """Divide a column by its sum, so that it does not underflow; return the sum too."""
    total = column.sum(1)
    total = torch.where(total > 0, total, 1)
    return column / total[:, None], total
