// Builds the page: reads its data, connects the views to the store, and the controls to both.

import { colors, frameWidth, markEdges, prepared, scrollTogether } from "./canvas.js";
import { transitionOccupancy, framesNeeded, latticeOf, logSoftmax, logitGradient } from "./ctc.js";
import { byId } from "./dom.js";
import { parseNpy, parseTable } from "./files.js";
import { formatLog } from "./format.js";
import { renderInspector } from "./inspector.js";
import { LatticeView, shading } from "./lattice_view.js";
import { OpenedFile } from "./opened_file.js";
import { Player, Replay } from "./player.js";
import { PosteriorView, renderMedia } from "./posterior_view.js";
import { alphabetFor, encode, syntheticLogits } from "./posteriors.js";
import { renderReading } from "./reading_view.js";
import { renderBeams } from "./beams_view.js";
import { renderGradient, renderTable } from "./matrices_view.js";
import { renderProblems, renderTiles, whyInfeasible } from "./results_view.js";
import { beamsOf, collapse, greedyPath, tokensOf } from "./search.js";
import { SYNTHETIC, Store, UNIFORM } from "./store.js";

const NOTES = {
  [SYNTHETIC]: "Synthetic: a bump for each letter, blanks between. The target may differ from the text of the frames.",
  [UNIFORM]: "A network without knowledge: all classes are equally likely in every frame.",
};
const LATTICE_NOTES = {
  alpha: "Dots: the sum over all paths from the start to each state.",
  beta: "Dots: the sum over all paths from each state to the end.",
  occupancy: "Dots: the share of the paths' probability that passes through each state.",
};

function start() {
  const page = JSON.parse(byId("page-data").textContent);
  const wanted = new URLSearchParams(location.hash.slice(1));
  const number = (name) => (wanted.has(name) ? Number(wanted.get(name)) : undefined);
  const known = new Set([SYNTHETIC, UNIFORM, ...page.posteriors.map((each) => each.key)]);
  const store = new Store({
    ...page,
    source: known.has(wanted.get("source")) ? wanted.get("source") : page.source,
    step: number("step"),
    frames: number("frames") ?? page.frames,
    target: wanted.get("target"),
  });
  if (wanted.get("quantity") in LATTICE_NOTES) store.quantity = wanted.get("quantity");
  if (wanted.get("scale") === "log") store.scale = "log";

  const announce = (text) => (byId("said").textContent = text);
  const posterior = new PosteriorView(announce);
  const lattice = new LatticeView(announce);
  const drawing = { due: false, whole: false };
  const scrollers = [...document.querySelectorAll(".scroller")];

  function draw() {
    const { whole } = drawing;
    drawing.due = drawing.whole = false;
    const available = byId("posterior-canvas").parentElement.clientWidth;
    const width = frameWidth(available, store.count);
    if (!whole) posterior.draw();
    else {
      posterior.render(store, width);
      renderMedia(store, width);
      renderReading(store, width);
      renderGradient(store, width);
      renderTiles(store);
      renderProblems(store);
      renderThumbs(store);
      renderControls(store);
      renderTable(store);
      replay.render(store);
    }
    lattice.render(store, width);
    player.render(store);
    renderBeams(store);
    renderInspector(store);
    if (whole) markEdges(scrollers);
  }

  /** Schedules a drawing: of everything, or only of what depends on the pointer and the frame. */
  function schedule(whole) {
    drawing.whole ||= whole;
    if (drawing.due) return;
    drawing.due = true;
    requestAnimationFrame(draw);
  }

  const redraw = () => schedule(false);
  const redrawAll = () => schedule(true);
  const announceResults = later(() => announce(inWords(store)), 900);
  const player = new Player(store, redraw);
  const replay = new Replay(store);
  posterior.attach(store);
  lattice.attach(store, redraw);
  store.subscribe(redrawAll);
  store.subscribe(announceResults);
  new OpenedFile(store, () => fillSources(store));
  fillSources(store);
  joinControls(store, { redraw, redrawAll, player });
  joinTheme(redrawAll);
  scrollTogether(scrollers);
  new ResizeObserver(redrawAll).observe(byId("posterior"));
  byId("numbers").addEventListener("toggle", redrawAll);
  byId("sources").textContent = page.posteriors.map((each) => each.credit).filter(Boolean).join(" ");
  document.documentElement.classList.toggle("embedded", parent !== window); // then the page around it has the title
  redrawAll();
  return store;
}

/** Delays a call until it has not been requested again for some milliseconds. */
function later(call, milliseconds) {
  let timer = null;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(call, milliseconds);
  };
}

/** The results as a sentence, for screen readers. */
function inWords(store) {
  const why = whyInfeasible(store);
  return why ?? `Loss ${formatLog(-store.lattice.total, 3)}. Greedy text: ${store.greedyText || "empty"}.`;
}

