import type { AuthManager } from "../auth/manager.ts";
import type { FleetFollower } from "../cluster/follower.ts";
import type { DoctorContext } from "../doctor/findings.ts";
import type { SecretManager } from "../secret/manager.ts";
import type { Accounts } from "../users/accounts.ts";
import type { CertificateWatch } from "./certificate_watch.ts";
import type { Address } from "./settings.ts";
import type { Systemd } from "./systemd.ts";

/** What the server does with a follower. */
type FleetFollowing = Pick<FleetFollower, "start" | "lookNow" | "stop" | "onChange" | "report">;

/** The managers of the main thread. */
export interface Managers {
  readonly secrets: SecretManager;
  readonly auth: AuthManager;
  readonly accounts: Accounts;
}

/** What the server needs from the command line. */
export interface ServerContext {
  readonly managers: Managers;
  /** Starts a thread that runs a `RequestThread`. */
  makeWorker(): Worker;
  /** Writes a line of the access log. */
  log(line: string): void;
  onListening(addresses: readonly Address[]): void;
  /** Prints a warning. */
  warn(text: string): void;
  /** Prints a message that `--quiet` suppresses. */
  remark(text: string): void;
  /** Called with an error code when the secret becomes unavailable, with `undefined` when it is available again. */
  onTrouble(code: string | undefined): void;
  /** The files of the TLS certificate, if there is one. */
  readonly certificate?: CertificateWatch | undefined;
  /** Registers what to do when the operator asks for a reload. */
  onReload(reload: () => void): void;
  /** What `doctor` needs to know, for the status page. */
  readonly doctor?: Omit<DoctorContext, "environment" | "maxAgeMs"> | undefined;
  /** Follows the shared state, if etcd is configured. */
  readonly follower?: FleetFollowing | undefined;
  readonly systemd: Systemd;
  /** Rejects after a bug outside of the request threads. */
  readonly failed: Promise<never>;
  /** Resolves when the server is to stop. */
  readonly stopped: Promise<void>;
}
