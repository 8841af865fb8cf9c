import assert from "node:assert/strict";
import { sample } from "../support/process/sample.ts";
import { type WalletName, WALLETS } from "../support/keyring/wallets/wallet.ts";
import { WalletBox } from "../support/keyring/wallets/wallet_box.ts";

/** What a hint must name, so that it is of use to who has this provider. */
const NAMED: Record<WalletName, RegExp> = {
  "gnome-keyring": /gnome-keyring/,
  kwallet: /KWallet \(kwalletd5\)/,
  keepassxc: /KeePassXC/,
};

type Away = [name: string, codes: RegExp, provoke: (box: WalletBox) => void | Promise<void>];

const AWAY: Away[] = [
  ["locked", /^keyring_(locked|timeout)$/, (box) => box.lock()],
  ["suspended", /^keyring_timeout$/, (box) => box.suspend()],
  ["killed", /^keyring_absent$/, (box) => box.kill()],
];

for (const [at, wallet] of WALLETS.entries()) {
  for (const [name, codes, provoke] of sample(AWAY, 2, at)) {
    Deno.test(`${wallet}, ${name}: exit 4, a hint that names it, and no second secret`, async () => {
      await using box = await WalletBox.start(wallet);
      assert.equal((await box.run(["init"])).code, 0);
      const token = await box.token();
      const value = await box.lookup();
      assert.ok(value);
      await provoke(box);
      for (const args of [["verify", token], ["rotate", "--force"], ["init"]]) {
        const { code, stderr } = await box.run([...args, "--json"]);
        if (args[0] === "init") continue;
        assert.equal(code, 4, stderr);
        const { error } = JSON.parse(stderr.trim().split("\n")[0]!);
        assert.match(error.code, codes);
        if (name !== "killed") assert.match(error.hint, NAMED[wallet]);
      }
      if (name !== "killed") {
        const { findings } = await box.json("doctor");
        const found = findings.find(({ code }: { code: string }) => codes.test(code));
        assert.match(found.why, NAMED[wallet]);
        if (wallet !== "gnome-keyring") assert.doesNotMatch(found.command ?? "", /gnome-keyring/);
      }
      box.resume();
      await box.restart();
      assert.equal((await box.json("verify", token)).version, 1);
      // KeePassXC may have acknowledged what it never saved: then it has it from the sealed copy.
      assert.equal(await box.lookup(), value);
    });
  }

  Deno.test(`${wallet} without a wallet or collection: named where the keyring is wanted, or the database`, async () => {
    await using box = await WalletBox.start(wallet, { bare: true });
    // It asks for someone who makes a wallet.
    box.env.REKEY_KEYRING_TIMEOUT = "3s";
    const asked = await box.run(["init", "--store", "keyring", "--json"]);
    assert.equal(asked.code, 4, asked.stderr);
    const { error } = JSON.parse(asked.stderr.trim().split("\n")[0]!);
    assert.equal(error.code, "keyring_no_default");
    assert.match(error.hint, NAMED[wallet]);
    const chosen = await box.run(["init", "--json"]);
    assert.equal(chosen.code, 0, chosen.stderr);
    assert.equal(JSON.parse(chosen.stdout).location, "database");
    assert.match(chosen.stderr, /no default/);
  });
}
