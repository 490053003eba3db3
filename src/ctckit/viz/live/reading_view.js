// The collapse: for the greedy path and for the best path, the class of each frame, what merges, what remains.

import { collapse } from "./search.js";
import { colors, prepared, roundedBar } from "./canvas.js";

const PATH_ROW = 26;
const TEXT_ROW = 30;
const SPACE = 12;

/** Runs of equal classes: {c, first, behind}. */
export function runsOf(path) {
  const runs = [];
  path.forEach((c, t) => {
    if (t > 0 && c === path[t - 1]) runs[runs.length - 1].behind = t + 1;
    else runs.push({ c, first: t, behind: t + 1 });
  });
  return runs;
}

export function renderReading(store, width) {
  const canvas = document.getElementById("reading-canvas");
  const { lattice, blank } = store;
  const paths = [["greedy", store.greedy, "accent"]];
  if (lattice.feasible && store.count) paths.push(["best path", lattice.path.map((s) => lattice.labels[s]), "path"]);
  const block = PATH_ROW + TEXT_ROW + SPACE;
  const context = prepared(canvas, Math.max(1, store.count * width), paths.length * block - SPACE);
  const ink = colors();
  paths.forEach(([, path, color], n) => drawPath(context, store, runsOf(path), n * block, width, ink, ink[color]));
  const names = paths.map(([name], n) => {
    const label = document.createElement("span");
    label.className = "sans";
    label.textContent = name;
    label.style.height = `${PATH_ROW}px`;
    label.style.marginBottom = n + 1 < paths.length ? `${block - PATH_ROW}px` : 0;
    label.style.whiteSpace = "normal";
    return label;
  });
  document.getElementById("reading-names").replaceChildren(...names);
  const told = paths.map(([name, path]) => {
    const text = collapse(path, blank).map((c) => store.name(c)).join(" ") || "nothing";
    return `${name}: ${path.map((c) => store.name(c)).join(" ")} collapses to ${text}.`;
  });
  canvas.setAttribute("aria-label", told.join(" "));
}

function drawPath(context, store, runs, top, width, ink, color) {
  for (const { c, first, behind } of runs) {
    const [x, wide] = [first * width + 1, (behind - first) * width - 2];
    const isBlank = c === store.blank;
    context.globalAlpha = isBlank ? 1 : 0.16;
    context.fillStyle = isBlank ? ink.field : color;
    roundedBar(context, x, top + 1, wide, PATH_ROW - 2, 6);
    context.globalAlpha = 1;
    context.fillStyle = isBlank ? ink.blank : ink.ink;
    context.font = `${width < 14 ? 10 : 13}px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace`;
    for (let t = first; t < behind; t++) {
      if (width >= 10 || t === first) context.fillText(store.name(c), (t + 0.5) * width, top + PATH_ROW / 2 + 0.5);
    }
    if (isBlank) continue;
    const middle = ((first + behind) / 2) * width;
    context.strokeStyle = color;
    context.globalAlpha = 0.5;
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(middle, top + PATH_ROW);
    context.lineTo(middle, top + PATH_ROW + 7);
    context.stroke();
    context.globalAlpha = 1;
    context.fillStyle = ink.ink;
    context.font = `650 ${width < 14 ? 12 : 17}px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace`;
    context.fillText(store.name(c), middle, top + PATH_ROW + 18);
  }
}
