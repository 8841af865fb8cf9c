import type { Credentials } from "../users/accounts.ts";
import type { Issued } from "../auth/manager.ts";
import type { Verified } from "../jwt/verifier.ts";
import type { MaybeAsync } from "../core/async.ts";
import type * as z from "../libraries/zod.ts";
import type { RotateOptions } from "../secret/rotation.ts";
import type { Version } from "../store/sqlite/versions.ts";
import type { RotateAnswer, Status } from "./schemas.ts";

/**
 * What request threads call on the main thread, which owns the secret: everything that writes, asks the keyring or
 * counts rows. A call goes by the name of its method (`serve/rpc.ts`), so an operation is an entry here and a method of
 * `SecretHost`.
 */
export interface HostOperations {
  /** The value of a version. @throws {RekeyError} when it cannot be had. */
  value(version: Version): Promise<string>;
  /** Logs a user in. @throws {RekeyError} `bad_credentials` or `throttled`. */
  login(credentials: Credentials): Promise<Issued>;
  /** Ends the session of a token that was verified. */
  endSession(verified: Verified): Promise<void>;
  /** @throws {RekeyError} when another rotation has ended the token meanwhile. */
  rotate(token: string, options: RotateOptions): Promise<z.infer<typeof RotateAnswer>>;
  status(): Promise<z.infer<typeof Status>>;
  /** All threads' metrics, in Prometheus' text format. */
  metrics(): Promise<string>;
  /** What a thread has seen since it last told: verifications by result, and lines of the access log. */
  seen(verdicts: ReadonlyMap<string, number>, lines: readonly string[]): void;
  /** No thread listened any more; this one does again, and the others are to. */
  listensAgain(): void;
  cannotListen(why: string): void;
  /** Asks the machines that share the secret at once. */
  followNow(): Promise<void>;
  /** Milliseconds, by the main thread's monotonic clock. */
  clock(): MaybeAsync<number>;
}
