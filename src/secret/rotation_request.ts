import { newestHead } from "../audit/events.ts";
import { RekeyError } from "../core/errors.ts";
import type { KeyForm } from "../core/secret.ts";
import type { Algorithm, Installation, StoreChoice } from "../store/installation.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { ageOf, isDue } from "./age.ts";
import type { Changed, RotationStep } from "./rotation.ts";

/** What `SecretManager.rotate` does differently when asked. */
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
  /** The same id again answers with the rotation that it made the first time. */
  readonly requestId?: string | undefined;
  /** Whether a copy of what is known of the versions is kept first; default true. */
  readonly backup?: boolean | undefined;
  /** Asked under the lock, when nobody else can rotate any more; its refusal is the rotation's. */
  readonly permit?: (() => Promise<unknown>) | undefined;
  readonly onStep?: ((step: RotationStep) => void) | undefined;
}

/** How many grace windows may be open at once: each verification looks through them. */
export const MOST_GRACE_WINDOWS = 1_000;

/** @throws {RekeyError} `failed` when as many are open as may be. */
export function refuseOneTooMany({ versions }: Installation, most = MOST_GRACE_WINDOWS): void {
  if (versions.previous().length < most) return;
  throw new RekeyError(
    "failed",
    `Cannot give a grace window: ${most} are open already`,
    { hint: "Rotate without --grace, which ends them all, or end them with `rekey revoke`" },
  );
}

/** What to answer instead of rotating: the same request was carried out, or the secret is young. */
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
