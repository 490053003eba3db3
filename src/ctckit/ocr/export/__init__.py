"""Models become ONNX files, which :mod:`ctckit.ocr.onnx` runs.

Read in this order:

    tracing       a network becomes an ONNX graph, by torch's exporter
    graph_nodes   a network that began as an ONNX file becomes an ONNX graph again
    exporting     a model becomes a file, and the file is compared with the model
    quantizing    whole numbers of 8 bits instead of floating-point numbers
"""
