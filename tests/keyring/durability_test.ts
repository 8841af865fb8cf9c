import assert from "node:assert/strict";
import { endAfterEach, rotateOften } from "../support/keyring/durability.ts";
import { WALLETS } from "../support/keyring/wallets/wallet.ts";
import { sample } from "../support/process/sample.ts";
import { WalletBox } from "../support/keyring/wallets/wallet_box.ts";

// `deno task durability 300` ends them three hundred times.
for (const [at, name] of sample([...WALLETS.entries()], 4)) {
  Deno.test(`${name} ends right after each command that writes to it: nothing is lost`, async () => {
    await using box = await WalletBox.start(name);
    const { lost } = await endAfterEach(box, at);
    assert.deepEqual(lost, []);
  });
}

// `deno task wallet-rotations 500` makes five hundred.
Deno.test("kwallet: rotations succeed without a warning", async () => {
  await using box = await WalletBox.start("kwallet");
  assert.equal((await box.run(["init"])).code, 0);
  assert.deepEqual(await rotateOften(box, 10), []);
});
