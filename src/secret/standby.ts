import { EVENTS, newestHead } from "../audit/events.ts";
import { isHmac } from "../core/algorithms.ts";
import { rfc3339 } from "../core/clock.ts";
import { isRekeyError, RekeyError } from "../core/errors.ts";
import { placeName } from "../core/location.ts";
import type { Secret } from "../core/secret.ts";
import { setKeptUntil } from "../jwt/policy.ts";
import type { StoreChoice } from "../store/environment.ts";
import type { Installation } from "../store/installation.ts";
import { SAVED, type Settled } from "../store/keyring/keyring_store.ts";
import { mustBeFree } from "../store/location_choice.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { type Dates, hasBeenOut, isFromFuture } from "./activation_dates.ts";
import { keepCopy } from "./automatic_copy.ts";
import type { Activation, Changed, NewSecret, Preparation, Prepared } from "./backend.ts";
import { mustBeReadable, refuseOneTooMany } from "./grace.ts";
import { mayReplace } from "./keyring/reconcile.ts";
import { noteUnsaved } from "./keyring/unsaved.ts";
import { dropPrepared, giveUp } from "./recover.ts";
import { isAsWanted, type PreparedUse } from "./prepared_facts.ts";
import { longestValue, newSecret, nextUse, probe } from "./next_use.ts";
import { type Note, retrieve } from "./retrieve.ts";
import { begin, commit, nextLocation, notRotated, publish, write } from "./rotate.ts";
import { notInitialised } from "./view.ts";

// A rotation in two phases: verifiers get the next version, and later it becomes the current one.

/**
 * Makes the next version, which verifiers get from now on, unless one is prepared and its value is there. Call it under
 * the lock, after recovery.
 *
 * @throws {RekeyError} as a rotation does; `failed` when one with another use is prepared.
 */
export async function prepare(
  installation: Installation,
  { store, reason, usage, makeValue = newSecret, permit }: Preparation,
  note: Note,
): Promise<Prepared> {
  permit?.();
  const { versions } = installation;
  const there = versions.prepared();
  if (there !== undefined && !await isLost(installation, there, note)) {
    mustBeAsWanted(there, usage);
    mustBeInPlace(there, store);
    return { version: await dateAgain(installation, there), made: false };
  }
  const old = versions.current();
  if (old === undefined) throw notInitialised(installation.environment.app.name);
  const use = nextUse(installation, usage);
  const location = await nextLocation(installation, store, longestValue(use));
  const secret = await makeValue(use);
  const change = { old, location, reason, graceMs: 0 };
  const pending = await begin(installation, change, secret, use);
  const settled = await proven(installation, pending, secret);
  await date(installation, pending, settled);
  await publish(installation);
  return { version: versions.prepared() ?? pending, made: true };
}

/** Stores and tries the value. @throws what fails, once the version is given up. */
async function proven(
  installation: Installation,
  pending: Version,
  secret: Secret,
): Promise<Settled> {
  try {
    const settled = await write(installation, pending, secret);
    await probe(secret, pending);
    return settled;
  } catch (error) {
    await giveUp(installation, pending, error);
    throw error;
  }
}

/** From this commit on the version is prepared, and no recovery undoes it. */
async function date(
  installation: Installation,
  pending: Version,
  settled: Settled,
): Promise<void> {
  const { database, versions } = installation;
  const audit = await installation.audit();
  database.transaction(() => {
    const now = installation.now();
    if (versions.prepared()?.version !== pending.version) dropPrepared(installation, audit);
    versions.prepare(pending, now, activatableFrom(installation, pending, now));
    noteUnsaved(installation, settled, [pending.version]);
  });
}

async function dateAgain(installation: Installation, prepared: Version): Promise<Version> {
  const { versions } = installation;
  if (!isFromFuture(prepared, installation.now())) return prepared;
  await date(installation, prepared, SAVED);
  return versions.prepared() ?? prepared;
}

/**
 * Makes the prepared version the current one. Call it under the lock, after recovery.
 *
 * @throws {RekeyError} as {@linkcode mustHaveBeenOut} does; `failed` when none is prepared, `secret_missing` and other
 * codes with exit status 4 when its value cannot be read.
 */
export async function activate(
  installation: Installation,
  activation: Activation,
  note: Note,
): Promise<Changed> {
  const { wanted, graceMs = 0, backup = true, permit } = activation;
  permit?.();
  const { versions } = installation;
  const old = versions.current();
  if (old === undefined) throw notInitialised(installation.environment.app.name);
  const row = versions.prepared();
  if (row === undefined) return alreadyActive(installation, wanted);
  const now = installation.now();
  await mustBeActivatable(installation, { old, row, now }, activation, note);
  if (backup) await keepCopy(installation, old);
  const early = forcedBefore(row, now);
  if (early !== undefined) await noteForced(installation, row, early);
  const change = { old, location: row.location, reason: row.reason, graceMs, begunAt: now };
  const graceUntil = await commit(installation, row, change, SAVED);
  const ending = await publish(installation);
  const version = versions.current() ?? row;
  const head = newestHead(installation.database);
  return { rotated: true, version, previous: old, graceUntil, ...ending, head };
}

