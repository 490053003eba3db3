"""Networks that began as an ONNX file.

Read in this order:

    graph          operations on named values
    operations     what each operation computes, in torch
    network        the network: runs a graph, then one linear layer to the classes
    patterns       finds patterns of operations
    simplifying    constants are computed, several operations become one
    reading        an ONNX file becomes a network
"""

from ctckit.ocr.networks.pretrained.network import PretrainedConfig, PretrainedNetwork

__all__ = ["PretrainedConfig", "PretrainedNetwork"]
