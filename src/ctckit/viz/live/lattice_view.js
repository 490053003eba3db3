// The lattice: a dot for each state in each frame, lines for the transitions, the best path, and the arrows of one
// state.

import { TRANSITIONS, IMPOSSIBLE, arrivals, transitionOccupancy, departures, hasArrow } from "./ctc.js";
import { AXIS, cellAt, colors, drawFrameNumbers, isCompact, prepared, reveal, shadeFrames } from "./canvas.js";
import { byId, element } from "./dom.js";
import { formatExp, formatScore } from "./format.js";

const MANY = 2500; // states × frames: above, a picture of cells instead of dots and lines
const FAINTEST = 0.02;

/** The height of a row. Rows of many states are low; then only the tokens, in every other row, have names. */
export function rowHeight(states) {
  return states <= 13 ? (isCompact() ? 22 : 27) : states <= 25 ? 22 : Math.max(7, Math.floor(640 / states));
}

const NATS = 16; // of the log scale of α and β
const DECADES_OF_SHARES = 6; // of that of γ

/** A function from [t][s] to 0..1, the strength of a state in the picture. α and β are scaled in each frame. */
export function shading(store, quantity = store.quantity) {
  const { lattice, scale } = store;
  const matrix = lattice[quantity];
  if (quantity === "occupancy") return (t, s) => shareShade(matrix[t][s], scale);
  const tops = matrix.map((row) => row.reduce((a, b) => Math.max(a, b), IMPOSSIBLE));
  if (scale === "linear") return (t, s) => (matrix[t][s] > IMPOSSIBLE ? Math.exp(matrix[t][s] - tops[t]) : 0);
  return (t, s) => logShade(matrix[t][s], tops[t], NATS);
}

function shareShade(share, scale) {
  return scale === "linear" ? share : logShade(Math.log10(share), 0, DECADES_OF_SHARES);
}

function logShade(value, top, range) {
  return value === IMPOSSIBLE ? 0 : Math.max(0, Math.min(1, 1 + (value - top) / range));
}

/** Whether the playing recursion has reached frame t. */
export function reached(store, t) {
  if (store.cursor >= store.count) return true;
  return store.quantity === "alpha" ? t <= store.cursor : t >= store.cursor;
}

export class LatticeView {
  constructor(announce) {
    this.canvas = byId("lattice-canvas");
    this.names = byId("lattice-names");
    this.announce = announce;
  }

  attach(store, redraw) {
    this.store = store;
    const { canvas } = this;
    canvas.addEventListener("pointermove", (event) => this.hover(this.at(event), redraw));
    canvas.addEventListener("pointerleave", () => this.hover(null, redraw));
    canvas.addEventListener("click", (event) => {
      store.pin(this.at(event));
      redraw();
    });
    canvas.addEventListener("keydown", (event) => this.key(event, redraw));
  }

  at(event) {
    const { t, row } = cellAt(event, this.canvas, this.width, this.height);
    return this.store.has({ t, s: row }) ? { t, s: row } : null;
  }

  hover(state, redraw) {
    const before = this.store.hover;
    if (before?.t === state?.t && before?.s === state?.s) return;
    this.store.hover = state;
    redraw();
  }

  key(event, redraw) {
    const { store } = this;
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const ends = { Home: 0, End: store.count - 1 };
    if (event.key === "Escape") {
      store.picked = store.hover = null;
      return redraw();
    }
    const { t, s } = store.state ?? { t: 0, s: 0 };
    if (event.key === "Enter" && store.has({ t, s })) {
      store.hover = { t, s };
      store.pin({ t, s });
      redraw();
      return this.announce(store.picked ? `pinned: ${describeState(store, { t, s })}` : "unpinned");
    }
    let next = null;
    if (steps[event.key]) next = { t: t + steps[event.key][0], s: s + steps[event.key][1] };
    else if (event.key in ends) next = { t: ends[event.key], s };
    if (!next) return undefined;
    event.preventDefault();
    if (!store.has(next)) return undefined;
    store.picked = null;
    store.hover = next;
    redraw();
    this.reveal(next.t);
    return this.announce(describeState(store, next));
  }

  /** Scrolls a frame into view. */
  reveal(t) {
    reveal(this.canvas, t, this.width);
  }

