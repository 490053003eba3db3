"""One stream, several threads: their calls run one after another, and nothing is lost."""

import threading
import time

import numpy as np

from ctckit import BeamDecoder


def random_frames(frames, seed, sharpness=1.0):
    return np.log(np.random.default_rng(seed).dirichlet(np.full(4, 1 / sharpness), frames)).astype(np.float32)


def test_a_stream_serves_several_threads():
    """One pushes, one looks, as a service does; before, the core's memory was corrupted."""
    frames = random_frames(600, 3, sharpness=10)  # sure enough that nothing is refined at the end
    decoder = BeamDecoder(["", *"abc"], beam_width=20)
    whole = decoder.stream()
    for frame in frames:
        whole.push(frame[None])
        whole.partial()
    assert whole.frames == len(frames)
    whole_text = whole.finish()
    assert whole_text.tokens == decoder.decode(frames)[0][0].tokens
    stream, failures = decoder.stream(), []

    def push():
        for at in range(0, len(frames), 3):
            stream.push(frames[at : at + 3])

    def look():
        while stream.frames < len(frames) and not failures:
            stream.partial()

    def guarded(work):
        try:
            work()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in (push, look, look)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert stream.finish().tokens == whole_text.tokens


def test_pushes_of_several_threads_are_all_used():
    frames = random_frames(200, 4)
    stream = BeamDecoder(["", *"abc"], beam_width=20).stream()
    threads = [threading.Thread(target=stream.push, args=(frames[k::4],)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stream.frames == 200


def test_the_core_refuses_a_search_that_another_thread_uses():
    """Below the lock of the stream: an error, never a race."""
    frames = random_frames(4000, 5).astype(np.float32)
    search = BeamDecoder(["", *"abc"], beam_width=100).stream()._search
    refusals, patience = [], time.monotonic() + 60

    def use(work, *arguments):
        while not refusals and time.monotonic() < patience:
            try:
                work(*arguments)
            except RuntimeError as error:
                refusals.append(str(error))

    threads = [threading.Thread(target=use, args=each) for each in ((search.push, frames), (search.best, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refusals[0].startswith("another thread is using this object.")
