// The players: of the recursion, frame by frame, and of the steps of a training.

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
    this.timer = setInterval(() => this.step(false) || this.stop(), this.milliseconds());
    this.button.textContent = "❚❚";
    this.button.classList.add("playing");
    if (!this.step(true)) this.stop();
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    this.button.textContent = "▶";
    this.button.classList.remove("playing");
  }
}

/** The frame controls. α is played from the first frame on, β and γ from the last one back. */
export class Player {
  constructor(store, redraw) {
    this.store = store;
    this.redraw = redraw;
    this.scrub = document.getElementById("scrub");
    const pace = () => Math.max(60, Math.min(FRAME_MS, 12_000 / Math.max(1, store.count)));
    this.clock = new Clock(document.getElementById("play"), pace, (first) => this.play(first));
    document.getElementById("back").addEventListener("click", () => this.go(store.frame - 1));
    document.getElementById("ahead").addEventListener("click", () => this.go(store.frame + 1));
    this.scrub.addEventListener("input", () => this.go(Number(this.scrub.value)));
  }

  get backwards() {
    return this.store.quantity !== "alpha";
  }

  play(first) {
    const { store } = this;
    if (!store.count) return false;
    const last = store.count - 1;
    if (first) this.move(this.backwards ? last : 0);
    else {
      const next = store.frame + (this.backwards ? -1 : 1);
      if (next < 0 || next > last) return false; // it stays where it has ended
      this.move(next);
    }
    return true;
  }

  /** Goes to a frame; the inspector explains the state of the best path there. */
  move(t) {
    this.store.cursor = t;
    this.store.hover = this.store.picked = null;
    this.redraw();
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
    document.getElementById("frame").textContent = store.cursor >= store.count ? `all ${store.count} frames` : frame;
    document.getElementById("play-note").textContent = DIRECTIONS[store.quantity];
    for (const id of ["play", "back", "ahead", "scrub"]) document.getElementById(id).disabled = store.count === 0;
  }
}

/** Plays the training steps. */
export class Replay {
  constructor(store) {
    this.store = store;
    this.slider = document.getElementById("replay");
    this.clock = new Clock(document.getElementById("replay-play"), () => STEP_MS, (first) => this.play(first));
    this.slider.addEventListener("input", () => {
      this.clock.stop();
      store.setStep(Number(this.slider.value));
    });
  }

  play(first) {
    const { store } = this;
    const last = store.history ? store.history.length - 1 : 0;
    if (!last || (!first && store.step >= last)) return false;
    store.setStep(first && store.step >= last ? 0 : Math.min(last, store.step + (first ? 0 : 1)));
    return true;
  }

  render(store) {
    const several = store.history?.length > 1;
    document.getElementById("replay-field").hidden = !several;
    if (!several) return this.clock.stop();
    this.slider.max = store.history.length - 1;
    this.slider.value = store.step;
    const name = String(store.posterior.steps?.[store.step] ?? store.step);
    document.getElementById("replay-value").textContent = name;
    this.slider.setAttribute("aria-valuetext", name);
  }
}
