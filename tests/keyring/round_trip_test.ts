import assert from "node:assert/strict";
import { SignJWT } from "jose";
import { asLine, AWKWARD_TEXTS } from "../support/attacks/awkward_texts.ts";
import { KeyringBox } from "../support/keyring/keyring_box.ts";
import { WALLETS } from "../support/keyring/wallets/wallet.ts";
import { WalletBox } from "../support/keyring/wallets/wallet_box.ts";
import { sample } from "../support/process/sample.ts";

function signed(text: string): Promise<string> {
  return new SignJWT({ sub: "old" }).setProtectedHeader({ alg: "HS256" }).setExpirationTime("1h")
    .sign(new TextEncoder().encode(text));
}

Deno.test("whatever text a secret is, every move keeps it as it was", async () => {
  await using box = await KeyringBox.start();
  for (const [name, text] of sample(Object.entries(AWKWARD_TEXTS), 5)) {
    const token = await signed(text);
    const verifies = async (where: string) =>
      assert.equal((await box.json("verify", token)).valid, true, `${name}, ${where}`);
    const args = ["import", "--alg", "HS256", "--allow-weak", "--mirror", "on"];
    const { code, stderr } = await box.run(args, { stdin: asLine(text) });
    assert.equal(code, 0, `${name}: ${stderr}`);
    assert.equal((await box.json("store", "show")).location, "keyring");
    await verifies("imported into the keyring");
    assert.equal((await box.run(["kek", "rotate"])).code, 0);
    await box.run(["store", "move", "database"]);
    await verifies("moved to the database");
    await box.run(["store", "move", "keyring"]);
    await verifies("moved to the keyring");
    await box.run(["backup", `${name}.db`]);
    await box.run(["restore", `${name}.db`, "--force"]);
    await verifies("restored");
    await box.run(["rotate", "--force", "--grace", "1h"]);
    await verifies("in its grace window");
    assert.equal((await box.json("audit", "verify")).valid, true, name);
    await box.run(["destroy", "--force"]);
  }
});

for (const [at, name] of WALLETS.entries()) {
  Deno.test(`${name} keeps every text, through its end and a new start`, async () => {
    await using box = await WalletBox.start(name);
    const texts = sample(Object.entries(AWKWARD_TEXTS), 3, at);
    const flags = ["--alg", "HS256", "--allow-weak", "--store", "keyring"];
    for (const [n, [what, text]] of texts.entries()) {
      const args = ["import", "--app", `text${n}`, ...flags];
      const { code, stderr } = await box.run(args, { stdin: asLine(text) });
      assert.equal(code, 0, `${what}: ${stderr}`);
    }
    await box.kill("SIGTERM");
    await box.restart();
    for (const [n, [what, text]] of texts.entries()) {
      const verdict = await box.json("verify", "--app", `text${n}`, await signed(text));
      assert.equal(verdict.valid, true, what);
    }
  });
}
