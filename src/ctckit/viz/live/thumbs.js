// α, β and γ as three small pictures, all visible at once.

import { colors, prepared } from "./canvas.js";
import { shading } from "./lattice_view.js";

const THUMB = { width: 64, height: 30 };

export function renderThumbs(store) {
  const ink = colors();
  for (const canvas of document.querySelectorAll(".thumb")) {
    const context = prepared(canvas, THUMB.width, THUMB.height);
    const shade = shading(store, canvas.parentElement.dataset.quantity);
    const wide = THUMB.width / Math.max(1, Math.min(THUMB.width, store.count));
    const high = THUMB.height / Math.min(THUMB.height, store.lattice.states);
    context.fillStyle = ink.accent;
    pooled(store, shade).forEach((column, x) =>
      column.forEach((value, y) => {
        context.globalAlpha = value;
        if (value > 0.02) context.fillRect(x * wide, y * high, wide + 0.4, high + 0.4);
      }),
    );
  }
}

/** The largest value of the cells under each pixel of a small picture. */
function pooled(store, shade) {
  const [columns, rows] = [Math.min(THUMB.width, store.count), Math.min(THUMB.height, store.lattice.states)];
  const result = Array.from({ length: columns }, () => new Float64Array(rows));
  for (let t = 0; t < store.count; t++) {
    const column = result[Math.floor((t * columns) / store.count)];
    for (let s = 0; s < store.lattice.states; s++) {
      const y = Math.floor((s * rows) / store.lattice.states);
      column[y] = Math.max(column[y], shade(t, s));
    }
  }
  return result;
}