/** @throws {RekeyError} when the prepared version cannot take the place of the old one now. */
async function mustBeActivatable(
  installation: Installation,
  { old, row, now }: { old: Version; row: Version; now: number },
  { graceMs = 0, force = false }: Activation,
  note: Note,
): Promise<void> {
  if (await isLost(installation, row, note)) throw lostValue(row);
  if (!force) mustHaveBeenOut(row, now);
  if (graceMs > 0) {
    refuseOneTooMany(installation);
    await mustBeReadable(installation, old, note);
  }
  if (row.location === "keyring" && old.location !== "keyring") {
    await mustBeFree(installation.keyring, (kid) => mayReplace(installation, kid));
  }
}

/** Whether a value cannot be had any more. @throws {RekeyError} a code with exit status 4 when that cannot be told now. */
async function isLost(installation: Installation, row: Version, note: Note): Promise<boolean> {
  try {
    await retrieve(installation, row, note);
    return false;
  } catch (error) {
    if (isRekeyError(error, "secret_missing", "secret_damaged", "secret_mismatch")) return true;
    throw error;
  }
}

/** For the audit log: why an activation now is too early; `undefined` if it is not. */
export function forcedBefore(row: Dates, now: number): string | undefined {
  return hasBeenOut(row, now) ? undefined : `forced before ${rfc3339(row.activatable_at!)}`;
}

async function noteForced(installation: Installation, row: Version, reason: string): Promise<void> {
  const { version, kid, location } = row;
  const audit = await installation.audit();
  installation.database.transaction(() =>
    audit.append({ event: EVENTS.rotationInitiated, version, kid, location, reason })
  );
}

/**
 * From when a version that is prepared now may become the current one: a verifier that fetched the public set just before
 * may keep it for its max-age. No verifier fetches HMAC versions.
 *
 * @param now milliseconds since the epoch, as is the result.
 */
export function activatableFrom(
  { policy }: Installation,
  { alg }: Pick<Version, "alg">,
  now: number,
): number | null {
  return isHmac(alg) ? null : setKeptUntil(policy, now);
}

/**
 * Checks that no cache of the public set can lack a prepared version.
 *
 * @param now milliseconds since the epoch.
 * @throws {RekeyError} `check_failed` that says from when it can be activated.
 */
export function mustHaveBeenOut(row: Dates & Pick<Version, "version">, now: number): void {
  if (hasBeenOut(row, now)) return;
  const { version, published_at, activatable_at } = row;
  if (isFromFuture(row, now)) {
    throw new RekeyError(
      "check_failed",
      `Cannot activate version ${version}: it was prepared in the future, ${
        rfc3339(published_at!)
      }: the clock was ahead then, or is behind now`,
      {
        hint: "Set the clock; `rekey rotate --prepare` counts from now on. " +
          "--force activates it anyway",
      },
    );
  }
  throw new RekeyError(
    "check_failed",
    `Cannot activate version ${version} before ${
      rfc3339(activatable_at!)
    }: until then verifiers may keep a set of public keys without it`,
    { hint: "Wait until then; --force activates it now, and such verifiers refuse its tokens" },
  );
}

/**
 * Checks that what is prepared is what is wanted now.
 *
 * @throws {RekeyError} `failed` when it has another use or shape.
 */
export function mustBeAsWanted(prepared: PreparedUse, wanted: NewSecret): void {
  if (!isAsWanted(prepared, wanted)) throw preparedOtherwise(prepared, "");
}

function mustBeInPlace(prepared: Version, store: StoreChoice = "auto"): void {
  const { location } = prepared;
  if (store === "auto" || store === location) return;
  throw preparedOtherwise(prepared, ` in ${placeName(location)}`);
}

function preparedOtherwise(
  { version, alg }: Pick<Version, "version" | "alg">,
  where: string,
): RekeyError {
  return new RekeyError(
    "failed",
    `Cannot prepare another version: version ${version} (${alg}) is prepared${where}`,
    {
      hint: "Leave the flags out, or activate it first: `rekey rotate --activate`. " +
        "A rotation in one step drops it",
    },
  );
}

/**
 * The result of an activation when none is prepared: another command, perhaps of another machine, was first.
 *
 * @param wanted kid of the version that was prepared when the command began.
 * @throws {RekeyError} `failed` when that is not the current version.
 */
export function alreadyActive(installation: Installation, wanted: string | undefined): Changed {
  const current = installation.versions.current();
  if (wanted !== undefined && current?.kid === wanted) return notRotated(installation, current);
  throw nonePrepared();
}

/** The error for an activation when there is no prepared version. */
export function nonePrepared(): RekeyError {
  return new RekeyError("failed", "Cannot activate a version: none is prepared", {
    hint: "`rekey rotate --prepare` first",
  });
}

/** The error for a prepared version whose value is in no store. */
export function lostValue({ version }: Pick<Version, "version">): RekeyError {
  return new RekeyError(
    "secret_missing",
    `Cannot activate the prepared version ${version}: its value is lost`,
    { hint: "`rekey rotate --prepare` makes another one; no token depends on it yet" },
  );
}
