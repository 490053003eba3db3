"""The style sheet of all reports, for light and dark screens, wide and narrow ones."""

STYLE = """
:root {
  --page: #faf9f6; --card: #ffffff; --ink: #20242b; --quiet: #6c727d; --rule: #e6e4de; --field: #f3f2ee;
  --accent: #2f6fb7; --blank: #9aa3b0; --path: #d2691e; --bad: #c0392b; --good: #dfe9df; --wrong: #fbe9e6;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #15181d; --card: #1c2027; --ink: #e4e6ea; --quiet: #969da9; --rule: #2c323b; --field: #232830;
    --accent: #6fa8e8; --blank: #7b8594; --path: #f0a35e; --bad: #ff8a7a; --good: #2a3a2f; --wrong: #40262a;
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
.curves { display: grid; gap: .8rem; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); }
.curves figure, .card, .plate { background: var(--card); border: 1px solid var(--rule); border-radius: 10px;
  padding: 1rem; }
.curves svg { width: 100%; height: auto; }
.card { margin: 0 0 .9rem; }
.card figcaption { display: flex; flex-wrap: wrap; gap: .3rem 1rem; align-items: baseline; margin-bottom: .5rem;
  overflow-wrap: anywhere; }
.card figcaption b { font-size: 1.25rem; }
.card figcaption .quiet { font-size: .85rem; margin-left: auto; font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; }
.scroll svg { display: block; }
audio { display: block; width: 100%; max-width: 28rem; margin-top: .6rem; }
.digits { font-family: ui-monospace, "SF Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace; letter-spacing: .06em; }
.bad { color: var(--bad); font-size: .9rem; }
.plate { display: inline-block; max-width: 100%; overflow-x: auto; }
.errors { display: grid; gap: .8rem; grid-template-columns: repeat(auto-fill, minmax(14rem, 1fr)); }
.error { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; padding: .8rem; }
.error img { display: block; max-width: 100%; height: auto; border-radius: 4px; margin-bottom: .5rem; }
.error figcaption { font-size: .95rem; line-height: 1.5; }
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
.line img { display: block; max-width: none; border-radius: 4px; }
.pair { display: flex; gap: .8rem; margin-top: .7rem; }
.rows { display: flex; flex-direction: column; color: var(--quiet); font-size: .8rem; }
.rows span, .aligned i, .aligned mark { display: block; height: 1.6rem; line-height: 1.6rem; }
.aligned { display: flex; flex-wrap: wrap; row-gap: .5rem; min-width: 0; overflow-x: auto; }
.aligned > span { display: inline-block; text-align: center; white-space: pre; }
.aligned i { font-style: normal; }
.aligned i + i { color: var(--quiet); }
.aligned .wrong { background: var(--wrong); border-radius: 3px; padding: 0 1px; }
.aligned mark { text-decoration: none; }
.card div + figcaption { margin: .7rem 0 0; font-size: .85rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; width: 100%; max-width: 52rem; }
th { color: var(--quiet); font-weight: 500; font-size: .85rem; }
th, td { padding: .28rem .6rem .28rem 0; text-align: right; border-bottom: 1px solid var(--rule); white-space: nowrap; }
.name { text-align: left; white-space: normal; overflow-wrap: anywhere; min-width: 6rem; }
.character { text-align: left; width: 4.5rem; }
td.character { font-size: 1.05rem; }
.bar { width: 25%; min-width: 3rem; padding-right: 0; }
.confusions .bar { width: 60%; }
.bar span { display: block; height: .55rem; border-radius: 3px; background: var(--accent); opacity: .75; }
.unknown b { font-weight: 620; }
.details { font-size: .9rem; padding-left: 1.2rem; overflow-wrap: anywhere; }
summary { cursor: pointer; margin: .8rem 0 .3rem; color: var(--quiet); }
svg .share { fill: var(--accent); fill-opacity: .55; }
svg .said { stroke: var(--ink); stroke-width: 2; }
svg .count { fill: var(--blank); }
@media (max-width: 30rem) {
  main { padding: 1.6rem 1rem 3rem; }
  h2 { margin-top: 2.2rem; }
  th, td { padding-right: .45rem; }
  .rates .bar { display: none; }
}
footer { margin-top: 3.5rem; padding-top: 1rem; border-top: 1px solid var(--rule); color: var(--quiet);
  font-size: .85rem; }
"""
