// A tour in seven steps: one panel at a time. Each step is an address, so that a step is a link.

import { byId } from "./dom.js";

const BEGIN = "source=synthetic&text=apple";
const GAMMA = "&quantity=occupancy";
const STEPS = [
  {
    panel: "posterior",
    title: "A network looks at an input in small pieces, the frames",
    words:
      "Each column is one frame. Its bars are probabilities: how likely is each letter here? They sum to 1. The " +
      "blank ∅ means: no letter here. The network does not know where a letter begins.",
  },
  {
    panel: "posterior",
    title: "From 23 frames to 5 letters: the collapse",
    words:
      "Take the most likely letter, or ∅, of each frame. Merge equal neighbors, then remove the blanks: “apple” " +
      "remains. Without the blank between them, the two p would merge into one.",
    address: "&state=9.4",
  },
  {
    panel: "lattice",
    title: "Many paths collapse to “apple”: the lattice holds all of them",
    words:
      "A row is a letter of “apple”, or a blank before, between or behind the letters. A path goes from the upper " +
      "left to the lower right. From frame to frame it stays, advances by one row, or skips a blank. The red line " +
      "is the most likely path.",
  },
  {
    panel: "lattice",
    title: "α: the sum over all paths to here",
    words:
      "There are too many paths to list. α needs no list: the α of a state adds what comes from at most three " +
      "states of the frame before, and multiplies by the probability in this frame. Press ▶ and watch it run from " +
      "left to right. The last two states of the last frame add up to p(apple).",
  },
  {
    panel: "lattice",
    title: "γ: where the letters are",
    words:
      "β is the same sum from here to the end. α·β ÷ p(apple) is γ: the share of all paths that pass through a " +
      "state. Each column sums to 1. This answers where each letter is, although nobody told the network.",
    address: GAMMA,
  },
  {
    panel: "posterior",
    title: "The loss: −log p(apple)",
    words:
      "Drag a bar up or down and watch the loss. Take the blank between the two p (frame 8 or 9) down: paths to " +
      "“apple” become unlikely, and the loss rises.",
    address: GAMMA,
    results: true,
  },
  {
    panel: "gradient",
    title: "What training changes",
    words:
      "The gradient of the loss is probability − γ. Blue bars point down: training makes these classes more " +
      "likely. Purple bars point up: it makes these less likely. Repeat this for thousands of lines, and a " +
      "network learns to read.",
    address: GAMMA,
  },
].map((each, n) => ({ results: false, ...each, link: `#tour=${n + 1}&${BEGIN}${each.address ?? ""}` }));

export class Tour {
  constructor() {
    this.step = 0; // 1 to 7; 0: no tour
    this.touring = false; // when last drawn
  }

  render() {
    this.step = Math.min(this.step, STEPS.length);
    const at = STEPS[this.step - 1];
    const main = document.querySelector("main");
    byId("tour").hidden = !at;
    main.toggleAttribute("data-tour", Boolean(at));
    main.toggleAttribute("data-results", Boolean(at?.results));
    for (const panel of document.querySelectorAll(".panel")) panel.classList.toggle("shown", panel.id === at?.panel);
    if (at) this.fill(at);
    if (Boolean(at) !== this.touring) byId(at ? "tour-next" : "tour-start").focus(); // what had the focus is hidden now
    this.touring = Boolean(at);
  }

  fill(at) {
    byId("tour-count").textContent = `${this.step} of ${STEPS.length}`;
    byId("tour-title").textContent = at.title;
    byId("tour-words").textContent = at.words;
    const [before, next] = [STEPS[this.step - 2], STEPS[this.step]];
    byId("tour-back").hidden = !before;
    byId("tour-back").href = before?.link ?? "";
    byId("tour-next").href = next?.link ?? `#${BEGIN}`;
    byId("tour-next").textContent = next ? "Next ›" : "Now try it yourself";
  }
}
