import { join } from "node:path";
import { appNamed } from "../../src/core/app.ts";
import type { Environment } from "../../src/store/installation.ts";
import { KeyringStore } from "../../src/store/keyring_store.ts";

/** A manager's surroundings in a folder of their own, without a keyring and with a clock to set. */
export interface TestEnvironment extends Environment, Disposable {
  /** Lets the clock go on by so many milliseconds. */
  advance(milliseconds: number): void;
}

/** Makes a {@linkcode TestEnvironment}; its folder goes with it. */
export function testEnvironment(): TestEnvironment {
  const root = Deno.makeTempDirSync({ prefix: "rekey-test-" });
  const app = appNamed("agiworkforce");
  let now = Date.now();
  return {
    app,
    folders: {
      data: join(root, "data"),
      dataNamed: false,
      config: join(root, "config"),
      cache: join(root, "cache"),
    },
    kek: { run: () => Promise.resolve(new Uint8Array()) },
    keyring: new KeyringStore(app, () => {
      // The addon's own words when there is no session bus.
      throw new Error("DBus error: Failed to connect to socket");
    }),
    mirror: "auto",
    actor: "test",
    clock: () => now,
    advance: (milliseconds) => now += milliseconds,
    [Symbol.dispose]: () => Deno.removeSync(root, { recursive: true }),
  };
}