  render(store, width) {
    this.width = width;
    this.height = rowHeight(store.lattice.states);
    const { labels } = store.lattice;
    const state = store.state;
    const small = this.height < 13;
    const names = labels.map((label, s) => {
      const name = document.createElement("span");
      name.style.height = `${this.height}px`;
      if (small && label === store.blank) return name;
      name.textContent = store.name(label);
      name.className = [label === store.blank ? "blank" : "", state?.s === s ? "on" : ""].join(" ");
      if (small) name.style.fontSize = `${Math.min(13, 2 * this.height - 3)}px`;
      return name;
    });
    names.push(element("span", "frame", "sans"));
    names[names.length - 1].style.height = `${AXIS}px`;
    this.names.replaceChildren(...names);
    const about = `${store.count} frames × ${labels.length} states`;
    this.canvas.setAttribute("aria-label", `The lattice: ${about}. The numbers are in the table below.`);
    this.draw();
  }

  x(t) {
    return (t + 0.5) * this.width;
  }

  y(s) {
    return (s + 0.5) * this.height;
  }

  draw() {
    const { store, width, height } = this;
    const { states, feasible, path } = store.lattice;
    const context = prepared(this.canvas, Math.max(1, store.count * width), states * height + AXIS);
    const ink = colors();
    const shade = shading(store);
    const { state } = store;
    shadeFrames(context, store, ink, width, states * height);
    if (states * store.count > MANY) this.drawCells(context, ink, shade);
    else {
      this.drawArrows(context, ink, shade);
      this.drawDots(context, ink, shade);
    }
    if (feasible && store.showPath && path.length) this.drawPath(context, ink);
    if (state) this.drawState(context, ink, state);
    drawFrameNumbers(context, store, ink, width, states * height);
  }

  drawCells(context, ink, shade) {
    const { store, width, height } = this;
    context.fillStyle = ink.accent;
    for (let t = 0; t < store.count; t++) {
      if (!reached(store, t)) continue;
      for (let s = 0; s < store.lattice.states; s++) {
        context.globalAlpha = shade(t, s);
        if (context.globalAlpha > 0.01) context.fillRect(t * width, s * height, width, height);
      }
    }
    context.globalAlpha = 1;
  }

  drawDots(context, ink, shade) {
    const { store, width, height } = this;
    const largest = Math.min(width, height) * 0.38;
    const { alpha, beta, labels } = store.lattice;
    for (let t = 0; t < store.count; t++) {
      for (let s = 0; s < labels.length; s++) {
        const open = alpha[t][s] > IMPOSSIBLE && beta[t][s] > IMPOSSIBLE;
        context.fillStyle = ink.blank;
        context.globalAlpha = open ? 0.55 : 0.2;
        context.beginPath();
        context.arc(this.x(t), this.y(s), open ? 1.6 : 1.1, 0, 2 * Math.PI);
        context.fill();
        const strength = reached(store, t) ? shade(t, s) : 0;
        if (strength <= 0) continue;
        context.globalAlpha = 1;
        context.fillStyle = labels[s] === store.blank ? ink.blank : ink.accent;
        context.beginPath();
        context.arc(this.x(t), this.y(s), largest * Math.sqrt(strength), 0, 2 * Math.PI);
        context.fill();
      }
    }
    context.globalAlpha = 1;
  }

  /** The strength of a line: for γ its probability; else its term relative to the largest × the strength of the sum. */
  drawArrows(context, ink, shade) {
    const { store } = this;
    const { lattice, quantity } = store;
    for (let t = 1; t < store.count; t++) {
      const ahead = quantity === "alpha" ? t : t - 1;
      if (!reached(store, ahead) || !reached(store, quantity === "alpha" ? t - 1 : t)) continue;
      const probs = quantity === "occupancy" ? transitionOccupancy(lattice, t) : null;
      for (let s = 0; s < lattice.states; s++) {
        const strengths = probs
          ? probs.map((row) => shareShade(row[s], store.scale))
          : sharesOf(quantity === "alpha" ? this.coming(t, s) : this.going(t, s), shade(ahead, s));
        for (const k of TRANSITIONS.keys()) {
          const strength = strengths[k];
          if (strength < FAINTEST) continue;
          const [from, to] = quantity === "alpha" ? [s - k, s] : [s, s + k];
          context.strokeStyle = ink[TRANSITIONS[k]];
          this.line(context, t, from, to, 0.1 + 0.75 * Math.min(1, strength), 0.5 + 2 * strength);
        }
      }
    }
    context.globalAlpha = 1;
  }

  /** The terms of the sum α for state s at frame t. */
  coming(t, s) {
    const { alpha, topology } = this.store.lattice;
    return arrivals(alpha[t - 1], topology, s);
  }

  /** The terms of the sum β for state s at frame t − 1. */
  going(t, s) {
    const { beta, emission, topology } = this.store.lattice;
    return departures(beta[t].map((value, to) => value + emission[t][to]), topology, s);
  }

