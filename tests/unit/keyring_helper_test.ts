import assert from "node:assert/strict";
import { appNamed } from "../../src/core/app.ts";
import { isRekeyError } from "../../src/core/errors.ts";
import { keyringInProcess } from "../../src/store/keyring/addon_process.ts";
import { KeyringStore } from "../../src/store/keyring/keyring_store.ts";
import { start } from "../../scripts/program.ts";

const TIMEOUT_MS = 400;

/** A keyring whose calls are made by a shell's script. */
function storeBy(script: string) {
  const started: Deno.ChildProcess[] = [];
  const addon = keyringInProcess(() => {
    const child = start("/bin/sh", ["-c", script], { stdin: "piped", stdout: "piped" });
    started.push(child);
    return child;
  });
  const store = new KeyringStore(appNamed("shop"), () => addon, TIMEOUT_MS);
  return { store, started };
}

async function ended(started: Deno.ChildProcess[]): Promise<void> {
  for (const child of started) {
    child.kill("SIGKILL");
    await child.status;
  }
}

const ANSWER = `read -r call; echo '{"id":1,"result":"a note"}'; read -r end`;

Deno.test("the start of the keyring's helper does not count as the keyring's time", async () => {
  const { store, started } = storeBy(`sleep 1; echo '{"ready":true}'; ${ANSWER}`);
  assert.equal(await store.readNote(), "a note");
  assert.equal(started.length, 1);
  await ended(started);
});

Deno.test("a keyring that does not answer its helper is a timeout, as ever", async () => {
  const { store, started } = storeBy(`echo '{"ready":true}'; exec sleep 5`);
  await assert.rejects(store.readNote(), (error) => isRekeyError(error, "keyring_timeout"));
  await ended(started);
});

Deno.test({
  name: "a helper that ends before it takes calls is waited for no longer",
  // It is refused when its output ends, which the runtime may see before its process has.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const { store } = storeBy("exit 1");
    await assert.rejects(store.readNote(), (error) => isRekeyError(error, "keyring_failed"));
  },
});
