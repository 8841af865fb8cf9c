import type { History, Period } from "../audit/history.ts";
import type { AuditFilter } from "../audit/reader.ts";
import type { Credentials } from "../users/accounts.ts";
import type { LoggedIn } from "../auth/manager.ts";
import type { Verified } from "../jwt/verifier.ts";
import type { MaybeAsync } from "../core/async.ts";
import type * as z from "zod";
import type { RotateOptions } from "../secret/backend.ts";
import type { Version } from "../store/sqlite/versions.ts";
import type { AuditPage, RotateAnswer, Status } from "./schemas.ts";

/** Who asks for a change, by a verified token. */
export interface Requester {
  readonly token: string;
  /** Its subject, if it has one: for the audit log. */
  readonly subject: string | undefined;
}

/**
 * What request threads call on the main thread: everything that writes, uses the keyring or counts rows. `SecretHost`
 * implements it, and `serve/rpc.ts` makes the client, so a new operation needs an entry here and a method there.
 */
export interface HostOperations {
  /** The value of a version. @throws {RekeyError} when it is unavailable. */
  value(version: Version): Promise<string>;
  /** Logs a user in. @throws {RekeyError} `bad_credentials` or `throttled`. */
  login(credentials: Credentials): Promise<LoggedIn>;
  /** Ends the session of a verified token. */
  endSession(verified: Verified): Promise<void>;
  /** @throws {RekeyError} when another rotation has retired the token in the meantime. */
  rotate(by: Requester, options: RotateOptions): Promise<z.infer<typeof RotateAnswer>>;
  status(): Promise<z.infer<typeof Status>>;
  /** A page of the audit log. */
  audit(filter: AuditFilter): Promise<z.infer<typeof AuditPage>>;
  /** The figures over a period that ends now. */
  history(period: Period): Promise<History>;
  /** The metrics of all threads, in Prometheus' text format. */
  metrics(): Promise<string>;
  /** Reports verifications by result and access log lines since the last report. */
  report(verdicts: ReadonlyMap<string, number>, lines: readonly string[]): void;
  /** No thread was listening on the port that they share; this one is again, and the others should. */
  listensAgain(): void;
  /** Prints a warning. */
  warn(why: string): void;
  /** Updates the shared state from etcd now. */
  updateShared(): Promise<void>;
  /** The main thread's monotonic clock, in milliseconds. */
  clock(): MaybeAsync<number>;
}
