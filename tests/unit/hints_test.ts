import assert from "node:assert/strict";
import { join } from "node:path";
import { makeProgram } from "../../src/cli/program.ts";
import { TOPICS } from "../../src/cli/flags/help.ts";

const SOURCES = join(import.meta.dirname!, "../../src");

/** Lines of code and of help texts, without comments, with where they are. */
function* lines(folder: string): Generator<[where: string, line: string]> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    const path = join(folder, name);
    if (isDirectory) yield* lines(path);
    if (!/\.(ts|txt|html|js)$/.test(name)) continue;
    for (const [at, line] of Deno.readTextFileSync(path).split("\n").entries()) {
      // A preset names its page, as data.
      if (!/^\s*(\/\/|\/?\*|docs: )/.test(line)) yield [`${path}:${at + 1}`, line];
    }
  }
}

Deno.test("hints and help name no page that a reader of the binary does not have", async () => {
  const commands = (await makeProgram("", () => Promise.resolve())).commands.map((one) =>
    one.name()
  );
  const known = [...TOPICS, ...commands, "TOPIC"];
  let named = 0;
  for (const [where, line] of lines(SOURCES)) {
    assert.doesNotMatch(line, /\bdocs\/|README|\b[\w-]+\.md\b/, where);
    for (const [, topic] of line.matchAll(/rekey help ([\w-]+)/g)) {
      assert.ok(known.includes(topic!), `${where}: ${topic}`);
      named++;
    }
  }
  assert.ok(named >= 3, String(named));
});
