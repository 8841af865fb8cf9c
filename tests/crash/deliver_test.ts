import assert from "node:assert/strict";
import { join } from "node:path";
import { killAtCall } from "../support/faults/crash.ts";
import { killDelivered } from "../support/faults/delivered_crash.ts";
import { initialised } from "../support/process/initialised.ts";
import { THOROUGH } from "../support/process/sample.ts";

for (const kind of ["graceful", "incident"] as const) {
  Deno.test(`after a kill at any step of a ${kind} rotation, keys, files and programs agree`, async () => {
    const kills = await killDelivered(kind, { step: THOROUGH ? 1 : 90 });
    assert.ok(kills >= 2, `${kills} kills`);
  });
}

const RENAMES = "rename,renameat,renameat2";

/** A file for each key, as Dovecot has them. */
const FOLDER = {
  ...{ name: "folder", summary: "a folder", program: "any", role: "verifier", keys: "many" },
  ...{ algorithms: ["HS512"], reload_kind: "at once", connections: "stay" },
  ...{ layout: "folder", file_name: "{{kid}}", format: "text" },
};

Deno.test("a kill at any rename of a graceful rotation leaves no temporary file with a key", async () => {
  using box = await initialised();
  const [preset, folder, file] = ["preset.json", "keys", "keys.json"].map((name) =>
    join(box.home, name)
  );
  Deno.writeTextFileSync(preset!, JSON.stringify(FOLDER));
  await box.run(["deliver", "add", "folder", "--preset-file", preset!, "--path", folder!]);
  await box.run(["deliver", "add", "file", "--format", "jwks", "--path", file!]);
  const rotate = ["rotate", "--force", "--grace", "1h"];
  let kills = 0;
  while ((await killAtCall(box, kills + 1, rotate, RENAMES)).killed) {
    kills++;
    assert.equal((await box.run(["revoke"])).code, 0);
    const names = [...box.files().keys()];
    assert.deepEqual(names.filter((name) => name.includes(".rekey-")), [], `kill ${kills}`);
    const { kid } = await box.json("status");
    assert.deepEqual([...Deno.readDirSync(folder!)].map(({ name }) => name), [kid]);
  }
  assert.ok(kills >= 3, `${kills} kills`);
});

Deno.test("after a kill at any rename of a rotation, removing the delivery deletes its file", async () => {
  using box = await initialised();
  const path = join(box.home, "key");
  let kills = 0;
  for (let isOver = false; !isOver;) {
    const add = ["deliver", "add", "file", "--format", "text", "--path", path];
    assert.equal((await box.run(add)).code, 0);
    const { killed } = await killAtCall(box, kills + 1, ["rotate", "--force"], RENAMES);
    const removed = await box.run(["deliver", "remove", "file"]);
    assert.equal(removed.code, 0, removed.stderr);
    const names = [...Deno.readDirSync(box.home)].map(({ name }) => name);
    assert.deepEqual(names.filter((name) => name.includes("key")), [], `kill ${kills + 1}`);
    isOver = !killed;
    kills += Number(killed);
  }
  assert.ok(kills >= 2, `${kills} kills`);
});
