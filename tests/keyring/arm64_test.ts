import assert from "node:assert/strict";
import { must } from "../support/executables/arm64.ts";
import { thoroughly } from "../support/process/sample.ts";
import { KeyringBox } from "../support/keyring/keyring_box.ts";

thoroughly("on arm64 the addon keeps the secret in a real keyring", async () => {
  await using box = await KeyringBox.start();
  assert.equal(JSON.parse(await must(box, "init", "--json")).location, "keyring");
  const first = await box.lookup();
  assert.equal(first?.length, 88);
  const old = await box.token();
  await must(box, "rotate", "--force");
  const second = await box.lookup();
  assert.ok(second?.length === 88 && second !== first);
  assert.equal((await box.run(["verify", old])).code, 3);
  // This machine's own binary finds what that one has left.
  assert.equal(
    (await box.run(["verify", await must(box, "issue", "--sub", "bob", "--quiet")])).code,
    0,
  );
  assert.equal((await box.run(["doctor"])).code, 0);
});
