"""The page of the report: the HTML and CSS that :mod:`ctckit.ocr.demo.report` fills."""

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>ctckit demo report</title>
<style>
:root {
  --page: #faf9f6; --card: #ffffff; --ink: #20242b; --quiet: #6c727d; --rule: #e6e4de; --field: #f3f2ee;
  --accent: #2f6fb7; --blank: #9aa3b0; --path: #d2691e; --bad: #c0392b; --good: #dfe9df;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #15181d; --card: #1c2027; --ink: #e4e6ea; --quiet: #969da9; --rule: #2c323b; --field: #232830;
    --accent: #6fa8e8; --blank: #7b8594; --path: #f0a35e; --bad: #ff8a7a; --good: #2a3a2f;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.55 system-ui, -apple-system, "Segoe UI",
  Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 3rem 1.5rem 4rem; }
h1 { font-size: 1.9rem; font-weight: 650; letter-spacing: -.01em; margin: 0 0 .4rem; }
h2 { font-size: 1.2rem; font-weight: 620; margin: 3.2rem 0 .3rem; }
p { margin: .2rem 0 1rem; max-width: 44rem; }
.quiet, header p { color: var(--quiet); }
.tiles { list-style: none; margin: 1.8rem 0 0; padding: 0; display: grid; gap: .8rem;
  grid-template-columns: repeat(auto-fit, minmax(7.4rem, 1fr)); }
.tiles li { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; padding: .9rem .85rem; }
.tiles b { display: block; font-size: 1.25rem; font-weight: 620; font-variant-numeric: tabular-nums; }
.tiles span { color: var(--quiet); font-size: .85rem; }
figure { margin: 0; }
.curves { display: grid; gap: .8rem; grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr)); }
.curves figure, .card, .plate { background: var(--card); border: 1px solid var(--rule); border-radius: 10px;
  padding: 1rem; }
.curves svg { width: 100%; height: auto; }
.card { margin: 0 0 .9rem; }
.card figcaption { display: flex; flex-wrap: wrap; gap: .3rem 1rem; align-items: baseline; margin-bottom: .5rem; }
.card figcaption b { font-size: 1.25rem; }
.card figcaption .quiet { font-size: .85rem; margin-left: auto; font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; }
.scroll svg { display: block; }
.digits { font-family: ui-monospace, "SF Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace; letter-spacing: .06em; }
.bad { color: var(--bad); font-size: .9rem; }
.plate { display: inline-block; max-width: 100%; overflow-x: auto; }
.errors { display: grid; gap: .8rem; grid-template-columns: repeat(auto-fill, minmax(14rem, 1fr)); }
.error { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; padding: .8rem; }
.error img { display: block; max-width: 100%; height: auto; border-radius: 4px; margin-bottom: .5rem; }
.error figcaption { font-size: .95rem; line-height: 1.5; }
.error figcaption span { display: inline-block; width: 3.4rem; color: var(--quiet); letter-spacing: 0;
  font: .8rem system-ui, sans-serif; }
mark { background: none; color: var(--bad); font-weight: 700; text-decoration: underline; text-underline-offset: 3px; }
svg text { font: 11px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; fill: var(--ink); }
svg text.muted { fill: var(--quiet); font-size: 10px; }
svg text.title { font-size: 13px; font-weight: 600; }
svg text.read { font-size: 15px; font-weight: 650; fill: var(--accent); }
svg text.name { font-weight: 600; }
svg .rule { stroke: var(--rule); }
svg .curve { fill: none; stroke: var(--accent); stroke-width: 1.8; stroke-linejoin: round; }
svg .field { fill: var(--field); }
svg .span { fill: var(--accent); fill-opacity: .28; stroke: var(--accent); stroke-opacity: .8; }
svg .guide { stroke: var(--accent); stroke-opacity: .35; stroke-dasharray: 2 3; }
svg .token { fill: var(--accent); }
svg .blank { fill: var(--blank); }
svg .path { fill: none; stroke: var(--path); stroke-width: 1.6; stroke-linejoin: round; }
svg .wrong { fill: var(--bad); }
svg .right { fill: var(--good); fill-opacity: 1; }
svg .right-text { fill: var(--quiet); }
footer { margin-top: 3.5rem; padding-top: 1rem; border-top: 1px solid var(--rule); color: var(--quiet);
  font-size: .85rem; }
</style>
</head>
<body>
<main>
<header>
<h1>Handwritten digit strings, read by CTC</h1>
<p>A small CRNN was trained on strings composed of real handwritten digits. Then it read $count held-out strings, whose
digits were not in the training data.</p>
<ul class="tiles">$tiles</ul>
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
<p class="quiet">Strings with at least one error.</p>
$errors

<footer>Made by <code>ctckit demo</code>. Digits: scikit-learn's <code>load_digits</code> (UCI Optical Recognition of
Handwritten Digits), 0–1436 for training, 1437–1796 for the held-out strings.</footer>
</main>
</body>
</html>
"""
