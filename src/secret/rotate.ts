import { EVENTS, newestHead } from "../audit/events.ts";
import { isRekeyError } from "../core/errors.ts";
import { currentSlot, type Location, numberedSlot } from "../core/location.ts";
import type { Secret } from "../core/secret.ts";
import type { StoreChoice } from "../store/environment.ts";
import type { Installation } from "../store/installation.ts";
import { SAVED, type Settled } from "../store/keyring/keyring_store.ts";
import { locationForNew } from "../store/location_choice.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { scrub } from "../store/sqlite/scrub.ts";
import { ageOf, isDue } from "./age.ts";
import { keepCopy } from "./automatic_copy.ts";
import type { Change, Changed, OpenSecret, RotateOptions, RotationOrder } from "./backend.ts";
import { mustBeReadable, refuseOneTooMany } from "./grace.ts";
import { mayReplace, tryReconcile } from "./keyring/reconcile.ts";
import { needsCopy, noteUnsaved } from "./keyring/unsaved.ts";
import { leaveCluster } from "./move.ts";
import {
  longestValue,
  type MakeValue,
  newSecret,
  nextUse,
  probe,
  unusable,
  type Use,
  valueAhead,
} from "./next_use.ts";
import { destroyValue, dropPrepared, giveUp, mustBeNext } from "./recover.ts";
import type { Note } from "./retrieve.ts";
import { tokenKidOf } from "./token_kid.ts";
import { notInitialised } from "./view.ts";

/**
 * Replaces the secret by a local one. Call it under the lock, after recovery.
 *
 * @throws {RekeyError} as `SecretManager.rotate` does.
 */
export async function rotate(
  installation: Installation,
  options: RotationOrder,
  note: Note,
): Promise<Changed> {
  const { graceMs = 0, reason = null, requestId } = options;
  // Read under the lock: another rotation may have been first.
  const old = installation.versions.current();
  if (old === undefined) throw notInitialised(installation.environment.app.name);
  const done = alreadyDone(installation, old, options);
  if (done !== undefined) return done;
  const use = nextUse(installation, options);
  if (graceMs > 0) {
    refuseOneTooMany(installation);
    await mustBeReadable(installation, old, note);
  }
  const location = await nextLocation(installation, options.store, longestValue(use));
  if (options.backup ?? true) await keepCopy(installation, old);
  const change = { old, location, reason, graceMs, requestId, use: options };
  return await changeSecret(installation, change, options);
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
  return notRotated(installation, made ?? current);
}

/** The value for a rotation with these options, made before its lock is taken if that takes long. */
export async function valueForRotation(
  opened: OpenSecret,
  options: RotateOptions,
): Promise<MakeValue> {
  const { installation, version } = opened;
  const isDone = () =>
    alreadyDone(installation, installation.versions.current() ?? version, options) !== undefined;
  return await valueAhead(opened, options, isDone);
}

/** The result when nothing had to be changed. @param version that was made, or activated, before. */
export function notRotated({ versions, database }: Installation, version: Version): Changed {
  const previous = version.replaces === null ? undefined : versions.byNumber(version.replaces);
  const graceUntil = previous?.grace_until ?? null;
  const head = newestHead(database);
  return { rotated: false, version, previous, graceUntil, published: true, logWhole: true, head };
}

/**
 * Where the next version is to live. Call it under the lock.
 *
 * @throws {RekeyError} as {@linkcode locationForNew} does.
 */
export function nextLocation(
  installation: Installation,
  wanted: StoreChoice | undefined,
  length: number,
): Promise<Location> {
  const { keyring, store, versions } = installation;
  const known = (kid: string) => mayReplace(installation, kid);
  return locationForNew(keyring, wanted ?? store, length, versions.current(), known);
}

type ChangeOptions = Pick<RotationOrder, "onStep" | "beforeCommit" | "makeValue">;

/**
 * Makes a new secret the current one, all or nothing. Call it under the lock, after recovery.
 *
 * @throws {RekeyError} when a step before the commit fails; the old secret is then still current.
 */
