// (T, C) numbers as arrays of rows: which of them the page can show, and what they may mean.

export const MOST_FRAMES = 1000;
export const MOST_CLASSES = 1000;

/** The rows; an error says why the page cannot show them. */
export function checked(rows) {
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
