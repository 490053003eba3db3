"""Caption a recording: sound goes in, subtitles come out.

python caption.py RECORDING TEXTS [MODEL [DICTIONARY]]

TEXTS is a text file in the language and style of the recording, the more the better: it
says which words there are, and which follow which. The subtitles are written beside the
recording: talk.srt for talk.wav.
"""

import re
import sys
from pathlib import Path

from ctckit import BeamDecoder, NGramModel
from ctckit.acoustic_models import listen_in_chunks, load_model
from ctckit.alignment import PronouncingDictionary, subtitle_cues, write_alignment


def main(
    recording: str, texts: str, model: str = "hama", dictionary: str = "cmudict"
) -> None:
    """Caption one recording."""
    # 1. A language model: the words of the texts in lower case, in sentences.
    sentences = re.split(r"[.!?]\s", Path(texts).read_text(encoding="utf-8").lower())
    said = [re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)*", sentence) for sentence in sentences]
    words = NGramModel.train([sentence for sentence in said if sentence], order=3)
    # 2. Its words in the tokens of the acoustic model: letters, or sounds by a dictionary.
    acoustic = load_model(model)
    lexicon = sorted({word for sentence in said for word in sentence})
    if acoustic.spell is not None:
        sounds = PronouncingDictionary(dictionary, acoustic.vocabulary)
        lexicon = {word: sounds[word] for word in lexicon if word in sounds}
    decoder = BeamDecoder(
        acoustic.vocabulary,
        language_model=words,
        lm_weight=0.8,
        lm_boundary=False,  # a recording is more than a sentence
        lexicon=lexicon,
        oov_charge=None,  # no other words
    )
    # 3. Decode while the recording is read: an hour takes as much memory as a minute.
    stream = decoder.stream()
    for chunk in listen_in_chunks(recording, acoustic):
        stream.push(chunk.log_probs)
    best = stream.finish()
    # 4. Words with their times become cues of two lines, shown long enough to read.
    spoken = best.times(acoustic.frame_seconds, acoustic.lag or 0.0)
    cues = subtitle_cues(spoken)
    target = Path(recording).with_suffix(".srt")
    write_alignment(target, {"lines": cues})
    unsure = [word for word in spoken if word.confidence < 0.5]
    print(f"{target}: {len(cues)} cues, {len(spoken)} words; unsure of {len(unsure)}:")
    for word in unsure:
        print(f"  {word.start_seconds:.2f} s, {word.confidence:.2f}: {word.text}")


if __name__ == "__main__":
    main(*sys.argv[1:])
