"""What the tests of networks share."""

import torch


def with_uneven_norms(network):
    """Return the network in eval mode, with batch norms that shift and scale, so that a forgotten mask would show."""
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.uniform_(-0.5, 0.5)
                module.running_var.uniform_(0.5, 2.0)
                module.bias.uniform_(-0.5, 0.5)
    return network.eval()


def expect_a_batch_to_equal_its_items(compute, height, tolerance):
    """Compare a batch, whose padding is not empty, with its items alone.

    Args:
        compute: From images and widths to logits and lengths.
        height: The height of the images.
        tolerance: Relative and absolute.
    """
    widths = [77, 33, 120, 5]
    images = [torch.rand(1, 1, height, width) for width in widths]
    batch = torch.full((4, 1, height, 131), 0.7)
    for row, image in zip(batch, images, strict=True):
        row[:, :, : image.shape[3]] = image[0]
    with torch.no_grad():
        logits, lengths = compute(batch, torch.tensor(widths))
        for item, image, length, width in zip(logits, images, lengths.tolist(), widths, strict=True):
            alone, _ = compute(image, torch.tensor([width]))
            torch.testing.assert_close(item[:length], alone[0], rtol=tolerance, atol=tolerance)
