import assert from "node:assert/strict";
import { among, LEAST, mustSayWhy } from "../support/faults/few_files.ts";
import { KeyringBox } from "../support/keyring/keyring_box.ts";

Deno.test("with few files to open a command works with the keyring, or says that this is why not", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init"]);
  let said = 0;
  for (let files = LEAST; files <= 35; files += 2) {
    const command = [["rotate", "--force"], ["store", "move", "database"], ["destroy", "--force"]][
      files % 3
    ]!;
    const ended = await among(files, box, ...command);
    mustSayWhy(ended, `${command.join(" ")} with ${files} files`);
    // What was moved or destroyed is made for the next one.
    await box.run(["init"]);
    await box.run(["store", "move", "keyring"]);
    said += Number(ended.code !== 0);
  }
  assert.ok(said > 0);
  assert.equal((await box.json("verify", await box.token())).valid, true);
});
