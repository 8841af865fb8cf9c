import assert from "node:assert/strict";
import { pause } from "../support/timing/pause.ts";
import { WalletBox } from "../support/keyring/wallets/wallet_box.ts";

for (const [wallet, title] of [["keepassxc", "KeePassXC"], ["kwallet", "KWallet"]] as const) {
  Deno.test(`${wallet} is stopped, and the bus starts gnome-keyring: exit 4 says so, and there is no second secret`, async () => {
    await using box = await WalletBox.start(wallet);
    // Else the sealed copy of what may not be saved would serve.
    box.env["REKEY_MIRROR"] = "off";
    assert.equal((await box.run(["init"])).code, 0);
    const { kid } = await box.json("rotate", "--force");
    const token = await box.token();
    // KeePassXC saves by itself, some time after.
    await pause(3_000);
    await box.kill("SIGTERM");
    await box.startsGnomeKeyring();

    const commands = [
      ["verify", token],
      ["issue", "--sub", "a"],
      ["status"],
      ["rotate", "--force"],
      ["rotate", "--force", "--grace", "1h"],
      ["store", "move", "database"],
    ];
    for (const args of commands) {
      const { code, stderr } = await box.run([...args, "--json"]);
      assert.equal(code, 4, `${args}: ${stderr}`);
      const { error } = JSON.parse(stderr.trim().split("\n")[0]!);
      assert.equal(error.code, "keyring_absent", error.message);
      assert.match(error.message, new RegExp(`gnome-keyring answers, .* is in ${title}`));
      assert.match(error.hint, new RegExp(`Start ${title}`));
    }
    const { findings } = await box.json("doctor");
    const found = findings.find(({ code }: { code: string }) => code === "keyring_absent");
    assert.match(found.what, new RegExp(title));
    assert.match(found.command, /^k(eepassxc|walletd5)$/);
    assert.deepEqual(await box.accounts(), []);

    await box.endWithBus();
    await box.restart();
    assert.equal((await box.json("status")).kid, kid);
    assert.equal((await box.json("verify", token)).version, 2);
  });
}
