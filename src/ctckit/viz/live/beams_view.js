// The beam after a frame: its most likely texts, their shares over time, and how their alignments end.

import { colors, prepared } from "./canvas.js";
import { byId, element } from "./dom.js";
import { formatLog } from "./format.js";
import { decode } from "./posteriors.js";
import { tokensOf } from "./search.js";
import { BEAM_WIDTH } from "./store.js";

const SHOWN_BEAMS = 8;

export function renderBeams(store) {
  const list = byId("beams-list");
  const beam = store.beams[store.frame];
  const note = byId("beams-note");
  if (!beam) {
    note.textContent = store.count ? "Searching …" : "";
    list.replaceChildren();
    return;
  }
  const kept = `log p, summed over the alignments that a beam of ${BEAM_WIDTH} texts has kept`;
  const coloring = "Blue: alignments that end in the last token; gray: in a blank.";
  note.textContent = `The most likely texts after frame ${store.frame}, with their ${kept}. ${coloring}`;
  const wanted = store.target.join();
  const items = beam.slice(0, SHOWN_BEAMS).map((entry) => {
    const tokens = tokensOf(entry.text);
    const text = element("b", element("bdi", decode(tokens, store.names) || "(empty)"));
    const number = element("span", formatLog(entry.total), "number");
    const parts = [text, curve(store, entry.text), number, mass(entry, beam[0].total)];
    return element("li", parts, tokens.join() === wanted ? "target" : "");
  });
  list.replaceChildren(...items);
}

/** The mass of a text relative to the best one, divided by how its alignments end. */
function mass(entry, best) {
  const pieces = [entry.token, entry.blank].map((part) => {
    const piece = element("i");
    piece.style.width = `${100 * Math.exp(part - best)}%`;
    return piece;
  });
  return element("span", pieces, "mass");
}

/** The share of a text in the beam, frame by frame. */
function curve(store, text) {
  const canvas = element("canvas");
  canvas.setAttribute("aria-hidden", "true");
  const [width, height] = [83, 18];
  const context = prepared(canvas, width, height);
  const ink = colors();
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
