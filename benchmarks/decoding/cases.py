"""The cases: what is measured."""

from __future__ import annotations

from dataclasses import dataclass

LIBRARIES = (
    "greedy",
    "ctckit",
    "ctckit AVX2",
    "pyctcdecode",
    "pyctcdecode e⁻¹⁰",
    "ctc-beam-decoder",
    "ctc-beam-decoder e⁻¹⁰",
    "flashlight",
    "flashlight 5",
    "flashlight 10",
    "fast-ctc-decode",
    "fast-ctc-decode 5e-4",
    "tensorflow",
)
OF_LONG = tuple(name for name in LIBRARIES if name != "pyctcdecode e⁻¹⁰")
OF_LARGE = tuple(name for name in LIBRARIES if name not in ("pyctcdecode e⁻¹⁰", "flashlight 10"))
OF_WORDS = ("greedy", "ctckit", "ctckit AVX2", "pyctcdecode", "ctc-beam-decoder", "flashlight 5", "flashlight 10")
OF_BINARIES = ("ctckit", "pyctcdecode", "ctc-beam-decoder", "flashlight 5")
OF_CHARACTERS = ("greedy", "ctckit", "ctckit AVX2", "flashlight 5", "flashlight 10")
OF_LEXICA = ("greedy", "ctckit", "flashlight 5", "flashlight 10")
OF_FLAT = ("greedy", "ctckit", "pyctcdecode", "ctc-beam-decoder", "fast-ctc-decode", "fast-ctc-decode 5e-4")
OF_HOTWORDS = ("ctckit", "pyctcdecode", "ctc-beam-decoder")
BATCHES = ("ctckit batch", "ctckit batch, 2 threads")


@dataclass(frozen=True)
class Case:
    """One case.

    Attributes:
        name: The key in the results.
        about: A few words for the page.
        data: A key of ``posteriors.SETS``.
        peers: The decoders that take part.
        model: A key of ``files.UNITS``, or "".
        lexicon: Whether only words of the word model and of the references are allowed.
        hotwords: The number of hotwords.
        per_call: Whether the hotwords come with each call.
        words: The size of the lexicon, with made-up words; 0: as it is.
        items: The number of items; None for all.
        beam: Beam width.
        memory: Whether memory is measured.
    """

    name: str
    about: str
    data: str
    peers: tuple[str, ...]
    model: str = ""
    lexicon: bool = False
    hotwords: int = 0
    per_call: bool = False
    words: int = 0
    items: int | None = None
    beam: int = 100
    memory: bool = False

    @property
    def tuned(self) -> bool:
        """Whether weights are tuned on one half of the items and used on the other."""
        return bool(self.model)

    @property
    def comparable(self) -> bool:
        """Whether all decoders search for the likeliest text, so that gaps have a meaning."""
        return not (self.model or self.lexicon or self.hotwords)


CASES = (
    Case("ocr_ppv4", "text lines, PP-OCRv4", "ocr_ppv4", LIBRARIES, memory=True),
    Case("ocr_ppv6", "text lines, PP-OCRv6", "ocr_ppv6", LIBRARIES),
    Case("speech", "recordings, phonemes", "speech", LIBRARIES),
    Case("nanopore", "nanopore windows", "nanopore", LIBRARIES),
    Case("long", "one recording of 3,000 frames", "long", OF_LONG, memory=True),
    Case("flat", "8,000 frames of an untrained network", "flat", OF_FLAT, beam=5, memory=True),
    Case("large", "text lines among 6,625 classes", "large", OF_LARGE),
    Case("huge", "text lines among 18,710 classes", "huge", OF_LARGE, memory=True),
    Case("words", "text lines in lower case, word 3-gram", "lower", OF_WORDS, model="word3", memory=True),
    Case("words probing", "the same, KenLM's probing file", "lower", OF_BINARIES, model="word3.probing", memory=True),
    Case("words trie", "the same, KenLM's trie file", "lower", OF_BINARIES, model="word3.trie", memory=True),
    Case("characters", "text lines, PP-OCRv4, character 6-gram", "ocr_ppv4", OF_CHARACTERS, model="char6"),
    Case("characters trie", "the same, KenLM's trie file", "ocr_ppv4", ("ctckit", "flashlight 5"), model="char6.trie"),
    Case("characters v6", "text lines, PP-OCRv6, character 6-gram", "ocr_ppv6", OF_CHARACTERS, model="char6"),
    Case("trained", "text lines, PP-OCRv4, `ctckit lm train`", "ocr_ppv4", ("greedy", "ctckit"), model="trained"),
    Case("lexicon", "text lines in lower case, a lexicon of 58,000 words", "lower", OF_LEXICA, lexicon=True),
    Case("hotwords 10", "text lines, 10 hotwords", "ocr_ppv4", OF_HOTWORDS, hotwords=10, items=12),
    Case("hotwords 100", "text lines, 100 hotwords", "ocr_ppv4", OF_HOTWORDS, hotwords=100, items=12),
    Case("hotwords 1000", "text lines, 1,000 hotwords", "ocr_ppv4", OF_HOTWORDS, hotwords=1000, items=12),
    Case("hotwords 10000", "text lines, 10,000 hotwords", "ocr_ppv4", OF_HOTWORDS, hotwords=10000, items=12),
    Case(
        "hotwords per call",
        "text lines in lower case, 1,000 hotwords in each call; a lexicon of 130,000 words",
        "lower",
        OF_HOTWORDS,
        lexicon=True,
        hotwords=1000,
        per_call=True,
        words=130_000,
        items=12,
    ),
    Case("batch lines", "text lines in one batch", "ocr_ppv4", BATCHES),
    Case("batch nanopore", "nanopore windows in one batch", "nanopore", BATCHES),
)
