/** Numbers from 0 to 1, as `Math.random` gives, but the same ones for a seed. */
export type Random = () => number;

/** A {@linkcode Random} of 32 bits of state: mulberry32. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

// What means something to a reader of tokens or of JSON.
const WORDS = [
  ...[
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    '"',
    "\\",
    ".",
    "=",
    "-",
    "_",
    "+",
    "/",
    " ",
    "\n",
    "\0",
    "\ufeff",
  ],
  ...["\\u0000", "\\ud800", "\\udc00", "\\u0061", "\xff", "\xc0\xaf", "\xed\xa0\x80", "\u2028"],
  ...[
    '"alg":"none",',
    '"alg":"HS512",',
    '"kid":"",',
    '"crit":[],',
    '"exp":1e400,',
    '"exp":9999999999,',
  ],
  ...['"__proto__":{},', '"a":1,"a":2,', "1e308", "9007199254740993", "-0", "null", "true", "NaN"],
  ...['"sub":"', '"aud":[', '"jti":7,', "eyJhbGciOiJub25lIn0", "..", "[[[[[[[[", '{"":{"":{"":'],
];

/** One to four changes of a text; `other` is one to take a piece of. */
export function mutated(text: string, other: string, random: Random): string {
  let result = text;
  for (let left = 1 + Math.floor(random() * 4); left > 0; left--) {
    result = CHANGES[Math.floor(random() * CHANGES.length)]!(result, other, random);
  }
  return result;
}

/** A text of up to 200 characters, from few of them or from all. */
export function randomText(random: Random): string {
  const top = [64, 128, 256, 65_536][Math.floor(random() * 4)]!;
  const codes = Array.from({ length: Math.floor(random() * 200) }, () => random() * top);
  const dots = [46, 46].map((dot) => [Math.floor(random() * codes.length), dot] as const);
  for (const [at, dot] of random() < 0.5 ? dots : []) codes[at] = dot;
  return String.fromCharCode(...codes);
}

type Change = (text: string, other: string, random: Random) => string;

const at = (text: string, random: Random) => Math.floor(random() * (text.length + 1));

function piece(text: string, random: Random): [before: string, piece: string, after: string] {
  const from = at(text, random);
  const to = from + Math.floor(random() ** 3 * (text.length - from + 1));
  return [text.slice(0, from), text.slice(from, to), text.slice(to)];
}

const CHANGES: readonly Change[] = [
  // A bit.
  (text, _, random) => {
    const place = at(text, random);
    const code = (text.charCodeAt(place) || 0) ^ (1 << Math.floor(random() * 8));
    return text.slice(0, place) + String.fromCharCode(code) + text.slice(place + 1);
  },
  // A piece less, twice, elsewhere, or of the other one.
  (text, _, random) => {
    const [before, , after] = piece(text, random);
    return before + after;
  },
  (text, _, random) => {
    const [before, twice, after] = piece(text, random);
    return before + twice + twice + after;
  },
  (text, _, random) => {
    const [before, moved, after] = piece(text, random);
    const rest = before + after;
    const place = at(rest, random);
    return rest.slice(0, place) + moved + rest.slice(place);
  },
  (text, other, random) => {
    const [before, , after] = piece(text, random);
    return before + piece(other, random)[1] + after;
  },
  // The beginning of one and the end of the other.
  (text, other, random) => text.slice(0, at(text, random)) + other.slice(at(other, random)),
  // A part of the other token.
  (text, other, random) => {
    const [parts, others] = [text.split("."), other.split(".")];
    const place = Math.floor(random() * parts.length);
    return parts.with(place, others[place % others.length]!).join(".");
  },
  (text, _, random) => {
    const place = at(text, random);
    return text.slice(0, place) + WORDS[Math.floor(random() * WORDS.length)] + text.slice(place);
  },
];
