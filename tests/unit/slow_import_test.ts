import assert from "node:assert/strict";
import { isRekeyError } from "../../src/core/errors.ts";
import { keySource, sourceOf } from "../../src/secret/import/source.ts";
import { HANG_MS } from "../support/timing/pause.ts";

// Characters. At four times what `rekey import` reads, whatever takes time by the square of the length takes minutes.
const LENGTH = 2 ** 20;

const many = (part: string, length = LENGTH) => part.repeat(Math.ceil(length / part.length));

// Each line of PEM has so many characters that only a longer text takes minutes.
const PEM_LENGTH = 4 * LENGTH;

/** Texts of which a pattern could try each part again from each of the characters before it. */
const TEXTS: Readonly<Record<string, string>> = {
  "line ends": many("\n"),
  "line ends before something": `${many("\n")}!`,
  "carriage returns": many("\r"),
  "line separators": `${many("\u2028")}!`,
  "blanks in a line": `x\n${many(" ")}!`,
  "backslashes": many("\\"),
  "padding": `${many("=")}x`,
  "digits of an SSH key's kind": `ssh-ed${many("1")}`,
  "blanks of a declaration": `const${many(" ")}a !`,
  "empty lines of YAML": `---\n${many("\n")}!`,
  "strings without an end": `{${many('"\\')}`,
  "comments without an end": `{${many("/*")}`,
  "blocks of PEM without an end": `-----BEGIN PRIVATE KEY-----${
    many("-----BEGIN A-----", PEM_LENGTH)
  }`,
  "ends of blocks without a beginning": `-----BEGIN PRIVATE KEY-----${
    many("-----END A-----", PEM_LENGTH)
  }`,
};

function mustEnd(what: string, read: () => unknown): void {
  const begun = performance.now();
  try {
    read();
  } catch (error) {
    if (!isRekeyError(error)) throw error;
  }
  const taken = performance.now() - begun;
  assert.ok(taken < HANG_MS, `${what}: ${Math.round(taken)} ms`);
}

Deno.test("no text keeps an import busy, however it repeats itself", () => {
  for (const [what, text] of Object.entries(TEXTS)) {
    mustEnd(what, () => keySource(text, {}));
    mustEnd(`${what}, plain`, () => sourceOf(text, {}));
    mustEnd(`${what}, by name`, () => sourceOf(`A=1\n${text}`, { name: "A" }));
    mustEnd(`${what}, before the name`, () => sourceOf(`${text}\nA=1`, { name: "A" }));
    mustEnd(`${what}, as no variable`, () => sourceOf(text, { name: "A" }));
    mustEnd(`${what}, in quotes`, () => sourceOf(`A="${text}"`, { name: "A" }));
  }
});

Deno.test("a comment without an end makes no JSON", () => {
  assert.throws(() => sourceOf('{"A": "b"} /* c', { name: "A" }), /neither JSON nor lines/);
  assert.equal(sourceOf('{"A": "b"} /* c */', { name: "A" }).reading.text, "b");
});

Deno.test("a value with more blanks than any stays one that is too long", () => {
  const { text } = sourceOf(`A="${many("\n")}x"`, { name: "A" }).reading;
  assert.match(text, /^\n{4097}x$/);
});
