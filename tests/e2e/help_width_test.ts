import assert from "node:assert/strict";
import { Box } from "../support/process/box.ts";
import { everyCommand } from "../support/commands/command_table.ts";

Deno.test("the help of every command fits 80 columns", async () => {
  using box = new Box();
  for (const { words } of await everyCommand()) {
    const { code, stdout } = await box.run([...words, "--help"]);
    assert.equal(code, 0, words.join(" "));
    const long = stdout.split("\n").filter((line) => [...line].length > 80);
    assert.deepEqual(long, [], words.join(" "));
  }
});

Deno.test("without a command its help is printed, and the status says that nothing was done", async () => {
  using box = new Box();
  for (const words of [[], ["user"], ["session"], ["store"], ["kek"], ["-q"]]) {
    const { code, stdout, stderr } = await box.run(words);
    assert.deepEqual([code, stderr], [2, ""], words.join(" "));
    assert.match(stdout, /^Usage: rekey/);
  }
  const { code, stdout, stderr } = await box.run(["--json"]);
  assert.deepEqual([code, stdout, JSON.parse(stderr).error.code], [2, "", "usage"]);
});

Deno.test("a mistyped command or flag gets a suggestion, with --help too", async () => {
  using box = new Box();
  const cases: [line: string[], guess: string][] = [
    [["rotat"], "rotate"],
    [["rotat", "--help"], "rotate"],
    [["--help", "statuss"], "status"],
    [["statuss", "-h"], "status"],
    [["user", "ad", "--help"], "add"],
    [["session", "revok"], "revoke"],
    [["audit", "lst", "--help"], "list"],
    [["help", "rotat"], "rotate"],
    [["help", "user", "ad"], "add"],
    [["rotate", "--grce", "1h"], "--grace"],
    [["status", "--jsno"], "--json"],
  ];
  for (const [line, guess] of cases) {
    const { code, stdout, stderr } = await box.run(line);
    assert.deepEqual([code, stdout], [2, ""], line.join(" "));
    assert.match(stderr, new RegExp(`^error: .*\\(Did you mean ${guess}\\?\\)`), line.join(" "));
  }
});

Deno.test("a line that is not understood: the argument is named as its help does", async () => {
  using box = new Box();
  const cases: [line: string[], text: string][] = [
    [["store", "move"], "<where> is needed"],
    [["user", "add"], "<name> is needed"],
    [["policy", "clear", "AUD"], "Cannot use that as <part>: Allowed choices are leeway, "],
  ];
  for (const [line, text] of cases) {
    const { code, stderr } = await box.run(line);
    assert.equal(code, 2, line.join(" "));
    const [first] = stderr.split("\n");
    assert.ok(first!.startsWith(`error: ${text}`), stderr);
    assert.doesNotMatch(first!, /\.$/);
  }
});
