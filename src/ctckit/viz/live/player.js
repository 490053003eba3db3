// The players: of the recursion, frame by frame, and of the steps of a training.

import { byId } from "./dom.js";

const FRAME_MS = 420;
const STEP_MS = 260;
const DIRECTIONS = {
  alpha: "α is computed from the start",
  beta: "β is computed from the end",
  occupancy: "γ is played from the end, like β",
};

/** Calls `step` again and again until it returns false; the button starts and stops it. */
class Clock {
  constructor(button, milliseconds, step) {
    Object.assign(this, { button, milliseconds, step, timer: null });
    button.addEventListener("click", () => (this.timer ? this.stop() : this.start()));
  }

  start() {
    clearInterval(this.timer);
    this.timer = setInterval(() => this.step(false) || this.stop(), this.milliseconds());
    this.button.textContent = "❚❚";
    this.button.setAttribute("aria-pressed", true);
    if (!this.step(true)) this.stop();
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    this.button.textContent = "▶";
    this.button.setAttribute("aria-pressed", false);
  }
}

/** The frame controls. α is played from the first frame on, β and γ from the last one back. */
export class Player {
  constructor(store, moved) {
    this.store = store;
    this.moved = moved;
    this.scrub = byId("scrub");
    const pace = () => Math.max(60, Math.min(FRAME_MS, 12_000 / Math.max(1, store.count)));
    this.clock = new Clock(byId("play"), pace, (first) => this.play(first));
    byId("back").addEventListener("click", () => this.go(store.frame - 1));
    byId("ahead").addEventListener("click", () => this.go(store.frame + 1));
    this.scrub.addEventListener("input", () => this.go(Number(this.scrub.value)));
  }

  get backwards() {
    return this.store.quantity !== "alpha";
  }

  /** One frame ahead. The first one after a pause continues; after the end, or where nothing was played, it begins. */
  play(first) {
    const { store } = this;
    const last = store.count - 1;
    const next = store.frame + (this.backwards ? -1 : 1);
    const ended = next < 0 || next > last;
    if (first && store.count && (ended || store.cursor > last)) this.move(this.backwards ? last : 0);
    else if (ended) return false; // it stays where it has ended
    else this.move(next);
    return true;
  }

  /** Goes to a frame; the inspector explains the state of the best path there. */
  move(t) {
    this.store.cursor = t;
    this.store.hover = this.store.picked = null;
    this.moved(t);
  }

  go(t) {
    this.clock.stop();
    if (t < 0 || t >= this.store.count) return;
    this.move(t);
  }

  render(store) {
    const last = Math.max(0, store.count - 1);
    this.scrub.max = last;
    this.scrub.value = Math.max(0, store.frame);
    const frame = `frame ${store.frame} (0–${last})`;
    this.scrub.setAttribute("aria-valuetext", frame);
    byId("frame").textContent = store.cursor >= store.count ? `all ${store.count} frames` : frame;
    byId("play-note").textContent = DIRECTIONS[store.quantity];
    for (const id of ["play", "back", "ahead", "scrub"]) byId(id).disabled = store.count === 0;
  }
}

/** Plays the training steps. */
export class Replay {
  constructor(store) {
    this.store = store;
    this.slider = byId("replay");
    this.clock = new Clock(byId("replay-play"), () => STEP_MS, (first) => this.play(first));
    this.slider.addEventListener("input", () => {
      this.clock.stop();
      store.setStep(Number(this.slider.value));
    });
  }

  play(first) {
    const { store } = this;
    const last = store.history ? store.history.length - 1 : 0;
    if (!last || (!first && store.step >= last)) return false;
    store.setStep(store.step >= last ? 0 : store.step + 1);
    return true;
  }

  render(store) {
    const several = store.history?.length > 1;
    byId("replay-field").hidden = !several;
    if (!several) return this.clock.stop();
    this.slider.max = store.history.length - 1;
    this.slider.value = store.step;
    const name = String(store.posterior.steps?.[store.step] ?? store.step);
    byId("replay-value").textContent = name;
    this.slider.setAttribute("aria-valuetext", name);
  }
}
