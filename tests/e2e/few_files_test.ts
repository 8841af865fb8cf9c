import assert from "node:assert/strict";
import { among, amongOthers, LEAST, mustSayWhy } from "../support/faults/few_files.ts";
import { Box } from "../support/process/box.ts";

const INHERITED = 50;

Deno.test("with few files to open every command works, or says that this is why not", async () => {
  using box = new Box();
  await box.json("init", "--store", "database");
  const token = await box.token();
  const commands = [
    ["verify", token],
    ["status"],
    ["backup", "copy"],
    ["exec", "--", "true"],
    ["audit", "verify"],
    ["serve", "--listen", "127.0.0.1:0", "--workers", "2"],
    ["rotate", "--force", "--grace", "1h"],
  ];
  for (let files = LEAST; files <= 24; files++) {
    const { code, stdout } = await among(files, box, "--version");
    assert.deepEqual([code, stdout !== ""], [0, true], `--version with ${files}`);
    // Every other one: each command has half of the limits.
    for (const [command, ...args] of commands.filter((_, at) => (files + at) % 2 === 0)) {
      if (command === "backup") args[0] += `-${files}`;
      mustSayWhy(await among(files, box, command!, ...args), `${command} with ${files} files`);
    }
    const wrong = await among(files, box, "rotate", "--at", "tomorrow");
    mustSayWhy(wrong, `a wrong command line with ${files} files`, 2);
  }
  assert.equal((await among(64, box, "rotate", "--force")).code, 0);
  assert.equal((await box.json("audit", "verify")).valid, true);
});

Deno.test("doctor does not take a key file for missing that it could not open for want of descriptors", async () => {
  using box = new Box();
  await box.json("init", "--store", "database");
  let said = 0;
  for (let files = LEAST; files <= 30; files += 3) {
    const { stdout, stderr } = await among(files, box, "doctor", "--json");
    assert.doesNotMatch(
      stdout + stderr,
      /kek_|secret_missing|secret_damaged|audit_broken/,
      String(files),
    );
    if (/files open/.test(stdout + stderr)) said++;
  }
  assert.ok(said > 0);
});

Deno.test("files that were open before count too, for a command and for serve", async () => {
  using box = new Box();
  await box.json("init", "--store", "database");
  for (let files = LEAST + INHERITED; files <= 24 + INHERITED; files += 3) {
    const what = `with ${files} files, ${INHERITED} inherited`;
    mustSayWhy(await amongOthers(INHERITED, files, box, "rotate", "--force"), what);
    mustSayWhy(await amongOthers(INHERITED, files, box, "audit", "verify"), what);
  }
  assert.equal((await amongOthers(INHERITED, 64 + INHERITED, box, "rotate", "--force")).code, 0);
  const { code, stderr } = await amongOthers(INHERITED, 100, box, "serve", "--workers", "2");
  assert.equal(code, 1);
  assert.match(stderr, /only 100 files open, 50 of them inherited, and with .* it needs 106$/m);
});

Deno.test("serve says how many files its threads need, as JSON too", async () => {
  using box = new Box();
  await box.json("init", "--store", "database");
  const { code, stdout, stderr } = await among(40, box, "serve", "--workers", "2", "--json");
  assert.equal(code, 1, stdout);
  const { error } = JSON.parse(stderr);
  assert.equal(error.code, "failed");
  assert.match(error.message, /only 40 files open, and with 2 request threads it needs 56$/);
  assert.match(error.hint, /ulimit -n.*LimitNOFILE=.*--workers/);
});

Deno.test("a path that is wrong is wrong, however few files there are", async () => {
  using box = new Box();
  const { code, stderr } = await among(40, box, "import", "--file", "nothing-here");
  assert.equal(code, 2, stderr);
  assert.doesNotMatch(stderr, /files open/);
});
