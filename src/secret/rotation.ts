import { EVENTS, type Head, newestHead } from "../audit/events.ts";
import { isRekeyError, RekeyError } from "../core/errors.ts";
import { type KeyForm, Secret } from "../core/secret.ts";
import type { Algorithm, Installation } from "../store/installation.ts";
import { SAVED, type Settled } from "../store/keyring/keyring_store.ts";
import { currentSlot, type Location, numberedSlot } from "../core/secret_store.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { needsCopy, noteUnsaved } from "./unsaved.ts";
import { scrub } from "../store/scrub.ts";
import { rollBack, tryReconcile } from "./recovery.ts";

/** The steps of design §6, in order. `commit` is the moment; what is left after it can be redone. */
export const ROTATION_STEPS = ["begin", "write", "probe", "commit", "publish"] as const;
export type RotationStep = (typeof ROTATION_STEPS)[number];

/** What is to take the place of what. */
export interface Change {
  /** The version that verifies until the commit; none for the first one. */
  readonly old: Version | undefined;
  readonly location: Location;
  readonly reason: string | null;
  /** The automation's own name for this rotation. */
  readonly requestId?: string | undefined;
  /** The value, when it was made elsewhere; else a new one is generated. */
  readonly imported?: Secret | undefined;
  /** How the value is used; default: as the version before it. */
  readonly alg?: Algorithm | undefined;
  readonly keyForm?: KeyForm | undefined;
  /** How long the old version still verifies after the commit, in milliseconds. */
  readonly graceMs: number;
}

/** How a change ended. */
export interface Changed {
  /** False when nothing had to be done. */
  readonly rotated: boolean;
  readonly version: Version;
  readonly previous: Version | undefined;
  /** The old version's last moment, milliseconds since the epoch; null when it ended with the commit. */
  readonly graceUntil: number | null;
  /** Whether the keyring is up to date too; if not, the next command brings it there. */
  readonly published: boolean;
  /** False when the audit log no longer holds the head that the keyring had kept of it. */
  readonly logWhole: boolean;
  /** Newest row of the audit log, to be kept where the machine's user cannot change it. */
  readonly head: Head | null;
}

/**
 * Makes a new secret the current one, all or nothing. Call it under the lock, after recovery.
 *
 * @param onStep told after each step, so that tests can stop there.
 * @throws {RekeyError} when a step before the commit fails; the old secret is then still current.
 */
export async function changeSecret(
  installation: Installation,
  change: Change,
  onStep: (step: RotationStep) => void = () => {},
): Promise<Changed> {
  const secret = change.imported ?? Secret.generate();
  const pending = await begin(installation, change, secret);
  onStep("begin");
  let settled: Settled;
  try {
    settled = await write(installation, pending, secret);
    onStep("write");
    await probe(secret, pending);
    onStep("probe");
  } catch (error) {
    await giveUp(installation, pending, error);
    throw error;
  }
  const graceUntil = await commit(installation, pending, change, settled);
  onStep("commit");
  const ending = await publish(installation);
  onStep("publish");
  const version = installation.versions.current() ?? pending;
  return {
    rotated: true,
    version,
    previous: change.old,
    graceUntil,
    ...ending,
    head: newestHead(installation.database),
  };
}

// (1) From here on the row tells a later command what may have to be cleared away.
async function begin(installation: Installation, change: Change, secret: Secret): Promise<Version> {
  const { database, versions } = installation;
  const audit = await installation.audit();
  return database.transaction(() => {
    dropPrepared(installation);
    const pending = versions.addPending({
      kid: secret.kid,
      location: change.location,
      origin: change.imported === undefined ? "generated" : "adopted",
      alg: change.alg ?? installation.algorithm,
      key_form: change.keyForm ?? installation.keyForm,
      created_at: installation.now(),
      reason: change.reason,
      request_id: change.requestId ?? null,
      replaces: change.old?.version ?? null,
    });
    if (change.old !== undefined) {
      const { version, kid, location, reason } = pending;
      audit.append({
        event: EVENTS.rotationInitiated,
        version,
        kid,
        location,
        reason: reason ?? undefined,
      });
    }
    return pending;
  });
}

