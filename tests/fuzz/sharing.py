"""Decoders and streams in many hands: ``python -m tests.fuzz.sharing --rounds 1000 --seed 2`` (``make fuzz``).

Several threads use one decoder and one stream; decoders, results and streams are pickled and copied in the middle of
work. The results are those of one thread and of the originals.
"""

import copy
import pickle
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import ctckit
from ctckit.decoding import streaming
from tests.fuzz import searches
from tests.fuzz.rounds import Rounds, expect, shown

THREADS = 4


def check_sharing(rng):
    """Check one random search."""
    search = searches.random_search(rng)
    with shown(search), mock.patch.object(streaming, "window_of", return_value=search.window):
        decoder = search.decoder()
        check_copies(rng, search, decoder)
        check_threads(search, decoder)
        item = max(search.items, key=len)
        check_shared_stream(decoder, item)
        check_stream_copies(rng, search, decoder, item)


def copied(rng, thing):
    ways = (copy.copy, copy.deepcopy, *(lambda thing, p=p: pickle.loads(pickle.dumps(thing, p)) for p in (2, 4, 5)))
    return ways[rng.integers(len(ways))](thing)


def check_copies(rng, search, decoder):
    """Check copies of a decoder, before and after it is used, and of its results."""
    before = copied(rng, decoder)
    found = [decoder.decode(item, n_best=search.n_best) for item in search.items]
    after = copied(rng, decoder)
    for other in (before, after, copied(rng, after), decoder.with_settings(beam_width=search.options["beam_width"])):
        again = [other.decode(item, n_best=search.n_best) for item in search.items]
        expect(again == found, f"a copy of the decoder gives\n{again}\nthe decoder\n{found}")
    same = copied(rng, found)
    expect(same == found, f"copies of results are\n{same}\nthe results\n{found}")
    texts = [[each.text for each in one[0]] for one in found]
    expect([[each.text for each in one[0]] for one in same] == texts, f"copies of results read otherwise: {texts}")


def check_threads(search, decoder):
    """Check that several threads at once get the results of one thread."""
    expected = [decoder.decode(item, n_best=search.n_best) for item in search.items]
    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(lambda item: decoder.decode(item, n_best=search.n_best), search.items * THREADS))
    expect(found == expected * THREADS, f"threads give\n{found}\none thread\n{expected}")


def check_shared_stream(decoder, item):
    """One thread pushes, the others look: no error, nothing is lost, and what is stable stays."""
    stream, stable, failures = decoder.stream(), [], []
    pushed = threading.Event()

    def push():
        for at in range(0, len(item), 3):
            stream.push(item[at : at + 3])
        pushed.set()

    def look():
        while not pushed.is_set() and not failures:
            stable.append(stream.partial().stable_tokens)

    def guarded(work):
        try:
            work()
        except Exception as error:
            failures.append(error)
            pushed.set()

    threads = [threading.Thread(target=guarded, args=(work,)) for work in (push, look, look)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expect(not failures, f"threads of one stream raise {failures}")
    expect(stream.frames == len(item), f"{stream.frames} of {len(item)} frames are in the stream")
    tokens = stream.finish().tokens
    lost = [each for each in stable if tokens[: len(each)] != each]
    expect(searches.may_end_incomplete(decoder) or not lost, f"{lost} were stable, the result is {tokens}")


def streams_travel():
    """Tell whether streams can be pickled."""
    try:
        pickle.dumps(ctckit.BeamDecoder(["", "a"]).stream())
    except TypeError:
        return False
    return True


STREAMS_TRAVEL = streams_travel()


def check_stream_copies(rng, search, decoder, item):
    """Check copies of a stream in the middle of its item: they continue as the original does."""
    if not STREAMS_TRAVEL:
        return
    looked = bool(rng.integers(2))
    original = decoder.stream()
    streams = [original]
    for chunk in searches.chunks(rng, item):
        if rng.random() < 0.3:
            streams[1:] = [copied(rng, streams[-1])]
        for stream in streams:
            stream.push(chunk)
        if looked and rng.random() < 0.3:
            partials = [stream.partial() for stream in streams]
            expect(len(set(partials)) == 1, f"copies of a stream have read {partials}")
    found = [stream.finish_all(search.n_best) for stream in streams]
    expect(found[-1] == found[0], f"a copy of a stream gives\n{found[-1]}\nthe stream\n{found[0]}")


ROUNDS = Rounds("tests.fuzz.sharing", check_sharing, "{} decoders and streams in many hands give the same", 1000)

if __name__ == "__main__":
    warnings.simplefilter("ignore", ctckit.errors.InputWarning)
    ROUNDS.command()
