// NumPy's arrays: .npy.

import { checked } from "./numbers.js";

const READERS = {
  f2: [2, (view, at, little) => halfToNumber(view.getUint16(at, little))],
  f4: [4, (view, at, little) => view.getFloat32(at, little)],
  f8: [8, (view, at, little) => view.getFloat64(at, little)],
  i1: [1, (view, at) => view.getInt8(at)],
  u1: [1, (view, at) => view.getUint8(at)],
  i2: [2, (view, at, little) => view.getInt16(at, little)],
  i4: [4, (view, at, little) => view.getInt32(at, little)],
  i8: [8, (view, at, little) => Number(view.getBigInt64(at, little))],
};

/** An array of a .npy file: {shape, at}; `at(index)` is a number. Of a string, {shape: [], text}. */
export function readArray(buffer) {
  const view = new DataView(buffer);
  const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
  if (buffer.byteLength < 12 || magic.some((byte, i) => view.getUint8(i) !== byte)) {
    throw new Error("this is not a .npy file: it does not begin like one.");
  }
  const long = view.getUint8(6) >= 2;
  const size = long ? view.getUint32(8, true) : view.getUint16(8, true);
  const start = (long ? 12 : 10) + size;
  if (start > buffer.byteLength) throw new Error("the file is cut off.");
  const header = new TextDecoder().decode(new Uint8Array(buffer, start - size, size));
  const [, order, kind] = /'descr':\s*'([<>|=])(\w+)'/.exec(header) ?? [];
  const shape = /'shape':\s*\(([^)]*)\)/.exec(header)?.[1].split(",").filter((part) => part.trim()).map(Number);
  if (shape?.length === 0 && kind?.startsWith("U")) return { shape, text: textAt(view, start, order !== ">") };
  if (!shape || !READERS[kind]) throw new Error("it has no plain numbers; save float32 or float64.");
  const [width, read] = READERS[kind];
  if (start + width * shape.reduce((a, b) => a * b, 1) > buffer.byteLength) throw new Error("the file is cut off.");
  const steps = stepsOf(shape, /'fortran_order':\s*True/.test(header));
  const at = (index) => read(view, start + width * index.reduce((sum, i, n) => sum + i * steps[n], 0), order !== ">");
  return { shape, at };
}

/** How far apart two neighbors are, on each axis. */
function stepsOf(shape, byColumn) {
  const axes = [...shape.keys()];
  const steps = [];
  let step = 1;
  for (const axis of byColumn ? axes : axes.reverse()) {
    steps[axis] = step;
    step *= shape[axis];
  }
  return steps;
}

/** A string, as NumPy keeps it: four bytes for each character. */
function textAt(view, start, little) {
  const codes = Array.from({ length: (view.byteLength - start) / 4 }, (_, i) => view.getUint32(start + 4 * i, little));
  return codes.map((code) => (code ? String.fromCodePoint(code) : "")).join("");
}

/** The frames of item b of a (B, T, C) array, at most `length`. `rows` reads those from `first` up to `behind`. */
export function framesOfItem({ at }, b, length, classes) {
  const row = (t) => Float64Array.from({ length: classes }, (_, c) => at([b, t, c]));
  const rows = (first, behind) => checked(Array.from({ length: behind - first }, (_, i) => row(first + i)));
  return { frames: length, rows };
}

/** The frames of a (T, C) array, or of (1, T, C): {frames, rows}. */
export function framesOfArray({ shape, at }) {
  const whole = [...shape];
  while (whole.length > 2 && whole[0] === 1) whole.shift();
  if (whole.length !== 2) throw new Error(`its shape is (${shape.join(", ")}); expected (T, C), one item.`);
  const before = new Array(shape.length - 2).fill(0);
  return framesOfItem({ at: ([, t, c]) => at([...before, t, c]) }, 0, ...whole);
}

/** The frames of a .npy file. */
export function parseNpy(buffer) {
  return framesOfArray(readArray(buffer));
}

function halfToNumber(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024));
}

