import type { Verified } from "../jwt/verifier.ts";
import type { Credentials } from "../users/accounts.ts";
import type { Measured } from "../http/meters.ts";
import type { SecretHostCalls } from "../http/routes.ts";
import type { RotateOptions } from "../secret/rotation_request.ts";
import type { Version } from "../store/sqlite/versions.ts";
import type { Settings } from "./settings.ts";

/** What a request thread has seen since it last told. */
export interface Seen {
  /** Verifications by result. */
  readonly verdicts: ReadonlyMap<string, number>;
  /** Lines of the access log. */
  readonly lines: readonly string[];
}

/** What a request thread may call on the main one. */
export type MainMethods = {
  value(version: Version): Promise<string>;
  login(credentials: Credentials): ReturnType<SecretHostCalls["login"]>;
  endSession(verified: Verified): Promise<void>;
  rotate(asked: { token: string; options: RotateOptions }): ReturnType<SecretHostCalls["rotate"]>;
  status(): ReturnType<SecretHostCalls["status"]>;
  metrics(): Promise<string>;
  seen(seen: Seen): void;
  /** Nobody had listened any more; this thread does again, and the others are to. */
  listensAgain(): void;
  cannotListen(why: string): void;
  /** Asks the machines that share the secret at once. */
  followNow(): Promise<void>;
  /** Milliseconds, by the main thread's monotonic clock. */
  clock(): number;
};

/** What the main thread may call on a request thread. */
export type WorkerMethods = {
  /** Begins to listen. */
  start(settings: Settings): Promise<void>;
  measured(): Measured;
  ping(): void;
  /** Listens anew. */
  listenAgain(): void;
  /** Serves new connections with another certificate. */
  renew(tls: Settings["tls"]): Promise<void>;
  /** Answers what is in flight, tells what it has seen, and ends. */
  stop(): Promise<void>;
};
