// The results in words and numbers, and the reasons if there are none.

import { adjacentRepeats, framesNeeded } from "./ctc.js";
import { byId } from "./dom.js";
import { formatExp, formatLog, formatShare, plural } from "./format.js";
import { decode } from "./posteriors.js";
import { SYNTHETIC } from "./store.js";

function show(id, text) {
  byId(id).textContent = text;
}

export function renderTiles(store) {
  const { lattice } = store;
  show("loss", formatLog(lattice.total === 0 ? 0 : -lattice.total, 4));
  show("prob", formatExp(lattice.total));
  show("share", lattice.feasible ? formatShare(Math.exp(lattice.pathLogProb - lattice.total)) : "–");
  show("needed", `${store.needed} / ${store.count}`);
  byId("needed").parentElement.classList.toggle("bad", store.count < store.needed);
  byId("loss").parentElement.classList.toggle("bad", !lattice.feasible);
  const wanted = decode(store.target, store.names);
  for (const [id, text] of [["greedy", store.greedyText], ["best", store.bestText]]) {
    const box = byId(id);
    const mark = document.createElement("span");
    mark.className = text === wanted ? "yes" : "no";
    mark.textContent = text === null ? "…" : text === wanted ? " ✓" : "";
    box.replaceChildren(text === "" ? "(empty)" : (text ?? ""), mark);
    box.title = text ?? "";
  }
}

/** The reason why the target cannot be emitted, with its arithmetic; null if it can. */
export function whyInfeasible(store) {
  const { lattice, target, count } = store;
  if (lattice.feasible) return null;
  const repeats = adjacentRepeats(target);
  const needed = framesNeeded(target);
  if (count < needed) {
    const pairs = target.flatMap((c, n) => (n > 0 && c === target[n - 1] ? [store.name(c) + store.name(c)] : []));
    const blanks = repeats ? ` + ${plural(repeats, "blank")} between equal neighbors (${pairs.join(", ")})` : "";
    const sum = `${plural(target.length, "token")}${blanks} = ${plural(needed, "frame")} needed`;
    return `No path. ${sum}, ${count} available: the loss is ∞ and the gradient 0.`;
  }
  return "No path: each one uses a class of probability 0 in some frame. The loss is ∞ and the gradient 0.";
}

function complain(id, message) {
  byId(id).hidden = !message;
  byId(id).textContent = message || "";
}

export function renderProblems(store) {
  complain("infeasible", whyInfeasible(store));
  const unknown = store.unknown.map((character) => `“${character}”`).join(", ");
  const classes = [...store.names.keys()].filter((c) => c !== store.blank && store.names[c] !== "…");
  const known = classes.slice(0, 40).map((c) => store.name(c)).join(" ");
  const left = decode(store.target, store.names);
  const computed = `Computed for the rest: ${left ? `“${left}”` : "(empty text)"}.`;
  const remedy = store.source === SYNTHETIC ? "“Make the frames spell it” adds the classes." : `Its classes: ${known}`;
  complain("problem", unknown && `This network has no class for ${unknown}. ${computed} ${remedy}`);
}
