import assert from "node:assert/strict";
import { join } from "node:path";
import { refuseUnsafeBus } from "../../src/store/keyring/secret_service/safe_bus.ts";

// As root one can look into the folders of all users, but not through a link that leads to itself.
Deno.test("a runtime folder that cannot be looked into is no bus of this user, and no bug", () => {
  const folder = Deno.makeTempDirSync();
  try {
    const loop = join(folder, "loop");
    Deno.symlinkSync("loop", loop);
    assert.throws(() => refuseUnsafeBus({ address: undefined, runtimeFolder: loop }), {
      code: "keyring_failed",
      message: /XDG_RUNTIME_DIR names a folder that this user cannot look into/,
      hint: /in a session of this user/,
    });
    assert.throws(() => refuseUnsafeBus({ address: undefined, runtimeFolder: folder }), {
      code: "keyring_absent",
    });
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