// (2) Under the pending name, so that nobody takes it for the current value; then read back from every
// place that it was written to.
async function write(
  installation: Installation,
  pending: Version,
  secret: Secret,
): Promise<Settled> {
  const { keyring, sealed } = installation;
  const slot = numberedSlot(pending);
  const inKeyring = pending.location === "keyring";
  if (inKeyring && !await keyring.keep(slot, secret)) throw unusable("the keyring did not keep it");
  const settled = inKeyring ? await keyring.settle() : SAVED;
  if (inKeyring && !needsCopy(installation, settled)) return settled;
  await sealed.write(slot, secret);
  if ((await sealed.read(slot))?.equals(secret)) return settled;
  throw unusable("the database did not keep it");
}

/** (3) What was read back signs and verifies, before anything depends on it. */
export async function probe(
  secret: Secret,
  { alg, key_form }: Pick<Version, "alg" | "key_form">,
): Promise<void> {
  const { jwtVerify, SignJWT } = await import("../libraries/jose.ts");
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

// (4) One transaction: the moment.
async function commit(
  installation: Installation,
  pending: Version,
  change: Change,
  settled: Settled,
) {
  const { database, versions, sealed, meta } = installation;
  const audit = await installation.audit();
  return database.transaction(() => {
    const now = installation.now();
    const graceUntil = change.old === undefined || change.graceMs === 0
      ? null
      : now + change.graceMs;
    if (change.old !== undefined) setAside(installation, change.old, graceUntil, now);
    if (graceUntil === null) endAllGrace(installation, now);
    versions.activate(pending, now);
    const own = sealed.sealedValue(numberedSlot(pending));
    if (own !== undefined) {
      sealed.put(currentSlot(pending), own);
      sealed.drop(numberedSlot(pending));
    }
    meta.set("alg", pending.alg);
    meta.set("key_form", pending.key_form);
    noteUnsaved(installation, settled, [pending.version]);
    meta.set("scrub_pending", "log");
    meta.remove("announced");
    if (change.old?.location === "etcd") leaveFleet(installation, pending.location);
    const { version, kid, location, reason } = pending;
    const event = change.old === undefined ? EVENTS.created : EVENTS.rotationCompleted;
    audit.append({
      event,
      version,
      kid,
      location,
      reason: reason ?? undefined,
      duration: (now - pending.created_at) * 1000,
    });
    return graceUntil;
  });
}

/** Inside a transaction: what the others do is no longer this machine's business, and its rotations stay here. */
export function leaveFleet(installation: Installation, to: Location): void {
  installation.meta.remove("fleet");
  installation.meta.remove("etcd_source");
  installation.meta.set("store", to);
  dropPrepared(installation);
}

// What was prepared is the others' to activate.
function dropPrepared(installation: Installation): void {
  const { versions, sealed } = installation;
  const prepared = versions.pending();
  if (prepared?.location !== "etcd") return;
  sealed.drop(numberedSlot(prepared));
  versions.retire(prepared, installation.now());
}

function setAside(
  { versions, sealed }: Installation,
  old: Version,
  until: number | null,
  now: number,
) {
  const own = sealed.sealedValue(currentSlot(old));
  sealed.drop(currentSlot(old));
  if (until === null) return versions.retire(old, now);
  if (own !== undefined) sealed.put(numberedSlot(old), own);
  versions.supersede(old, until);
}

// Without a grace window all sessions end, those of older windows too.
function endAllGrace({ versions, sealed }: Installation, now: number): void {
  for (const version of versions.previous()) {
    sealed.drop(numberedSlot(version));
    versions.retire(version, now);
  }
}

// (5) May fail or be cut off: the commit stands, and every command looks whether this is left to do.
async function publish(installation: Installation) {
  try {
    const { done, logWhole } = installation.versions.unsynced().length === 0
      ? { done: true, logWhole: true }
      : await tryReconcile(installation);
    scrub(installation);
    return { published: done, logWhole };
  } catch (error) {
    if (isRekeyError(error)) return { published: false, logWhole: true };
    throw error;
  }
}

async function giveUp(installation: Installation, pending: Version, error: unknown): Promise<void> {
  await rollBack(installation, pending, isRekeyError(error) ? error.code : "failed");
  if (pending.location === "keyring") await tryReconcile(installation);
  scrub(installation);
}

function unusable(why: string, cause?: unknown): RekeyError {
  return new RekeyError("failed", `Cannot use the new JWT secret: ${why}`, {
    hint: "The old secret is still current; run `rekey status` and try again",
    cause,
  });
}
