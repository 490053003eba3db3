// The state of the page, in one place. Views subscribe to it; every change is a method call here.

import { IMPOSSIBLE, framesNeeded, latticeOf, logSoftmax, logitGradient } from "./ctc.js";
import { alphabetFor, decode, encode } from "./posteriors.js";
import { syntheticFrames, syntheticLogits, uniformLogits, unpackLogProbs } from "./posteriors.js";
import { beamsOf, collapse, greedyPath, tokensOf } from "./search.js";

export const BEAM_WIDTH = 40;
export const SYNTHETIC = "synthetic";
export const UNIFORM = "uniform";
export const OPENED = "file";
const SLOW_SEARCH = 60_000; // frames × classes: above, the search waits until nothing else happens
const LEAST_LOGIT = -14; // dragging a class up from −∞ begins here
const ROWS = 14; // more only where they have to be
const WORTH_A_ROW = 0.05;
const SAME = 1e-9; // nats: differences below are rounding

export class Store {
  constructor(page) {
    this.page = page;
    this.posteriors = new Map(page.posteriors.map((each) => [each.key, each]));
    this.views = [];
    this.showPath = true;
    this.complaint = null; // why a file cannot be shown; until the next change
  }

  /** Shows what an address asks for; where it says nothing, what the page begins with. */
  restore(asked) {
    const { page } = this;
    this.quantity = asked.quantity ?? "alpha";
    this.scale = asked.scale ?? "linear";
    this.hover = null; // {t, s} under the pointer, or last reached by key
    this.text = this.spelled = asked.text ?? page.text;
    this.frames = asked.frames ?? page.frames ?? null;
    const known = [SYNTHETIC, UNIFORM, ...this.posteriors.keys()].includes(asked.source);
    this.take(known ? asked.source : (asked.text === null && page.source) || SYNTHETIC, asked.step);
    if (asked.target !== null) this.setText(asked.target);
    for (const [t, c, logit] of asked.drags) if (t < this.count && c < this.names.length) this.setLogit(t, c, logit);
    this.cursor = asked.frame ?? Infinity; // the frame that the player has reached; the beam is that of this frame
    const [t, s] = asked.state ?? [-1, 0];
    this.picked = this.has({ t, s }) ? { t, s } : null; // {t, s} pinned by a click or by Enter
    this.tell();
  }

  subscribe(view) {
    this.views.push(view);
  }

  tell() {
    for (const view of this.views) view(this);
  }

  /** Selects another posterior, at a training step if it has several. */
  take(key, step = null) {
    this.source = key;
    this.step = 0;
    this.posterior = this.posteriors.get(key) ?? null;
    if (this.posterior) {
      const { names, blank, target } = this.posterior;
      this.names = names;
      this.blank = blank;
      this.history = this.posterior.history ??= unpackLogProbs(this.posterior);
      this.step = Math.min(step ?? 0, this.history.length - 1);
      this.text = target ?? this.text;
      this.load(this.history[this.step]);
    } else {
      this.blank = 0;
      this.history = null;
      this.spelled = this.text;
      this.synthesize();
    }
  }

  /** The target of the posterior as it was selected. */
  get firstText() {
    return this.posterior?.target ?? this.spelled;
  }

  /** Whether a link can hold what is shown. */
  get linkable() {
    return this.source !== OPENED;
  }

  /** The logits that differ from those of the network: [frame, class, logit]. */
  drags() {
    const found = [];
    if (!this.edited) return found;
    this.logits.forEach((row, t) =>
      row.forEach((logit, c) => logit === this.original[t][c] || found.push([t, c, logit])),
    );
    return found;
  }

  /** The posterior of another step of the training; the target stays. */
  setStep(step) {
    this.step = step;
    this.load(this.history[step]);
  }

  /** A synthetic or uniform posterior. Its text determines its classes; the target does not change its numbers. */
  synthesize() {
    this.names = alphabetFor(this.spelled);
    const { tokens } = encode(this.spelled, this.names, 0);
    const frames = this.frames ?? syntheticFrames(tokens.length);
    const classes = this.names.length;
    this.load(this.source === UNIFORM ? uniformLogits(classes, frames) : syntheticLogits(tokens, classes, frames));
  }

  /** Pins a state, or unpins it if it is the pinned one. */
  pin(state) {
    const again = state && this.picked?.t === state.t && this.picked.s === state.s;
    this.picked = again ? null : state;
  }

  setFrames(frames) {
    this.frames = frames;
    this.synthesize();
  }

  setText(text) {
    this.text = text;
    this.untouched = null;
    this.compute();
  }

  /** Makes the frames of the synthetic posterior spell the target. */
  spellTarget() {
    this.spelled = this.text;
    this.frames = null;
    this.synthesize();
  }

  load(logits) {
    this.original = logits;
    this.reset();
  }

