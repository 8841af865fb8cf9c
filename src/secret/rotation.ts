import { type Head, newestHead } from "../audit/events.ts";
import { isRekeyError, RekeyError } from "../core/errors.ts";
import type { KeyForm, Secret } from "../core/secret.ts";
import type { Installation } from "../store/installation.ts";
import type { Algorithm } from "../jwt/policy.ts";
import type { StoreChoice } from "../store/environment.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { ageOf, isDue } from "./age.ts";
import { type Note, retrieve } from "./retrieve.ts";

/** The steps of a rotation, in order. It takes effect with `commit`; what follows can be done again. */
export const ROTATION_STEPS = ["begin", "write", "probe", "commit", "publish"] as const;
export type RotationStep = (typeof ROTATION_STEPS)[number];

/** Options of `SecretManager.rotate`. */
export interface RotateOptions {
  /** Default: the choice made at `init`. */
  readonly store?: StoreChoice | undefined;
  readonly reason?: string | undefined;
  /** Algorithm and key form of the new version; default: those of the old one, which keeps its own. */
  readonly alg?: Algorithm | undefined;
  readonly keyForm?: KeyForm | undefined;
  /** How long the old secret still verifies, in milliseconds. Default 0: all sessions end now. */
  readonly graceMs?: number | undefined;
  readonly lockTimeoutMs?: number | undefined;
  /** Rotate only when the current version is older than this, in milliseconds. */
  readonly ifOlderThanMs?: number | undefined;
  /** A repeated id returns the rotation that it made the first time. */
  readonly requestId?: string | undefined;
  /** Whether to write an automatic copy first; default true. */
  readonly backup?: boolean | undefined;
  /** Called under the lock, when no other process can rotate; its error is the rotation's. */
  readonly permit?: (() => Promise<unknown>) | undefined;
  readonly onStep?: ((step: RotationStep) => void) | undefined;
}

/** Result of a rotation or activation. */
export interface Changed {
  /** False when no rotation was due. */
  readonly rotated: boolean;
  readonly version: Version;
  readonly previous: Version | undefined;
  /** End of the old version's grace window, milliseconds since the epoch; null when it ended with the commit. */
  readonly graceUntil: number | null;
  /** Whether the keyring is up to date too; if not, the next command updates it. */
  readonly published: boolean;
  /** False when the audit log no longer holds the head that the keyring had kept of it. */
  readonly logWhole: boolean;
  /** Newest row of the audit log, to be stored where the machine's user cannot change it. */
  readonly head: Head | null;
}

/** How many grace windows may be open at once: each verification looks through them. */
export const MOST_GRACE_WINDOWS = 1_000;

/** Refuses another grace window. @throws {RekeyError} `failed` when `most` are open. */
export function refuseOneTooMany({ versions }: Installation, most = MOST_GRACE_WINDOWS): void {
  if (versions.previous().length < most) return;
  throw new RekeyError(
    "failed",
    `Cannot give a grace window: ${most} are open already`,
    { hint: "Rotate without --grace, which ends them all, or end them with `rekey revoke`" },
  );
}

/** The result without a rotation: the request id was used before, or the secret is not old enough. */
export function alreadyDone(
  installation: Installation,
  current: Version,
  { requestId, ifOlderThanMs }: RotateOptions,
): Changed | undefined {
  const { versions } = installation;
  const made = requestId === undefined ? undefined : versions.byRequest(requestId);
  const young = ifOlderThanMs !== undefined &&
    !isDue(ageOf(installation, current), ifOlderThanMs / 1000);
  if (made === undefined && !young) return undefined;
  const version = made ?? current;
  const previous = version.replaces === null ? undefined : versions.byNumber(version.replaces);
  const graceUntil = previous?.grace_until ?? null;
  const head = newestHead(installation.database);
  return { rotated: false, version, previous, graceUntil, published: true, logWhole: true, head };
}

/** @throws {RekeyError} when a grace window is wanted for a version whose value cannot be read. */
export async function mustBeReadable(
  installation: Installation,
  old: Version,
  note: Note,
): Promise<void> {
  try {
    await retrieve(installation, old, note);
  } catch (error) {
    if (!isRekeyError(error)) throw error;
    throw new RekeyError(error.code, `Cannot give a grace window: ${error.message}`, {
      hint: joined(error.hint, "without --grace the old secret is not needed"),
      cause: error,
    });
  }
}

function joined(hint: string | undefined, more: string): string {
  return hint === undefined ? more : `${hint}; ${more}`;
}

/**
 * Signs a token with a new value and verifies it, before the value is used.
 *
 * @throws {RekeyError} `failed` when the token does not verify.
 */
export async function probe(
  secret: Secret,
  { alg, key_form }: Pick<Version, "alg" | "key_form">,
): Promise<void> {
  const { jwtVerify, SignJWT } = await import("jose");
  const key = secret.hmacKey(key_form);
  try {
    const token = await new SignJWT().setProtectedHeader({ alg }).setSubject("probe").sign(key);
    await jwtVerify(token, key, { algorithms: [alg], subject: "probe" });
  } catch (cause) {
    throw unusable("a token signed with it does not verify", cause);
  } finally {
    key.fill(0);
  }
}

/** The error for a new value that cannot be used. */
export function unusable(why: string, cause?: unknown): RekeyError {
  return new RekeyError("failed", `Cannot use the new JWT secret: ${why}`, {
    hint: "The old secret is still current; run `rekey status` and try again",
    cause,
  });
}

/** Warnings about a rotation that took effect. */
export function warningsOf(
  { version, published, logWhole }: Pick<Changed, "version" | "published" | "logWhole">,
): string[] {
  const warnings: string[] = [];
  if (!logWhole) {
    warnings.push(
      "the audit log no longer holds the head that the keyring kept: it was cut off or put back; " +
        "`rekey audit list --event storage` shows which",
    );
  }
  if (!published) {
    warnings.push(
      version.location === "etcd"
        ? "this machine could not take it over from etcd; the next command does it"
        : "the keyring could not be updated; the next command that reaches it does so",
    );
  }
  return warnings;
}
