import assert from "node:assert/strict";
import { ACCOUNT } from "../support/keyring/keyring_box.ts";
import { Desk } from "../support/keyring/wallets/desk.ts";
import { questionsDuring } from "../support/keyring/wallets/questions.ts";
import { WalletBox } from "../support/keyring/wallets/wallet_box.ts";

Deno.test("keepassxc asks before each access, and no one answers: one question, exit 4 in time, nothing is left", async () => {
  await using box = await WalletBox.start("keepassxc", { confirming: true });
  // What a command has made itself it may read and delete, without a question.
  assert.equal(await questionsDuring(box, async () => void await box.json("init")), 0);
  // Long enough for KeePassXC to have asked on a machine that stands still for a while.
  box.env.REKEY_KEYRING_TIMEOUT = "6s";
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

/** After how long the addon gives up an answer, nearly; rekey then makes the call again. */
const ADDON_MS = 1_900;

// KeePassXC 2.7.4 fails now and then, in one command of hundreds, when it is written to while it saves.
const LEFT_FOR_LATER = /^warning: the keyring could not be updated; the next command .*\n/m;

Deno.test("keepassxc asks before each access, and someone says yes: one question for each command", async () => {
  await using desk = await Desk.start();
  await using box = await WalletBox.start("keepassxc", { confirming: true, display: desk.display });
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
  const left: string[] = [];
  let wasLeft = false;
  for (const args of commands) {
    let isLeft = false;
    const began = performance.now();
    const questions = await questionsDuring(box, async () => {
      const { code, stderr } = await box.run(args);
      assert.equal(code, 0, `${args}: ${stderr}`);
      const other = stderr.replace(LEFT_FOR_LATER, "");
      assert.doesNotMatch(other, /warning/, `${args.join(" ")}: ${stderr}`);
      isLeft = other !== stderr;
    });
    const took = performance.now() - began;
    // On a busy machine KeePassXC answers so late that the call is made again. What one command leaves may be another
    // question of the next.
    const most = wasLeft || took > ADDON_MS ? 2 : 1;
    assert.ok(questions <= most, `${args.join(" ")}: ${questions} in ${took} ms`);
    if (isLeft) left.push(args.join(" "));
    wasLeft = isLeft;
  }
  assert.ok(left.length <= 1, left.join());
  assert.deepEqual(await box.accounts(), []);
});
