// Drawing: sharp canvases on one common time axis, colors from the style sheet.

import { TRANSITIONS } from "./ctc.js";

/** Whether the window is small: then rows are lower, so that the lattice is on the first screen. */
export const isCompact = () => innerWidth <= 640 || innerHeight < 820;

export const MANY_ROWS = 14; // above, the rows of classes are lower

/** A canvas of `width` × `height` CSS pixels, sharp on any screen; its cleared context. */
export function prepared(canvas, width, height) {
  const ratio = Math.min(window.devicePixelRatio || 1, Math.max(width, height) > 4000 ? 1 : 3);
  const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== wide || canvas.height !== high) {
    canvas.width = wide;
    canvas.height = high;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.textBaseline = "middle";
  context.textAlign = "center";
  return context;
}

const COLORS = ["card", "ink", "quiet", "rule", "field", "accent", "blank", "path", "over", "cursor", ...TRANSITIONS];

/** The style sheet's colors, by name; read again when the theme changes. */
export function colors() {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(COLORS.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

/** The column and row of a pointer event. */
export function cellAt(event, canvas, width, height) {
  const box = canvas.getBoundingClientRect();
  return { t: Math.floor((event.clientX - box.left) / width), row: Math.floor((event.clientY - box.top) / height) };
}

/** The frames to mark: the current one of the player, and that of the explained state. */
export function markedFrames(store) {
  const frames = new Set([store.state?.t, store.cursor < store.count ? store.frame : undefined]);
  frames.delete(undefined);
  return frames;
}

export function shadeFrames(context, store, ink, width, height) {
  context.fillStyle = ink.cursor;
  for (const t of markedFrames(store)) context.fillRect(t * width, 0, width, height);
}

export const AXIS = 20; // the height of the frame numbers

/** The distance of the frame numbers, in frames. */
function numberedFrames(width) {
  return [1, 2, 5, 10, 20, 50].find((each) => each * width >= 24) ?? 100;
}

/** The frame numbers under a panel; those of the marked frames are always drawn. */
export function drawFrameNumbers(context, store, ink, width, top) {
  const middle = (t) => (t + 0.5) * width;
  const write = (t, weight) => {
    context.font = `${weight} 11px system-ui, sans-serif`;
    context.fillText(t, middle(t), top + AXIS / 2 + 2);
  };
  context.fillStyle = ink.quiet;
  for (let t = 0; t < store.count; t += numberedFrames(width)) write(t, 400);
  for (const t of markedFrames(store)) {
    context.clearRect(middle(t) - 13, top, 26, AXIS);
    context.fillStyle = ink.ink;
    write(t, 700);
  }
}

export function roundedBar(context, x, y, width, height, radius) {
  const corner = Math.min(radius, width / 2, height / 2);
  context.beginPath();
  context.roundRect(x, y, width, height, corner);
  context.fill();
}

const NARROWEST = 18;
const NARROWEST_OF_MANY = 8;
const WIDEST = 52;

/** The width of a frame: all frames fit if possible, else the panels scroll together. */
export function frameWidth(available, frames) {
  const least = frames > 120 ? NARROWEST_OF_MANY : NARROWEST;
  return Math.max(least, Math.min(WIDEST, Math.floor((available / Math.max(1, frames)) * 4) / 4));
}

/** Marks the sides on which a panel continues; the style sheet fades it there. */
export function markEdges(scrollers) {
  for (const each of scrollers) {
    const behind = each.scrollWidth - each.clientWidth - each.scrollLeft;
    each.classList.toggle("more-left", each.scrollLeft > 1);
    each.classList.toggle("more-right", behind > 1);
  }
}

/** Keeps the scroll positions of the panels the same. */
export function scrollTogether(scrollers) {
  for (const each of scrollers) {
    each.addEventListener("scroll", () => {
      markEdges([each]);
      for (const other of scrollers) if (other.scrollLeft !== each.scrollLeft) other.scrollLeft = each.scrollLeft;
    });
  }
}

/** Scrolls column t of a canvas into view, with some columns on both sides of it. */
export function reveal(canvas, t, width) {
  const scroller = canvas.parentElement;
  const margin = Math.min(3 * width, scroller.clientWidth / 3);
  const [left, right] = [t * width - margin, (t + 1) * width + margin];
  scroller.scrollLeft = Math.max(Math.min(scroller.scrollLeft, left), right - scroller.clientWidth);
}
