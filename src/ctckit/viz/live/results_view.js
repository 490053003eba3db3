// The results in words and figures: tiles, why there is no path, the beam, the table of numbers.

import { adjacentRepeats, framesNeeded } from "./ctc.js";
import { colours, prepared } from "./canvas.js";
import { formatExp, formatLog, formatProb, formatScore, plural } from "./format.js";
import { decode } from "./posteriors.js";
import { tokensOf } from "./search.js";

const SHOWN_BEAMS = 8;

function show(id, text) {
  document.getElementById(id).textContent = text;
}

export function renderTiles(store) {
  const { lattice } = store;
  show("loss", formatLog(lattice.total === 0 ? 0 : -lattice.total, 4));
  show("prob", formatExp(lattice.total));
  show("share", lattice.feasible ? `${(100 * Math.exp(lattice.pathLogProb - lattice.total)).toFixed(1)} %` : "–");
  show("needed", `${store.needed} / ${store.count}`);
  const wanted = decode(store.target, store.names);
  for (const [id, text] of [["greedy", store.greedyText], ["best", store.bestText]]) {
    const box = document.getElementById(id);
    const mark = document.createElement("span");
    mark.className = text === wanted ? "yes" : "no";
    mark.textContent = text === null ? "…" : text === wanted ? " ✓" : "";
    box.replaceChildren(text === "" ? "(empty)" : (text ?? ""), mark);
    box.title = text ?? "";
  }
}

/** Why the target cannot be emitted, with its arithmetic; null where it can. */
export function whyInfeasible(store) {
  const { lattice, target, count } = store;
  if (lattice.feasible) return null;
  const repeats = adjacentRepeats(target);
  const needed = framesNeeded(target);
  if (count < needed) {
    const pairs = target.flatMap((c, n) => (n > 0 && c === target[n - 1] ? [store.name(c) + store.name(c)] : []));
    const blanks = repeats ? ` + ${plural(repeats, "blank")} between equal neighbours (${pairs.join(", ")})` : "";
    return `No path. ${plural(target.length, "token")}${blanks} = ${plural(needed, "frame")} needed, ${count} there: the loss is ∞ and the gradient 0.`;
  }
  return "No path: each one passes a class whose probability is 0 in its frame. The loss is ∞ and the gradient 0.";
}

export function renderProblems(store) {
  const infeasible = document.getElementById("infeasible");
  const why = whyInfeasible(store);
  infeasible.hidden = !why;
  infeasible.textContent = why ?? "";
  const problem = document.getElementById("problem");
  const unknown = store.unknown.map((character) => `“${character}”`).join(", ");
  problem.hidden = !store.unknown.length;
  const known = store.names.filter((name, c) => c !== store.blank && name !== "…").slice(0, 40).join(" ");
  problem.textContent = store.unknown.length ? `This network has no class for ${unknown}: left out. It knows: ${known}` : "";
}

export function renderBeams(store) {
  const list = document.getElementById("beams-list");
  const beam = store.beams[store.frame];
  const note = document.getElementById("beams-note");
  if (!beam) {
    note.textContent = store.count ? "Searching …" : "";
    list.replaceChildren();
    return;
  }
  note.textContent = `The likeliest texts after frame ${store.frame}, with their log p. Blue: ends in its last token; grey: in a blank.`;
  const wanted = store.target.join();
  list.replaceChildren(
    ...beam.slice(0, SHOWN_BEAMS).map((entry) => {
      const tokens = tokensOf(entry.text);
      const item = document.createElement("li");
      item.className = tokens.join() === wanted ? "target" : "";
      const text = document.createElement("b");
      const inner = document.createElement("bdi");
      inner.textContent = decode(tokens, store.names) || "(empty)";
      text.append(inner);
      const number = document.createElement("span");
      number.className = "number";
      number.textContent = formatLog(entry.total);
      item.append(text, curve(store, entry.text), number, mass(entry, beam[0].total));
      return item;
    }),
  );
}

/** Its mass relative to the best, split by how its alignments end. */
function mass(entry, best) {
  const bar = document.createElement("span");
  bar.className = "mass";
  for (const part of [entry.token, entry.blank]) {
    const piece = document.createElement("i");
    piece.style.width = `${100 * Math.exp(part - best)}%`;
    bar.append(piece);
  }
  return bar;
}

