// Tables of numbers: .csv, .tsv, .txt.

import { checked } from "./numbers.js";

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
