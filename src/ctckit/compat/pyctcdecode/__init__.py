"""stub"""
from ctckit.compat.pyctcdecode.decoder import BeamSearchDecoderCTC, build_ctcdecoder
