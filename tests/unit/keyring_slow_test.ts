import assert from "node:assert/strict";
import { delay } from "../../src/core/async.ts";
import type { RekeyError } from "../../src/core/errors.ts";
import type { KeyringAddon } from "../../src/store/keyring/addon.ts";
import { KeyringCalls } from "../../src/store/keyring/calls.ts";
import { keyringRefusal } from "../../src/store/keyring/errors.ts";

// As long as the addon waits for an answer.
const ADDON_MS = 2_000;
const NO_REPLY = new Error("Did not receive a reply");

type Answer = () => Promise<unknown>;

const late = (error: Error): Answer => () => delay(ADDON_MS).then(() => Promise.reject(error));
const soon = (error: Error): Answer => () => Promise.reject(error);
const gives = (value: unknown): Answer => () => Promise.resolve(value);

/** Calls of a keyring that answers one after the other. */
function calls(answers: Answer[], timeoutMs = 60_000) {
  const method = () => answers.shift()!();
  class AsyncEntry {
    readonly getPassword = method;
    readonly setPassword = method;
    readonly deletePassword = method;
  }
  const addon = { AsyncEntry } as unknown as KeyringAddon;
  return new KeyringCalls("x", () => addon, timeoutMs);
}

Deno.test("a keyring that is slow is asked again in the time that was given", async () => {
  assert.equal(await calls([late(NO_REPLY), gives("value")]).get("x"), "value");
});

Deno.test("a deletion whose answer was late may have been made: the item counts as one that was there", async () => {
  assert.equal(await calls([late(NO_REPLY), gives(false)]).remove("x"), true);
  assert.equal(await calls([gives(false)]).remove("x"), false);
});

const ENDS: [name: string, answer: Answer, timeoutMs?: number][] = [
  ["that ended at once", soon(NO_REPLY)],
  ["that was refused behind one that is stuck", late(keyringRefusal("keyring_timeout"))],
  ["whose time is over", late(NO_REPLY), 1_000],
];

for (const [name, answer, timeoutMs] of ENDS) {
  Deno.test(`a call ${name} is made once`, async () => {
    const answers = [answer, gives("value")];
    const failing = calls(answers, timeoutMs).get("x");
    await assert.rejects(failing, (error: RekeyError) => error.code === "keyring_timeout");
    // What it was still waiting for.
    await delay(ADDON_MS);
    assert.equal(answers.length, 1);
  });
}

Deno.test("an addon that could not be loaded at once is loaded by the next call", async () => {
  let loads = 0;
  class AsyncEntry {
    readonly getPassword = gives("value");
  }
  const keyring = new KeyringCalls("x", () => {
    if (loads++ === 0) throw keyringRefusal("keyring_absent");
    return { AsyncEntry } as unknown as KeyringAddon;
  });
  await assert.rejects(keyring.get("x"), (error: RekeyError) => error.code === "keyring_absent");
  assert.equal(await keyring.get("x"), "value");
});
