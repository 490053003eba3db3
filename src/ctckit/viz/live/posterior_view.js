// The posterior as bars that can be dragged; above it the image or the sound that the network read.

import {
  AXIS, MANY_ROWS, cellAt, colors, drawFrameNumbers, isCompact, prepared, reveal, roundedBar, shadeFrames,
} from "./canvas.js";
import { byId, element } from "./dom.js";
import { formatChange, formatLog, formatProb } from "./format.js";

const REST_ROW = 18;

/** The height of a row. */
function rowHeightOf(store) {
  return store.rows.length <= MANY_ROWS ? (isCompact() ? 20 : 25) : store.rows.length <= 40 ? 19 : 14;
}

/** Whether the lattice, which has the frame numbers, is hidden by the tour. */
const isAlone = () => byId("lattice").offsetHeight === 0;

const PIXELS_PER_NAT = 14; // dragging by so many pixels multiplies the odds by e
const KEY_STEP = 0.5; // nats
const BIG_STEP = 1.5; // with Shift: from 0.001 to 0.5 in five presses
const KEYS = { "+": 1, "=": 1, "*": 1, "-": -1, "−": -1, _: -1 }; // * and _ are + and − with Shift on some keyboards
const ALWAYS_SMALL = "="; // + without Shift, on keyboards where + needs it
const DECADES = 4; // of the log scale
const LONG_PRESS = 450; // milliseconds
const STILL = 8; // pixels that a finger may move and still tap
const NEAR = 10; // pixels around the selected cell that take hold of it too

/** The height of a bar for a probability, as a share of the full height. */
export function barHeight(prob, scale) {
  if (scale === "linear") return prob;
  return prob <= 0 ? 0 : Math.max(0.02, 1 + Math.log10(prob) / DECADES);
}

export class PosteriorView {
  constructor(announce) {
    this.canvas = byId("posterior-canvas");
    this.names = byId("posterior-names");
    this.announce = announce;
    this.cell = null; // {t, c}: under the pointer, reached by key, or `selected` by a tap
  }

