"""Recognizers in ONNX files: written, and run without torch.

Read in this order:

    metadata      what the metadata of a file says about it
    session       a file is run by ONNX Runtime: the backend of a recognizer; needs no torch
    tracing       a network becomes an ONNX graph, by torch's exporter
    graph_nodes   a network that began as an ONNX file becomes an ONNX graph again
    exporting     a model becomes a file, and the file is compared with the model
    quantizing    whole numbers of 8 bits instead of floating-point numbers
"""