  line(context, t, from, to, opacity, thickness) {
    context.globalAlpha = opacity;
    context.lineWidth = thickness;
    context.beginPath();
    context.moveTo(this.x(t - 1), this.y(from));
    context.lineTo(this.x(t), this.y(to));
    context.stroke();
  }

  /** The best path; faint in frames that the playing recursion has not reached. */
  drawPath(context, ink) {
    const { path } = this.store.lattice;
    context.strokeStyle = ink.path;
    context.lineWidth = 1.8;
    context.lineJoin = "round";
    for (const part of [true, false]) {
      context.globalAlpha = part ? 0.85 : 0.22;
      context.beginPath();
      for (let t = 1; t < path.length; t++) {
        if ((reached(this.store, t - 1) && reached(this.store, t)) !== part) continue;
        context.moveTo(this.x(t - 1), this.y(path[t - 1]));
        context.lineTo(this.x(t), this.y(path[t]));
      }
      context.stroke();
    }
    context.globalAlpha = 1;
  }

  /** The three transitions of one state as colored arrows, and a forbidden skip; the inspector has the numbers. */
  drawState(context, ink, { t, s }) {
    const { store } = this;
    const back = store.quantity !== "beta";
    context.lineCap = "round";
    termsOf(store, { t, s }).forEach(({ k, there, inside, value }) => {
      context.strokeStyle = ink[TRANSITIONS[k]];
      const [from, to] = back ? [s - k, s] : [s, s + k];
      if (there) this.line(context, back ? t : t + 1, from, to, value === IMPOSSIBLE ? 0.35 : 1, 2.6);
      else if (inside && k === 2) this.stub(context, t, s, back ? -1 : 1, back ? -k : k);
    });
    context.globalAlpha = 1;
    const pinned = store.picked !== null;
    context.lineWidth = pinned ? 3 : 2;
    context.strokeStyle = ink.ink;
    context.beginPath();
    context.arc(this.x(t), this.y(s), Math.max(4, Math.min(this.width, this.height) * 0.42), 0, 2 * Math.PI);
    context.stroke();
  }

  /** A short dotted line for a transition that does not exist, `frames` and `states` away. */
  stub(context, t, s, frames, states) {
    if (t + frames < 0 || t + frames >= this.store.count) return;
    const at = (part) => [this.x(t) + part * frames * this.width, this.y(s) + part * states * this.height];
    context.globalAlpha = 1;
    context.lineWidth = 2.4;
    context.setLineDash([0.1, 5]);
    context.beginPath();
    context.moveTo(...at(0.28));
    context.lineTo(...at(0.7));
    context.stroke();
    context.setLineDash([]);
  }
}

function sharesOf(terms, whole) {
  const top = Math.max(...terms);
  return terms.map((term) => (top === IMPOSSIBLE ? 0 : Math.exp(term - top) * whole));
}

/** The three terms of a state: {k, there, from or to, value}; for γ the log-probability of each incoming transition. */
export function termsOf(store, { t, s }) {
  const { lattice, quantity } = store;
  const { topology, alpha, beta, emission } = lattice;
  const edge = quantity === "beta" ? t === store.count - 1 : t === 0;
  return TRANSITIONS.map((_, k) => {
    const other = quantity === "beta" ? s + k : s - k;
    const inside = other >= 0 && other < lattice.states;
    const there = !edge && hasArrow(topology, k, Math.max(s, other));
    let value = IMPOSSIBLE;
    if (there && quantity === "alpha") value = alpha[t - 1][other];
    if (there && quantity === "beta") value = emission[t + 1][other] + beta[t + 1][other];
    if (there && quantity === "occupancy" && lattice.feasible) {
      value = alpha[t - 1][other] + emission[t][s] + beta[t][s] - lattice.total;
    }
    return { k, there, inside, other, value };
  });
}

/** A state in words, for screen readers. */
export function describeState(store, { t, s }) {
  const { lattice, quantity, scale } = store;
  const label = lattice.labels[s] === store.blank ? "blank" : store.name(lattice.labels[s]);
  const written = (value) => (quantity === "occupancy" ? formatExp(value) : formatScore(value, scale));
  const value = quantity === "occupancy" ? Math.log(lattice.occupancy[t][s]) : lattice[quantity][t][s];
  const terms = termsOf(store, { t, s }).filter((term) => term.there);
  const told = terms.map(({ k, value: each }) => `${TRANSITIONS[k]} ${written(each)}`).join(", ");
  const what = scale === "log" && quantity !== "occupancy" ? `log ${quantity}` : quantity;
  return `frame ${t}, state ${s}, ${label}: ${what} ${written(value)}. ${told || "no transitions"}.`;
}
