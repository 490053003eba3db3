// The numbers as a table, and the gradient as bars.

import { MANY_ROWS, colors, prepared } from "./canvas.js";
import { byId, element } from "./dom.js";
import { formatProb, formatScore } from "./format.js";

const QUANTITIES = { alpha: "α", beta: "β", occupancy: "γ" };
const MOST_CELLS = 40_000;

/** The numbers of the current quantity, made only when the table is open. */
export function renderTable(store) {
  const details = byId("numbers");
  if (!details.open) return;
  const box = details.querySelector(".tablebox");
  const { lattice, quantity, scale } = store;
  if (store.count * lattice.states > MOST_CELLS) {
    box.textContent = `${store.count} × ${lattice.states} numbers are too many for a table.`;
    return;
  }
  const written = (value) => formatScore(quantity === "occupancy" ? Math.log(value) : value, scale);
  const table = element("table");
  const caption = `${QUANTITIES[quantity]}, ${scale}: states by frames; then p, the output of the network`;
  table.append(element("caption", caption, "hidden"));
  const head = table.createTHead().insertRow();
  const cell = (parent, tag, text, scope) => {
    const made = element(tag, String(text));
    if (scope) made.scope = scope;
    parent.append(made);
  };
  const log = scale === "log" ? "log " : "";
  cell(head, "th", log + QUANTITIES[quantity], "col");
  for (let t = 0; t < store.count; t++) cell(head, "th", t, "col");
  const body = table.createTBody();
  lattice.labels.forEach((label, s) => {
    const row = body.insertRow();
    cell(row, "th", `${s}: ${store.name(label)}`, "row");
    for (let t = 0; t < store.count; t++) cell(row, "td", written(lattice[quantity][t][s]));
  });
  for (const c of store.rows) {
    const row = body.insertRow();
    cell(row, "th", `${log}p(${store.name(c)})`, "row");
    for (let t = 0; t < store.count; t++) cell(row, "td", formatScore(store.logProbs[t][c], scale));
  }
  box.replaceChildren(table);
}

const GRADIENT_ROW = 24;

export function renderGradient(store, width) {
  const canvas = byId("gradient-canvas");
  const { rows, gradient } = store;
  const height = rows.length > MANY_ROWS ? GRADIENT_ROW * 0.7 : GRADIENT_ROW;
  const context = prepared(canvas, Math.max(1, store.count * width), rows.length * height);
  const ink = colors();
  const most = Math.max(1e-12, ...gradient.map((frame) => Math.max(...rows.map((c) => Math.abs(frame[c])))));
  const scale = Math.max(most, 0.02);
  const gap = width > 12 ? 1.5 : 0.5;
  rows.forEach((c, row) => {
    const middle = (row + 0.5) * height;
    context.fillStyle = ink.rule;
    context.fillRect(0, middle - 0.5, store.count * width, 1);
    gradient.forEach((frame, t) => {
      const high = (frame[c] / scale) * (height / 2 - 1);
      if (Math.abs(high) < 0.15) return;
      context.fillStyle = high > 0 ? ink.over : ink.accent;
      context.fillRect(t * width + gap, high > 0 ? middle - high : middle, width - 2 * gap, Math.abs(high));
    });
  });
  const names = rows.map((c) => {
    const name = element("span", store.name(c), c === store.blank ? "blank" : "");
    name.style.height = `${height}px`;
    return name;
  });
  byId("gradient-names").replaceChildren(...names);
  byId("gradient-scale").textContent = store.lattice.feasible ? `A full bar is ${formatProb(scale)}.` : "";
  const square = Math.sqrt(gradient.reduce((sum, frame) => frame.reduce((a, g) => a + g * g, sum), 0));
  canvas.setAttribute("aria-label", `The gradient for each class and frame; its norm is ${formatProb(square)}.`);
}
