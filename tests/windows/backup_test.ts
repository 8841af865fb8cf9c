import assert from "node:assert/strict";
import { join, relative } from "node:path";
import { WindowsBox } from "../support/windows/box.ts";
import { onWindows } from "../support/windows/tests.ts";

onWindows("a backup with the secret brings it to another machine", async (box) => {
  await box.json("init");
  const token = await box.token();
  Deno.writeTextFileSync(join(box.home, "passphrase"), "long enough to be one\r\n");
  const sealed = ["--passphrase-file", "passphrase"];
  const made = await box.run(["backup", box.path("Eine Kopie ü.db"), "--with-secret", ...sealed]);
  assert.equal(made.code, 0, made.stderr);
  assert.equal((await box.run(["backup", "Eine Kopie ü.db"])).code, 1, "an existing file is kept");
  await using other = await WindowsBox.boot({ REKEY_STORE: "database" });
  for (const name of ["Eine Kopie ü.db", "passphrase"]) {
    Deno.copyFileSync(join(box.home, name), join(other.home, name));
  }
  const restored = await other.run(["restore", "Eine Kopie ü.db", ...sealed]);
  assert.equal(restored.code, 0, restored.stderr);
  assert.equal((await other.json("verify", token)).valid, true);
});

onWindows("the copy that a rotation makes is restored, with a new secret", async (box) => {
  await box.json("init");
  const before = await box.token();
  const rotated = await box.run(["rotate", "--force"]);
  assert.equal(rotated.code, 0, rotated.stderr);
  const [copy, ...more] = [...box.files().keys()].filter((path) => path.endsWith(".db.v1.backup"));
  assert.deepEqual(more, []);
  const args = ["restore", relative(box.home, copy!).replaceAll("/", "\\"), "--force"];
  assert.equal((await box.run(args)).code, 4, "no copy holds the value");
  const restored = await box.run([...args, "--new-secret"]);
  assert.equal(restored.code, 0, restored.stderr);
  assert.equal((await box.json("verify", before)).valid, false);
  assert.equal((await box.json("verify", await box.token())).valid, true);
  assert.equal((await box.json("audit", "verify")).valid, true);
}, ["database"]);
