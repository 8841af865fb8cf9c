import type { Accounts } from "../users/accounts.ts";
import type { AuthManager } from "../auth/manager.ts";
import type { FleetFollower } from "../cluster/follower.ts";
import type { SecretManager } from "../secret/manager.ts";
import type { CertificateWatch } from "./certificate_watch.ts";
import type { Address } from "./settings.ts";
import type { Systemd } from "./sockets.ts";

/** The managers that a server works with. */
export interface Managers {
  readonly secrets: SecretManager;
  readonly auth: AuthManager;
  readonly accounts: Accounts;
}

/** What the server needs of the program around it. */
export interface ServerContext {
  readonly managers: Managers;
  /** Starts a thread that has a `RequestThread` in it. */
  makeWorker(): Worker;
  /** Takes a line of the access log. */
  log(line: string): void;
  /** Told once it listens. */
  onListening(address: Address): void;
  /** Told what the operator should know. */
  warn(text: string): void;
  /** Told when the secret can no longer be had, and `undefined` when it can again. */
  onTrouble(code: string | undefined): void;
  /** Told what the operator has asked to hear. */
  remark(text: string): void;
  /** Watches the files of the certificate that it serves with, if any. */
  readonly certificate?: CertificateWatch | undefined;
  /** Calls back whenever the operator wants files to be read again. */
  onReload(reload: () => void): void;
  /** Keeps up with the machines that share the secret, if any can. */
  readonly follower?: Pick<FleetFollower, "start" | "lookNow" | "stop"> | undefined;
  readonly systemd: Systemd;
  /** Rejects at a mistake in rekey, outside of any thread. */
  readonly failed: Promise<never>;
  /** Settles when the server is to stop. */
  readonly stopped: Promise<void>;
}
