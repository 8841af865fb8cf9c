import { type AuditEntry, EVENTS } from "../audit/events.ts";
import { microsecondsSince, timed } from "../core/clock.ts";
import { asRefusal, isRekeyError, RekeyError } from "../core/errors.ts";
import type { Secret } from "../core/secret.ts";
import type { Installation } from "../store/installation.ts";
import { KEYRING_UNAVAILABLE } from "../store/keyring/codes.ts";
import {
  currentSlot,
  type Location,
  numberedSlot,
  placeName,
  sealedSlot,
  type SecretStore,
  type Slot,
} from "../core/location.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { isPassingCopy } from "./keyring/unsaved.ts";

/** A version with its value. */
export interface Retrieved {
  readonly version: Version;
  readonly secret: Secret;
  /** Where the value was read: `database` when a mirror copy stood in for the keyring. */
  readonly from: Location;
}

/** Records a retrieval or its failure. */
export type Note = (entry: AuditEntry) => void;

/**
 * Reads the value of a version. When the keyring cannot provide it, the mirror copy in the database does; another
 * version's value never does (guarantee 2). If a rotation or a move has moved the value meanwhile, it is read from the
 * new place.
 *
 * @throws {RekeyError} with exit status 4 when no place provides the value.
 */
export async function retrieve(
  installation: Installation,
  version: Version,
  note: Note,
): Promise<Retrieved> {
  const notes: AuditEntry[] = [];
  const outcome = await suited(read(installation, version, (entry) => notes.push(entry)))
    .catch(asRefusal);
  const refused = outcome instanceof RekeyError;
  if (refused || outcome.from !== version.location) {
    const now = installation.versions.byNumber(version.version);
    const elsewhere = now?.state !== version.state || now.location !== version.location;
    if (now !== undefined && now.state !== "retired" && elsewhere) {
      return await retrieve(installation, now, note);
    }
    // It ended while it was read: that its value is gone is no fault of the store, and none for the log.
    if (refused && elsewhere) throw outcome;
  }
  notes.forEach(note);
  if (refused) throw outcome;
  return outcome;
}

// Rows are not sealed: whoever can write the database can name another algorithm than the one that the value is for.
async function suited(reading: Promise<Retrieved>): Promise<Retrieved> {
  const found = await reading;
  const { version: { version, alg, key_form }, secret } = found;
  if (secret.suits(alg, key_form)) return found;
  throw new RekeyError(
    "secret_damaged",
    `Cannot use the JWT secret: the database has version ${version} as ${alg} (${key_form}), and its value is ` +
      "another kind of key",
    {
      hint: "Restore the database from a backup, or make a new secret with `rekey rotate --force`",
    },
  );
}

async function read(installation: Installation, version: Version, note: Note): Promise<Retrieved> {
  if (version.location === "database") {
    return await fromDatabase(installation, version, note) ??
      refuse(version, note, missing(version));
  }
  if (version.location === "etcd") return await fromCopy(installation, version, note);
  try {
    return await fromKeyring(installation, version, note);
  } catch (error) {
    if (!isRekeyError(error)) throw error;
    noteFailure(version, note, error);
    // A copy that exists only because the keyring may not have saved the value does not stand in for a locked keyring.
    const isLacking = isRekeyError(error, ...LACKING) ||
      (installation.keyring.isOther && isRekeyError(error, "keyring_absent"));
    if (isPassingCopy(installation, version) && !isLacking) throw error;
    const mirrored = await fromDatabase(installation, version, note);
    if (mirrored === undefined) throw error;
    return mirrored;
  }
}

// The keyring has responded with another value or none.
const LACKING = ["secret_missing", "secret_mismatch", "secret_damaged"] as const;

/** Reads a shared version: the copy in the database, or etcd when the copy is lost or damaged. */
async function fromCopy(installation: Installation, version: Version, note: Note) {
  try {
    const copy = await fromDatabase(installation, version, note);
    if (copy !== undefined) return copy;
  } catch (error) {
    if (!isRekeyError(error, "secret_damaged")) throw error;
  }
  const store = await installation.shared();
  const { result: secret, microseconds: duration } = await timed(() =>
    store.read(currentSlot(version))
  );
  if (secret === null) refuse(version, note, missing(version));
  const { version: number, kid } = version;
  note({ event: EVENTS.retrievedFromEtcd, version: number, kid, location: "etcd", duration });
  return { version, secret, from: "etcd" as const };
}

