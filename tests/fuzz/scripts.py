"""Random words in many scripts, in every encoding that Unicode allows for them."""

import unicodedata

FORMS = ("NFC", "NFD")


def points(*ranges):
    """Return the assigned code points of ranges such as (0x0915, 0x0939), or of single numbers."""
    numbers = [n for each in ranges for n in (range(each[0], each[1] + 1) if isinstance(each, tuple) else (each,))]
    return [chr(n) for n in numbers if unicodedata.category(chr(n)) != "Cn"]


# The letters of a script and the marks that follow them. Some letters have no composed form, some no decomposed one,
# and some grow when their case is changed.
SCRIPTS = {
    "Latin": ([*"aeiouynszAEOUNßıİŉǰẞœæøłđħſÅK"], points((0x0300, 0x030C), 0x0323, 0x0327, 0x0328)),
    "ligatures": ([*"fils", *points((0xFB00, 0xFB06), 0x01C6, 0x0133, 0x1E9A)], points(0x0301)),
    "Vietnamese": ([*"aăâeêioôơuưyđĐƠƯ"], points(0x0300, 0x0301, 0x0303, 0x0309, 0x0323)),
    "Greek": ([*"αεηιουωςσΑΩΐΰΣ\u2126"], points(0x0301, 0x0308, 0x0313, 0x0314, 0x0342)),
    "Cyrillic": ([*"аеигкуйёўЙЁ"], points(0x0306, 0x0308, 0x0300)),
    "Hangul": (points((0xAC00, 0xAC40), (0xD780, 0xD7A3)), []),
    "Hangul letters": (points((0x1100, 0x1105)), points((0x1161, 0x1165), (0x11A8, 0x11AC))),
    "kana": ([*"かきくはひふカハウヽがぱ"], points(0x3099, 0x309A)),
    "Devanagari": (points((0x0915, 0x0939), (0x0958, 0x095F)), points(0x0901, 0x0902, 0x093C, (0x093E, 0x094D))),
    "Bengali": (points((0x0995, 0x09A8), 0x09DC, 0x09DD), points(0x09BC, 0x09BE, 0x09C7, 0x09CB, 0x09CD, 0x09D7)),
    "Tamil": (points((0x0B95, 0x0BB9)), points(0x0BBE, 0x0BC6, 0x0BC7, (0x0BCA, 0x0BCD), 0x0BD7)),
    "Kannada": (points((0x0C95, 0x0CA8)), points(0x0CBF, 0x0CC0, 0x0CC2, 0x0CC6, 0x0CC7, 0x0CCA, 0x0CCB, 0x0CD5)),
    "Arabic": (points((0x0621, 0x063A), 0xFEFB, 0xFDF2), points((0x064B, 0x0655), 0x0670)),
    "Hebrew": (points((0x05D0, 0x05EA), 0xFB1D, (0xFB2A, 0xFB2E)), points((0x05B0, 0x05BC), 0x05C1, 0x05C2)),
    "Thai": (points((0x0E01, 0x0E2E), 0x0E33), points(0x0E31, (0x0E34, 0x0E3A), (0x0E47, 0x0E4D))),
    "Myanmar": (points((0x1000, 0x1010), 0x1025, 0x1026), points(0x102E, 0x1037, 0x1039, 0x103A)),
    "Tibetan": (points((0x0F40, 0x0F4F)), points(0x0F72, 0x0F73, 0x0F75, 0x0F80, 0x0F81)),
    "Chinese": (points((0x4E00, 0x4E20), (0xF900, 0xF910)), []),
    "emoji": ([*"👍❤✋1#"], ["\ufe0f", "\u20e3", "🏽", "\u200d❤"]),
}


def random_words(rng, scripts=None):
    """Return a few words, mostly of one script, as lists of letters with their marks."""
    names = list(SCRIPTS) if scripts is None else scripts
    own = str(rng.choice(names))
    words = []
    for _ in range(rng.integers(1, 5)):
        script = own if rng.random() < 0.8 else str(rng.choice(names))
        words.append([random_letter(rng, *SCRIPTS[script]) for _ in range(rng.integers(1, 6))])
    return words


def random_letter(rng, letters, marks):
    """Return a letter with marks. Marks whose order has no meaning are in Unicode's order."""
    count = rng.choice([0, 1, 2, 3, 7], p=[0.5, 0.3, 0.14, 0.05, 0.01]) if marks else 0
    found = letters[rng.integers(len(letters))] + "".join(marks[rng.integers(len(marks))] for _ in range(count))
    in_order = encoded(found, "NFD") == "".join(encoded(point, "NFD") for point in found)
    return found if in_order else encoded(found, "NFC")


def mixed(rng, words):
    """Return words whose letters are encoded in one way here and in another there."""
    forms = (*FORMS, "as it is")
    return [[encoded(letter, forms[rng.integers(3)]) for letter in word] for word in words]


def encoded(text, form):
    return unicodedata.normalize(form, text) if form in FORMS else text


def equivalent(rng, words):
    """Return one text in several encodings: composed, decomposed, mixed, as it was made."""
    texts = [" ".join(map("".join, each)) for each in (words, mixed(rng, words), mixed(rng, words))]
    return list(dict.fromkeys([*texts, *(encoded(texts[0], form) for form in FORMS)]))
