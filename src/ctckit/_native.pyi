import builtins
from collections.abc import Sequence
from typing import Any, overload

import numpy as np
import numpy.typing as npt

def ctc_loss_float32(
    logits: npt.NDArray[Any],
    targets: npt.NDArray[np.int32],
    input_lengths: npt.NDArray[np.int64],
    target_lengths: npt.NDArray[np.int64],
    blank: int,
    input_kind: str,
    weights: npt.NDArray[np.float64],
    losses: npt.NDArray[np.float64],
    gradient: npt.NDArray[Any] | None,
    normalizers: npt.NDArray[Any] | None,
    normalized: bool,
    transitions: npt.NDArray[np.float64] | None,
    counts: npt.NDArray[np.float64] | None,
) -> None: ...
def ctc_loss_float64(
    logits: npt.NDArray[Any],
    targets: npt.NDArray[np.int32],
    input_lengths: npt.NDArray[np.int64],
    target_lengths: npt.NDArray[np.int64],
    blank: int,
    input_kind: str,
    weights: npt.NDArray[np.float64],
    losses: npt.NDArray[np.float64],
    gradient: npt.NDArray[Any] | None,
    normalizers: npt.NDArray[Any] | None,
    normalized: bool,
    transitions: npt.NDArray[np.float64] | None,
    counts: npt.NDArray[np.float64] | None,
) -> None: ...
def ctc_loss_float16(
    logits: npt.NDArray[Any],
    targets: npt.NDArray[np.int32],
    input_lengths: npt.NDArray[np.int64],
    target_lengths: npt.NDArray[np.int64],
    blank: int,
    input_kind: str,
    weights: npt.NDArray[np.float64],
    losses: npt.NDArray[np.float64],
    gradient: npt.NDArray[Any] | None,
    normalizers: npt.NDArray[Any] | None,
    normalized: bool,
    transitions: npt.NDArray[np.float64] | None,
    counts: npt.NDArray[np.float64] | None,
) -> None: ...
def ctc_loss_bfloat16(
    logits: npt.NDArray[Any],
    targets: npt.NDArray[np.int32],
    input_lengths: npt.NDArray[np.int64],
    target_lengths: npt.NDArray[np.int64],
    blank: int,
    input_kind: str,
    weights: npt.NDArray[np.float64],
    losses: npt.NDArray[np.float64],
    gradient: npt.NDArray[Any] | None,
    normalizers: npt.NDArray[Any] | None,
    normalized: bool,
    transitions: npt.NDArray[np.float64] | None,
    counts: npt.NDArray[np.float64] | None,
) -> None: ...
def ctc_hvp(
    logits: npt.NDArray[Any],
    targets: npt.NDArray[np.int32],
    input_lengths: npt.NDArray[np.int64],
    target_lengths: npt.NDArray[np.int64],
    blank: int,
    input_kind: str,
    weights: npt.NDArray[np.float64],
    direction: npt.NDArray[Any],
    result: npt.NDArray[Any],
    transitions: npt.NDArray[np.float64] | None,
) -> None: ...
def buffer(size: int) -> npt.NDArray[np.uint8]: ...
def instruction_sets() -> list[str]: ...
def instruction_set() -> str: ...
def set_instruction_set(name: str) -> None: ...
def num_threads() -> int: ...
def set_num_threads(count: int) -> None: ...
def quota_processors(root: str, membership: str) -> int: ...
def share_openmp(library: str) -> bool: ...

class FormatError(ValueError): ...

class LanguageModel:
    start: int
    empty: int
    unknown: int
    begin: int
    end: int
    order: int
    counts: list[int]
    bytes: int
    def session(self) -> LanguageModel: ...
    def __len__(self) -> int: ...
    def unigram(self, word: int) -> float: ...
    def find(self, word: str) -> int: ...
    def word(self, id: int) -> str: ...  # noqa: A002
    def query(self, state: int, word: int) -> tuple[float, int]: ...
    def match(self, state: int, word: int) -> int: ...
    def look_ahead(self, word: int) -> float: ...
    def log_prob(self, words: list[str], bos: bool, eos: bool) -> float: ...

class NGram(LanguageModel):
    path: str
    fingerprint: int
    note: builtins.bytes
    def is_intact(self) -> bool: ...
    def header(self, note: builtins.bytes) -> builtins.bytes: ...
    def body(self) -> npt.NDArray[np.uint8]: ...
    def arpa(self) -> builtins.bytes: ...
    def compacted(self, bits: int) -> CompactNGram: ...

class CompactNGram(LanguageModel):
    log_prob_bits: int
    path: str
    fingerprint: int
    note: builtins.bytes
    def is_intact(self) -> bool: ...
    def header(self, note: builtins.bytes) -> builtins.bytes: ...
    def body(self) -> npt.NDArray[np.uint8]: ...
    def expanded(self) -> NGram: ...

class KenlmModel(LanguageModel):
    path: str
    kind: int
    file_has_words: bool
    has_names: bool
    fingerprint: int
    def listed(self) -> NGram: ...

class NGramTrainer:
    lines: int
    entries: int
    def __init__(self, order: int, prune: list[int]) -> None: ...
    def add(self, text: builtins.bytes, characters: bool, space: str) -> None: ...
    def train(self) -> tuple[NGram, list[tuple[float, float, float, bool]]]: ...

