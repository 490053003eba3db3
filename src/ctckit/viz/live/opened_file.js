// The user's file as a posterior: dropped or chosen. The page asks what its numbers mean.

import { byId } from "./dom.js";
import { lookLikeProbs, logOfProbs, parseNpy, parseTable, transposed } from "./files.js";
import { decode } from "./posteriors.js";
import { collapse, greedyPath } from "./search.js";

export const OPENED = "file";

export class OpenedFile {
  constructor(store, refresh) {
    this.store = store;
    this.refresh = refresh;
    byId("open").addEventListener("click", () => byId("file").click());
    byId("file").addEventListener("change", (event) => this.read(event.target.files[0]));
    for (const id of ["file-kind", "file-blank"]) byId(id).addEventListener("change", () => this.use());
    byId("file-names").addEventListener("change", () => {
      const typed = byId("file-names").value.trim().split(/\s+/).filter(Boolean);
      this.names = typed.length ? typed.map((name) => (name === "␣" ? " " : name)) : null;
      this.use();
    });
    byId("file-turn").addEventListener("click", () => {
      this.rows = transposed(this.rows);
      this.names = null;
      this.use();
    });
    this.catchDrops();
  }

  catchDrops() {
    const cover = byId("drop");
    window.addEventListener("dragover", (event) => {
      event.preventDefault();
      cover.classList.add("over");
    });
    window.addEventListener("dragleave", (event) => event.relatedTarget || cover.classList.remove("over"));
    window.addEventListener("drop", (event) => {
      event.preventDefault();
      cover.classList.remove("over");
      if (event.dataTransfer.files.length) this.read(event.dataTransfer.files[0]);
    });
  }

  async read(file) {
    if (!file) return;
    try {
      const isArray = file.name.toLowerCase().endsWith(".npy");
      const { rows, names } = isArray ? parseNpy(await file.arrayBuffer()) : parseTable(await file.text());
      Object.assign(this, { rows, names, fileName: file.name });
      byId("file-blank").value = 0;
      byId("file-kind").value = "logits";
      this.use();
    } catch (error) {
      this.complain(`${file.name}: ${error.message}`);
    }
    byId("file").value = "";
  }

  complain(message) {
    const problem = byId("problem");
    problem.textContent = message;
    problem.hidden = false;
  }

  use() {
    try {
      this.place();
    } catch (error) {
      this.complain(`${this.fileName}: ${error.message}`);
    }
  }

  /** Adds the file to the posteriors and selects it. */
  place() {
    const classes = this.rows[0].length;
    const blank = Math.max(0, Math.min(classes - 1, Math.trunc(Number(byId("file-blank").value)) || 0));
    const names = this.namesFor(classes, blank);
    const logits = byId("file-kind").value === "probs" ? logOfProbs(this.rows) : this.rows;
    const target = decode(collapse(greedyPath(logits), blank), names);
    const title = `${this.fileName}, ${this.rows.length} × ${classes}`;
    const note = "Your file. The first target is its greedy text.";
    this.store.posteriors.set(OPENED, { key: OPENED, title, note, names, blank, target, history: [logits] });
    this.store.take(OPENED);
    byId("file-blank").value = blank;
    byId("file-blank").max = classes - 1;
    const others = names.filter((_, c) => c !== blank);
    byId("file-names").value = others.map((name) => (name === " " ? "␣" : name)).join(" ");
    const looks = lookLikeProbs(this.rows) && byId("file-kind").value === "logits";
    byId("file-note").textContent = looks
      ? `${title}. Each row is in 0..1 and sums to 1: are they probabilities? If so, select this here.`
      : `${title} (frames × classes).`;
    this.refresh();
  }

  /** The names for all classes, or for all but the blank; without names, their numbers. */
  namesFor(classes, blank) {
    const names = this.names ? [...this.names] : Array.from({ length: classes }, (_, c) => String(c));
    if (names.length === classes - 1) names.splice(blank, 0, "");
    if (names.length !== classes) throw new Error(`${names.length} names for ${classes} classes.`);
    names[blank] = "";
    const twice = names.find((name, c) => names.indexOf(name) !== c);
    if (twice !== undefined) throw new Error(`two classes are called "${twice}".`);
    return names;
  }
}
