/**
 * Helpers for elements. Data from rekey becomes text or an attribute of a drawing, never markup: others write claims and
 * reasons.
 */
import { utc } from "./text.js";

export const byId = (id) => document.getElementById(id);

/** Leaves an unchanged text alone: setting it would clear a selection. */
export function setText(id, text) {
  const node = byId(id);
  if (node.textContent !== String(text)) node.textContent = text;
}

export function make(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

export function makeSvg(name, attributes, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

const keyOf = new WeakMap();

/** Gives `parent` one child per item, and leaves the children of unchanged items alone. */
export function keep(parent, items, build) {
  const keys = items.map((item) => JSON.stringify(item));
  for (const child of [...parent.children]) {
    if (!keys.includes(keyOf.get(child))) child.remove();
  }
  items.forEach((item, index) => {
    const there = parent.children[index] ?? null;
    if (there !== null && keyOf.get(there) === keys[index]) return;
    const child = build(item);
    keyOf.set(child, keys[index]);
    parent.insertBefore(child, there);
  });
  while (parent.children.length > items.length) parent.lastElementChild.remove();
}

export function timeOf(instant, text = utc(instant)) {
  return make("time", { datetime: instant }, text);
}