/** How its share of the beam came and went, frame by frame. */
function curve(store, text) {
  const canvas = document.createElement("canvas");
  canvas.setAttribute("aria-hidden", "true");
  const [width, height] = [83, 18];
  const context = prepared(canvas, width, height);
  const ink = colours();
  context.strokeStyle = ink.accent;
  context.lineWidth = 1.3;
  context.beginPath();
  const count = store.count;
  for (let t = 0; t < count; t++) {
    const beam = store.beams[t] ?? [];
    const found = beam.find((entry) => entry.text === text);
    const share = found ? Math.exp(found.total - beam[0].total) : 0;
    context.lineTo((t / Math.max(1, count - 1)) * (width - 2) + 1, height - 2 - share * (height - 4));
  }
  context.stroke();
  if (store.cursor < count) {
    context.fillStyle = ink.path;
    context.fillRect((store.frame / Math.max(1, count - 1)) * (width - 2), 0, 1, height);
  }
  return canvas;
}

const QUANTITIES = { alpha: "α", beta: "β", occupancy: "γ" };
const MOST_CELLS = 40_000;

/** The numbers of what is shown, made only when they are asked for. */
export function renderTable(store) {
  const details = document.getElementById("numbers");
  if (!details.open) return;
  const box = details.querySelector(".tablebox");
  const { lattice, quantity, scale } = store;
  if (store.count * lattice.states > MOST_CELLS) {
    box.textContent = `${store.count} × ${lattice.states} numbers are too many for a table.`;
    return;
  }
  const written = quantity === "occupancy" ? (value) => (scale === "log" ? formatLog(Math.log(value)) : formatProb(value)) : (value) => formatScore(value, scale);
  const table = document.createElement("table");
  table.createCaption().textContent = `${QUANTITIES[quantity]}, ${scale}: states by frames; then what the network says`;
  table.createCaption().className = "hidden";
  const head = table.createTHead().insertRow();
  const cell = (parent, tag, text, scope) => {
    const made = document.createElement(tag);
    made.textContent = text;
    if (scope) made.scope = scope;
    parent.append(made);
  };
  cell(head, "th", QUANTITIES[quantity], "col");
  for (let t = 0; t < store.count; t++) cell(head, "th", t, "col");
  const body = table.createTBody();
  lattice.labels.forEach((label, s) => {
    const row = body.insertRow();
    cell(row, "th", `${s}: ${store.name(label)}`, "row");
    for (let t = 0; t < store.count; t++) cell(row, "td", written(lattice[quantity][t][s]));
  });
  for (const c of store.rows) {
    const row = body.insertRow();
    cell(row, "th", `p(${store.name(c)})`, "row");
    for (let t = 0; t < store.count; t++) cell(row, "td", formatScore(store.logProbs[t][c], scale));
  }
  box.replaceChildren(table);
}

const GRADIENT_ROW = 24;

export function renderGradient(store, width) {
  const canvas = document.getElementById("gradient-canvas");
  const { rows, gradient } = store;
  const context = prepared(canvas, Math.max(1, store.count * width), rows.length * GRADIENT_ROW);
  const ink = colours();
  const most = Math.max(1e-12, ...gradient.map((frame) => Math.max(...rows.map((c) => Math.abs(frame[c])))));
  const scale = Math.max(most, 0.02);
  const gap = width > 12 ? 1.5 : 0.5;
  rows.forEach((c, row) => {
    const middle = (row + 0.5) * GRADIENT_ROW;
    context.fillStyle = ink.rule;
    context.fillRect(0, middle - 0.5, store.count * width, 1);
    gradient.forEach((frame, t) => {
      const high = (frame[c] / scale) * (GRADIENT_ROW / 2 - 1);
      if (Math.abs(high) < 0.15) return;
      context.fillStyle = high > 0 ? ink.over : ink.accent;
      context.fillRect(t * width + gap, high > 0 ? middle - high : middle, width - 2 * gap, Math.abs(high));
    });
  });
  const names = rows.map((c) => {
    const name = document.createElement("span");
    name.textContent = store.name(c);
    name.style.height = `${GRADIENT_ROW}px`;
    name.className = c === store.blank ? "blank" : "";
    return name;
  });
  document.getElementById("gradient-names").replaceChildren(...names);
  show("gradient-scale", store.lattice.feasible ? `Half a row is ${formatProb(scale)}.` : "");
  const square = Math.sqrt(gradient.reduce((sum, frame) => frame.reduce((a, g) => a + g * g, sum), 0));
  canvas.setAttribute("aria-label", `The gradient for each class and frame; its norm is ${formatProb(square)}.`);
}