export async function changeSecret(
  installation: Installation,
  change: Change,
  { onStep = () => {}, beforeCommit, makeValue = newSecret }: ChangeOptions = {},
): Promise<Changed> {
  const { imported, use: wanted = {} } = change;
  const use = nextUse(installation, wanted, imported);
  const secret = imported ?? await makeValue(use);
  const pending = await begin(installation, change, secret, use);
  onStep("begin");
  const settled = await stored(installation, pending, secret, { onStep, beforeCommit });
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

/** Stores and tries the value, and has programs take it. @throws what fails, once the version is given up. */
async function stored(
  installation: Installation,
  pending: Version,
  secret: Secret,
  { onStep = () => {}, beforeCommit }: ChangeOptions,
): Promise<Settled> {
  try {
    const settled = await write(installation, pending, secret);
    onStep("write");
    // (3) It signs and verifies a token before it is used.
    await probe(secret, pending);
    onStep("probe");
    await beforeCommit?.(pending, secret);
    return settled;
  } catch (error) {
    // An incident has undone it, or the lock is not free: then it is left to the next command.
    if (!isRekeyError(error, "overtaken", "busy")) await giveUp(installation, pending, error);
    throw error;
  }
}

/** (1) Adds the version. After this commit, recovery can undo an interrupted rotation. */
export async function begin(
  installation: Installation,
  change: Change,
  secret: Secret,
  { alg, keyForm: key_form, bytes, encoding }: Use,
): Promise<Version> {
  const { database, versions } = installation;
  const audit = await installation.audit();
  return database.transaction(() => {
    const pending = versions.addPending({
      kid: secret.kid,
      token_kid: change.imported === undefined
        ? null
        : tokenKidOf(versions, secret, change.tokenKid),
      location: change.location,
      origin: change.imported === undefined ? "generated" : "adopted",
      ...{ alg, key_form, bytes, encoding },
      created_at: installation.now(),
      reason: change.reason,
      request_id: change.requestId ?? null,
      replaces: change.old?.version ?? null,
    });
    if (change.old !== undefined) {
      audit.append({ event: EVENTS.rotationInitiated, ...aboutVersion(pending) });
    }
    return pending;
  });
}

/**
 * (2) Stores the value in the numbered slot, so that no program takes it for the current one; then it is read back from
 * each store.
 *
 * @throws {RekeyError} `failed` when a store did not keep it, or a code with exit status 4.
 */
export async function write(
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

/**
 * (4) Makes the version the current one, in one SQLite commit. Another one that was prepared is dropped.
 *
 * @returns the end of the old version's grace window.
 */
export async function commit(
  installation: Installation,
  pending: Version,
  change: Change,
  settled: Settled,
): Promise<number | null> {
  const { database, versions, meta } = installation;
  const audit = await installation.audit();
  return database.transaction(() => {
    mustBeNext(installation, pending, change.old);
    const now = installation.now();
    if (versions.prepared()?.version !== pending.version) dropPrepared(installation, audit);
    const graceUntil = change.old === undefined || change.graceMs === 0
      ? null
      : now + change.graceMs;
    endOrKeep(installation, change.old, graceUntil, now);
    versions.activate(pending, now);
    publishSealed(installation, pending);
    meta.set("alg", pending.alg);
    meta.set("key_form", pending.key_form);
    noteUnsaved(installation, settled, [pending.version]);
    meta.set("scrub_pending", "log");
    meta.remove("announced");
    if (change.old?.location === "etcd") leaveCluster(installation, pending.location, audit);
    const event = change.old === undefined ? EVENTS.created : EVENTS.rotationCompleted;
    const duration = (now - (change.begunAt ?? pending.created_at)) * 1000;
    audit.append({ event, ...aboutVersion(pending), duration });
    return graceUntil;
  });
}

// For the audit log.
function aboutVersion({ version, kid, location, reason }: Version) {
  return { version, kid, location, reason: reason ?? undefined };
}

function publishSealed({ sealed }: Installation, row: Version): void {
  const own = sealed.sealedValue(numberedSlot(row));
  if (own === undefined) return;
  sealed.put(currentSlot(row), own);
  sealed.drop(numberedSlot(row));
}

// Without a grace window every session ends, those of older windows too.
function endOrKeep(
  installation: Installation,
  old: Version | undefined,
  graceUntil: number | null,
  now: number,
): void {
  const { versions, sealed } = installation;
  if (graceUntil === null) {
    const ended = [old, ...versions.previous()].filter((row) => row !== undefined);
    for (const row of ended) destroyValue(installation, row, now);
  } else if (old !== undefined) {
    const value = sealed.sealedValue(currentSlot(old));
    sealed.drop(currentSlot(old));
    if (value !== undefined) sealed.put(numberedSlot(old), value);
    versions.supersede(old, graceUntil);
  }
}

/** (5) Brings the keyring up to date. It may fail or be interrupted: the commit stands, and a later command does it. */
export async function publish(installation: Installation) {
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
