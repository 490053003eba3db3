"""A training run of no time, on lines of bars."""

import torch

from ctckit.ocr.data.batches import LineBatches
from ctckit.ocr.networks.crnn import CRNN, CRNNConfig
from ctckit.ocr.training.config import TrainingConfig
from ctckit.ocr.training.loop import train
from ctckit.vocabulary import Vocabulary
from tests.support.line_files import bars

VOCABULARY = Vocabulary.from_characters("ab")
TINY = CRNNConfig(num_classes=3, channels=(4, 8), strides=((4, 2), (4, 2)), hidden=8, dropout=0.1)
CONFIG = TrainingConfig(steps=12, learning_rate=1e-2, validate_every=4, report_every=2, seed=5)
LINES = [bars(text) for text in ("a", "b", "ab", "ba", "aab", "abb", "bab", "aaa", "bb", "abab", "baab", "bbba")]


def source(*, distort=True):
    """Return the batches of the lines."""
    return LineBatches(LINES, VOCABULARY, TINY, batch_size=4, seed=1, distort=distort)


def run(config=CONFIG, *, distort=True, **options):
    """Train from the same first weights; return the network and the record."""
    torch.manual_seed(0)
    model = CRNN(TINY)
    record = train(model, source(distort=distort), VOCABULARY, config=config, **options)
    return model, record


def assert_same_weights(left, right):
    """Compare all bits of the weights of two networks."""
    for name, tensor in left.state_dict().items():
        assert torch.equal(tensor, right.state_dict()[name]), name
