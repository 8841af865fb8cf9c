import assert from "node:assert/strict";
import { KnownWords } from "../../src/cli/known_words.ts";
import { FLAGS_MEANT } from "../../src/cli/flags_meant.ts";
import { everyCommand } from "../support/commands/command_table.ts";

const commands = await everyCommand();
const known = new KnownWords(commands[0]!.command);

Deno.test("every flag and command of rekey's is a known word, and flags of other programs are", () => {
  for (const { words, command } of commands) {
    for (const word of words) assert.ok(known.hasCommand(word), word);
    for (const { long, short } of command.options) {
      assert.ok(known.hasFlag(long!), long);
      assert.ok(short === undefined || known.hasFlag(short), short);
    }
  }
  for (const flag of Object.values(FLAGS_MEANT).join(" ").split(" ")) {
    assert.ok(known.hasFlag(flag), flag);
  }
  for (const flag of ["-x", "-X", "-grace", "--no-grace", "--backup"]) {
    assert.ok(known.hasFlag(flag), flag);
  }
  for (const word of ["vault", "add", "get"]) assert.ok(known.hasCommand(word), word);
});

Deno.test("a word that no table has is not known, however much it looks like a name", () => {
  const words = ["", "-", "--", "-phunterpass", "-pgrace", "--hunterpass", "--gracehunterpass"];
  for (const word of [...words, "--no-hunterpass", "-1", "-é", "--constructor"]) {
    assert.ok(!known.hasFlag(word), word);
  }
  for (const word of ["", "hunterpass", "constructor", "rotatehunterpass"]) {
    assert.ok(!known.hasCommand(word), word);
  }
});
