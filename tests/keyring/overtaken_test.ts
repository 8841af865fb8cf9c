import assert from "node:assert/strict";
import { holdAfterMessage } from "../support/keyring/hold.ts";
import { KeyringBox } from "../support/keyring/keyring_box.ts";
import { queryRow } from "../support/store/sql.ts";

/** How many messages it takes to read one item. */
const ONE_READ = 3;

/** After which of the addon's messages in a rotation its commit is done and nothing is published yet. */
async function firstAfterCommit(box: KeyringBox): Promise<number> {
  let there = false;
  for (let message = 1;; message++) {
    const args = ["rotate", "--force"];
    const { held } = await holdAfterMessage(box, "addon", message, args, () => {
      there = committed(box);
    });
    assert.ok(held, "a rotation must send messages after its commit");
    if (there) return message;
  }
}

function committed(box: KeyringBox): boolean {
  const current = queryRow(box, "SELECT synced FROM rekey_versions WHERE state = 'current'");
  return current?.synced === 0;
}

/** A rotation that stands after its n-th message until it is let go. */
async function standingRotation(box: KeyringBox, message: number) {
  const standing = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const ended = holdAfterMessage(box, "addon", message, ["rotate", "--force"], () => {
    standing.resolve();
    return release.promise;
  });
  await standing.promise;
  return { release: release.resolve, ended };
}

Deno.test("a reader that is overtaken by the publication of the secret finds it, wherever it stood", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init"]);
  const commit = await firstAfterCommit(box);
  for (let message = 1;; message++) {
    const rotation = await standingRotation(box, commit);
    const args = ["issue", "--sub", "a", "--json"];
    const reader = await holdAfterMessage(box, "main thread", message, args, async () => {
      rotation.release();
      await rotation.ended;
    });
    rotation.release();
    assert.equal((await rotation.ended).code, 0);
    assert.equal(reader.code, 0, `held after message ${message}: ${reader.stderr}`);
    if (!reader.held) {
      assert.ok(message > ONE_READ, "the reader must have had to look in both places");
      return;
    }
  }
});
