import assert from "node:assert/strict";
import { troubleWithin } from "../../src/serve/readiness.ts";

Deno.test("a thread that gets no answer from the keyring in time is not ready", async () => {
  const waiting = { trouble: () => new Promise<never>(() => {}) };
  assert.equal(await troubleWithin(10, waiting), "keyring_timeout");
});

Deno.test("a thread's own answer is its state", async () => {
  assert.equal(await troubleWithin(1_000, { trouble: () => Promise.resolve(null) }), undefined);
  const locked = { trouble: () => Promise.resolve("keyring_locked" as const) };
  assert.equal(await troubleWithin(1_000, locked), "keyring_locked");
});
