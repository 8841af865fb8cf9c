import { isHmac } from "../core/algorithms.ts";
import { isRekeyError, RekeyError } from "../core/errors.ts";
import { knowsKid } from "../store/known_apps.ts";
import { Installation } from "../store/installation.ts";
import type { Environment, StoreChoice } from "../store/environment.ts";
import { KEYRING_UNAVAILABLE } from "../store/keyring/errors.ts";
import { locationForNew } from "../store/location_choice.ts";
import { exclusively } from "../store/sqlite/turn.ts";
import type { Backend, HmacUsage, NewSecret } from "./backend.ts";
import { unlessDestroyed } from "./destroy.ts";
import { type FirstPolicy, makeWithPolicy } from "./first_policy.ts";
import type { Import } from "./import/imported.ts";
import { type NotedUse, notedUse, readNote, tryReconcile } from "./keyring/reconcile.ts";
import { longestValue, madeAhead, type MakeValue, nextUse } from "./next_use.ts";
import { refuseAfterLoss } from "./lost_database.ts";
import { recover } from "./recover.ts";
import { changeSecret } from "./rotate.ts";
import type { AuditWriter } from "../audit/chain.ts";
import { EVENTS } from "../audit/events.ts";
import { Secret } from "../core/secret.ts";
import { scrub } from "../store/sqlite/write_ahead_log.ts";
import { currentSlot, type Location } from "../core/location.ts";
import type { Version } from "../store/sqlite/versions.ts";

/** Options of a first secret; by default HS512 and key form `text`. */
export interface CreateOptions extends NewSecret {
  /** Default `auto`. */
  readonly store?: StoreChoice | undefined;
  /** Gives the first version its value, unless it is imported. */
  readonly makeValue?: MakeValue | undefined;
  /** Default: the standard one. A secret that is there, was left behind or is shared already keeps its own. */
  readonly firstPolicy?: FirstPolicy | undefined;
}

/** Makes a first version in a prepared installation, under the lock; `false` when the secret existed already. */
export type Make = (installation: Installation) => Promise<unknown>;

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

/**
 * Creates the first version, from a generated or an imported value.
 *
 * @returns the installation, and whether this call made the secret: another process may have been first.
 */
export async function create(
  environment: Environment,
  backend: Backend,
  options: CreateOptions,
  given?: Import,
): Promise<{ opened: Installation; made: boolean }> {
  // A machine that joins a fleet needs no value.
  const isNeeded = given === undefined && !backend.isShared;
  const makeValue = isNeeded ? await madeAhead(nextUse(undefined, options)) : undefined;
  const plan = async () => {
    const make = await backend.planFirst(environment, { ...options, makeValue }, given);
    return (prepared: Installation) => makeWithPolicy(prepared, make, options.firstPolicy);
  };
  const { opened, made } = await firstVersion(environment, options, plan);
  if (opened === undefined) throw new Error("A secret was to be made and was not");
  return { opened, made };
}

/** Decides how a local first version is made. */
export async function planLocal(
  environment: Environment,
  { store = "auto", makeValue, ...use }: CreateOptions,
  given?: Import,
): Promise<Make> {
  if (given === undefined) refuseAfterLoss(environment);
  const { keyring } = environment;
  const made = nextUse(undefined, use, given?.secret);
  const length = given?.secret.reveal().length ?? longestValue(made);
  const location = await locationForNew(keyring, store, length);
  const { reason = null, secret: imported, tokenKid } = given ?? {};
  const change = { old: undefined, location, reason, graceMs: 0, imported, tokenKid, use };
  return (prepared) => changeSecret(prepared, change, { makeValue });
}

/**
 * @param decide returns how to make the first version, or `undefined` to make none. It runs under the lock and before
 * the database exists, so that an error leaves no file behind.
 */
function firstVersion(
  environment: Environment,
  options: CreateOptions,
  decide: (existing: Installation | undefined) => Promise<Make | undefined>,
): Promise<{ opened: Installation | undefined; made: boolean }> {
  const lockPath = Installation.prepareFolder(environment);
  return exclusively(lockPath, async () => {
    let opened = Installation.openExisting(environment, { locked: true });
    try {
      if (opened?.versions.current() !== undefined) return { opened, made: false };
      const make = await decide(opened);
      if (make === undefined) {
        opened?.close();
        return { opened: undefined, made: false };
      }
      opened ??= Installation.open(environment, { locked: true });
      const { store = "auto", alg = "HS512" } = options;
      const keyForm = isHmac(alg) ? options.keyForm ?? "text" : "pkcs8";
      await opened.prepare({ store, alg, keyForm });
      await recover(opened, "held");
      return { opened, made: await make(opened) !== false };
    } catch (error) {
      opened?.close();
      throw error;
    }
  });
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
  return others.some((path) => path !== undefined && path !== own && knowsKid(path, secret.kid));
}

/** A secret of an older application or a lost database, and where it was found. */
export interface LegacySecret {
  readonly secret: Secret;
  readonly location: Location;
  /** How it was used, as far as that is known. */
  readonly use: NotedUse;
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
export async function adopt(
  installation: Installation,
  found: LegacySecret,
  wanted: HmacUsage = {},
): Promise<Version> {
  const { database, versions, sealed, meta } = installation;
  const { secret, location } = found;
  const { kid } = secret;
  const audit = await installation.audit();
  const sealIt = location === "database" || installation.mirrors();
  const value = sealIt ? await sealed.seal(currentSlot({ version: 1, kid }), secret) : undefined;
  database.transaction(() => {
    const now = installation.now();
    const reason = `adopted from ${location}`;
    const known = { ...found.use, ...wanted };
    const { alg, keyForm: key_form, bytes, encoding } = nextUse(installation, known, secret);
    const use = { origin: "adopted", alg, key_form, bytes, encoding } as const;
    const token_kid = found.use.tokenKid ?? null;
    const row = versions.addPending({ kid, token_kid, location, ...use, created_at: now, reason });
    versions.activate(row, now);
    if (location === "keyring") noteOtherRow(installation, kid, audit);
    sealed.drop(currentSlot(row));
    sealed.rewriteRows();
    if (value !== undefined) sealed.put(currentSlot(row), value);
    meta.set("alg", alg);
    meta.set("key_form", key_form);
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
export async function inKeyring(
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
