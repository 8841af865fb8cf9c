import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { Box, REKEY } from "../support/process/box.ts";
import { removeFolder } from "../../src/files/files.ts";
import { pause, until } from "../support/timing/pause.ts";
import { listener, slow } from "../support/commands/exec_programs.ts";
import { printed } from "../support/process/printed.ts";
import { isThere, Running } from "../support/process/running.ts";
import { start } from "../../scripts/program.ts";

async function withSecret(): Promise<Box> {
  const box = new Box();
  const made = await box.run(["init"]);
  assert.equal(made.code, 0, made.stderr);
  return box;
}

const HUP = ["--on-rotate", "signal:HUP"];
const RESTART = ["--on-rotate", "restart"];
const rotate = (box: Box) => box.json("rotate", "--force", "--reason", "test");
const readies = (running: Running) => [...running.stdout.matchAll(/^ready (\d+) (\S+)$/gm)];

Deno.test("exec --on-rotate signal:HUP: the program is told within a second of each rotation, once", async () => {
  using box = await withSecret();
  await using running = await Running.start(box, listener(), { flags: HUP });
  const waits: number[] = [];
  for (let times = 1; times <= 5; times++) {
    await rotate(box);
    const committed = Date.now();
    await running.until(() => running.stdout.split("SIGHUP").length > times);
    const [, heard] = /SIGHUP (\d+)\n$/.exec(running.stdout) ?? [];
    waits.push(Number(heard) - committed);
  }
  // The one in the middle: a machine that is busy with something else may hold up one of them.
  assert.ok(waits.sort((a, b) => a - b)[2]! < 1_000, `${waits} ms`);
  // These are not rotations: another row, another writer, a check.
  await box.token();
  await box.run(["audit", "verify"]);
  await pause(600);
  assert.equal(running.stdout.match(/SIGHUP/g)?.length, 5);
  assert.match(running.stderr, /kid \S+\): sent SIGHUP/);
});

Deno.test("exec --on-rotate restart: the program is stopped and started with the new value", async () => {
  using box = await withSecret();
  await using running = await Running.start(box, listener(), { flags: RESTART });
  const kids = [readies(running)[0]![2]];
  for (let times = 2; times <= 4; times++) {
    await rotate(box);
    await running.until(() => readies(running).length === times);
    const [, , kid] = readies(running).at(-1)!;
    assert.equal(kid, (await box.json("status")).kid);
    kids.push(kid);
  }
  assert.equal(new Set(kids).size, 4);
  assert.equal(running.stdout.match(/SIGTERM/g)?.length, 3);
  const [now, ...before] = readies(running).map(([, id]) => Number(id)).reverse();
  assert.deepEqual([isThere(now!), before.some(isThere)], [true, false]);
  assert.deepEqual(running.children(), [now]);
});

Deno.test("exec --on-rotate restart: a program that does not end in time is killed, and the new one starts", async () => {
  using box = await withSecret();
  const flags = [...RESTART, "--grace-stop", "1s"];
  await using running = await Running.start(box, listener("deaf"), { flags });
  const start = Date.now();
  await rotate(box);
  await running.until(() => readies(running).length === 2);
  assert.ok(Date.now() - start >= 1_000, "it has had its second");
  assert.equal(running.children().length, 1);
});

Deno.test("exec --on-rotate restart: told to end during a restart, it ends and does not start again", async () => {
  using box = await withSecret();
  await using running = await Running.start(box, slow, { flags: RESTART });
  await rotate(box);
  await running.until(() => running.stdout.includes("ending"));
  running.process.kill("SIGINT");
  assert.equal((await running.ended()).code, 22);
  assert.equal(readies(running).length, 1);
});

Deno.test("exec --on-rotate: a database that is gone or damaged is said once, and the program goes on", async () => {
  for (const flags of [HUP, RESTART]) {
    using box = await withSecret();
    await using running = await Running.start(box, listener(), { flags });
    // Never in place: SQLite would take what it remembers of the file for true.
    const folder = dirname(box.database);
    Deno.renameSync(folder, `${folder}.away`);
    Deno.mkdirSync(folder, { mode: 0o700 });
    const nonsense = "this is no database, and never was one".repeat(100);
    Deno.writeTextFileSync(box.database, nonsense, { mode: 0o600 });
    await running.until(() => running.stderr.includes("rotations are not seen at present"));
    await pause(1_000);
    assert.equal(running.stderr.match(/warning/g)?.length, 1, running.stderr);
    // A look of exec's that has begun may put a lock file beside the database that is gone.
    await until(() => {
      removeFolder(folder);
      Deno.renameSync(`${folder}.away`, folder);
      return true;
    });
    await box.json("status");
    await rotate(box);
    await running.until(() => /SIGHUP/.test(running.stdout) || readies(running).length === 2);
    assert.equal(running.children().length, 1);
  }
});

Deno.test("exec --on-rotate restart: a destroyed secret leaves the program as it is, and it ends as it should", async () => {
  using box = await withSecret();
  await using running = await Running.start(box, listener(), { flags: RESTART });
  await box.run(["destroy", "--force"]);
  await running.until(() => running.stderr.includes("the secret is gone"));
  assert.equal(readies(running).length, 1);
  running.process.kill("SIGTERM");
  assert.equal((await running.ended()).code, 21);
});

Deno.test("exec --on-rotate restart: a program that is not there any more goes on, and is started again when it is", async () => {
  using box = await withSecret();
  const program = join(box.home, "program");
  const [interpreter, ...args] = listener();
  Deno.symlinkSync(interpreter!, program);
  await using running = await Running.start(box, [program, ...args], { flags: RESTART });
  Deno.removeSync(program);
  await rotate(box);
  await running.until(() => running.stderr.includes("there is no such program"));
  assert.equal(running.children().length, 1);
  assert.equal(readies(running).length, 1);
  Deno.symlinkSync(interpreter!, program);
  await running.until(() => readies(running).length === 2);
});

Deno.test("exec --on-rotate: what nohup wants ignored stays ignored, for both", async () => {
  using box = await withSecret();
  const line =
    `trap '' HUP; exec "$0" exec --on-rotate signal:USR1 -- /bin/sh -c 'echo ready; sleep 1; echo over'`;
  const child = start("/bin/sh", ["-c", line, REKEY], {
    clearEnv: true,
    env: { HOME: box.home, PATH: "/usr/bin:/bin" },
    stdout: "piped",
  });
  const all = await printed(child.stdout, "ready");
  child.kill("SIGHUP");
  assert.deepEqual([await all(), (await child.status).code], ["ready\nover\n", 0]);
});
