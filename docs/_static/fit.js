// Outputs, formulas and tables are not wrapped. One that is wider than its box gets a smaller font; if it is still wider,
// the box scrolls, and fades where it continues.

const BOXES = ".cell_output pre, .formula, .output.text_html, .table-wrapper";
const SMALLEST = 0.65; // of the font

function fit(box) {
  box.style.fontSize = "";
  const style = getComputedStyle(box);
  const padding = parseFloat(style.paddingLeft) + parseFloat(style.paddingRight);
  const share = (box.clientWidth - padding - 1) / (box.scrollWidth - padding);
  if (box.scrollWidth > box.clientWidth) {
    box.style.fontSize = `${Math.max(SMALLEST, share) * parseFloat(style.fontSize)}px`;
  }
  const scrolls = box.scrollWidth > box.clientWidth;
  box.classList.toggle("scrolls", scrolls);
  if (scrolls) box.tabIndex = 0; // then keys scroll it
  else box.removeAttribute("tabindex");
  fade(box);
}

function fade(box) {
  box.classList.toggle("more-left", box.scrollLeft > 1);
  box.classList.toggle("more-right", box.scrollWidth - box.clientWidth - box.scrollLeft > 1);
}

addEventListener("DOMContentLoaded", () => {
  const boxes = [...document.querySelectorAll(BOXES)];
  const fitAll = () => boxes.forEach(fit);
  for (const box of boxes) box.addEventListener("scroll", () => fade(box), { passive: true });
  document.addEventListener("toggle", fitAll, true); // folded cells have no width
  addEventListener("resize", fitAll);
  addEventListener("load", fitAll); // with all fonts
  fitAll();
});
