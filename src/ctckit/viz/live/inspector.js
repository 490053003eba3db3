// One state explained: its three transitions with their numbers, and their sum.

import { TRANSITIONS, IMPOSSIBLE, logSum } from "./ctc.js";
import { element } from "./dom.js";
import { formatExp, formatScore } from "./format.js";
import { termsOf } from "./lattice_view.js";

/** A symbol with its frame and state: α₇(5); log α₇(5) on the log scale. */
function symbol(store, letter, t, s) {
  const log = store.scale === "log" ? "log " : "";
  return element("span", [log, element("i", letter), element("sub", String(t)), `(${s})`]);
}

function row(name, value, className = "", why = "") {
  const head = element("th", name);
  head.scope = "row";
  if (why) head.append(element("span", why, "why"));
  return element("tr", [head, element("td", value)], className);
}

export function renderInspector(store) {
  const title = document.getElementById("inspector-title");
  const body = document.getElementById("inspector-body");
  const { state } = store;
  if (!state) {
    title.textContent = "The transitions of a state";
    body.replaceChildren(element("p", "Point at a state of the lattice.", "quiet"));
    return;
  }
  const { t, s } = state;
  title.textContent = `Frame ${t}, state ${s}: ${nameOf(store, s)}`;
  const explain = { alpha: explainAlpha, beta: explainBeta, occupancy: explainOccupancy }[store.quantity];
  const hint = store.picked ? "Pinned. A second click or Escape unpins it." : "Click or Enter pins a state.";
  body.replaceChildren(...explain(store, state), element("p", hint, "quiet hint"));
}

function nameOf(store, s) {
  return store.name(store.lattice.labels[s]);
}

const NO_STATE = "there is no such state";

/** Why the skip between states `from` and `to` exists or does not exist. */
function whySkip(store, from, to) {
  if (from < 0 || to >= store.lattice.states) return NO_STATE;
  const label = store.lattice.labels[to];
  if (label === store.blank) return "a skip never leads to a blank";
  const [before, after] = [nameOf(store, from), nameOf(store, to)];
  if (store.lattice.skips[to]) return `${after} differs from ${before}: the path may skip the blank between them`;
  return `${after} follows ${before}: without the blank between them, the two would merge`;
}

function transitionRows(store, state, written) {
  const leaving = store.quantity === "beta";
  return termsOf(store, state).map(({ k, there, inside, other, value }) => {
    const name = element("span", TRANSITIONS[k], TRANSITIONS[k]);
    const where = inside ? ` ${leaving ? "to" : "from"} ${other}: ${nameOf(store, other)}` : "";
    const [first, second] = leaving ? [state.s, other] : [other, state.s];
    const why = k === 2 ? whySkip(store, first, second) : inside ? "" : NO_STATE;
    return row([name, where], there ? written(value) : "none", there ? "" : "off", why);
  });
}

function table(rows) {
  return element("table", element("tbody", rows));
}

function explainAlpha(store, { t, s }) {
  const { lattice, scale } = store;
  const written = (value) => formatScore(value, scale);
  const [times, sum] = scale === "log" ? ["+ ", "log-sum"] : ["× ", "sum"];
  const rows = [];
  if (t === 0) {
    rows.push(row("begin", written(s < 2 ? 0 : IMPOSSIBLE), "", "a path begins in one of the first two states"));
  } else {
    rows.push(...transitionRows(store, { t, s }, written));
    rows.push(row(sum, written(logSum(termsOf(store, { t, s }).map((term) => term.value))), "sum"));
  }
  rows.push(row([times, symbol(store, "p", t, nameOf(store, s))], written(lattice.emission[t][s])));
  rows.push(row(["= ", symbol(store, "α", t, s)], written(lattice.alpha[t][s]), "sum"));
  const words = "All partial paths that end here: the sum over the transitions, times the emission of this frame.";
  return [element("p", words, "quiet"), table(rows)];
}

function explainBeta(store, { t, s }) {
  const { lattice, scale } = store;
  const written = (value) => formatScore(value, scale);
  const rows = [];
  if (t === store.count - 1) {
    const ends = s >= lattice.states - 2;
    rows.push(row("end", written(ends ? 0 : IMPOSSIBLE), "", "a path ends in one of the last two states"));
  } else rows.push(...transitionRows(store, { t, s }, written));
  const sum = scale === "log" ? "log-sum = " : "sum = ";
  rows.push(row([sum, symbol(store, "β", t, s)], written(lattice.beta[t][s]), "sum"));
  const [log, times] = scale === "log" ? ["log ", " + log "] : ["", "·"];
  const next = element("span", [log, element("i", "p"), times, element("i", "β"), " of the next frame"]);
  return [element("p", ["All paths from here to the end. Each transition: ", next, "."], "quiet"), table(rows)];
}

function explainOccupancy(store, { t, s }) {
  const { lattice, scale } = store;
  if (!lattice.feasible) return [element("p", "There is no path, so no path visits this state.", "quiet")];
  const written = (value) => formatScore(value, scale);
  const [plus, minus] = scale === "log" ? ["+ ", "− log "] : ["× ", "÷ "];
  const product = lattice.alpha[t][s] + lattice.beta[t][s] - lattice.total;
  const rows = [
    row(symbol(store, "α", t, s), written(lattice.alpha[t][s])),
    row([plus, symbol(store, "β", t, s)], written(lattice.beta[t][s])),
    row([minus, "p(target)"], written(lattice.total)),
    row(["= ", symbol(store, "γ", t, s)], written(product), "sum"),
  ];
  const parts = [element("p", "The share of all paths that are in this state in this frame.", "quiet"), table(rows)];
  if (t > 0) {
    const incoming = table(transitionRows(store, { t, s }, formatExp));
    parts.push(element("p", "The share of all paths that enter by", "quiet"), incoming);
  }
  return parts;
}

