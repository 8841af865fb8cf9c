import assert from "node:assert/strict";
import { join } from "node:path";
import { Box, type Ended, REKEY } from "../support/box.ts";

/** Runs rekey on a terminal of its own, and types into it once it has had time to ask. */
function onTerminal(box: Box, args: string, ...typed: string[]): Promise<Ended> {
  const typing = 'for keys in "$@"; do sleep 0.7; printf %b "$keys"; done; sleep 0.7';
  const program = `{ ${typing}; } | script -qec "'${REKEY}' ${args}" /dev/null`;
  return box.exec("/bin/bash", ["-o", "pipefail", "-c", program, "bash", ...typed]);
}

const CONTROL = String.fromCharCode(27);

Deno.test("a passphrase is asked for twice and never shown; the backup opens with it", async () => {
  using box = new Box();
  await box.run(["init", "--store", "database"]);
  const token = await box.token();
  const made = await onTerminal(
    box,
    "backup b.db --with-secret",
    "ravenx\\0177 song\\r",
    "raven song\\r",
  );
  assert.equal(made.code, 0, made.stdout);
  assert.match(made.stdout, /Passphrase for the backup: [\s\S]*The same again:/);
  assert.doesNotMatch(made.stdout, /raven|song/);
  await box.run(["destroy", "--force"]);
  const back = await onTerminal(box, "restore b.db", "raven song\\r");
  assert.equal(back.code, 0, back.stdout);
  assert.doesNotMatch(back.stdout, /raven/);
  assert.equal((await box.json("verify", token)).valid, true);
});

Deno.test("two different passphrases, none at all and Ctrl-C make no backup", async () => {
  using box = new Box();
  await box.run(["init", "--store", "database"]);
  for (
    const [typed, code] of [[["blue\\r", "green\\r"], 2], [["\\r"], 2], [["blue\\03"], 1]] as const
  ) {
    const ended = await onTerminal(box, "backup b.db --with-secret", ...typed);
    assert.equal(ended.code, code, ended.stdout);
    assert.doesNotMatch(ended.stdout, /Internal|blue|green/);
  }
  assert.ok(![...box.files().keys()].includes(join(box.home, "b.db")));
});

Deno.test("import does not let a secret be typed where it shows", async () => {
  using box = new Box();
  const { code, stdout } = await onTerminal(box, "import");
  assert.equal(code, 2);
  assert.match(stdout, /from a terminal/);
});

Deno.test("audit verify shows its progress on a terminal, and only there", async () => {
  using box = new Box();
  await box.run(["init", "--store", "database"]);
  const terminal = await onTerminal(box, "audit verify");
  assert.ok(terminal.stdout.includes(`${CONTROL}[K`));
  const piped = await box.run(["audit", "verify"]);
  assert.ok(!(piped.stdout + piped.stderr).includes(CONTROL));
});
