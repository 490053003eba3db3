// The user's file as a posterior: dropped or chosen. The page asks what its numbers mean.

import { byId } from "./dom.js";
import { parseNpy } from "./npy.js";
import { parseNpz } from "./npz.js";
import { MOST_FRAMES, logOfProbs, lookLikeProbs, transposed } from "./numbers.js";
import { decode } from "./posteriors.js";
import { collapse, greedyPath } from "./search.js";
import { OPENED } from "./store.js";
import { parseTable } from "./tables.js";

const FRAMES_OF_LONG = 300; // of a file with more than MOST_FRAMES

/** {items, names, blank} of a file; an item is {name, target, frames, rows}, and `rows` reads some of its frames. */
async function itemsOfFile(file) {
  const name = file.name.toLowerCase();
  if (name.endsWith(".npz")) return parseNpz(await file.arrayBuffer());
  if (name.endsWith(".npy")) return { items: [{ name: "", ...parseNpy(await file.arrayBuffer()) }] };
  const { rows, names } = parseTable(await file.text());
  return { items: [{ name: "", frames: rows.length, rows: (first, behind) => rows.slice(first, behind) }], names };
}

/** The number in a field, at least 0 and at most `most`; written back. */
function wholeNumber(id, most) {
  const field = byId(id);
  field.value = Math.max(0, Math.min(most, Math.trunc(Number(field.value)) || 0));
  return Number(field.value);
}

export class OpenedFile {
  constructor(store, refresh) {
    this.store = store;
    this.refresh = refresh;
    byId("open").addEventListener("click", () => byId("file").click());
    byId("file").addEventListener("change", (event) => this.read(event.target.files[0]));
    for (const id of ["file-kind", "file-blank", "file-item", "file-first"]) {
      byId(id).addEventListener("change", () => this.use());
    }
    byId("file-names").addEventListener("change", () => {
      const typed = byId("file-names").value.trim().split(/\s+/).filter(Boolean);
      this.names = typed.length ? typed.map((name) => (name === "␣" ? " " : name)) : null;
      this.use();
    });
    byId("file-turn").addEventListener("click", () => {
      this.turned = !this.turned;
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
      const { items, names = null, blank = 0 } = await itemsOfFile(file);
      Object.assign(this, { items, names, fileName: file.name, turned: false });
      byId("file-item").replaceChildren(...items.map(({ name }, i) => new Option(name, i)));
      byId("file-item").parentElement.hidden = items.length < 2;
      byId("file-first").value = 0;
      byId("file-blank").value = blank;
      byId("file-kind").value = "logits";
      this.use();
    } catch (error) {
      this.complain(`${file.name}: ${error.message}`);
    }
    byId("file").value = "";
  }

  complain(message) {
    this.store.complaint = message;
    this.store.tell();
  }

  use() {
    try {
      this.place();
    } catch (error) {
      this.complain(`${this.fileName}: ${error.message}`);
    }
  }

  /** The rows to show: those of one item, and of a long one some. */
  window() {
    const item = this.items[byId("file-item").value];
    const long = item.frames > MOST_FRAMES;
    const first = long ? wholeNumber("file-first", item.frames - FRAMES_OF_LONG) : 0;
    byId("file-first").parentElement.hidden = !long;
    const rows = item.rows(first, long ? first + FRAMES_OF_LONG : item.frames);
    return { item, rows: this.turned ? transposed(rows) : rows, part: long ? `, of ${item.frames} frames` : "" };
  }

  /** Adds the file to the posteriors and selects it. */
  place() {
    const { item, rows, part } = this.window();
    const classes = rows[0].length;
    const blank = wholeNumber("file-blank", classes - 1);
    const names = this.namesFor(classes, blank);
    const logits = byId("file-kind").value === "probs" ? logOfProbs(rows) : rows;
    const target = decode(item.target ?? collapse(greedyPath(logits), blank), names);
    const title = `${this.fileName}${item.name && ` (${item.name})`}, ${rows.length} × ${classes}${part}`;
    const note = `Your file. The first target is ${item.target ? "that of the file" : "its greedy text"}.`;
    this.store.posteriors.set(OPENED, { key: OPENED, title, note, names, blank, target, history: [logits] });
    this.store.take(OPENED);
    byId("file-blank").max = classes - 1;
    const others = names.filter((_, c) => c !== blank);
    byId("file-names").value = others.map((name) => (name === " " ? "␣" : name)).join(" ");
    const looks = lookLikeProbs(rows) && byId("file-kind").value === "logits";
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
