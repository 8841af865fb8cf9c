import assert from "node:assert/strict";
import { ACCOUNT } from "../support/keyring/keyring_box.ts";
import { Desk } from "../support/keyring/wallets/desk.ts";
import { questionsDuring } from "../support/keyring/wallets/questions.ts";
import { WalletBox } from "../support/keyring/wallets/wallet_box.ts";

Deno.test("keepassxc asks before each access, and no one answers: one question, exit 4 in time, nothing is left", async () => {
  await using box = await WalletBox.start("keepassxc", { confirming: true });
  // What a command has made itself it may read and delete, without a question.
  assert.equal(await questionsDuring(box, async () => void await box.json("init")), 0);
  const others = ["init", "--data-dir", `${box.home}/other`];
  const commands = [
    ["issue", "--sub", "a"],
    ["rotate", "--force"],
    ["rotate", "--force", "--grace", "1h"],
    ["store", "move", "database"],
    ["destroy", "--force"],
    others,
    [...others, "--store", "keyring"],
  ];
  for (const args of commands) {
    const questions = await questionsDuring(box, async () => {
      const { code, stderr } = await box.run([...args, "--json"]);
      assert.equal(code, 4, `${args}: ${stderr}`);
      const { error } = JSON.parse(stderr.trim().split("\n")[0]!);
      assert.equal(error.code, "keyring_timeout");
      assert.match(error.hint, /Confirm when passwords are retrieved by clients.*--store database/);
    });
    assert.equal(questions, 1, args.join(" "));
  }
  assert.deepEqual(await box.accounts(), [ACCOUNT]);
});

Deno.test("keepassxc asks before each access, and someone says yes: one question for each command", async () => {
  await using desk = await Desk.start();
  await using box = await WalletBox.start("keepassxc", { confirming: true, display: desk.display });
  const env = { REKEY_KEYRING_TIMEOUT: "30s" };
  assert.equal((await box.run(["init"])).code, 0);
  const commands = [
    ["issue", "--sub", "a"],
    ["status"],
    ["rotate", "--force"],
    ["rotate", "--force", "--grace", "1h"],
    ["revoke"],
    ["store", "move", "database"],
    ["store", "move", "keyring"],
    ["destroy", "--force"],
  ];
  for (const args of commands) {
    const questions = await questionsDuring(box, async () => {
      const { code, stderr } = await box.run(args, { env });
      assert.equal(code, 0, `${args}: ${stderr}`);
      assert.doesNotMatch(stderr, /warning/, args.join(" "));
    });
    assert.ok(questions <= 1, `${args.join(" ")}: ${questions}`);
  }
  assert.deepEqual(await box.accounts(), []);
});
