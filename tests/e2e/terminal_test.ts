import assert from "node:assert/strict";
import { join } from "node:path";
import { start } from "../../scripts/program.ts";
import { Box, type Ended, REKEY } from "../support/process/box.ts";
import { until } from "../support/timing/pause.ts";

// Of a question that waits for its answer.
const ASKS = /(: |\[y\/N\] )$/;

/** Runs rekey on a terminal of its own, and types an answer each time that it has asked. */
async function onTerminal(box: Box, args: string, ...typed: string[]): Promise<Ended> {
  const child = start("/usr/bin/script", ["-qec", `'${REKEY}' ${args}`, "/dev/null"], {
    ...box.surroundings(),
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  });
  let [stdout, isOver] = ["", false];
  const reading = (async () => {
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) stdout += text;
    isOver = true;
  })();
  const errors = new Response(child.stderr).text();
  const keyboard = child.stdin.getWriter();
  for (const keys of typed) {
    await until(() => ASKS.test(stdout), { hopeless: () => isOver, otherwise: () => stdout });
    stdout += SEEN;
    await keyboard.write(new TextEncoder().encode(keys));
  }
  await reading;
  await keyboard.close().catch(() => {});
  const stderr = await errors;
  stdout = stdout.replaceAll(SEEN, "");
  box.watch?.ended(...[stdout, stderr].map((text) => new TextEncoder().encode(text)));
  return { code: (await child.status).code, stdout, stderr };
}

// What was there when something was typed ends with this, so that no question counts twice.
const SEEN = "\u0000";

const CONTROL = String.fromCharCode(27);

Deno.test("a passphrase is asked for twice and never shown; the backup opens with it", async () => {
  using box = new Box();
  await box.run(["init", "--store", "database"]);
  const token = await box.token();
  const made = await onTerminal(
    box,
    "backup b.db --with-secret",
    "ravenx\x7f song\r",
    "raven song\r",
  );
  assert.equal(made.code, 0, made.stdout);
  assert.match(made.stdout, /Passphrase for the backup: [\s\S]*The same again:/);
  assert.doesNotMatch(made.stdout, /raven|song/);
  await box.run(["destroy", "--force"]);
  const back = await onTerminal(box, "restore b.db", "raven song\r");
  assert.equal(back.code, 0, back.stdout);
  assert.doesNotMatch(back.stdout, /raven/);
  assert.equal((await box.json("verify", token)).valid, true);
});

Deno.test("two different passphrases, none at all and Ctrl-C make no backup", async () => {
  using box = new Box();
  await box.run(["init", "--store", "database"]);
  for (
    const [typed, code] of [[["blue\r", "green\r"], 2], [["\r"], 2], [["blue\x03"], 1]] as const
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

Deno.test("a rotation asks first, with the number of sessions that end", async () => {
  using box = new Box();
  await box.run(["init", "--store", "database"]);
  for (const user of ["alice", "bob", "carol"]) await box.token(user);
  for (const no of ["n\r", "\r", "yep\r"]) {
    const { code, stdout } = await onTerminal(box, "rotate", no);
    assert.equal(code, 1, stdout);
    assert.match(stdout, /3 active sessions end now\. \[y\/N\]/);
    assert.match(stdout, /Cancelled: nothing was changed/);
  }
  assert.equal((await box.json("status")).version, 1);
  const graceful = await onTerminal(box, "rotate --grace 15m", "n\r");
  assert.match(graceful.stdout, /3 active sessions end in 15 minutes\./);
  assert.equal((await onTerminal(box, "rotate", "y\r")).code, 0);
  assert.equal((await box.json("status")).version, 2);
  const destroyed = await onTerminal(box, "destroy", "n\r");
  assert.equal(destroyed.code, 1, destroyed.stdout);
  assert.equal((await box.json("status")).version, 2);
});

Deno.test("Ctrl-C at the question changes nothing", async () => {
  using box = new Box();
  await box.run(["init", "--store", "database"]);
  assert.notEqual((await onTerminal(box, "rotate", "\x03")).code, 0);
  assert.equal((await box.json("status")).version, 1);
});

Deno.test("JSON on a terminal has no character that the terminal obeys, and is the same JSON", async () => {
  using box = new Box();
  await box.run(["init", "--store", "database"]);
  const reason = "a\u009b31mred\u202egnp.exe\u2066\u007f \u00e9";
  await box.run(["rotate", "--force", "--reason", reason]);
  for (const command of ["audit list --json --limit 1", "audit export"]) {
    const piped = (await box.run(command.split(" "))).stdout.trim().split("\n").at(-1)!;
    assert.equal(JSON.parse(piped).reason, reason, "its bytes are what is signed");
    const shown = (await onTerminal(box, command)).stdout.trim().split("\r\n").at(-1)!;
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(shown, /[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/);
    assert.ok(shown.includes("\u00e9"), shown);
    assert.deepEqual(JSON.parse(shown), JSON.parse(piped));
  }
});

Deno.test("a table is cut at the width of the terminal, and not in a pipe", async () => {
  using box = new Box();
  await box.run(["init", "--store", "database"]);
  await box.run(["rotate", "--force", "--reason", "a reason ".repeat(20).trim()]);
  const narrow = await box.exec("/bin/bash", [
    "-c",
    `script -qec "stty cols 60; '${REKEY}' audit list" /dev/null`,
  ]);
  const lines = narrow.stdout.trim().split("\r\n");
  assert.ok(lines.length >= 4, narrow.stdout);
  assert.ok(lines.every((line) => line.length <= 60));
  assert.ok(lines.some((line) => line.endsWith("…")));
  const { stdout } = await box.run(["audit", "list"]);
  assert.ok(stdout.includes("a reason ".repeat(20).trim()));
});

Deno.test("colour is for terminals, unless the user turns it off", async () => {
  using box = new Box();
  const colour = `${CONTROL}[31merror:`;
  const refused = "verify not.a.token";
  assert.ok((await onTerminal(box, refused)).stdout.includes(colour));
  assert.ok(!(await onTerminal(box, `${refused} --no-color`)).stdout.includes(CONTROL));
  const wanted = await box.exec("/bin/bash", [
    "-c",
    `script -qec "'${REKEY}' ${refused}" /dev/null`,
  ], { env: { NO_COLOR: "1" } });
  assert.match(wanted.stdout, /error:/);
  assert.ok(!wanted.stdout.includes(CONTROL));
  const piped = await box.run(refused.split(" "));
  assert.ok(!(piped.stdout + piped.stderr).includes(CONTROL));
});
