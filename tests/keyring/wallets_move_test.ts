import assert from "node:assert/strict";
import { ACCOUNT, NOTE_ACCOUNT } from "../support/keyring/keyring_box.ts";
import { questionsDuring } from "../support/keyring/wallets/questions.ts";
import { KeePassXc } from "../support/keyring/wallets/keepassxc.ts";
import { type WalletName, WALLETS } from "../support/keyring/wallets/wallet.ts";
import { until } from "../support/timing/pause.ts";
import { WalletBox } from "../support/keyring/wallets/wallet_box.ts";

/** A refused move into a locked wallet: its code, and how often the wallet was asked to open. */
const REFUSED: Record<WalletName, readonly [code: string, questions: number]> = {
  "gnome-keyring": ["keyring_locked", 1],
  // It shows a dialog.
  kwallet: ["keyring_timeout", 1],
  keepassxc: ["keyring_locked", 0],
};

/** Moves the secret into a wallet that is locked: refused, without a trace. */
async function refusedMove(box: WalletBox): Promise<void> {
  const [code, expected] = REFUSED[box.name];
  const questions = await questionsDuring(box, async () => {
    const refused = await box.run(["store", "move", "keyring", "--json"]);
    assert.equal(refused.code, 4, refused.stderr);
    assert.equal(JSON.parse(refused.stderr.trim().split("\n")[0]!).error.code, code);
  });
  assert.equal(questions, expected);
  const { location, store, keyring } = await box.json("store", "show");
  assert.deepEqual([location, store, keyring], ["database", "database", "keyring_locked"]);
}

for (const wallet of WALLETS) {
  Deno.test(`${wallet} is locked: a move into it is refused and leaves nothing, and works once it is open`, async () => {
    await using box = await WalletBox.start(wallet);
    await box.json("init", "--store", "database");
    const old = await box.token();
    await box.json("rotate", "--force", "--grace", "1h");
    const token = await box.token();
    await box.lock();
    await refusedMove(box);
    for (const one of [old, token]) assert.equal((await box.json("verify", one)).valid, true);

    // Only KeePassXC takes a password from another program while a dialog waits.
    await (wallet === "keepassxc" ? box.open() : box.restart());
    assert.equal((await box.json("status")).location, "database");
    assert.deepEqual(await box.accounts(), []);
    if (box.wallet instanceof KeePassXc) {
      assert.doesNotMatch(await box.wallet.exported(), /jwt_secret/, "nor among what was deleted");
    }
    const { moved } = await box.json("store", "move", "keyring");
    assert.equal(moved.length, 2);
    assert.deepEqual(await box.accounts(), [ACCOUNT, `${ACCOUNT}.v1`]);
    for (const one of [old, token]) assert.equal((await box.json("verify", one)).valid, true);
  });
}

/** An open KeePassXC with the secret, which it has saved: it does not lock what it has yet to save. */
async function kept(mirror: string): Promise<WalletBox<"keepassxc">> {
  const box = await WalletBox.start("keepassxc");
  box.env["REKEY_MIRROR"] = mirror;
  await box.json("init");
  // The last thing that rekey writes.
  await until(async () => (await box.wallet.exported()).includes(NOTE_ACCOUNT), {
    every: 500,
    otherwise: "Waited for: KeePassXC saves",
  });
  // A later command sees that, and drops a sealed copy that is not wanted.
  await box.json("status");
  return box;
}

Deno.test("keepassxc is locked: without a sealed copy there is no move out of it", async () => {
  await using box = await kept("off");
  const token = await box.token();
  await box.lock();
  const { code, stderr } = await box.run(["store", "move", "database", "--json"]);
  assert.equal(code, 4, stderr);
  assert.match(JSON.parse(stderr.trim().split("\n")[0]!).error.code, /^keyring_(locked|timeout)$/);
  await box.open();
  assert.equal((await box.json("status")).location, "keyring");
  assert.equal((await box.json("verify", token)).valid, true);
});

Deno.test("keepassxc is locked: the sealed copy moves out of it, the item goes once it is open", async () => {
  await using box = await kept("on");
  const token = await box.token();
  await box.lock();
  const { code, stderr } = await box.run(["store", "move", "database"]);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /could not be updated/);
  assert.equal((await box.json("verify", token)).valid, true);
  await box.open();
  await box.run(["status"]);
  assert.deepEqual(await box.accounts(), []);
  assert.equal((await box.json("verify", token)).valid, true);
});
