import assert from "node:assert/strict";
import { WALLETS } from "../support/keyring/wallets/wallet.ts";
import { WalletBox } from "../support/keyring/wallets/wallet_box.ts";

for (const name of WALLETS) {
  Deno.test(`${name}: a wallet of the tests keeps what it has through its lock, its end and its bus's end`, async () => {
    await using box = await WalletBox.start(name);
    assert.equal(await box.isOpen(), true);
    const args = ["--label=x", "service", "AGI Workforce", "username", "agiworkforce.test"];
    const stored = await box.exec("secret-tool", ["store", ...args], { stdin: "a value" });
    assert.equal(stored.code, 0, stored.stderr);
    await box.lock();
    await box.open();
    assert.equal(await box.lookup("agiworkforce.test"), "a value");
    await box.kill("SIGTERM");
    await box.restart();
    assert.equal(await box.lookup("agiworkforce.test"), "a value");
    await box.endWithBus();
    await box.restart();
    assert.equal(await box.lookup("agiworkforce.test"), "a value");
    assert.deepEqual(await box.accounts(), ["agiworkforce.test"]);
  });

  Deno.test(`${name}: a wallet of the tests without anything`, async () => {
    await using box = await WalletBox.start(name, { bare: true });
    assert.equal(await box.isOpen(), false);
  });
}
