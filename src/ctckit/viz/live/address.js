// What is shown, as an address: read when the page opens or a link is followed, written after each change.

import { MOST_FRAMES } from "./numbers.js";

const HUNDREDTHS = 100; // logits in an address are whole numbers
const LISTED = "_";
const QUANTITIES_OF_DOTS = ["alpha", "beta", "occupancy"];

/** What an address asks for; null for what it does not name, or names without sense. */
export function readAddress(hash) {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const numbers = (text) => text.split(".").map(Number);
  const list = (name, length) =>
    (given.get(name)?.split(LISTED) ?? [])
      .map(numbers)
      .filter((each) => each.length === length && each.every((value) => !Number.isNaN(value)));
  const whole = (name, most = Infinity) => {
    const value = Number(given.get(name) || NaN);
    return Number.isInteger(value) && value >= 0 && value <= most ? value : null;
  };
  return {
    source: given.get("source"),
    text: given.get("text"),
    target: given.get("target"),
    frames: whole("frames", MOST_FRAMES),
    step: whole("step"),
    quantity: QUANTITIES_OF_DOTS.find((each) => each === given.get("quantity")) ?? null,
    scale: given.get("scale") === "log" ? "log" : null,
    frame: whole("frame"),
    state: list("state", 2)[0] ?? null,
    drags: list("drags", 3).map(([t, c, logit]) => [t, c, logit / HUNDREDTHS]),
    tour: whole("tour"),
    play: given.get("play"),
  };
}

/** The part behind # for what is shown, or null: a file of the user is not in it. */
export function writeAddress(store, tour) {
  if (!store.linkable) return null;
  const { posterior, picked } = store;
  const drags = store.drags().map(([t, c, logit]) => [t, c, Math.round(logit * HUNDREDTHS)].join("."));
  const parts = {
    tour: tour || null,
    source: store.source,
    text: posterior ? null : store.spelled,
    frames: posterior ? null : store.frames,
    step: store.step || null,
    target: store.text === store.firstText ? null : store.text,
    drags: drags.join(LISTED) || null,
    quantity: store.quantity === "alpha" ? null : store.quantity,
    scale: store.scale === "linear" ? null : store.scale,
    frame: store.cursor < store.count ? store.cursor : null,
    state: picked && `${picked.t}.${picked.s}`,
  };
  const written = Object.entries(parts).filter(([, value]) => value !== null);
  return `#${new URLSearchParams(written)}`;
}

const WAIT = 400; // milliseconds; browsers limit how often an address may change

/** Keeps the address in step with the page, and the page with the links that are followed. */
export class Address {
  constructor(store, tour, play) {
    Object.assign(this, { store, tour, play });
    this.shown = null;
    addEventListener("hashchange", () => this.follow());
    addEventListener("click", (event) => {
      const link = event.target.closest('a[href^="#"]');
      if (link?.getAttribute("href") === location.hash) this.follow(); // a browser tells only of changes
    });
  }

  /** Shows what the address asks for. */
  follow() {
    const asked = readAddress(location.hash);
    this.tour.step = asked.tour ?? 0;
    this.store.restore(asked);
    this.shown = this.now;
    this.play(asked.play);
  }

  get now() {
    return writeAddress(this.store, this.tour.step);
  }

  /** Writes the address once nothing has changed for a moment. */
  write() {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => {
      const now = this.now;
      if (now && now !== this.shown) history.replaceState(null, "", now);
      this.shown = now;
    }, WAIT);
  }
}
