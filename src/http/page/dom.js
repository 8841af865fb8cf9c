/**
 * Helpers for elements. Data from rekey becomes text or an attribute, never markup: others write claims and reasons.
 */
import { duration, utc } from "./text.js";

export const byId = (id) => document.getElementById(id);

/** Characters that are not seen, or that turn others round, as escapes: as on rekey's command line. */
const visible = (text) =>
  String(text).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (c) => `\\u{${c.codePointAt(0).toString(16)}}`);

/** Leaves an unchanged text alone: setting it would clear a selection. */
export function setText(id, text) {
  const [node, shown] = [byId(id), visible(text)];
  if (node.textContent !== shown) node.textContent = shown;
}

export function make(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children.map((child) => child instanceof Node ? child : visible(child)));
  return node;
}

const keyOf = new WeakMap();

/** Gives `parent` one child per item, and leaves the children of unchanged items alone. */
export function keep(parent, items, build) {
  const keys = items.map((item) => JSON.stringify(item));
  const wanted = new Set(keys);
  for (const child of [...parent.children]) {
    if (!wanted.has(keyOf.get(child))) child.remove();
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

/** A time that says how long ago it was, or how far it is: `tell` makes the words of the seconds. */
export function counting(instant, tell) {
  const node = make("time", { datetime: instant, title: utc(instant) });
  node.tell = tell;
  node.classList.add("counting");
  count_(node);
  return node;
}

// Difference between rekey's clock and the browser's, in milliseconds.
let ahead = 0;

/** Tells what rekey's clock says. */
export function setClock(instant) {
  ahead = Date.parse(instant) - Date.now();
}

/** Renews all times that count. */
export function countOn() {
  document.querySelectorAll(".counting").forEach(count_);
}

function count_(node) {
  const seconds = (Date.parse(node.dateTime) - Date.now() - ahead) / 1000;
  const text = node.tell(seconds);
  if (node.textContent !== text) node.textContent = text;
}

export const agoWords = (seconds) =>
  seconds > -5 ? "just now" : `${duration(-seconds, seconds > -3600 ? 1 : 2)} ago`;
