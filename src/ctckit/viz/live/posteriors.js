// The available posteriors, and texts as classes.

const LETTERS = "abcdefghijklmnopqrstuvwxyz ";

/** The classes of a synthetic network: the blank, a to z, the space, and the other characters of its text. */
export function alphabetFor(text) {
  const others = [...new Set([...text])].filter((character) => !LETTERS.includes(character)).sort();
  return ["", ...LETTERS, ...others];
}

/** The number of frames of a synthetic network for N tokens. */
export function syntheticFrames(tokens) {
  return 4 * tokens + 3;
}

/** (T, C) logits in which each token has a bump and the blank the rest; the same as viz/synthetic.py. */
export function syntheticLogits(target, classes, frames) {
  const rows = Array.from({ length: frames }, () => new Float64Array(classes).fill(-4));
  for (const row of rows) row[0] = 0.5;
  target.forEach((token, n) => {
    const center = ((n + 0.5) * frames) / target.length - 0.5;
    rows.forEach((row, t) => (row[token] = Math.max(row[token], 2.5 - 0.9 * (t - center) ** 2)));
  });
  return rows;
}

/** (T, C) logits of a uniform network: all classes are equally likely. */
export function uniformLogits(classes, frames) {
  return Array.from({ length: frames }, () => new Float64Array(classes));
}

/** Numbers as the page carries them: base64 of little-endian float32. */
export function unpackFloats(base64) {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Float64Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(4 * i, true));
}

/** K matrices (T, C) from a posterior of the page: one, or one for each step of a training. */
export function unpackLogProbs({ shape: [count, frames, classes], data }) {
  const flat = unpackFloats(data);
  const row = (k, t) => flat.slice((k * frames + t) * classes, (k * frames + t + 1) * classes);
  return Array.from({ length: count }, (_, k) => Array.from({ length: frames }, (_, t) => row(k, t)));
}

/** {tokens, unknown}: a text as classes. Between spaces, unless the space is a class, the longest names first. */
export function encode(text, names, blank) {
  const index = new Map(names.map((name, c) => [name, c]));
  index.delete(names[blank]);
  const longest = Math.max(1, ...[...index.keys()].map((name) => name.length));
  const tokens = [];
  const unknown = [];
  for (const piece of index.has(" ") ? [text] : text.split(/\s+/).filter(Boolean)) {
    for (let at = 0; at < piece.length; ) {
      let length = Math.min(longest, piece.length - at);
      while (length > 0 && !index.has(piece.slice(at, at + length))) length--;
      if (length) tokens.push(index.get(piece.slice(at, at + length)));
      else unknown.push(String.fromCodePoint(piece.codePointAt(at)));
      at += length || unknown[unknown.length - 1].length;
    }
  }
  return { tokens, unknown: [...new Set(unknown)] };
}

/** A list of classes as a text; with a space between names that are longer than one character. */
export function decode(tokens, names) {
  const long = names.some((name) => [...name].length > 1);
  return tokens.map((token) => names[token]).join(long ? " " : "");
}
