// The page's elements.

export const byId = (id) => document.getElementById(id);

/** A new element with text or other elements in it. */
export function element(tag, content = [], className = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  for (const part of [content].flat()) made.append(part);
  return made;
}
