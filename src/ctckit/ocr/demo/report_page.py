"""The text of the demo's report, which :mod:`ctckit.ocr.demo.report` fills."""

BODY = """<header>
<h1>Handwritten digit strings, read by CTC</h1>
<p>A small CRNN was trained on strings composed of real handwritten digits. Then it read $count held-out strings, whose
digits were not in the training data.</p>
$tiles
</header>

<h2>Training</h2>
<p class="quiet">Horizontal axis: optimizer steps. Each batch has new strings, which are distorted more than the
held-out strings. So their error rate stays higher.</p>
<div class="curves">$curves</div>

<h2>Ten lines and their trellises</h2>
<p class="quiet">The first ten held-out strings, without selection. Shaded columns: the frames of each digit. Below: one
row for each state of the lattice (– is the blank), and one column for each frame, under its pixels. A darker cell means
a more likely state. The line is the best path.</p>
$readings

<h2>Which digits are confused</h2>
<p class="quiet">Rows: the truth. Columns: the reading. “None” counts deleted and inserted digits.</p>
<div class="plate">$confusion</div>

<h2>Errors</h2>
<p class="quiet">Strings with at least one error: the truth above the reading.</p>
$errors

<footer>Made by <code>ctckit demo</code>. Digits: Optical Recognition of Handwritten Digits
(UCI, E. Alpaydin and C. Kaynak), 0–1436 for training, 1437–1796 for the held-out strings.</footer>
"""
