// The results in words and numbers, and the reasons if there are none.

import { adjacentRepeats, framesNeeded } from "./ctc.js";
import { byId } from "./dom.js";
import { formatChange, formatExp, formatLog, formatShare, plural } from "./format.js";
import { decode } from "./posteriors.js";
import { SYNTHETIC } from "./store.js";

function show(id, text) {
  byId(id).textContent = text;
}

export function renderTiles(store) {
  const { lattice } = store;
  show("loss", formatLog(lattice.total === 0 ? 0 : -lattice.total, 4));
  const { change } = store;
  show("change", change === null || !lattice.feasible ? "" : formatChange(change));
  byId("change").className = `change ${change > 0 ? "worse" : "better"}`;
  show("prob", formatExp(lattice.total));
  show("share", lattice.feasible ? formatShare(Math.exp(lattice.pathLogProb - lattice.total)) : "–");
  show("needed", `${store.needed} / ${store.count}`);
  byId("needed").parentElement.classList.toggle("bad", store.count < store.needed);
  byId("loss").parentElement.classList.toggle("bad", !lattice.feasible);
  const wanted = decode(store.target, store.names);
  const texts = [["greedy", store.greedyText, ""], ["best", store.bestText, store.tied ? " =" : ""]];
  for (const [id, text, other] of texts) {
    const box = byId(id);
    const mark = document.createElement("span");
    mark.className = text === wanted ? "yes" : "no";
    mark.textContent = text === null ? "…" : text === wanted ? " ✓" : other;
    box.replaceChildren(text === "" ? "(empty)" : (text ?? ""), mark);
    box.title = text ?? "";
  }
}

const QUOTED = 24; // characters
const LOOKS_SMALL = 0.2;

function quoted(text) {
  const characters = [...text];
  const shown = characters.length > QUOTED ? `${characters.slice(0, QUOTED).join("")}…` : text;
  return text === "" ? "the empty text" : `“${shown}”`;
}

/** What p(target) means beside the probabilities of other texts. */
export function renderMeaning(store) {
  const searched = store.beams.length === store.count && store.count > 0;
  show("meaning", searched && store.lattice.feasible ? meaning(store) : "");
}

function meaning(store) {
  const { rival } = store;
  const [mine, own] = [Math.exp(store.lattice.total), quoted(decode(store.target, store.names))];
  if (!rival) return "No other text has a probability that counts.";
  const named = quoted(decode(rival.tokens, store.names));
  const theirs = formatExp(rival.total);
  if (mine > 0.5) return `${own} is more likely than all other texts together. The next is ${named} with ${theirs}.`;
  if (!store.tied && store.lattice.total < rival.total) return `${named} is more likely than ${own}: ${theirs}.`;
  const next = store.tied ? `${named} has as much.` : `the next, ${named}, has ${theirs}.`;
  const why = `The other texts share the rest; ${next}`;
  const rank = mine < LOOKS_SMALL ? " looks small, but no text has more." : ": no text has more.";
  return `p(${own}) = ${formatExp(store.lattice.total)}${rank} ${why}`;
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
  const missing = unknown && `This network has no class for ${unknown}. ${computed} ${remedy}`;
  complain("problem", store.complaint ?? missing);
}
