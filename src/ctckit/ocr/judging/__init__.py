"""How well a model reads lines with known texts: ``ctckit evaluate``.

``run`` reads the lines, ``result`` holds all numbers, ``calibration`` compares confidences with how often they are
right, ``confidences`` finds which characters and words are.
"""
