import assert from "node:assert/strict";
import { extname, join, relative } from "node:path";

const ROOT = join(import.meta.dirname!, "../..");

// Correct English that a reader who is not a native speaker reads twice. "there is none" is common, and stays.
const UNCLEAR = new RegExp(
  [
    "somebody",
    "nobody",
    "mend(s|ed|ing)?",
    "anew",
    "what there is",
    "(?<!there )is none",
    "the moment",
    "and its like",
    "says no",
    "goes by",
    "to be had",
  ].map((words) => `\\b${words.replaceAll(" ", "\\s+")}\\b`).join("|"),
  "i",
);

const FOLDERS = ["src", "tests", "scripts", "docs"];
const FILES = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "main.ts"];
const BINARY = [".png", ".db", ".gz", ".zip"];

const EXCEPTIONS = [
  // The words themselves.
  "tests/unit/plain_words_test.ts",
  // Python's `is None`.
  "tests/unit/archives_test.ts",
  // Licences of others, quoted.
  "scripts/licenses",
];

function* files(path: string): Generator<string> {
  if (EXCEPTIONS.includes(relative(ROOT, path))) return;
  if (Deno.statSync(path).isFile) {
    if (!BINARY.includes(extname(path))) yield path;
    return;
  }
  for (const { name } of Deno.readDirSync(path)) yield* files(join(path, name));
}

/** The text without line ends, and without the marks that begin the lines of a comment or a quotation. */
function joined(text: string): string {
  return text.replace(/\s*\n\s*(\*(?!\/)|\/\/|#|>)?\s*/g, " ");
}

Deno.test("words that readers stumble over are in no source, test, script or document", () => {
  let seen = 0;
  for (const path of [...FOLDERS, ...FILES].flatMap((name) => [...files(join(ROOT, name))])) {
    const text = joined(Deno.readTextFileSync(path));
    const found = UNCLEAR.exec(text);
    const around = found === null ? "" : text.slice(found.index - 40, found.index + 60);
    assert.equal(found?.[0], undefined, `${relative(ROOT, path)}: …${around}…`);
    seen++;
  }
  assert.ok(seen > 400, "the test must have read the files");
});
