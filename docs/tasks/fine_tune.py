"""Fine-tune a pretrained recognizer on 200 lines, and measure what that gave.

python fine_tune.py [LINES OTHERS [START [EPOCHS]]]

LINES and OTHERS are folders with images of lines, NAME.png or .jpg, and their texts,
NAME.gt.txt. The model is trained on LINES, and reads OTHERS before and after. Without
folders, handwritten digits from the package take their place.
"""

import sys
from pathlib import Path

from PIL import Image

from ctckit.ocr import FitConfig, Recognizer, StartConfig, evaluate_model, fit_lines
from ctckit.ocr.data.synthetic import compose_strings, load_digit_slice


def write_digits(folder: str, part: str, count: int) -> None:
    """Write lines of handwritten digits, as a data set to try this with."""
    Path(folder).mkdir()
    for n, line in enumerate(compose_strings(load_digit_slice(part), count, seed=0)):
        Image.fromarray(line.image).save(f"{folder}/{n}.png")
        Path(f"{folder}/{n}.gt.txt").write_text(line.text, encoding="utf-8")


def report(when: str, model: str, others: str) -> None:
    """Read lines that the training has not seen, and print the error rates."""
    found = evaluate_model(Recognizer.load(model), others)
    wrong, right = f"{found.cer:.1%} of the characters", f"{found.exact:.1%} of the lines"
    print(f"{when}: {wrong} are wrong, {right} are right")


def main(
    lines: str = "", others: str = "", start: str = "ppocr-v6-small", epochs: str = "10"
) -> None:
    """Read, train, read again."""
    if not lines:
        lines, others = "digits-to-learn", "digits-to-read"
        write_digits(lines, "train", 200)
        write_digits(others, "test", 100)
    report("before", start, others)
    config = FitConfig(start=StartConfig(start), epochs=int(epochs), validation=0.1)
    result = fit_lines(lines, "model", config=config)
    print(f"trained for {result.record.seconds / 60:.1f} minutes; the model is in model/")
    report("after", "model", others)


if __name__ == "__main__":
    main(*sys.argv[1:])
