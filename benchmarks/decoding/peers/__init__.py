"""The decoders that take part: each library in the settings that its documentation recommends, and in better ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from benchmarks.decoding.peers.base import Decoder
from benchmarks.decoding.peers.ctckit import CTCKit, CTCKitBatch, Greedy
from benchmarks.decoding.peers.flashlight import Flashlight, TensorFlow
from benchmarks.decoding.peers.pyctcdecode import CTCBeamDecoder, FastCTCDecode, PyCTCDecode


@dataclass(frozen=True)
class Peer:
    """A decoder in one setting.

    Attributes:
        make: Its class.
        library: Which one it is; settings of one library are compared with ctckit by the best for the case.
        setting: What is set, for the page.
        threads: And processors.
        instruction_set: ctckit's; the best one by default.
        options: Of the class.
        tuned_as: Whose weights it takes, its own search being the same or nearly so.
    """

    make: type[Decoder]
    library: str
    setting: str
    threads: int = 1
    instruction_set: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    tuned_as: str = ""

    @property
    def ours(self) -> bool:
        """It runs in the package's own environment."""
        return issubclass(self.make, Greedy)


FEW = {"log_add": True}
WIDE = {"token_min_logp": -10.0}
PEERS: dict[str, Peer] = {
    "greedy": Peer(Greedy, "greedy", "`ctckit.greedy_decode`"),
    "ctckit": Peer(CTCKit, "ctckit", "`BeamDecoder(...).decode(item)`, whole vocabulary, no thresholds"),
    "ctckit AVX2": Peer(CTCKit, "ctckit", "the same, held to AVX2", instruction_set="avx2", tuned_as="ctckit"),
    "ctckit batch": Peer(CTCKitBatch, "ctckit", "all items in one call of `decode`"),
    "ctckit batch, 2 threads": Peer(CTCKitBatch, "ctckit", "the same on two threads", threads=2),
    "pyctcdecode": Peer(PyCTCDecode, "pyctcdecode", "`decode`, defaults (tokens to e⁻⁵, beams to e⁻¹⁰)"),
    "pyctcdecode e⁻¹⁰": Peer(PyCTCDecode, "pyctcdecode", "tokens to e⁻¹⁰ (`token_min_logp=-10`)", options=WIDE),
    "ctc-beam-decoder": Peer(
        CTCBeamDecoder, "ctc-beam-decoder", "`decode`, defaults, as pyctcdecode's", tuned_as="pyctcdecode"
    ),
    "ctc-beam-decoder e⁻¹⁰": Peer(CTCBeamDecoder, "ctc-beam-decoder", "`token_min_logp=-10`", options=WIDE),
    "flashlight": Peer(Flashlight, "flashlight", "torchaudio's defaults: all tokens, maximum over alignments"),
    "flashlight 5": Peer(
        Flashlight, "flashlight", "`log_add=True`, 5 tokens a frame", options={**FEW, "beam_size_token": 5}
    ),
    "flashlight 10": Peer(
        Flashlight,
        "flashlight",
        "`log_add=True`, 10 tokens a frame",
        options={**FEW, "beam_size_token": 10},
        tuned_as="flashlight 5",
    ),
    "fast-ctc-decode": Peer(FastCTCDecode, "fast-ctc-decode", "`beam_cut_threshold=5e-3`", options={"cut": 5e-3}),
    "fast-ctc-decode 5e-4": Peer(FastCTCDecode, "fast-ctc-decode", "`beam_cut_threshold=5e-4`", options={"cut": 5e-4}),
    "tensorflow": Peer(TensorFlow, "tensorflow", "`tf.nn.ctc_beam_search_decoder`, compiled by `tf.function`"),
}
