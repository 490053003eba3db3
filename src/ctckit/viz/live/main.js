// Builds the page: reads its data, connects the views to the store, and the controls to both.

import { Address } from "./address.js";
import { frameWidth, markEdges, scrollTogether } from "./canvas.js";
import { fillSources, joinControls, joinLink, renderControls, renderNote } from "./controls.js";
import { transitionOccupancy, framesNeeded, latticeOf, logSoftmax, logitGradient } from "./ctc.js";
import { byId } from "./dom.js";
import { parseTable } from "./tables.js";
import { formatLog } from "./format.js";
import { renderInspector } from "./inspector.js";
import { LatticeView } from "./lattice_view.js";
import { parseNpy } from "./npy.js";
import { OpenedFile } from "./opened_file.js";
import { Player, Replay } from "./player.js";
import { PosteriorView, renderMedia } from "./posterior_view.js";
import { alphabetFor, encode, syntheticLogits } from "./posteriors.js";
import { renderReading } from "./reading_view.js";
import { renderBeams } from "./beams_view.js";
import { renderGradient, renderTable } from "./matrices_view.js";
import { renderMeaning, renderProblems, renderTiles, whyInfeasible } from "./results_view.js";
import { beamsOf, collapse, greedyPath, tokensOf } from "./search.js";
import { Store } from "./store.js";
import { joinTheme } from "./theme.js";
import { renderThumbs } from "./thumbs.js";
import { Tour } from "./tour.js";

function start() {
  const page = JSON.parse(byId("page-data").textContent);
  const store = new Store(page);
  const announce = (text) => (byId("said").textContent = text);
  const posterior = new PosteriorView(announce);
  const lattice = new LatticeView(announce);
  const tour = new Tour();
  const drawing = { due: false, whole: false };
  const scrollers = [...document.querySelectorAll(".scroller")];
  const chips = document.querySelector(".chips");

  function draw() {
    const { whole } = drawing;
    drawing.due = drawing.whole = false;
    if (whole) {
      tour.render();
      renderControls(store);
    }
    const available = scrollers.find((each) => each.clientWidth > 0)?.clientWidth ?? 0; // the tour hides panels
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
      renderTable(store);
      replay.render(store);
    }
    lattice.render(store, width);
    player.render(store);
    renderBeams(store);
    renderMeaning(store);
    renderInspector(store);
    renderNote(store, address.now);
    if (whole) markEdges([...scrollers, chips]);
    address.write();
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
  const player = new Player(store, (t) => {
    lattice.reveal(t);
    redraw();
  });
  const replay = new Replay(store);
  const stop = () => [player, replay].forEach((each) => each.clock.stop());
  const address = new Address(store, tour, (what) => {
    stop();
    ({ recursion: player, training: replay })[what]?.clock.start();
  });
  store.subscribe(redrawAll);
  store.subscribe(announceResults);
  address.follow();
  posterior.attach(store);
  lattice.attach(store, redraw);
  new OpenedFile(store, () => fillSources(store));
  fillSources(store);
  joinControls(store, { redrawAll, stop });
  joinLink(address, announce);
  joinTheme(redrawAll);
  scrollTogether(scrollers);
  scrollTogether([chips]);
  const observer = new ResizeObserver(redrawAll);
  for (const id of ["posterior", "lattice", "gradient"]) observer.observe(byId(id));
  for (const link of document.querySelectorAll("[data-chapter]")) {
    link.hidden = !page.chapters;
    if (page.chapters) link.href = `${page.chapters}/${link.dataset.chapter}.html`;
    link.target = "_top"; // out of the page that embeds this one
  }
  byId("sources").textContent = page.posteriors.map((each) => each.credit).filter(Boolean).join(" ");
  document.documentElement.classList.toggle("embedded", parent !== window); // then the page around it has the title
  redrawAll();
  return { store, address };
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

globalThis.ctckit = {
  alphabetFor, transitionOccupancy, beamsOf, collapse, encode, framesNeeded, greedyPath, latticeOf, logSoftmax,
  logitGradient, syntheticLogits, parseNpy, parseTable, tokensOf,
};
Object.assign(globalThis.ctckit, start());
