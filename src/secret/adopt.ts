import type { AuditWriter } from "../audit/chain.ts";
import { EVENTS } from "../audit/events.ts";
import { isRekeyError, RekeyError } from "../core/errors.ts";
import { currentSlot, type Location } from "../core/location.ts";
import { Secret } from "../core/secret.ts";
import { isSamePlace } from "../files/real_place.ts";
import type { Environment } from "../store/environment.ts";
import { Installation } from "../store/installation.ts";
import { KEYRING_UNAVAILABLE } from "../store/keyring/codes.ts";
import { knowsKid } from "../store/known_apps.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { scrub } from "../store/sqlite/scrub.ts";
import { withoutForeignKeys } from "../store/sqlite/tables.ts";
import type { HmacUsage } from "./backend.ts";
import { type CreateOptions, firstVersion } from "./create.ts";
import { unlessDestroyed } from "./destroy.ts";
import { type NotedUse, notedUse, readNote, tryReconcile } from "./keyring/reconcile.ts";
import { nextUse } from "./next_use.ts";

/** A secret of an older application or a lost database, and where it was found. */
interface LegacySecret {
  readonly secret: Secret;
  readonly location: Location;
  /** How it was used, as far as that is known. */
  readonly use: NotedUse;
}

/**
 * The installation with its versions, when there are none yet: a secret that an older application left is adopted, and a
 * destruction that had begun is finished.
 *
 * @param found the database, if there is one.
 * @returns `undefined` without a secret; nothing is created then.
 */
export async function adoptIfLeft(
  environment: Environment,
  options: CreateOptions,
  found: Installation | undefined,
): Promise<Installation | undefined> {
  try {
    const installation = await unlessDestroyed(found);
    if (installation?.versions.current() !== undefined) return installation;
    if (installation === undefined && await leftBehind(environment, options) === undefined) {
      return undefined;
    }
  } catch (error) {
    found?.close();
    throw error;
  }
  found?.close();
  const { opened } = await firstVersion(environment, options, async (existing) => {
    const found = await leftBehind(environment, options, existing);
    if (found === undefined) return undefined;
    nextUse(undefined, { ...found.use, ...wantedUse(options) }, found.secret);
    return (prepared) => adopt(prepared, found, wantedUse(options));
  });
  return opened;
}

function wantedUse({ alg, keyForm }: CreateOptions): HmacUsage {
  return { ...alg && { alg }, ...keyForm && { keyForm } };
}

/** A secret of an older application. The keyring comes first, as it did there. */
async function leftBehind(
  environment: Environment,
  { store }: CreateOptions,
  installation?: Installation,
): Promise<LegacySecret | undefined> {
  const row = () => plainRow(installation?.sealed.rawValue());
  try {
    const found = await inKeyring(environment);
    if (found === undefined) return row();
    if (!await managedElsewhere(environment, found)) return found;
  } catch (error) {
    // A keyring that cannot be read may hold the secret in use: only the operator can choose the row.
    if (store === "database" && isRekeyError(error, ...KEYRING_UNAVAILABLE)) return row();
    throw error;
  }
  if (store === "database") return row();
  throw new RekeyError(
    "secret_claimed",
    "Cannot adopt the secret in the keyring: the database in another folder manages it",
    { hint: "Leave out --data-dir, or name another --app, or decide for --store database" },
  );
}

// Two databases that rotate one keyring entry would overwrite each other's secret.
async function managedElsewhere(
  environment: Environment,
  { secret }: LegacySecret,
): Promise<boolean> {
  const { app, folders, keyring } = environment;
  const own = Installation.path(environment);
  const others = [Installation.defaultPath(app, folders), (await readNote(keyring))?.database];
  return others.some((path) =>
    path !== undefined && !isSamePlace(path, own) && knowsKid(path, secret.kid)
  );
}

/**
 * The older application's fallback: bare base64 in the row `jwt_secret`.
 *
 * @throws {RekeyError} `secret_damaged` when the row holds anything else.
 */
