// The collapse: for the greedy path and for the best path, the class of each frame, what merges, what remains.

import { colors, prepared, roundedBar } from "./canvas.js";
import { byId, element } from "./dom.js";
import { collapse } from "./search.js";

const PATH_ROW = 26;
const TEXT_ROW = 28;

/** Runs of equal classes: {c, first, behind}. */
export function runsOf(path) {
  const runs = [];
  path.forEach((c, t) => {
    if (t > 0 && c === path[t - 1]) runs[runs.length - 1].behind = t + 1;
    else runs.push({ c, first: t, behind: t + 1 });
  });
  return runs;
}

/** The greedy path under the bars, the best path under the lattice; each with its collapse. */
export function renderReading(store, width) {
  const { lattice, showPath } = store;
  renderPath(store, width, "reading", "greedy", store.greedy, "accent");
  const path = lattice.path.map((s) => lattice.labels[s]);
  renderPath(store, width, "best-path", "path", path, "path");
  byId("best-path").hidden = !showPath || !path.length;
}

function renderPath(store, width, id, name, path, color) {
  const canvas = byId(`${id}-canvas`);
  const context = prepared(canvas, Math.max(1, store.count * width), PATH_ROW + TEXT_ROW);
  const ink = colors();
  drawPath(context, store, runsOf(path), width, ink, ink[color]);
  const labels = [[name, PATH_ROW], ["text", TEXT_ROW]].map(([text, height]) => {
    const label = element("span", text, "sans");
    label.style.height = `${height}px`;
    return label;
  });
  byId(`${id}-names`).replaceChildren(...labels);
  const text = collapse(path, store.blank).map((c) => store.name(c)).join(" ") || "nothing";
  canvas.setAttribute("aria-label", `${name}: ${path.map((c) => store.name(c)).join(" ")} collapses to ${text}.`);
}

function drawPath(context, store, runs, width, ink, color) {
  for (const { c, first, behind } of runs) {
    const [x, wide] = [first * width + 1, (behind - first) * width - 2];
    const isBlank = c === store.blank;
    context.globalAlpha = isBlank ? 1 : 0.16;
    context.fillStyle = isBlank ? ink.field : color;
    roundedBar(context, x, 1, wide, PATH_ROW - 2, 6);
    context.globalAlpha = 1;
    context.fillStyle = isBlank ? ink.blank : ink.ink;
    context.font = `${width < 14 ? 10 : 13}px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace`;
    for (let t = first; t < behind; t++) {
      if (width >= 10 || t === first) context.fillText(store.name(c), (t + 0.5) * width, PATH_ROW / 2 + 0.5);
    }
    if (isBlank) continue;
    const middle = ((first + behind) / 2) * width;
    context.strokeStyle = color;
    context.globalAlpha = 0.5;
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(middle, PATH_ROW);
    context.lineTo(middle, PATH_ROW + 7);
    context.stroke();
    context.globalAlpha = 1;
    context.fillStyle = ink.ink;
    context.font = `650 ${width < 14 ? 12 : 17}px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace`;
    context.fillText(store.name(c), middle, PATH_ROW + 18);
  }
}
