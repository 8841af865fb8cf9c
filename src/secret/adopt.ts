import { EVENTS } from "../audit/events.ts";
import { isRekeyError, RekeyError } from "../core/errors.ts";
import { Secret } from "../core/secret.ts";
import type { Installation } from "../store/installation.ts";
import { scrub } from "../store/sqlite/write_ahead_log.ts";
import { currentSlot, type Location } from "../core/location.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { readNote, tryReconcile } from "./keyring/reconcile.ts";

/** A secret of an older application, and where it was found. */
export interface LegacySecret {
  readonly secret: Secret;
  readonly location: Location;
}

/**
 * The older application's fallback: bare base64 in the row `jwt_secret`.
 *
 * @throws {RekeyError} `secret_damaged` when the row holds anything else.
 */
export function plainRow(value: string | undefined): LegacySecret | undefined {
  if (value === undefined) return undefined;
  if (kidOf(value) === undefined) throw strange("database");
  return { secret: Secret.parse(value), location: "database" };
}

function strange(location: Location): RekeyError {
  return new RekeyError(
    "secret_damaged",
    `Cannot adopt what the ${location} holds: it is not 64 bytes of base64`,
    { hint: "If no program needs it, delete it and run `rekey init`" },
  );
}

/**
 * Adopts the secret of an older application as version 1, without a rotation: its tokens stay valid. A plain row is
 * sealed or deleted in the same transaction, and no copy of it stays in the file. Call it under the lock, on a prepared
 * installation without versions.
 */
export async function adopt(installation: Installation, found: LegacySecret): Promise<Version> {
  const { database, versions, sealed, meta } = installation;
  const { secret, location } = found;
  const { kid } = secret;
  const audit = await installation.audit();
  const sealIt = location === "database" || installation.mirrors();
  const value = sealIt ? await sealed.seal(currentSlot({ version: 1, kid }), secret) : undefined;
  database.transaction(() => {
    const now = installation.now();
    const reason = `adopted from ${location}`;
    const { algorithm: alg, keyForm: key_form } = installation;
    const use = { origin: "adopted", alg, key_form } as const;
    const row = versions.addPending({ kid, location, ...use, created_at: now, reason });
    versions.activate(row, now);
    const other = location === "keyring" ? kidOf(sealed.rawValue()) : kid;
    if (other !== undefined && other !== kid) {
      // Its only record: its tokens are refused from now on.
      const why = "the older application's row differed from its keyring entry, which counts";
      audit.append({ event: EVENTS.retired, kid: other, location: "database", reason: why });
    }
    sealed.drop(currentSlot(row));
    sealed.rewriteRows();
    if (value !== undefined) sealed.put(currentSlot(row), value);
    meta.set("scrub_pending", "file");
    audit.append({ event: EVENTS.created, version: row.version, kid, location, reason });
    versions.markSynced(row);
  });
  scrub(installation);
  // The value is in place; this writes the note. If the keyring refuses now, the next rotation writes it.
  if (location === "keyring") await tryReconcile(installation);
  const version = versions.current();
  if (version === undefined) throw new Error("The adopted version is not there after its commit");
  return version;
}

function kidOf(value: string | undefined): string | undefined {
  try {
    return value === undefined ? undefined : Secret.parse(value).kid;
  } catch (error) {
    if (isRekeyError(error, "secret_damaged")) return undefined;
    throw error;
  }
}

/**
 * The secret of an older application in the keyring.
 *
 * @throws {RekeyError} a `keyring_…` code when the keyring cannot be read, except when no keyring exists.
 */
export async function inKeyring(
  { keyring }: Pick<Installation, "keyring">,
): Promise<LegacySecret | undefined> {
  try {
    // The note knows the kid of an imported value, which can have any form.
    const secret = await keyring.readPublished((await readNote(keyring))?.kid);
    return secret === null ? undefined : { secret, location: "keyring" };
  } catch (error) {
    if (isRekeyError(error, "keyring_absent", "keyring_no_default")) return undefined;
    throw isRekeyError(error, "secret_damaged") ? strange("keyring") : error;
  }
}