  attach(store) {
    this.store = store;
    const { canvas } = this;
    canvas.addEventListener("pointerdown", (event) => this.press(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => this.release(event));
    canvas.addEventListener("pointercancel", () => this.letGo());
    canvas.addEventListener("pointerleave", (event) => event.pointerType === "touch" || this.point(null));
    canvas.addEventListener("blur", () => this.point(null));
    canvas.addEventListener("keydown", (event) => this.key(event));
    const held = (event) => event.touches.length === 1 && (this.drag || this.holds(event.touches[0]));
    for (const kind of ["touchstart", "touchmove"]) {
      const listen = (event) => held(event) && event.preventDefault(); // then it does not scroll
      canvas.addEventListener(kind, listen, { passive: false });
    }
    this.names.addEventListener("click", (event) => {
      const c = event.target.dataset.class;
      if (c !== undefined) this.append(Number(c));
    });
  }

  append(c) {
    const { store } = this;
    const long = store.names.some((name) => [...name].length > 1);
    store.setText(store.text + (long && store.text ? " " : "") + store.names[c]);
  }

  point(cell) {
    this.cell = cell;
    this.draw();
  }

  /** A mouse or a pen drags at once. A finger scrolls; it drags a cell that a tap or a long press has selected. */
  press(event) {
    const cell = this.at(event);
    if (!cell || event.button > 0 || !event.isPrimary) return;
    if (event.pointerType !== "touch") return this.grab(event, cell);
    this.touch = { x: event.clientX, y: event.clientY };
    if (this.holds(event)) this.grab(event, this.cell);
    else this.touch.timer = setTimeout(() => this.grab(event, { ...cell, selected: true }), LONG_PRESS);
  }

  grab(event, cell) {
    this.canvas.setPointerCapture(event.pointerId);
    this.store.choice = this.store.rows;
    this.drag = { ...cell, y: event.clientY, logit: this.store.startOf(cell.t, cell.c) };
    this.point(cell);
  }

  move(event) {
    const { touch } = this;
    if (touch && Math.hypot(event.clientX - touch.x, event.clientY - touch.y) > STILL) {
      clearTimeout(touch.timer);
      if (this.drag && !touch.moved) this.drag.y = event.clientY;
      touch.moved = true;
    }
    if (this.drag && !(touch && !touch.moved)) {
      const { t, c, y, logit } = this.drag;
      this.store.setLogit(t, c, logit + (y - event.clientY) / PIXELS_PER_NAT);
    } else if (!this.drag && !touch) this.point(this.at(event));
  }

  release(event) {
    const cell = this.at(event);
    const tapped = this.touch && !this.touch.moved && cell;
    this.letGo();
    if (!tapped) return;
    this.point({ ...cell, selected: true });
    this.announce(this.told());
  }

  letGo() {
    clearTimeout(this.touch?.timer);
    this.touch = this.drag = null;
    this.draw();
  }

  at(event) {
    const { t, row } = cellAt(event, this.canvas, this.width, rowHeightOf(this.store));
    return t >= 0 && t < this.store.count && row >= 0 && row < this.store.rows.length
      ? { t, c: this.store.rows[row] }
      : null;
  }

  /** Whether a finger is on the selected cell. */
  holds({ clientX, clientY }) {
    const { cell, width } = this;
    if (!cell?.selected) return false;
    const box = this.canvas.getBoundingClientRect();
    const high = rowHeightOf(this.store);
    const [x, y] = [clientX - box.left - cell.t * width, clientY - box.top - this.store.rows.indexOf(cell.c) * high];
    return x > -NEAR && x < width + NEAR && y > -NEAR && y < high + NEAR;
  }

  key(event) {
    const { store } = this;
    if (!store.count) return;
    const { t, c } = this.cell ?? { t: 0, c: store.rows[0] };
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const change = KEYS[event.key];
    let next = { t, row: Math.max(0, store.rows.indexOf(c)) };
    if (steps[event.key] && this.cell) next = { t: t + steps[event.key][0], row: next.row + steps[event.key][1] };
    else if (event.key === "Home") next.t = 0;
    else if (event.key === "End") next.t = store.count - 1;
    else if (!change && !steps[event.key]) return;
    event.preventDefault();
    next.t = Math.max(0, Math.min(store.count - 1, next.t));
    next.row = Math.max(0, Math.min(store.rows.length - 1, next.row));
    this.cell = { t: next.t, c: store.rows[next.row] };
    if (change) {
      store.choice = store.rows;
      const big = event.shiftKey && event.key !== ALWAYS_SMALL;
      store.nudge(next.t, this.cell.c, change * (big ? BIG_STEP : KEY_STEP));
    } else this.draw();
    reveal(this.canvas, next.t, this.width);
    this.announce(this.told());
  }

  told() {
    const { store } = this;
    const { t, c } = this.cell;
    const name = c === store.blank ? "blank" : store.name(c);
    const loss = store.edited ? `; loss ${formatLog(-store.lattice.total, 3)}` : "";
    return `frame ${t}, ${name}: ${formatProb(Math.exp(store.logProbs[t][c]))}${loss}`;
  }

  /** Draws everything again, with the names of the classes; `width` is that of a frame. */
  render(store, width) {
    this.width = width;
    const focused = document.activeElement?.parentElement === this.names ? document.activeElement.dataset.class : null;
    const labels = store.rows.map((c) => {
      const label = document.createElement("button");
      label.type = "button";
      label.textContent = store.name(c);
      label.style.height = `${rowHeightOf(store)}px`;
      label.className = c === store.blank ? "blank" : "";
      if (c === store.blank) label.disabled = true;
      else {
        label.dataset.class = c;
        label.title = `Append ${store.name(c)} to the target`;
        label.setAttribute("aria-label", label.title);
      }
      return label;
    });
    if (store.rows.length < store.names.length) {
      const rest = document.createElement("span");
      rest.className = "sans";
      rest.style.height = `${REST_ROW}px`;
      rest.textContent = "others";
      rest.title = `${store.names.length - store.rows.length} other classes together`;
      labels.push(rest);
    }
    if (isAlone()) {
      const axis = element("span", "frame", "sans");
      axis.style.height = `${AXIS}px`;
      labels.push(axis);
    }
    this.names.replaceChildren(...labels);
    if (focused) this.names.querySelector(`[data-class="${focused}"]`)?.focus();
    const frames = `${store.count} frames × ${store.rows.length} classes`;
    this.canvas.setAttribute("aria-label", `The output of the network: ${frames}. The numbers are in the table below.`);
    this.draw();
  }

  draw() {
    const { store, width } = this;
    const { rows, logProbs, blank } = store;
    const rest = rows.length < store.names.length;
    const high = rowHeightOf(store);
    const height = rows.length * high + (rest ? REST_ROW : 0);
    const all = Math.max(1, store.count * width);
    const context = prepared(this.canvas, all, height + (isAlone() ? AXIS : 0));
    const ink = colors();
    shadeFrames(context, store, ink, width, height);
    const gap = width > 12 ? 1.5 : 0.5;
    rows.forEach((c, row) => {
      const floor = (row + 1) * high - 3;
      context.fillStyle = ink.rule;
      context.fillRect(0, floor, all, 1);
      context.fillStyle = c === blank ? ink.blank : ink.accent;
      logProbs.forEach((frame, t) => {
        const bar = barHeight(Math.exp(frame[c]), store.scale) * (high - 5);
        context.globalAlpha = store.target.includes(c) || c === blank ? 1 : 0.55;
        if (bar > 0.15) roundedBar(context, t * width + gap, floor - bar, width - 2 * gap, bar, 2);
      });
      context.globalAlpha = 1;
    });
    if (rest) this.drawRest(context, ink, gap, height);
    if (isAlone()) drawFrameNumbers(context, store, ink, width, height);
    if (this.cell?.t < store.count && rows.includes(this.cell.c)) this.drawCell(context, ink);
  }

  drawRest(context, ink, gap, height) {
    const { store, width } = this;
    const shown = new Set(store.rows);
    context.fillStyle = ink.quiet;
    context.globalAlpha = 0.45;
    store.logProbs.forEach((frame, t) => {
      const prob = frame.reduce((sum, value, c) => (shown.has(c) ? sum : sum + Math.exp(value)), 0);
      const high = barHeight(prob, store.scale) * (REST_ROW - 5);
      if (high > 0.15) context.fillRect(t * width + gap, height - 3 - high, width - 2 * gap, high);
    });
    context.globalAlpha = 1;
  }

  drawCell(context, ink) {
    const { store, width, cell } = this;
    const row = rowHeightOf(store);
    const top = store.rows.indexOf(cell.c) * row;
    const prob = Math.exp(store.logProbs[cell.t][cell.c]);
    context.strokeStyle = ink.ink;
    context.lineWidth = cell.selected ? 2.5 : 1;
    context.beginPath();
    context.roundRect(cell.t * width + 0.5, top + 0.5, width - 1, row - 2, 3);
    context.stroke();
    const change = this.drag && store.edited ? ` · loss ${formatChange(store.change)}` : "";
    const text = `frame ${cell.t}, ${store.name(cell.c)}: ${formatProb(prob)}${change}`;
    context.font = "600 12px system-ui, sans-serif";
    const wide = context.measureText(text).width + 8;
    const right = (cell.t + 1) * width + 3;
    const { scrollLeft, clientWidth } = this.canvas.parentElement;
    const fits = right + wide < scrollLeft + clientWidth;
    const x = fits ? right : Math.max(scrollLeft, cell.t * width - wide - 3);
    context.fillStyle = ink.ink;
    roundedBar(context, x, top + row / 2 - 9.5, wide, 18, 4);
    context.fillStyle = ink.card;
    context.fillText(text, x + wide / 2, top + row / 2);
  }
}

const MEDIA_HEIGHT = 64;

/** The image or the sound that the network read, on the axis of the frames. */
export function renderMedia(store, width) {
  const media = store.posterior?.image ?? store.posterior?.wave;
  const panel = byId("media");
  panel.hidden = !media;
  if (!media) return;
  const canvas = byId("media-canvas");
  canvas.setAttribute("aria-label", store.posterior.title);
  canvas.classList.toggle("paper", Boolean(store.posterior.image));
  const ink = colors();
  const all = store.count * width;
  if (store.posterior.image) {
    const { rows, columns } = media;
    const height = Math.min(isCompact() ? 60 : 110, Math.max(24, (all * rows) / columns));
    const context = prepared(canvas, all, height);
    context.imageSmoothingEnabled = true;
    context.drawImage(pictureOf(media), 0, 0, all, height);
  } else {
    const context = prepared(canvas, all, MEDIA_HEIGHT);
    context.fillStyle = ink.quiet;
    const count = media.length / 2;
    for (let i = 0; i < count; i++) {
      const [low, high] = [media[2 * i] / 127, media[2 * i + 1] / 127];
      const [top, tall] = [(1 - high) * (MEDIA_HEIGHT / 2), ((high - low) * MEDIA_HEIGHT) / 2];
      context.fillRect((i * all) / count, top, Math.max(1, all / count), Math.max(1, tall));
    }
  }
}

function pictureOf(image) {
  if (image.canvas) return image.canvas;
  const canvas = document.createElement("canvas");
  canvas.width = image.columns;
  canvas.height = image.rows;
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(image.columns, image.rows);
  const bytes = Uint8Array.from(atob(image.data), (character) => character.charCodeAt(0));
  bytes.forEach((gray, i) => pixels.data.set([gray, gray, gray, 255], 4 * i));
  context.putImageData(pixels, 0, 0);
  return (image.canvas = canvas);
}
