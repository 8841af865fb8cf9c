import assert from "node:assert/strict";
import { COMMANDS_MEANT, SAME } from "../../src/cli/commands_meant.ts";
import { FLAGS_MEANT, FLAGS_OF, NO_FLAG, optionsOf } from "../../src/cli/flags_meant.ts";
import { everyCommand } from "../support/commands/command_table.ts";

const commands = await everyCommand();
const flags = new Set(
  commands.flatMap(({ command }) => optionsOf(command).map(({ long }) => long!)),
);

Deno.test("every flag that is advised is one", () => {
  const known = [...flags, "--help"];
  for (const flag of Object.keys(FLAGS_MEANT)) assert.ok(known.includes(flag), flag);
});

Deno.test("every command and flag in an advice can be typed", () => {
  const tables = [COMMANDS_MEANT, NO_FLAG, ...Object.values(FLAGS_OF)];
  const advice = tables.flatMap((table) => Object.values(table)).join("\n");
  let seen = 0;
  for (const [line, text] of advice.matchAll(/`rekey ([^`]+)`/g)) {
    const words = text!.split(" ");
    const flag = words.find((word) => word.startsWith("-"));
    const name = words.filter((word) => word !== flag).join(" ");
    const called = commands.find(({ words }) => words.join(" ") === name);
    assert.ok(called, line);
    const known = [...optionsOf(called.command).map(({ long }) => long), "--help"];
    assert.ok(flag === undefined || known.includes(flag), line);
    seen++;
  }
  assert.ok(seen > 30, String(seen));
});

Deno.test("a flag that is meant otherwise is of a command that is there, and does not have it", () => {
  for (const [line, table] of Object.entries(FLAGS_OF)) {
    const called = commands.find(({ words }) => ["rekey", ...words].join(" ") === line);
    assert.ok(called, line);
    const own = optionsOf(called.command).flatMap(({ long, short }) => [long, short]);
    const typed = Object.keys(table).join(" ").split(" ");
    assert.deepEqual(typed.filter((flag) => own.includes(flag)), [], line);
  }
});

Deno.test("no word is listed twice, and none is a command of rekey's own", () => {
  const words = Object.keys(COMMANDS_MEANT).join(" ").split(" ");
  assert.equal(new Set(words).size, words.length);
  const own = commands.filter(({ words }) => words.length === 1).map(({ words }) => words[0]!);
  assert.deepEqual(words.filter((word) => own.includes(word)), []);
});

Deno.test("words with one meaning have a command of some group among them", () => {
  const own = commands.filter(({ words }) => words.length > 1).map(({ words }) => words.at(-1)!);
  for (const same of SAME) assert.ok(same.split(" ").some((word) => own.includes(word)), same);
});
