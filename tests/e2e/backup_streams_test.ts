import assert from "node:assert/strict";
import { join } from "node:path";
import { REKEY } from "../support/process/box.ts";
import { initialised } from "../support/process/initialised.ts";

Deno.test("backup -: the whole backup or a failure, and nothing of it stays beside the database", async () => {
  using box = await initialised();
  const bash = (script: string) => box.exec("/bin/bash", ["-c", script, REKEY]);
  const made = await bash(`"$0" backup - --json > b.db`);
  assert.equal(made.code, 0, made.stderr);
  assert.match(made.stderr, /^\{"app":"agiworkforce","path":"-",/m);
  const info = Deno.statSync(join(box.home, "b.db"));
  assert.ok(info.size > 4_096 && info.size % 4_096 === 0);
  for (const to of ["/dev/full", ">(head -c 10 >/dev/null)"]) {
    const { code, stderr } = await bash(`"$0" backup - > ${to}`);
    // A pipe takes what fits in it before its reader is gone.
    if (to === "/dev/full" || code !== 0) {
      assert.equal(code, 1, stderr);
      assert.match(stderr, /what was written is not whole/);
    }
  }
  for (const to of ["/dev/stdout", "/dev/null", "fifo", ">(cat)"]) {
    await bash("[ -e fifo ] || mkfifo fifo");
    const { code, stderr } = await bash(`"$0" backup ${to} > x`);
    assert.equal(code, 1, to);
    assert.match(stderr, /it already exists\nhint: .* or - for stdout/);
  }
  const left = [...box.files().keys()].filter((path) => path.includes(".rekey-"));
  assert.deepEqual(left, []);
});

Deno.test("restore: from stdin, a pipe and a descriptor; cut off, nothing is changed", async () => {
  using box = await initialised();
  await box.run(["backup", "b.db"]);
  const { kid } = await box.json("status");
  const bash = (script: string) => box.exec("/bin/bash", ["-c", script, REKEY]);
  for (const from of ["- < b.db", "<(cat b.db)", "/dev/stdin < b.db", "/dev/fd/8 8< b.db"]) {
    await box.run(["rotate", "--force"]);
    const { code, stderr } = await bash(`"$0" restore --force ${from}`);
    assert.equal(code, 0, `${from}: ${stderr}`);
    assert.equal((await box.json("status")).kid, kid);
  }
  const { kid: now } = await box.json("status");
  for (const from of ["<(head -c 9000 b.db)", "- < /dev/null", "- < /dev/zero", "<(true)"]) {
    const { code, stderr } = await bash(`"$0" restore --force ${from}`);
    assert.ok([1, 2, 4].includes(code), `${from}: ${code} ${stderr}`);
    assert.match(stderr, /^error: /);
    assert.equal((await box.json("status")).kid, now);
  }
  const left = [...Deno.readDirSync(join(box.home, ".local/share/agiworkforce"))]
    .filter(({ name }) => name.startsWith(".rekey-"));
  assert.deepEqual(left, []);
});
