import assert from "node:assert/strict";
import { join } from "node:path";
import { REKEY } from "../support/box.ts";
import { ACCOUNT, KeyringBox } from "../support/keyring.ts";

Deno.test("an addon that cannot be unpacked is no absent keyring: no second secret is made", async () => {
  await using box = await KeyringBox.start();
  const value = `${"A".repeat(86)}==`;
  await box.store(value);
  // The limit lets everything be written but the addon, as a full disk would.
  const { code, stderr } = await box.exec("/bin/sh", [
    "-c",
    `trap '' XFSZ; ulimit -f 1000; exec "$0" init`,
    REKEY,
  ]);
  assert.equal(code, 4, stderr);
  assert.match(stderr, /Cannot unpack the keyring addon/);
  const partial = [...box.files().keys()].filter((path) => path.includes("/.cache/"));
  assert.deepEqual(partial, [], "nothing half-written stays");
  assert.ok(![...box.files().keys()].includes(box.database));
  assert.deepEqual([(await box.json("init")).location, await box.lookup(ACCOUNT)], [
    "keyring",
    value,
  ]);
  assert.ok(
    [...box.files().keys()].some((path) => path.startsWith(join(box.home, ".cache/rekey"))),
  );
});
