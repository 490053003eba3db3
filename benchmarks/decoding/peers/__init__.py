"""The decoders: each library in the settings that its documentation recommends, and in better ones.

``base.py`` has the interface. The other modules have the libraries; ``texts.py`` is for libraries that return texts.
"""

from __future__ import annotations

from benchmarks.decoding.peers.base import DecoderSetting
from benchmarks.decoding.peers.ctckit import CTCKit, CTCKitBatch, Greedy
from benchmarks.decoding.peers.fast_ctc_decode import FastCTCDecode
from benchmarks.decoding.peers.flashlight import Flashlight
from benchmarks.decoding.peers.pyctcdecode import CTCBeamDecoder, PyCTCDecode
from benchmarks.decoding.peers.tensorflow import TensorFlow

FEW = {"log_add": True}
WIDE = {"token_min_logp": -10.0}
PEERS: dict[str, DecoderSetting] = {
    "greedy": DecoderSetting(Greedy, "`ctckit.greedy_decode`", library="greedy"),
    "ctckit": DecoderSetting(
        CTCKit, "`BeamDecoder(...).decode(item)`, whole vocabulary, no thresholds", library="ctckit"
    ),
    "ctckit AVX2": DecoderSetting(
        CTCKit, "the same, restricted to AVX2", library="ctckit", instruction_set="avx2", tuned_as="ctckit"
    ),
    "ctckit batch": DecoderSetting(CTCKitBatch, "all items in one call of `decode`", library="ctckit"),
    "ctckit batch, 2 threads": DecoderSetting(CTCKitBatch, "the same on two threads", library="ctckit", threads=2),
    "pyctcdecode": DecoderSetting(
        PyCTCDecode, "`decode`, defaults (tokens to e⁻⁵, beams to e⁻¹⁰)", library="pyctcdecode"
    ),
    "pyctcdecode e⁻¹⁰": DecoderSetting(
        PyCTCDecode, "tokens to e⁻¹⁰ (`token_min_logp=-10`)", library="pyctcdecode", options=WIDE
    ),
    "ctc-beam-decoder": DecoderSetting(
        CTCBeamDecoder, "`decode`, defaults, as pyctcdecode's", library="ctc-beam-decoder", tuned_as="pyctcdecode"
    ),
    "ctc-beam-decoder e⁻¹⁰": DecoderSetting(
        CTCBeamDecoder, "`token_min_logp=-10`", library="ctc-beam-decoder", options=WIDE
    ),
    "flashlight": DecoderSetting(
        Flashlight, "torchaudio's defaults: all tokens, maximum over alignments", library="flashlight"
    ),
    "flashlight 5": DecoderSetting(
        Flashlight, "`log_add=True`, 5 tokens a frame", library="flashlight", options={**FEW, "beam_size_token": 5}
    ),
    "flashlight 10": DecoderSetting(
        Flashlight,
        "`log_add=True`, 10 tokens a frame",
        library="flashlight",
        options={**FEW, "beam_size_token": 10},
        tuned_as="flashlight 5",
    ),
    "fast-ctc-decode": DecoderSetting(
        FastCTCDecode, "`beam_cut_threshold=5e-3`", library="fast-ctc-decode", options={"cut": 5e-3}
    ),
    "fast-ctc-decode 5e-4": DecoderSetting(
        FastCTCDecode, "`beam_cut_threshold=5e-4`", library="fast-ctc-decode", options={"cut": 5e-4}
    ),
    "tensorflow": DecoderSetting(
        TensorFlow, "`tf.nn.ctc_beam_search_decoder`, compiled by `tf.function`", library="tensorflow"
    ),
}
