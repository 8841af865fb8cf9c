import assert from "node:assert/strict";
import { join } from "node:path";
import { REKEY } from "../support/process/box.ts";
import { CAN_MOUNT, initWhileRoomGrows, unless } from "../support/faults/faults.ts";
import { ACCOUNT, KeyringBox } from "../support/keyring/keyring_box.ts";

Deno.test("an addon that cannot be unpacked does not count as a missing keyring: no second secret is made", async () => {
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

Deno.test({
  name: "init on a home too full for the addon leaves no part of it, and works when there is room",
  ignore: unless(CAN_MOUNT, "root that may mount"),
  async fn() {
    await using box = await KeyringBox.start();
    // A bus without a Secret Service: only the addon can tell.
    await box.kill();
    const room = [
      0,
      4,
      1_024,
      3_072,
      3_104,
      3_112,
      3_120,
      3_136,
      3_168,
      3_200,
      3_264,
      3_328,
      3_456,
    ];
    await initWhileRoomGrows(box, room);
  },
});
