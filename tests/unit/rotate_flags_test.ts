import assert from "node:assert/strict";
import { CommanderError } from "commander";
import { takesValue } from "../../src/cli/flags/command.ts";
import { makeProgram } from "../../src/cli/program.ts";
import { isRekeyError } from "../../src/core/errors.ts";
import { everyCommand, sampleFor } from "../support/commands/command_table.ts";

/** What `rotate` can be told to do. */
const MODES: Record<string, readonly string[]> = {
  "in one step": [],
  "--dry-run": ["--dry-run"],
  "--prepare": ["--prepare"],
  "--activate": ["--activate"],
  "--standby": ["--standby=1h"],
  "--tell-failure": ["--tell-failure"],
};

// A dry run takes all flags of what it stands for, and --standby those of both its steps.
const ALL = Object.keys(MODES);
const BUT = (...without: string[]) => ALL.filter((mode) => !without.includes(mode));

/** The modes that do something with a flag; all others must refuse it. */
const USED: Record<string, readonly string[]> = {
  "--reason": BUT("--activate"),
  "--force": ALL,
  "--grace": BUT("--prepare", "--tell-failure"),
  "--alg": BUT("--activate", "--tell-failure"),
  "--key-form": BUT("--activate", "--tell-failure"),
  "--bytes": BUT("--activate", "--tell-failure"),
  "--as": BUT("--activate", "--tell-failure"),
  "--bits": BUT("--activate", "--tell-failure"),
  "--if-older-than": ["in one step", "--dry-run", "--standby"],
  "--wait": BUT("--tell-failure"),
  "--prepare": ["in one step"],
  "--activate": ["in one step"],
  "--standby": ["in one step", "--dry-run"],
  "--request-id": ["in one step", "--dry-run"],
  "--at": ["in one step", "--dry-run"],
  "--before": BUT("--prepare", "--tell-failure"),
  "--after": BUT("--prepare", "--tell-failure"),
  "--notify-url": BUT("--prepare"),
  "--notify-url-file": BUT("--prepare"),
  "--notify-format": BUT("--prepare"),
  "--notify-key-file": BUT("--prepare"),
  "--force-deliveries": BUT("--tell-failure"),
  "--no-backup": BUT("--prepare", "--tell-failure"),
  "--tell-failure": ["in one step"],
  "--dry-run": ["in one step", "--standby"],
  "--lock-timeout": BUT("--tell-failure"),
  "--store": BUT("--activate", "--tell-failure"),
};

/** Whether a command line is taken. */
async function isTaken(line: string[]): Promise<boolean> {
  let ran = false;
  const runner = () => Promise.resolve(void (ran = true));
  const program = await makeProgram("0", runner, line);
  for (const command of [program, ...program.commands]) {
    command.exitOverride().configureOutput({ writeErr: () => {} });
  }
  try {
    await program.parseAsync(line, { from: "user" });
    return ran;
  } catch (error) {
    assert.ok(error instanceof CommanderError || isRekeyError(error, "usage"), String(error));
    return false;
  }
}

Deno.test("no flag of rotate is ignored: each mode uses it or refuses it", async () => {
  const table = await everyCommand();
  const { options } = table.find(({ words }) => words.join() === "rotate")!.command;
  const store = table[0]!.command.options.filter(({ long }) => long === "--store");
  const all = [...options, ...store];
  assert.deepEqual(all.map(({ long }) => long).sort(), Object.keys(USED).sort());
  for (const option of all) {
    const name = option.long!;
    const flag = takesValue(option) ? `${name}=${sampleFor(option)}` : name;
    for (const [mode, flags] of Object.entries(MODES)) {
      if (mode === name) continue;
      const isUsed = USED[name]!.includes(mode);
      assert.equal(await isTaken(["rotate", ...flags, flag]), isUsed, `${mode} ${flag}`);
    }
  }
});
