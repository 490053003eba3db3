"""What notebooks show of results: their drawings, as HTML that is escaped."""

import html

import numpy as np
import pytest

import ctckit

FRAMES = np.log(np.full((6, 3), 1 / 3))
RESULTS = {
    "lattice": lambda: ctckit.lattice(FRAMES, [1, 2]),
    "hypothesis": lambda: ctckit.BeamDecoder(["", "<b>", "&"]).decode(np.log([[0.1, 0.8, 0.1], [0.1, 0.1, 0.8]]))[0][0],
    "alignment": lambda: ctckit.forced_align(FRAMES, [1, 2])[0],
    "diagnosis": lambda: ctckit.diagnose(FRAMES[None], [[1, 2]], [6], [2]),
}


@pytest.mark.parametrize("name", RESULTS)
def test_a_notebook_shows_the_drawing(name):
    result = RESULTS[name]()
    head, _, rest = result._repr_html_().partition(">")
    body = rest.removesuffix("</pre>")
    assert head.startswith("<pre")
    assert "<" not in body
    assert html.unescape(body) == str(result)


def test_markup_in_texts_is_escaped():
    assert "&lt;b&gt;&amp;" in RESULTS["hypothesis"]()._repr_html_()


def test_a_notebook_shows_a_training():
    pytest.importorskip("torch")
    from ctckit.ocr.training.record import TrainingRecord

    record = TrainingRecord(
        steps=(10, 20),
        loss=(3.0, 0.5),
        cer=(0.9, 0.1),
        validation_steps=(10, 20),
        validation_cer=(0.8, 0.125),
        validation_exact=(0.0, 0.5),
        best_step=20,
        seconds=7.0,
        lines_per_second=90.0,
    )
    assert html.unescape(record._repr_html_()).removesuffix("</pre>").splitlines()[1:] == [
        "step 20      loss 0.5000, CER 10.00% of a training batch",
        "step 20      CER 12.50% of the validation lines; these weights are kept",
    ]
    assert str(TrainingRecord()) == "training of 0 s, 0 lines per second"
