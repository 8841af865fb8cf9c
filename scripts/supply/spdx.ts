/** Licences that let anyone pass on a binary with nothing but their texts; docs/supply-chain.md names them. */
export const ALLOWED: ReadonlySet<string> = new Set([
  "0BSD",
  // Of libdbus, inside the keyring addon; its other choice is the GPL.
  "AFL-2.1",
  "Apache-2.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "ISC",
  "MIT",
  "Unicode-3.0",
  "Unlicense",
]);

/** Whether what a package says of its licence, an SPDX expression, leaves a way that is allowed. */
export function isAllowed(expression: unknown, allowed: ReadonlySet<string> = ALLOWED): boolean {
  const words = typeof expression === "string" ? expression.match(/[()]|[^\s()]+/g) ?? [] : [];
  const answer = either(words, allowed);
  return answer === true && words.length === 0;
}

/** @throws {Error} unless {@linkcode isAllowed}. */
export function checkLicense(name: string, expression: unknown): string {
  if (isAllowed(expression)) return expression as string;
  const says = typeof expression === "string" ? `the licence ${expression}` : "no licence";
  throw new Error(
    `${name} has ${says}; allowed are ${[...ALLOWED].join(", ")} (scripts/supply/spdx.ts)`,
  );
}

/** `undefined` for what is no expression. */
type Answer = boolean | undefined;

// Every function takes what it reads off the front of `words`, and reads on even when the answer is known.

function either(words: string[], allowed: ReadonlySet<string>): Answer {
  let answer = both(words, allowed);
  while (words[0] === "OR") {
    words.shift();
    const next = both(words, allowed);
    answer = next === undefined || answer === undefined ? undefined : answer || next;
  }
  return answer;
}

function both(words: string[], allowed: ReadonlySet<string>): Answer {
  let answer = one(words, allowed);
  while (words[0] === "AND") {
    words.shift();
    const next = one(words, allowed);
    answer = next === undefined || answer === undefined ? undefined : answer && next;
  }
  return answer;
}

function one(words: string[], allowed: ReadonlySet<string>): Answer {
  const word = words.shift();
  if (word === "(") {
    const answer = either(words, allowed);
    return words.shift() === ")" ? answer : undefined;
  }
  if (word === undefined || /^(OR|AND|WITH|\))$/.test(word)) return undefined;
  if (words[0] !== "WITH") return allowed.has(word);
  // An exception makes another licence of it: it would have to be in the list as a whole.
  words.shift();
  return allowed.has(`${word} WITH ${words.shift()}`);
}
