// Decoding: the collapse, the greedy text, and prefix beam search that keeps the beam of every frame.
// The search is that of kernels/search/reference.py without language models; ties are decided in the same way.

import { IMPOSSIBLE, logSum } from "./ctc.js";

/** The target that a path of classes spells: repeats merged, then blanks removed. */
export function collapse(classes, blank) {
  return classes.filter((c, t) => c !== blank && (t === 0 || c !== classes[t - 1]));
}

/** The most likely class of each frame; the lower class wins ties. */
export function greedyPath(logProbs) {
  return logProbs.map((frame) => frame.indexOf(frame.reduce((a, b) => Math.max(a, b))));
}

/** The beam before the first frame: the empty text. Texts are nodes of a tree: a node adds one token to its parent. */
export function emptyBeam() {
  const root = { token: -1, parent: null, children: new Map() };
  return [{ text: root, blank: 0, token: IMPOSSIBLE, total: 0 }];
}

/** The tokens of a text of the tree. */
export function tokensOf(text) {
  const tokens = [];
  for (let node = text; node.parent; node = node.parent) tokens.push(node.token);
  return tokens.reverse();
}

function extended(text, token) {
  if (!text.children.has(token)) text.children.set(token, { token, parent: text, children: new Map() });
  return text.children.get(token);
}

/** The beam after one more frame: at most `width` texts, best first. Only the classes of `beginners` begin new ones. */
export function beamStep(beam, frame, blank, width, beginners = frame.keys()) {
  const reached = new Map();
  for (const { text, token, total } of beam) {
    const lasts = text.parent ? token + frame[text.token] : IMPOSSIBLE;
    reached.set(text, { text, blank: total + frame[blank], token: lasts });
  }
  const tokens = [...beginners].filter((c) => c !== blank && frame[c] > IMPOSSIBLE);
  for (const entry of beam) {
    for (const c of tokens) {
      const text = extended(entry.text, c);
      if (!reached.has(text)) reached.set(text, { text, blank: IMPOSSIBLE, token: IMPOSSIBLE });
      const target = reached.get(text);
      const source = c === entry.text.token ? entry.blank : entry.total; // the same again needs the blank between
      target.token = logSum([target.token, source + frame[c]]);
    }
  }
  const texts = [...reached.values()];
  for (const entry of texts) entry.total = logSum([entry.blank, entry.token]);
  texts.sort((a, b) => (a.total === b.total ? 0 : b.total - a.total));
  return texts.slice(0, width).filter((entry) => entry.total > IMPOSSIBLE);
}

const MANY_CLASSES = 64;
const BEGINNERS = 32;

/** The classes that begin new texts in a frame: all, or the most likely ones if there are very many. */
export function beginnersOf(frame) {
  if (frame.length <= MANY_CLASSES) return [...frame.keys()];
  const order = [...frame.keys()].sort((a, b) => frame[b] - frame[a] || a - b);
  return order.slice(0, BEGINNERS).sort((a, b) => a - b);
}

/** The beam after each frame. The `known` beams of the frames before `from` are reused. */
export function beamsOf(logProbs, blank, width, known = [], from = 0) {
  const beams = known.slice(0, from);
  for (let t = beams.length; t < logProbs.length; t++) {
    const before = t === 0 ? emptyBeam() : beams[t - 1];
    beams.push(beamStep(before, logProbs[t], blank, width, beginnersOf(logProbs[t])));
  }
  return beams;
}
