// The .npz files that ctckit's commands read and write: the items in them, with names and targets.

import { framesOfArray, framesOfItem, readArray } from "./npy.js";

const END_OF_DIRECTORY = 0x06054b50;
const STORED = 0;
const DEFLATED = 8;
const ABOUT_EMISSIONS = "ctckit_emissions"; // as acoustic_models/saved.py writes it

/** {items, names, blank} of a .npz file; `names` is null where it has no vocabulary. */
export async function parseNpz(buffer) {
  const arrays = await readArchive(buffer);
  const about = arrays.get(ABOUT_EMISSIONS);
  const { tokens = null, blank = 0 } = about ? JSON.parse(about.text).vocabulary : {};
  arrays.delete(ABOUT_EMISSIONS);
  const items = itemsOf(arrays);
  if (!items.length) throw new Error("it has no items. Expected log_probs (B, T, C), or arrays (T, C).");
  return { items, names: tokens, blank };
}

/** Items (T, C): of log_probs or logits (B, T, C) with lengths, of logp with offsets, or one for each array. */
function itemsOf(arrays) {
  const batch = arrays.get("log_probs") ?? arrays.get("logits");
  if (batch?.shape.length === 3) {
    const [count, frames, classes] = batch.shape;
    const length = (b) => arrays.get("input_lengths")?.at([b]) ?? frames;
    return Array.from({ length: count }, (_, b) => ({
      name: String(b), target: targetOf(arrays, b), ...framesOfItem(batch, b, length(b), classes),
    }));
  }
  if (batch) return [{ name: "", ...framesOfArray(batch) }];
  const [joined, offsets] = [arrays.get("logp"), arrays.get("offsets")];
  if (joined && offsets) {
    return Array.from({ length: offsets.shape[0] - 1 }, (_, b) => {
      const [first, behind] = [offsets.at([b]), offsets.at([b + 1])];
      const at = ([, t, c]) => joined.at([first + t, c]);
      return { name: String(b), ...framesOfItem({ at }, b, behind - first, joined.shape[1]) };
    });
  }
  const matrices = [...arrays].filter(([, { shape }]) => shape.length === 2);
  return matrices.map(([name, each]) => ({ name, ...framesOfArray(each) }));
}

/** The target of item b, as classes, if the file has targets (B, N). */
function targetOf(arrays, b) {
  const targets = arrays.get("targets");
  if (targets?.shape.length !== 2) return null;
  const length = arrays.get("target_lengths")?.at([b]) ?? targets.shape[1];
  return Array.from({ length }, (_, n) => targets.at([b, n]));
}

/** The arrays of a zip file, by name. */
async function readArchive(buffer) {
  const view = new DataView(buffer);
  let end = buffer.byteLength - 22;
  while (end >= 0 && view.getUint32(end, true) !== END_OF_DIRECTORY) end -= 1;
  if (end < 0) throw new Error("this is not a .npz file, or it is cut off.");
  const arrays = new Map();
  let at = view.getUint32(end + 16, true);
  for (let count = view.getUint16(end + 10, true); count > 0; count--) {
    const [name, extra, comment] = [28, 30, 32].map((each) => view.getUint16(at + each, true));
    const fileName = new TextDecoder().decode(new Uint8Array(buffer, at + 46, name));
    if (fileName.endsWith(".npy")) arrays.set(fileName.slice(0, -4), readArray(await content(buffer, view, at)));
    at += 46 + name + extra + comment;
  }
  return arrays;
}

/** The bytes of the file whose entry in the directory is at `entry`. */
async function content(buffer, view, entry) {
  const method = view.getUint16(entry + 10, true);
  const size = view.getUint32(entry + 20, true);
  const local = view.getUint32(entry + 42, true);
  const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
  if (method === STORED) return buffer.slice(start, start + size);
  if (method !== DEFLATED) throw new Error("it is compressed in a way that browsers cannot read.");
  const packed = new Blob([new Uint8Array(buffer, start, size)]).stream();
  return new Response(packed.pipeThrough(new DecompressionStream("deflate-raw"))).arrayBuffer();
}
