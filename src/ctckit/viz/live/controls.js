// The controls: the target, the posterior, the quantity of the dots, copied links.

import { byId } from "./dom.js";
import { SYNTHETIC, UNIFORM } from "./store.js";

const NOTES = {
  [SYNTHETIC]: "",
  [UNIFORM]: "A network without knowledge: all classes are equally likely in every frame.",
};
export const LATTICE_NOTES = {
  alpha: "Dots: all paths to here, scaled in each frame.",
  beta: "Dots: all paths from here to the end, scaled in each frame.",
  occupancy: "Dots: the share of all paths that pass here.",
};

/** The title of the synthetic posterior, with its text once it exists. */
function syntheticTitle(store) {
  if (store.source !== SYNTHETIC) return "synthetic, for the target";
  const text = store.spelled.length > 20 ? `${store.spelled.slice(0, 19)}…` : store.spelled;
  return text ? `synthetic: spells ‘${text}’` : "synthetic: spells nothing";
}

export function fillSources(store) {
  const offered = [[SYNTHETIC, syntheticTitle(store)], [UNIFORM, "uniform: all classes equally likely"]];
  for (const each of store.posteriors.values()) offered.push([each.key, each.title]);
  byId("source").replaceChildren(...offered.map(([key, title]) => new Option(title, key)));
  byId("source").value = store.source;
}

export function joinControls(store, { redraw, redrawAll, stop }) {
  byId("target").addEventListener("input", (event) => store.setText(event.target.value));
  byId("source").addEventListener("change", (event) => {
    stop();
    store.take(event.target.value);
  });
  byId("frames").addEventListener("input", (event) => store.setFrames(Number(event.target.value)));
  byId("say").addEventListener("click", () => store.spellTarget());
  byId("reset").addEventListener("click", () => store.reset());
  byId("show-path").addEventListener("change", (event) => {
    store.showPath = event.target.checked;
    redrawAll();
  });
  for (const group of document.querySelectorAll('[role="radiogroup"]')) {
    joinTabs(group, (chosen) => {
      stop();
      store.cursor = Infinity;
      Object.assign(store, chosen);
      redrawAll();
    });
  }
  byId("numbers").addEventListener("toggle", redrawAll);
  for (const help of document.querySelectorAll("[popover]")) help.addEventListener("beforetoggle", placeHelp);
}

/** A group of buttons of which one is selected, by click or with the arrow keys. */
function joinTabs(group, choose) {
  const tabs = [...group.querySelectorAll('[role="radio"]')];
  group.addEventListener("click", (event) => {
    const tab = event.target.closest('[role="radio"]');
    if (tab) choose({ ...tab.dataset });
  });
  group.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = tabs.indexOf(document.activeElement);
    const next = tabs[(at + step + tabs.length) % tabs.length];
    next.focus();
    choose({ ...next.dataset });
  });
}

/** Puts an explanation under its question mark. */
function placeHelp({ target }) {
  const box = document.querySelector(`[popovertarget="${target.id}"]`).getBoundingClientRect();
  const widest = Math.min(320, innerWidth - 24);
  target.style.left = `${Math.max(12, Math.min(box.left, innerWidth - widest - 12))}px`;
  target.style.top = `${box.bottom + 6}px`;
  target.style.maxWidth = `${widest}px`;
}

/** Copies a link to what is shown; where that is forbidden, shows it to be copied by hand. */
export function joinLink(address, announce) {
  const button = byId("link");
  const field = byId("link-field");
  button.addEventListener("click", async () => {
    const link = new URL(address.now, location.href).href;
    try {
      await navigator.clipboard.writeText(link);
      button.textContent = "Copied";
      announce("The link is copied.");
      setTimeout(() => (button.textContent = "Copy link"), 1500);
    } catch {
      field.hidden = false;
      field.value = link;
      field.select();
    }
  });
  field.addEventListener("blur", () => (field.hidden = true));
}

export function renderControls(store) {
  const synthetic = !store.posterior;
  if (byId("target").value !== store.text) byId("target").value = store.text;
  byId("source").options[0].textContent = syntheticTitle(store);
  byId("source").value = store.source;
  byId("frames-field").hidden = !synthetic;
  byId("frames").max = Math.max(60, store.count);
  byId("frames").value = store.count;
  byId("frames-value").textContent = store.count;
  byId("say").hidden = store.source !== SYNTHETIC || store.spelled === store.text;
  byId("reset").disabled = !store.edited;
  byId("link").disabled = !store.linkable;
  const kept = "Your file stays in this browser: no link can hold it.";
  byId("link").title = store.linkable ? "A link to what is shown now" : kept;
  byId("file-panel").hidden = store.source !== "file";
  byId("lattice-note").textContent = LATTICE_NOTES[store.quantity];
  for (const tab of document.querySelectorAll('[role="radio"]')) {
    const chosen = tab.dataset.quantity ? tab.dataset.quantity === store.quantity : tab.dataset.scale === store.scale;
    tab.setAttribute("aria-checked", chosen);
    tab.tabIndex = chosen ? 0 : -1;
  }
}

/** What the current example shows; else what is special about the posterior. */
export function renderNote(store, address) {
  let words = store.posterior?.note ?? NOTES[store.source];
  for (const chip of document.querySelectorAll(".chips a")) {
    const current = chip.getAttribute("href") === address;
    chip.toggleAttribute("aria-current", current);
    if (current) words = chip.dataset.words ?? words;
  }
  byId("note").textContent = words;
  byId("note").hidden = !words;
}