def kenlm_from_file(path: str, words: list[str]) -> KenlmModel: ...
def ngram_from_file(path: str) -> NGram | CompactNGram: ...
def ngram_from_bytes(content: builtins.bytes) -> NGram | CompactNGram: ...
def ngram_from_arpa(text: npt.NDArray[np.uint8]) -> NGram: ...

_Block = tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]  # classes, values
_Rescored = tuple[float, npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.float64]]
_Parts = tuple[float, float, int, int, float, tuple[int, ...]]
_Decoded = tuple[npt.NDArray[np.int32], _Rescored, _Parts]

class StateError(ValueError): ...

class Decoder:
    @overload
    def __init__(self, plan: object) -> None: ...
    @overload
    def __init__(self, other: Decoder, hotwords: object, hotword_weights: npt.NDArray[np.float32]) -> None: ...
    def decode(
        self, log_probs: npt.NDArray[np.float32], lengths: npt.NDArray[np.int64], n_best: int
    ) -> list[list[_Decoded]]: ...
    def likeliest_word(self, letters: npt.NDArray[np.int32]) -> int: ...
    def ranked(
        self,
        search: Search,
        log_probs: npt.NDArray[np.float32],
        early: Sequence[_Block],
        past: npt.NDArray[np.int32],
        first: int,
        n_best: int,
        border: object,
    ) -> list[_Decoded]: ...
    def refined(
        self,
        log_probs: npt.NDArray[np.float32],
        early: Sequence[_Block],
        tokens: npt.NDArray[np.int32],
        past: npt.NDArray[np.int32],
        first: int,
        last: int,
        border: object,
    ) -> _Decoded: ...
    def parts(self, tokens: npt.NDArray[np.int32]) -> _Parts: ...

class Search:
    nodes: int
    sessions: tuple[Any, Any]
    @overload
    def __init__(self, decoder: Decoder) -> None: ...
    @overload
    def __init__(self, decoder: Decoder, state: bytes, token_session: object, word_session: object) -> None: ...
    def state(self) -> bytes: ...
    def push(self, log_probs: npt.NDArray[np.float32]) -> None: ...
    def best(self, n: int, ended: bool) -> list[tuple[tuple[int, ...], float]]: ...
    def stable(self) -> tuple[int, ...]: ...
    def recent(self, count: int) -> npt.NDArray[np.int32]: ...
    def forget(self, count: int) -> None: ...
    def keep_only(self, prefix: list[int], closed: int, frames: int) -> None: ...

def find_refinements(
    log_probs: npt.NDArray[np.float32], tokens: npt.NDArray[np.int32], blank: int
) -> list[tuple[int, int]]: ...
def plausible(log_probs: npt.NDArray[np.float32], lengths: npt.NDArray[np.int64], most: float) -> bool: ...
def rescore(
    log_probs: npt.NDArray[np.float32],
    early: Sequence[_Block],
    tokens: npt.NDArray[np.int32],
    blank: int,
    border: object | None,
) -> _Rescored: ...
def align_text(
    log_probs: npt.NDArray[np.float32],
    early: Sequence[_Block],
    tokens: npt.NDArray[np.int32],
    blank: int,
    border: object | None,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]: ...
def cut_frames(
    log_probs: npt.NDArray[np.float32],
    early: Sequence[_Block],
    tokens: npt.NDArray[np.int32],
    blank: int,
    border: object,
    frame: int,
    closed: int,
    agreed: int,
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float64], int, float]: ...
def cut(
    log_probs: npt.NDArray[Any],
    tokens: npt.NDArray[np.int32],
    blank: int,
    border: object,
    frame: int,
    closed: int,
    agreed: int,
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float64], int, float]: ...
def log_prob_after(log_probs: npt.NDArray[Any], tokens: npt.NDArray[np.int32], blank: int, border: object) -> float: ...
def confidences(
    log_probs: npt.NDArray[np.float32],
    early: Sequence[_Block],
    tokens: npt.NDArray[np.int32],
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    blank: int,
) -> npt.NDArray[np.float64]: ...
def align_float32(
    log_probs: npt.NDArray[Any],
    tokens: npt.NDArray[np.int32],
    input_lengths: npt.NDArray[np.int64],
    token_lengths: npt.NDArray[np.int64],
    blank: int,
    weights: npt.NDArray[np.float64] | None,
    empty: npt.NDArray[np.float64] | None,
    checkpoint_frames: int,
    single_from: int,
    prune_from: int,
    log_probs_of_paths: npt.NDArray[np.float64],
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    cells: npt.NDArray[np.int64] | None,
) -> None: ...
def align_float64(
    log_probs: npt.NDArray[Any],
    tokens: npt.NDArray[np.int32],
    input_lengths: npt.NDArray[np.int64],
    token_lengths: npt.NDArray[np.int64],
    blank: int,
    weights: npt.NDArray[np.float64] | None,
    empty: npt.NDArray[np.float64] | None,
    checkpoint_frames: int,
    single_from: int,
    prune_from: int,
    log_probs_of_paths: npt.NDArray[np.float64],
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    cells: npt.NDArray[np.int64] | None,
) -> None: ...
