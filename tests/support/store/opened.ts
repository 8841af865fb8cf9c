import type { ChainFault } from "../../../src/audit/chain_walk.ts";
import { AuthManager } from "../../../src/auth/manager.ts";
import { appNamed } from "../../../src/core/app.ts";
import { asRefusal, RekeyError } from "../../../src/core/errors.ts";
import { SecretManager } from "../../../src/secret/manager.ts";
import { verifyLog } from "../../../src/secret/verified_log.ts";
import { KeyringStore } from "../../../src/store/keyring/keyring_store.ts";
import { foldersFor } from "../../../src/system/paths.ts";
import { SYSTEM } from "../../../src/system/system.ts";
import type { Box } from "../process/box.ts";

// A library that is loaded during a test counts as left open by it.
SYSTEM.quickLooks();

/**
 * A box's secret in the database, asked in this process by the functions that the commands call: for what a test has to know
 * of a machine and is not about. A start of the binary takes sixty milliseconds of a processor.
 */
export class Opened implements Disposable {
  readonly secrets: SecretManager;
  readonly auth: AuthManager;

  constructor(box: Box) {
    const app = appNamed("agiworkforce");
    const user = { home: box.home, env: (name: string) => box.env[name] };
    this.secrets = new SecretManager({
      app,
      folders: foldersFor(app, user, box.env.REKEY_DATA_DIR, SYSTEM),
      kek: { run: () => Promise.reject(new Error("No KEK is set")) },
      keyring: new KeyringStore(app, () => {
        throw new RekeyError("keyring_absent", "There is no keyring in this test");
      }, 200),
      mirror: "auto",
      actor: "test",
      clock: Date.now,
    });
    this.auth = new AuthManager(this.secrets);
  }

  /** The number of the current version. */
  async version(): Promise<number> {
    return (await this.secrets.open()).version.version;
  }

  /** A new token, as `rekey issue` makes them. */
  async token(subject = "alice"): Promise<string> {
    return (await this.auth.issue({ subject, lifetime: 3_600 })).token;
  }

  /** The version that a token verifies with, or the code of its refusal. */
  async verdict(token: string): Promise<number | string> {
    try {
      return (await this.secrets.verify(token)).version;
    } catch (error) {
      return asRefusal(error).code;
    }
  }

  /** What is wrong with the audit log; `null` when it holds. */
  async faultOfLog(): Promise<ChainFault | null> {
    const { installation, version } = await this.secrets.open();
    return (await verifyLog(installation, version, () => {})).bad;
  }

  [Symbol.dispose](): void {
    this.secrets.close();
  }
}
