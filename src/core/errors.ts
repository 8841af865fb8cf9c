/**
 * All error codes, each with its exit status and HTTP status. docs/exit-codes.md contains this table; a test compares
 * the two.
 */
export const ERROR_TABLE = {
  // The command line is wrong.
  usage: { exit: 2, http: 400 },

  // The token is not valid (RFC 7515, RFC 7519). The codes are those of `verify --json`.
  malformed: { exit: 3, http: 401 },
  too_large: { exit: 3, http: 401 },
  alg_not_allowed: { exit: 3, http: 401 },
  unknown_kid: { exit: 3, http: 401 },
  retired_kid: { exit: 3, http: 401 },
  bad_signature: { exit: 3, http: 401 },
  expired: { exit: 3, http: 401 },
  not_yet_valid: { exit: 3, http: 401 },
  claim_mismatch: { exit: 3, http: 401 },
  revoked: { exit: 3, http: 401 },

  // Login failed.
  bad_credentials: { exit: 3, http: 401 },
  throttled: { exit: 3, http: 429 },

  // The secret cannot be read, or cannot be trusted.
  not_initialised: { exit: 4, http: 503 },
  keyring_absent: { exit: 4, http: 503 },
  keyring_locked: { exit: 4, http: 503 },
  keyring_denied: { exit: 4, http: 503 },
  keyring_ambiguous: { exit: 4, http: 503 },
  keyring_timeout: { exit: 4, http: 503 },
  keyring_failed: { exit: 4, http: 503 },
  keyring_no_default: { exit: 4, http: 503 },
  secret_missing: { exit: 4, http: 503 },
  secret_damaged: { exit: 4, http: 503 },
  secret_claimed: { exit: 4, http: 503 },
  secret_mismatch: { exit: 4, http: 503 },
  kek_missing: { exit: 4, http: 503 },
  kek_invalid: { exit: 4, http: 503 },
  kek_wrong: { exit: 4, http: 503 },
  database_unusable: { exit: 4, http: 503 },
  database_damaged: { exit: 4, http: 503 },
  database_foreign: { exit: 4, http: 503 },
  database_newer: { exit: 4, http: 503 },

  // The shared secret cannot be read, or this machine may not have the current version.
  etcd_unconfigured: { exit: 4, http: 503 },
  etcd_unavailable: { exit: 4, http: 503 },
  etcd_denied: { exit: 4, http: 503 },
  etcd_failed: { exit: 4, http: 503 },
  fleet_stale: { exit: 4, http: 503 },
  fleet_behind: { exit: 4, http: 503 },
  fleet_foreign: { exit: 4, http: 503 },

  // Other failures.
  internal: { exit: 1, http: 500 },
  failed: { exit: 1, http: 500 },
  cancelled: { exit: 1, http: 409 },
  overtaken: { exit: 1, http: 409 },
  already_initialised: { exit: 1, http: 409 },
  secret_weak: { exit: 1, http: 400 },
  backup_unusable: { exit: 1, http: 400 },
  // A command that cannot send to a sink only warns.
  sink_unusable: { exit: 1, http: 500 },
  tls_unusable: { exit: 1, http: 500 },
  tls_key_encrypted: { exit: 1, http: 500 },
  tls_key_mismatch: { exit: 1, http: 500 },
  tls_chain_order: { exit: 1, http: 500 },
  check_failed: { exit: 5, http: 500 },
  busy: { exit: 6, http: 503 },

  // `exec` cannot start the program; the statuses are those of shells.
  program_not_executable: { exit: 126, http: 500 },
  program_not_found: { exit: 127, http: 500 },
} as const satisfies Record<string, { exit: number; http: number }>;

/** Meanings of the exit statuses. */
export const EXIT_STATUSES: Readonly<Record<number, string>> = {
  0: "done",
  1: "failed",
  2: "wrong usage",
  3: "token not valid",
  4: "secret store unavailable",
  5: "a check failed",
  6: "busy: another process holds the lock",
  126: "`exec`: the program cannot be started",
  127: "`exec`: there is no such program",
};

/** The codes with an exit status. */
export function codesOf(status: number): ErrorCode[] {
  return (Object.keys(ERROR_TABLE) as ErrorCode[])
    .filter((code) => ERROR_TABLE[code].exit === status);
}

/** Codes of invalid tokens. */
export const TOKEN_FAULTS = [
  "malformed",
  "too_large",
  "alg_not_allowed",
  "unknown_kid",
  "retired_kid",
  "bad_signature",
  "expired",
  "not_yet_valid",
  "claim_mismatch",
  "revoked",
] as const;

/** Name of an error; stable, for scripts. */
export type ErrorCode = keyof typeof ERROR_TABLE;

/** Optional parts of a {@linkcode RekeyError}. */
interface RekeyErrorOptions {
  /** What to do next: one sentence without a final period. */
  hint?: string;
  /** Seconds after which to try again. */
  retryAfter?: number;
  /** The underlying error. It is never shown: a library may quote a secret in it. */
  cause?: unknown;
}

/**
 * The only error whose message rekey shows. Any other error that reaches `main.ts` is reported as a bug.
 *
 * @example
 * ```ts
 * throw new RekeyError("keyring_locked", "Cannot read the JWT secret: the keyring is locked", {
 *   hint: "Unlock the keyring and run the command again",
 * });
 * ```
 */
export class RekeyError extends Error {
  override readonly name = "RekeyError";
  readonly hint: string | undefined;
  readonly retryAfter: number | undefined;

  constructor(readonly code: ErrorCode, message: string, options: RekeyErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.hint = options.hint;
    this.retryAfter = options.retryAfter;
  }

  /** Exit status of the command line. */
  get exitCode(): number {
    return ERROR_TABLE[this.code].exit;
  }
}

/** A refusal of what the caller wrote. */
export function usageError(message: string, hint: string, cause?: unknown): RekeyError {
  return new RekeyError("usage", message, { hint, cause });
}

// Passwords and tokens in the wrong place are longer, or have other characters.
const QUOTABLE = /^[\w./:@-]{0,20}$/;

/** Quotes a value for a message if it is short and plain; anything else might be a secret. */
export function quoted(value: string): string {
  return QUOTABLE.test(value) ? JSON.stringify(value) : "the value that was given";
}

/** Whether `error` is a {@linkcode RekeyError} with one of `codes`; without `codes`, with any code. */
export function isRekeyError(error: unknown, ...codes: ErrorCode[]): error is RekeyError {
  return error instanceof RekeyError && (codes.length === 0 || codes.includes(error.code));
}

/** For `catch` where work must go on: turns any other error into a {@linkcode RekeyError} that reports a bug. */
export function asRefusalOrBug(error: unknown): RekeyError {
  if (isRekeyError(error)) return error;
  const name = error instanceof Error ? error.name : typeof error;
  return new RekeyError("internal", `Internal error, a bug in rekey: ${name}`, { cause: error });
}

/** For `catch`: returns a {@linkcode RekeyError}, and rethrows any other error. */
export function asRefusal(error: unknown): RekeyError {
  if (isRekeyError(error)) return error;
  throw error;
}
