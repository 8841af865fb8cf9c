import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dirname!, "../..");
const read = (path: string) => Deno.readTextFileSync(join(ROOT, path));

/** Commands that tests start by a helper of their own. */
const STARTED_BY: Record<string, string> = {
  issue: "\\.token\\(",
  serve: "Serving\\.start",
  exec: "Running\\.start",
};

const TARGETS = ["Linux x64", "Linux arm64", "macOS x64", "macOS arm64", "Windows x64"];

/** A row of a table in Markdown, cell by cell. */
function cellsOf(line: string): string[] {
  return line.slice(1, -1).split(/(?<!\\)\|/).map((cell) => cell.trim());
}

/** The rows of each table whose heading line begins so. */
function tablesOf(text: string, heading: string): string[][][] {
  return text.split(`\n| ${heading} `).slice(1).map((rest) => {
    const lines = rest.split("\n").slice(2);
    return lines.slice(0, lines.findIndex((line) => !line.startsWith("|"))).map(cellsOf);
  });
}

/** The commands of docs/commands.md, with their flags; several forms of one that are explained together are one. */
function commandsOf(text: string): string[] {
  const blocks = [...text.matchAll(/^```\n([^]*?)^```$/gm)].map(([, block]) => block!);
  const entries = blocks.flatMap((block) => block.split("\n\n"));
  return entries.map((entry) => entry.replace(/^ {4}\S.*\n?/gm, ""))
    .filter((entry) => entry.startsWith("rekey "));
}

const words = (text: string): string[] => text.match(/[\w-]+/g) ?? [];
const fileOf = (name: string) => `tests/${name}_test.ts`;

const commands = commandsOf(read("docs/commands.md"));
const tables = tablesOf(read("docs/platforms.md"), "command");
// One table for each system; together they are a row for each command.
const matrix = tables[0]!.map(([command], at): string[] => [
  command!,
  ...tables.flatMap((rows) => rows[at]!.slice(1)),
]);

Deno.test("platforms: each system's table has the same commands", () => {
  assert.equal(tables.length, 3);
  for (const rows of tables) {
    assert.deepEqual(rows.map(([command]) => command), matrix.map(([command]) => command));
  }
});

Deno.test("platforms: the commands of docs/commands.md are the matrix's rows, one by one, and nothing else", () => {
  assert.equal(matrix.length, commands.length);
  matrix.forEach(([row], at) => {
    assert.match(row!, /^`rekey [^`]+`$/);
    const known = words(commands[at]!);
    for (const word of words(row!)) assert.ok(known.includes(word), `${row}: ${word}`);
  });
  assert.ok(matrix.length > 25, "the test must have seen the rows");
});

Deno.test("platforms: each cell says what was done, and names the tests that do it", () => {
  for (const [row, ...cells] of matrix) {
    assert.equal(cells.length, TARGETS.length, row);
    cells.forEach((cell, at) => {
      const where = `${row} on ${TARGETS[at]}`;
      const [, what, how] = /^(run|compiled|checked|not possible): (.+)$/.exec(cell) ?? [];
      assert.ok(what !== undefined, `${where}: ${cell}`);
      if (what === "not possible") return;
      const tests = how!.split(", ").map((name) => /^`([\w/]+)`$/.exec(name)?.[1]);
      for (const test of tests) {
        assert.ok(test !== undefined && existsSync(join(ROOT, fileOf(test))), `${where}: ${how}`);
      }
      // Each word of the command is among theirs.
      const texts = tests.map((test) => read(fileOf(test!)));
      for (const word of what === "run" ? words(row!).slice(1) : []) {
        const written = `["\` ]${word}["\` =]|${STARTED_BY[word] ?? "(?!)"}`;
        assert.ok(texts.some((text) => new RegExp(written).test(text)), `${where}: no ${word}`);
      }
    });
  }
});

Deno.test("platforms: what was never started is not claimed to run", () => {
  for (const [row, ...cells] of matrix) {
    for (const cell of cells.slice(2, 4)) assert.match(cell, /^(checked|not possible): /, row);
  }
});
