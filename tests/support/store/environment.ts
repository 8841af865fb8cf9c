import { join } from "node:path";
import { appNamed } from "../../../src/core/app.ts";
import { RekeyError } from "../../../src/core/errors.ts";
import type { Environment, MirrorChoice } from "../../../src/store/environment.ts";
import type { KeyringAddon } from "../../../src/store/keyring/addon.ts";
import type { Saving } from "../../../src/store/keyring/secret_service/saving.ts";
import { SYSTEM } from "../../../src/system/system.ts";
import { KeyringStore } from "../../../src/store/keyring/keyring_store.ts";

// A library that is loaded during a test counts as left open by it.
SYSTEM.quickLooks();

/** A manager's surroundings in a folder of their own, without a keyring and with a clock to set. */
export interface TestEnvironment extends Environment, Disposable {
  /** Lets the clock go on by so many milliseconds. */
  advance(milliseconds: number): void;
}

function noKeyring(): KeyringAddon {
  throw new RekeyError("keyring_absent", "There is no keyring in this test");
}

/** Makes a {@linkcode TestEnvironment}; its folder goes with it. */
export function testEnvironment(
  load: () => KeyringAddon = noKeyring,
  mirror: MirrorChoice = "auto",
  saving?: Saving,
): TestEnvironment {
  const root = Deno.makeTempDirSync({ prefix: "rekey-test-" });
  const app = appNamed("agiworkforce");
  let now = Date.now();
  return {
    app,
    folders: {
      data: join(root, "data"),
      defaultData: undefined,
      dataNamed: false,
      config: join(root, "config"),
      cache: join(root, "cache"),
    },
    kek: { run: () => Promise.resolve(new Uint8Array()) },
    keyring: new KeyringStore(app, load, 200, { saving }),
    mirror,
    actor: "test",
    clock: () => now,
    advance: (milliseconds) => now += milliseconds,
    [Symbol.dispose]: () => Deno.removeSync(root, { recursive: true }),
  };
}