  reset() {
    this.logits = this.original.map((row) => Float64Array.from(row));
    this.logProbs = this.logits.map(logSoftmax);
    this.beams = [];
    this.edited = false;
    this.cursor = Infinity;
    this.choice = null;
    this.untouched = null;
    this.compute();
  }

  /** The logit from which a class is dragged up or down. */
  startOf(t, c) {
    const logit = this.logits[t][c];
    return logit === IMPOSSIBLE ? LEAST_LOGIT + Math.max(...this.logProbs[t]) : logit;
  }

  /** Adds to one logit; the other classes keep their ratios. */
  nudge(t, c, difference) {
    this.setLogit(t, c, this.startOf(t, c) + difference);
  }

  setLogit(t, c, value) {
    this.logits[t][c] = value;
    this.logProbs[t] = logSoftmax(this.logits[t]);
    this.beams.length = Math.min(this.beams.length, t);
    this.edited = true;
    this.compute();
  }

  compute() {
    this.complaint = null;
    const { tokens, unknown } = encode(this.text, this.names, this.blank);
    this.target = tokens;
    this.unknown = unknown;
    this.needed = framesNeeded(tokens);
    this.lattice = latticeOf(this.logProbs, tokens, this.blank);
    this.gradient = logitGradient(this.lattice, this.logProbs);
    this.greedy = greedyPath(this.logProbs);
    this.greedyText = decode(collapse(this.greedy, this.blank), this.names);
    this.rows = this.rowsToShow();
    for (const each of ["hover", "picked"]) if (this[each] && !this.has(this[each])) this[each] = null;
    this.search();
    this.tell();
  }

  /** How much the drags have changed the loss; null without drags. */
  get change() {
    if (!this.edited) return null;
    this.untouched ??= latticeOf(this.original.map(logSoftmax), this.target, this.blank).total;
    return this.untouched === this.lattice.total ? 0 : this.untouched - this.lattice.total;
  }

  search() {
    clearTimeout(this.searching);
    this.rival = null;
    const run = () => {
      this.beams = beamsOf(this.logProbs, this.blank, BEAM_WIDTH, this.beams, this.beams.length);
      this.rival = this.findRival();
    };
    if (this.count * this.names.length <= SLOW_SEARCH) run();
    else this.searching = setTimeout(() => (run(), this.tell()), 250);
  }

  /** The best text of the search that is not the target, with all its paths: {tokens, total}; null if there is none. */
  findRival() {
    const target = this.target.join();
    const texts = (this.beams[this.count - 1] ?? []).map((each) => tokensOf(each.text));
    const tokens = texts.find((each) => each.join() !== target);
    return tokens ? { tokens, total: latticeOf(this.logProbs, tokens, this.blank).total } : null;
  }

  /** Whether the rival is as likely as the target. */
  get tied() {
    return this.rival !== null && Math.abs(this.rival.total - this.lattice.total) < SAME;
  }

  get count() {
    return this.logProbs.length;
  }

  /** The frame whose beam is shown; −1 if there is none. */
  get frame() {
    return Math.min(this.cursor, this.count - 1);
  }

  get bestText() {
    const best = this.beams[this.count - 1]?.[0];
    return best ? decode(tokensOf(best.text), this.names) : null;
  }

  /** The explained state: the pinned one, the one under the pointer, or one of the best path. */
  get state() {
    return this.picked ?? this.hover ?? this.tellingState();
  }

  /** A state of the best path: that in the frame of the player, else the first one that a skip enters. */
  tellingState() {
    const { path, skips } = this.lattice;
    if (!path.length) return null;
    if (this.cursor < this.count) return { t: this.cursor, s: path[this.cursor] };
    const t = path.findIndex((s, at) => at > 0 && s > path[at - 1] && skips[s]);
    return t > 0 ? { t, s: path[t] } : { t: 0, s: path[0] };
  }

  has({ t, s }) {
    return t >= 0 && t < this.count && s >= 0 && s < this.lattice.states;
  }

  /** The classes with a row: the target's, the most likely ones of the frames, other likely ones; the blank first. */
  rowsToShow() {
    const wanted = new Set([this.blank, ...this.target, ...this.greedy]);
    if (this.choice) for (const c of this.choice) wanted.add(c); // rows do not vanish under the pointer
    const peaks = this.names.map((_, c) => Math.max(...this.logProbs.map((frame) => frame[c])));
    const others = [...peaks.keys()].filter((c) => !wanted.has(c) && peaks[c] > Math.log(WORTH_A_ROW));
    others.sort((a, b) => peaks[b] - peaks[a]);
    for (const c of others.slice(0, Math.max(0, ROWS - wanted.size))) wanted.add(c);
    wanted.delete(this.blank);
    return [this.blank, ...[...wanted].sort((a, b) => a - b)];
  }

  name(c) {
    return c === this.blank ? "∅" : this.names[c] === " " ? "␣" : this.names[c];
  }
}
