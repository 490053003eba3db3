"""Small media files, written with PyAV."""

from fractions import Fraction

import numpy as np
import pytest

CODECS = {".m4a": "aac", ".mp4": "aac", ".aac": "aac", ".webm": "libopus"}
FORMATS = {".m4a": "ipod", ".aac": "adts"}


def write(path, samples, rate, late_seconds=0.0):
    """Write (S, 2) samples; with a second of gray pictures into .mp4, where the sound may begin later."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w", format=FORMATS.get(path.suffix)) as container:
        picture = container.add_stream("mpeg4", rate=10) if path.suffix == ".mp4" else None
        sound = None if samples is None else container.add_stream(CODECS[path.suffix], rate=rate)
        if sound:
            sound.layout = "stereo"
            sound.codec_context.open()
        if picture:
            picture.width = picture.height = 16
            for frame in [av.VideoFrame.from_ndarray(np.full((16, 16, 3), 99, np.uint8))] * 10 + [None]:
                container.mux(picture.encode(frame))
        if sound:
            whole = av.AudioFrame.from_ndarray((samples.reshape(1, -1) * 32767).astype(np.int16), layout="stereo")
            whole.sample_rate, whole.time_base, whole.pts = rate, Fraction(1, rate), round(late_seconds * rate)
            size = sound.codec_context.frame_size
            parts = av.AudioResampler(format=sound.format.name, layout="stereo", rate=rate, frame_size=size)
            for frame in [*parts.resample(whole), *parts.resample(None), None]:
                container.mux(sound.encode(frame))
    return path


def place_of(tone, samples):
    """The index in samples where a tone begins, by the largest correlation."""
    size = len(tone) + len(samples)
    product = np.fft.irfft(np.fft.rfft(samples, size) * np.conj(np.fft.rfft(tone, size)), size)
    return int(np.argmax(product[: len(samples)]))
