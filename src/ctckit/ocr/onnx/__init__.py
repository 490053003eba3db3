"""Recognizers in ONNX files, run without torch.

``metadata`` is what the metadata of a file say about it; ``session`` runs a file by ONNX Runtime: the backend of a
recognizer. :mod:`ctckit.ocr.export` writes the files.
"""
