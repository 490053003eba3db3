// The formats of numbers.

const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

function powerOfTen(exponent) {
  const digits = [...String(Math.abs(exponent))].map((digit) => SUPERSCRIPTS[digit]).join("");
  return `10${exponent < 0 ? "⁻" : ""}${digits}`;
}

/** A probability: 0.427, or 3.1·10⁻⁵. */
export function formatProb(value) {
  if (value === 0) return "0";
  if (value >= 0.0005) return value.toFixed(3);
  const exponent = Math.floor(Math.log10(value) + 1e-12);
  return `${(value / 10 ** exponent).toFixed(1)}·${powerOfTen(exponent)}`;
}

/** exp(log) as formatProb writes it, also if it underflows. */
export function formatExp(log) {
  if (log === -Infinity) return "0";
  if (log > -7.6) return formatProb(Math.exp(log));
  const tens = log / Math.LN10;
  const exponent = Math.floor(tens + 1e-12);
  return `${(10 ** (tens - exponent)).toFixed(1)}·${powerOfTen(exponent)}`;
}

/** A logarithm: −4.21, −∞. */
export function formatLog(value, digits = 2) {
  if (value === -Infinity) return "−∞";
  if (value === Infinity) return "∞";
  return value.toFixed(digits).replace(/^-(0\.?0*)$/, "$1").replace("-", "−");
}

const SMALL_CHANGE = 0.1;

/** A change with its sign: +0.12, −0.12; a small one as exactly as the loss, +0.0046; ±0. */
export function formatChange(value) {
  const size = Math.abs(value);
  const written = formatLog(size, size < SMALL_CHANGE ? 4 : 2);
  return Number(written) === 0 ? "±0" : `${value > 0 ? "+" : "−"}${written}`;
}

/** A log-probability on the scale that is shown. */
export function formatScore(log, scale) {
  return scale === "log" ? formatLog(log) : formatExp(log);
}

/** A share in percent. */
export function formatShare(value) {
  return value < 0.0005 ? "< 0.1 %" : `${(100 * value).toFixed(1)} %`;
}

export function plural(number, what) {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}