async function fromKeyring(installation: Installation, version: Version, note: Note) {
  const { result: secret, microseconds } = await timed(() =>
    search(installation.keyring, version, () => installation.prepareAudit())
  );
  if (secret === undefined) throw missing(version);
  const { version: number, kid } = version;
  const event = EVENTS.retrievedFromKeyring;
  note({ event, version: number, kid, location: "keyring", duration: microseconds });
  return { version, secret, from: "keyring" as const };
}

/**
 * Searches both slots for a version's value, which between the commit of a rotation and its publication is still in the
 * other one. The kid identifies it. The likely slot is read again at the end, since the value may have been moved there
 * meanwhile.
 */
async function search(
  store: SecretStore,
  version: Version,
  meanwhile?: () => void,
): Promise<Secret | undefined> {
  const [likely, other] = version.state === "current"
    ? [currentSlot(version), numberedSlot(version)]
    : [numberedSlot(version), currentSlot(version)];
  let trouble: RekeyError | undefined;
  let stranger = false;
  for (const slot of [likely, other, likely]) {
    try {
      const secret = await store.read(slot, meanwhile);
      if (secret?.kid === version.kid) return secret;
      stranger ||= secret !== null;
    } catch (error) {
      // The item may be deleted between search and read: try the other slot.
      if (!isRekeyError(error, "secret_damaged", "keyring_failed")) throw error;
      trouble = error;
    }
  }
  if (trouble !== undefined) throw trouble;
  if (stranger) throw mismatch(version);
  return undefined;
}

/**
 * Whether the database stands in for the keyring (the guide's "Database Fallback"): not when the operator has chosen the
 * database, or machines share the secret.
 */
function isFallback({ meta }: Installation, { location }: Version): boolean {
  return location === "keyring" || (location === "database" && meta.get("store") !== "database");
}

async function fromDatabase(
  installation: Installation,
  version: Version,
  note: Note,
): Promise<Retrieved | undefined> {
  const start = performance.now();
  const secret = await readSealed(installation.sealed, sealedSlot(version), version, note);
  if (secret === null) return undefined;
  const { version: number, kid } = version;
  const event = isFallback(installation, version)
    ? EVENTS.retrievedAsFallback
    : EVENTS.retrievedFromDatabase;
  const duration = microsecondsSince(start);
  note({
    event,
    version: number,
    kid,
    location: "database",
    insteadOf: version.location,
    duration,
  });
  return { version, secret, from: "database" };
}

async function readSealed(sealed: SecretStore, slot: Slot, version: Version, note: Note) {
  try {
    return await sealed.read(slot);
  } catch (error) {
    if (isRekeyError(error)) noteFailure(version, note, error);
    throw error;
  }
}

function noteFailure(version: Version, note: Note, error: RekeyError): void {
  const keyring = isRekeyError(error, ...KEYRING_UNAVAILABLE);
  note({
    event: keyring ? EVENTS.keyringError : EVENTS.storageError,
    version: version.version,
    kid: version.kid,
    location: version.location,
    reason: error.code,
  });
}

function refuse(version: Version, note: Note, error: RekeyError): never {
  noteFailure(version, note, error);
  throw error;
}

function missing({ version, location }: Version): RekeyError {
  return new RekeyError(
    "secret_missing",
    `Cannot find the JWT secret: version ${version} should be in ${
      placeName(location)
    } and is not there`,
    { hint: "Restore it from a backup, or make a new one with `rekey rotate --force`" },
  );
}

function mismatch({ version, location }: Version): RekeyError {
  return new RekeyError(
    "secret_mismatch",
    `Cannot use the JWT secret in ${placeName(location)}: it is not version ${version}`,
    {
      hint: "Was an older copy of the database put back? Restore the newer one, " +
        "or make a new secret with `rekey rotate --force`",
    },
  );
}
