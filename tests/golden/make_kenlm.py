"""Asks KenLM itself: writes binary files to the folder kenlm, and KenLM's scores to kenlm/scores.json.xz.

Needs KenLM's programs lmplz and build_binary in the PATH, and the package kenlm, all of version 0.3.0 (the package's
source archive builds the programs with cmake):

    python tests/golden/make_kenlm.py
"""

import json
import lzma
import random
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
OUT = HERE / "kenlm"

TEXT = """
Sing a song of sixpence a pocket full of rye
four and twenty blackbirds baked in a pie
when the pie was opened the birds began to sing
was not that a dainty dish to set before the king
the king was in his counting house counting out his money
the queen was in the parlour eating bread and honey
the maid was in the garden hanging out the clothes
when down came a blackbird and pecked off her nose
Sing a song of sixpence the birds began to sing
the king was in the garden eating bread and honey
the queen was in his counting house counting out his money
when the pie was opened down came a blackbird
the maid was in the parlour and pecked off her nose
Über den Wolken ist die Straße naïve und der Himmel grau
im Café ist der Himmel über den Wolken grau
die Straße ist über der Stadt und der Himmel ist grau
東京 は 夜 です 東京 の 夜 は
夜 の 東京 は 夜 です
the king and the queen and the maid
a pie and a pocket full of bread
The King Was in the garden The Queen Was in the parlour
"""

KINDS = {
    "probing": ["probing"],
    "rest": ["-r", "LOWER", "probing"],
    "trie": ["trie"],
    "quantized": ["-q", "6", "-b", "5", "trie"],
    "array": ["-a", "255", "trie"],
    "quantized_array": ["-q", "5", "-b", "6", "-a", "3", "trie"],
}
STRANGE = ["<unk>", "<UNK>", "<s>", "</s>", "never", "KING", "strasse", "京", ""]
LINES = 40


def run(*command):
    """Run a program."""
    subprocess.run(list(map(str, command)), check=True, capture_output=True)


def train(lines, order, arpa):
    """Write the ARPA file of KenLM's lmplz."""
    text = arpa.with_suffix(".txt")
    text.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    run("lmplz", "-o", order, "--discount_fallback", "-S", "200M", "--text", text, "--arpa", arpa)


def truncated(arpa, order, out):
    """Write the n-grams up to an order: files of lower order, as files with rest costs need."""
    kept, section = [], 0
    for line in arpa.read_text(encoding="utf-8").splitlines():
        if line.startswith("\\") and line.endswith("-grams:"):
            section = int(line[1:-7])
        if section > order:
            break
        if not line.startswith("ngram ") or int(line[6:].partition("=")[0]) <= order:
            columns = line.split("\t")
            kept.append("\t".join(columns[:2]) if section == order else line)
    out.write_text("\n".join([*kept, "\\end\\", ""]), encoding="utf-8")


def build(arpa, name, options, folder):
    """Write one binary file."""
    order = arpa.read_text(encoding="utf-8").split("\\1-grams:")[0].count("ngram ")
    lower = [folder / f"lower{n}.arpa" for n in range(1, order)]
    for n, path in enumerate(lower, 1):
        truncated(arpa, n, path)
    filled = [" ".join(map(str, lower)) if each == "LOWER" else each for each in options]
    run("build_binary", *filled, arpa, OUT / name)


def questions(entries):
    """Return random lines: entries of the model, some n-grams of the text, and strange words."""
    draw = random.Random(1)
    words = sorted({entry for line in entries for entry in line.split()})
    lines = []
    for _ in range(LINES):
        line = []
        while len(line) < draw.randrange(1, 12):
            source = draw.choice(entries).split()
            at = draw.randrange(len(source))
            line += draw.choice([source[at : at + 5], [draw.choice(words)], [draw.choice(STRANGE)]])
        lines.append(" ".join(line))
    return lines


def scores(path, lines):
    """Return (log10, length of the n-gram, unknown) of each word of each line, with <s> and </s> and without them."""
    import kenlm

    model = kenlm.Model(str(path))
    return [[list(map(list, model.full_scores(line, bos=bos, eos=bos))) for bos in (True, False)] for line in lines]


def main():
    """Write all files."""
    OUT.mkdir(exist_ok=True)
    for old in OUT.iterdir():
        old.unlink()
    words = TEXT.split("\n")[1:-1]
    characters = [" ".join("|" if each == " " else each for each in line) for line in words[:6]]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        models = {"word3": (words, 3), "word4": (words[:14], 4), "char4": (characters, 4)}
        asked = {}
        for model, (lines, order) in models.items():
            arpa = OUT / f"{model}.arpa"
            train(lines, order, folder / arpa.name)
            arpa.write_bytes((folder / arpa.name).read_bytes())
            asked[model] = {"lines": questions(lines), "files": {}}
            for kind, options in KINDS.items():
                if model == "char4" and kind not in ("probing", "quantized_array"):
                    continue
                build(arpa, f"{model}.{kind}.bin", options, folder)
                if model == "word3" and kind in ("probing", "trie"):
                    build(arpa, f"{model}.{kind}.nowords.bin", ["-v", *options], folder)
        # Without <unk>, KenLM gives it log10 p = −100. A model of two orders has no n-grams between.
        bare = OUT / "bare2.arpa"
        truncated(OUT / "word3.arpa", 2, bare)
        text = bare.read_text(encoding="utf-8").splitlines()
        kept = [line for line in text if "<unk>" not in line]
        count = next(line for line in kept if line.startswith("ngram 1="))
        kept[kept.index(count)] = f"ngram 1={int(count[8:]) - 1}"
        bare.write_text("\n".join([*kept, ""]), encoding="utf-8")
        asked["bare2"] = {"lines": questions(words), "files": {}}
        for kind in ("probing", "trie", "quantized_array"):
            build(bare, f"bare2.{kind}.bin", KINDS[kind], folder)
        for model, found in asked.items():
            for path in sorted(OUT.glob(f"{model}.*.bin")):
                found["files"][path.name] = scores(path, found["lines"])
    answers = json.dumps(asked, ensure_ascii=False, separators=(",", ":"))
    (OUT / "scores.json.xz").write_bytes(lzma.compress(answers.encode(), preset=9))


if __name__ == "__main__":
    main()
