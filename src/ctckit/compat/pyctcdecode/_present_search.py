"""stub"""
from typing import Any
class PresentDecoder:
    def __init__(self, alphabet: Any) -> None: ...