/** The title of the synthetic posterior, with its text once it exists. */
function syntheticTitle(store) {
  if (store.source !== SYNTHETIC) return "synthetic, for the target";
  const text = store.spelled.length > 20 ? `${store.spelled.slice(0, 19)}…` : store.spelled;
  return text ? `synthetic: spells ‘${text}’` : "synthetic: spells nothing";
}

function fillSources(store) {
  const offered = [[SYNTHETIC, syntheticTitle(store)], [UNIFORM, "uniform: all classes equally likely"]];
  for (const each of store.posteriors.values()) offered.push([each.key, each.title]);
  byId("source").replaceChildren(...offered.map(([key, title]) => new Option(title, key)));
  byId("source").value = store.source;
}

function joinControls(store, { redraw, redrawAll, player }) {
  byId("target").addEventListener("input", (event) => store.setText(event.target.value));
  byId("source").addEventListener("change", (event) => {
    player.clock.stop();
    store.take(event.target.value);
  });
  byId("frames").addEventListener("input", (event) => store.setFrames(Number(event.target.value)));
  byId("say").addEventListener("click", () => store.spellTarget());
  byId("reset").addEventListener("click", () => store.reset());
  byId("show-path").addEventListener("change", (event) => {
    store.showPath = event.target.checked;
    redraw();
  });
  for (const group of document.querySelectorAll('[role="radiogroup"]')) {
    joinTabs(group, (chosen) => {
      player.clock.stop();
      store.cursor = Infinity;
      Object.assign(store, chosen);
      redrawAll();
    });
  }
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

function renderControls(store) {
  const synthetic = !store.posterior;
  if (byId("target").value !== store.text) byId("target").value = store.text;
  byId("source").options[0].textContent = syntheticTitle(store);
  byId("source").value = store.source;
  byId("frames-field").hidden = !synthetic;
  byId("frames").max = Math.max(60, store.count);
  byId("frames").value = store.count;
  byId("frames-value").textContent = store.count;
  byId("say").hidden = store.source !== SYNTHETIC;
  byId("say").disabled = store.spelled === store.text;
  byId("reset").disabled = !store.edited;
  byId("file-panel").hidden = store.source !== "file";
  byId("note").textContent = store.posterior?.note ?? NOTES[store.source];
  byId("lattice-note").textContent = LATTICE_NOTES[store.quantity];
  for (const tab of document.querySelectorAll('[role="radio"]')) {
    const chosen = tab.dataset.quantity ? tab.dataset.quantity === store.quantity : tab.dataset.scale === store.scale;
    tab.setAttribute("aria-checked", chosen);
    tab.tabIndex = chosen ? 0 : -1;
  }
}

const THUMB = { width: 64, height: 30 };

/** α, β and γ as three small pictures, all visible at once. */
function renderThumbs(store) {
  const ink = colors();
  for (const canvas of document.querySelectorAll(".thumb")) {
    const context = prepared(canvas, THUMB.width, THUMB.height);
    const shade = shading(store, canvas.parentElement.dataset.quantity);
    const wide = THUMB.width / Math.max(1, Math.min(THUMB.width, store.count));
    const high = THUMB.height / Math.min(THUMB.height, store.lattice.states);
    context.fillStyle = ink.accent;
    pooled(store, shade).forEach((column, x) =>
      column.forEach((value, y) => {
        context.globalAlpha = value;
        if (value > 0.02) context.fillRect(x * wide, y * high, wide + 0.4, high + 0.4);
      }),
    );
  }
}

/** The largest value of the cells under each pixel of a small picture. */
function pooled(store, shade) {
  const [columns, rows] = [Math.min(THUMB.width, store.count), Math.min(THUMB.height, store.lattice.states)];
  const result = Array.from({ length: columns }, () => new Float64Array(rows));
  for (let t = 0; t < store.count; t++) {
    const column = result[Math.floor((t * columns) / store.count)];
    for (let s = 0; s < store.lattice.states; s++) {
      const y = Math.floor((s * rows) / store.lattice.states);
      column[y] = Math.max(column[y], shade(t, s));
    }
  }
  return result;
}

/** Light or dark: the setting of the system, until the button or the embedding page changes it. */
function joinTheme(redraw) {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let chosen = null;
  const apply = () => {
    document.documentElement.dataset.theme = chosen ?? (dark.matches ? "dark" : "light");
    redraw();
  };
  dark.addEventListener("change", apply);
  byId("theme").addEventListener("click", () => {
    chosen = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    apply();
  });
  addEventListener("message", ({ source, data }) => {
    const theme = data?.ctckitTheme;
    if (source !== parent || !["light", "dark", "auto"].includes(theme)) return;
    chosen = theme === "auto" ? null : theme;
    apply();
  });
  apply();
}

globalThis.ctckit = {
  alphabetFor, transitionOccupancy, beamsOf, collapse, encode, framesNeeded, greedyPath, latticeOf, logSoftmax,
  logitGradient, syntheticLogits, parseNpy, parseTable, tokensOf,
};
globalThis.ctckit.store = start();