function plainRow(value: string | undefined): LegacySecret | undefined {
  if (value === undefined) return undefined;
  if (kidOf(value) === undefined) throw strange("database");
  return { secret: Secret.parse(value), location: "database", use: {} };
}

function strange(location: Location): RekeyError {
  return new RekeyError(
    "secret_damaged",
    `Cannot adopt what the ${location} holds: it is neither 64 bytes of base64 nor a key pair of rekey's`,
    {
      hint:
        "If it is a program's secret or private key, such as PEM, save it in a file, delete it " +
        "there and run `rekey import --file`; else delete it and run `rekey init`",
    },
  );
}

/**
 * Adopts the secret of an older application as version 1, without a rotation: its tokens stay valid. A plain row is
 * sealed or deleted in the same transaction, and no copy of it stays in the file. Call it under the lock, on a prepared
 * installation without versions.
 */
async function adopt(
  installation: Installation,
  found: LegacySecret,
  wanted: HmacUsage = {},
): Promise<Version> {
  const { database, versions, sealed } = installation;
  const { secret, location } = found;
  const { kid } = secret;
  const audit = await installation.audit();
  const sealIt = location === "database" || installation.mirrors();
  const value = sealIt ? await sealed.seal(currentSlot({ version: 1, kid }), secret) : undefined;
  // An application's tables may refer to its settings.
  withoutForeignKeys(database, () =>
    database.transaction(() => {
      const row = addAdopted(installation, found, wanted);
      if (location === "keyring") noteOtherRow(installation, kid, audit);
      replacePlain(installation, row, value);
      const { version, reason } = row;
      audit.append({ event: EVENTS.created, version, kid, location, reason: reason ?? undefined });
      versions.markSynced(row);
    }));
  scrub(installation);
  // The value is in place; this writes the note. If the keyring refuses now, the next rotation writes it.
  if (location === "keyring") await tryReconcile(installation);
  const version = versions.current();
  if (version === undefined) throw new Error("The adopted version is not there after its commit");
  return version;
}

/** Inside the transaction: puts the sealed value, if there is one, in the place of the plain row. */
function replacePlain({ sealed, meta }: Installation, row: Version, value?: string): void {
  sealed.drop(currentSlot(row));
  sealed.rewriteRows();
  if (value !== undefined) sealed.put(currentSlot(row), value);
  meta.set("scrub_pending", "file");
}

/** Inside a transaction: the row of the adopted secret, as the current version. */
function addAdopted(
  installation: Installation,
  { secret, location, use }: LegacySecret,
  wanted: HmacUsage,
): Version {
  const { versions, meta } = installation;
  const now = installation.now();
  const { alg, keyForm: key_form, bytes, encoding } = nextUse(
    installation,
    { ...use, ...wanted },
    secret,
  );
  const row = versions.addPending({
    ...{ kid: secret.kid, token_kid: use.tokenKid ?? null, location, origin: "adopted" },
    ...{ alg, key_form, bytes, encoding, created_at: now, reason: `adopted from ${location}` },
  });
  versions.activate(row, now);
  meta.set("alg", alg);
  meta.set("key_form", key_form);
  return row;
}

// Its only record: tokens of the row's secret are refused from now on.
function noteOtherRow({ sealed }: Installation, kid: string, audit: AuditWriter): void {
  const other = kidOf(sealed.rawValue());
  if (other === undefined || other === kid) return;
  const reason = "the older application's row differed from its keyring entry, which counts";
  audit.append({ event: EVENTS.retired, kid: other, location: "database", reason });
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
async function inKeyring(
  { keyring }: Pick<Installation, "keyring">,
): Promise<LegacySecret | undefined> {
  try {
    // The note knows the kid of an imported value, which can have any form.
    const note = await readNote(keyring);
    const secret = await keyring.readPublished(note?.kid);
    return secret === null
      ? undefined
      : { secret, location: "keyring", use: notedUse(note, secret) };
  } catch (error) {
    if (isRekeyError(error, "keyring_absent", "keyring_no_default")) return undefined;
    throw isRekeyError(error, "secret_damaged") ? strange("keyring") : error;
  }
}
