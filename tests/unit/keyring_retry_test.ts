import assert from "node:assert/strict";
import { delay } from "../../src/core/async.ts";
import { Backoff } from "../../src/core/backoff.ts";
import type { RekeyError } from "../../src/core/errors.ts";
import { KeyringRetryPolicy } from "../../src/serve/keyring_retry.ts";
import { keyringRefusal } from "../../src/store/keyring/errors.ts";
import type { KeyringStore } from "../../src/store/keyring/keyring_store.ts";
import { HANG_MS } from "../support/timing/pause.ts";

// Longer than a refusal takes; whoever waits for one waits until it comes.
const LATE_MS = 2_000;

type Found = RekeyError | "open" | "unknown";

/** What a request gets while the keyring takes long, with these states of it one after the other. */
async function requested(states: Found[], lateMs: number): Promise<string> {
  const trouble = (): Promise<Found> => {
    const state = states.length > 1 ? states.shift()! : states[0]!;
    return Promise.resolve(state);
  };
  const keyring = { trouble } as unknown as KeyringStore;
  const policy = new KeyringRetryPolicy(() => keyring, new Backoff(), () => Promise.resolve(false));
  let timer = 0;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve("late"), lateMs);
  });
  try {
    return await policy.value("kid", () => late).catch((error) => error.code);
  } finally {
    clearTimeout(timer);
    await delay(0);
  }
}

const locked = keyringRefusal("keyring_locked");

const CASES: [name: string, states: Found[], result: string][] = [
  ["is locked", [locked], "keyring_locked"],
  ["was locked, and then the bus was slow", [locked, "unknown"], "keyring_locked"],
  ["is locked, which a slow bus tells late", ["unknown", "unknown", locked], "keyring_locked"],
  ["called itself locked until it was used", [locked, "open"], "late"],
  ["cannot be told about", ["unknown"], "late"],
];

for (const [name, states, result] of CASES) {
  Deno.test(`a request whose keyring ${name}: ${result === "late" ? "waits" : "refused"}`, async () => {
    const lateMs = result === "late" ? LATE_MS : HANG_MS;
    assert.equal(await requested(states, lateMs), result);
  });
}
