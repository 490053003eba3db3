// The user's files: tables of numbers (.csv, .tsv, .txt) and NumPy arrays (.npy), read in the page.

/** {rows, names}: T rows of C numbers, and the names of the classes if the table has a header. */
export function parseTable(text) {
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/).filter((line) => line.trim());
  if (!lines.length) throw new Error("the file is empty.");
  const mark = lines[0].includes("\t") ? "\t" : lines[0].includes(";") ? ";" : lines[0].includes(",") ? "," : null;
  const cells = lines.map((line) => (mark ? splitQuoted(line, mark) : line.trim().split(/\s+/)));
  const names = cells[0].every((cell) => Number.isNaN(numberOf(cell)) && !isNaNText(cell)) ? cells.shift() : null;
  const width = names ? names.length : cells[0]?.length;
  const rows = cells.map((row, t) => {
    if (row.length !== width) throw new Error(`row ${t + 1} has ${row.length} columns; the first has ${width}.`);
    return Float64Array.from(row, (cell, c) => {
      const value = numberOf(cell);
      if (Number.isNaN(value)) throw new Error(`row ${t + 1}, column ${c + 1} is "${cell}"; expected a number.`);
      return value;
    });
  });
  return { rows: checked(rows), names };
}

function splitQuoted(line, mark) {
  const cells = [];
  let cell = "";
  let quoted = false;
  for (let i = 0; i < line.length; i++) {
    if (line[i] === '"' && quoted && line[i + 1] === '"') cell += line[++i];
    else if (line[i] === '"') quoted = !quoted;
    else if (line[i] === mark && !quoted) {
      cells.push(cell);
      cell = "";
    } else cell += line[i];
  }
  return [...cells, cell].map((each) => (each.trim() ? each.trim() : each));
}

function numberOf(cell) {
  const text = cell.trim().toLowerCase().replace("−", "-");
  if (/^[+-]?inf(inity)?$/.test(text)) return text.startsWith("-") ? -Infinity : Infinity;
  return text === "" ? NaN : Number(text);
}

function isNaNText(cell) {
  return /^[+-]?nan$/i.test(cell.trim());
}

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

/** {rows, names: null} of a .npy file that holds (T, C), or (1, T, C), numbers. */
export function parseNpy(buffer) {
  const view = new DataView(buffer);
  const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
  if (buffer.byteLength < 12 || magic.some((byte, i) => view.getUint8(i) !== byte)) {
    throw new Error("this is not a .npy file: it does not begin like one.");
  }
  const long = view.getUint8(6) >= 2;
  const size = long ? view.getUint32(8, true) : view.getUint16(8, true);
  const start = long ? 12 : 10;
  if (start + size > buffer.byteLength) throw new Error("the file is cut off.");
  const header = new TextDecoder().decode(new Uint8Array(buffer, start, size));
  const kind = /'descr':\s*'([<>|=])(\w+)'/.exec(header);
  const shape = /'shape':\s*\(([^)]*)\)/.exec(header)?.[1].split(",").filter((part) => part.trim()).map(Number);
  if (!kind || !shape || !READERS[kind[2]]) throw new Error("it has no plain numbers; save float32 or float64.");
  while (shape.length > 2 && shape[0] === 1) shape.shift();
  if (shape.length !== 2) throw new Error(`its shape is (${shape.join(", ")}); expected (T, C), one item.`);
  const [frames, classes] = shape;
  const [width, read] = READERS[kind[2]];
  if (start + size + frames * classes * width > buffer.byteLength) throw new Error("the file is cut off.");
  const byColumn = /'fortran_order':\s*True/.test(header);
  const rows = Array.from({ length: frames }, (_, t) =>
    Float64Array.from({ length: classes }, (_, c) =>
      read(view, start + size + width * (byColumn ? c * frames + t : t * classes + c), kind[1] !== ">"),
    ),
  );
  return { rows: checked(rows), names: null };
}

function halfToNumber(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024));
}

export const MOST_FRAMES = 1000;
export const MOST_CLASSES = 1000;

function checked(rows) {
  if (!rows.length) throw new Error("it has no frames.");
  const classes = rows[0].length;
  if (classes < 2) throw new Error(`it has ${classes} column; expected a blank and at least one other class.`);
  if (rows.length > MOST_FRAMES || classes > MOST_CLASSES) {
    const most = `at most ${MOST_FRAMES} of ${MOST_CLASSES} fit`;
    throw new Error(`it has ${rows.length} frames of ${classes} classes; ${most}.`);
  }
  rows.forEach((row, t) => {
    if (row.some((value) => Number.isNaN(value) || value === Infinity)) {
      throw new Error(`frame ${t} holds NaN or +∞.`);
    }
    if (row.every((value) => value === -Infinity)) throw new Error(`in frame ${t} every class is −∞.`);
  });
  return rows;
}

/** Whether every row is a distribution, so that the numbers may be probabilities. */
export function lookLikeProbs(rows) {
  return rows.every(
    (row) => row.every((value) => value >= 0 && value <= 1.001) && Math.abs(row.reduce((a, b) => a + b, 0) - 1) < 0.01,
  );
}

/** Natural logarithms of probabilities. */
export function logOfProbs(rows) {
  return rows.map((row, t) => {
    if (row.some((value) => value < 0)) throw new Error(`frame ${t} has a number below 0, so not probabilities.`);
    if (row.every((value) => value === 0)) throw new Error(`in frame ${t} every class has probability 0.`);
    return row.map(Math.log);
  });
}

/** Rows and columns exchanged. */
export function transposed(rows) {
  return Array.from(rows[0], (_, c) => Float64Array.from(rows, (row) => row[c]));
}
