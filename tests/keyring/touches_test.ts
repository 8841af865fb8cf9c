import assert from "node:assert/strict";
import { COMMANDS } from "../../scripts/touches/commands.ts";
import type { Row } from "../../scripts/touches/row.ts";
import { ROWS } from "../../scripts/touches/table.ts";
import { Box } from "../support/process/box.ts";
import { KeyringBox } from "../support/keyring/keyring_box.ts";
import type { Touch } from "../support/process/trace.ts";
import { everyCommand } from "../support/process/touching.ts";

const HOW: Record<Touch["how"], Row["how"] | undefined> = {
  looked: undefined,
  read: "reads",
  wrote: "writes",
  connected: "connects to",
  listened: "listens on",
  started: "starts",
};

/** Runs every command and holds what it touched against the table, in both directions. */
async function compare(box: Box, location: "database" | "keyring"): Promise<void> {
  const [seen, unlisted, commands] = [new Set<string>(), new Set<string>(), new Set<string>()];
  for await (const { command, touches } of everyCommand(box)) {
    commands.add(command);
    for (const { how, what } of touches) {
      if (HOW[how] === undefined) continue;
      const fitting = ROWS.filter((row) =>
        row.pattern.test(what) && row[location].includes(command) &&
        (row.how === HOW[how] || (row.how === "writes" && how === "read"))
      );
      if (fitting.length === 0) unlisted.add(`${command} ${HOW[how]} ${what}`);
      for (const row of fitting) if (row.how === HOW[how]) seen.add(`${command} ${key(row)}`);
    }
  }
  assert.ok(unlisted.size === 0, `not in the table:\n${[...unlisted].join("\n")}`);
  assert.deepEqual([...commands].sort(), [...COMMANDS].sort());
  const never = ROWS.filter(({ perhaps }) => !perhaps).flatMap((row) =>
    row[location].map((command) => `${command} ${key(row)}`).filter((name) => !seen.has(name))
  );
  assert.ok(never.length === 0, `in the table and not seen:\n${never.join("\n")}`);
}

const key = ({ how, what }: Row) => `${how} ${what}`;

Deno.test("what each command opens, connects to and starts: the secret in the database", async () => {
  using box = new Box();
  await compare(box, "database");
});

Deno.test("what each command opens, connects to and starts: the secret in the keyring", async () => {
  await using box = await KeyringBox.start();
  await compare(box, "keyring");
});
