import { isRekeyError, RekeyError } from "../core/errors.ts";
import { knowsKid } from "../store/known_apps.ts";
import { Installation } from "../store/installation.ts";
import type { Environment, StoreChoice } from "../store/environment.ts";
import { KEYRING_UNAVAILABLE } from "../store/keyring/errors.ts";
import { locationForNew } from "../store/location_choice.ts";
import { exclusively } from "../store/sqlite/lock.ts";
import type { Backend, HmacUsage } from "./backend.ts";
import { adopt, inKeyring, type LegacySecret, plainRow } from "./adopt.ts";
import { unlessDestroyed } from "./destroy.ts";
import type { Import } from "./import/imported.ts";
import { readNote } from "./keyring/reconcile.ts";
import { recover } from "./recover.ts";
import { changeSecret } from "./rotate.ts";

/** Options of a first secret; by default HS512 and key form `text`. */
export interface CreateOptions extends HmacUsage {
  /** Default `auto`. */
  readonly store?: StoreChoice | undefined;
}

/** Makes a first version in a prepared installation, under the lock; `false` when the secret existed already. */
export type Make = (installation: Installation) => Promise<unknown>;

/**
 * The installation with its versions; a secret that an older application left is adopted.
 *
 * @returns `undefined` without a secret; nothing is created then.
 */
export async function openOrAdopt(
  environment: Environment,
  options: CreateOptions,
): Promise<Installation | undefined> {
  const found = Installation.openExisting(environment);
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
    return found && ((prepared) => adopt(prepared, found));
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
  const plan = () => backend.planFirst(environment, options, given);
  const { opened, made } = await firstVersion(environment, options, plan);
  if (opened === undefined) throw new Error("A secret was to be made and was not");
  return { opened, made };
}

/** Decides how a local first version is made. */
export async function planLocal(
  { keyring }: Environment,
  { store = "auto", alg, keyForm }: CreateOptions,
  given?: Import,
): Promise<Make> {
  const location = await locationForNew(keyring, store);
  const { reason = null, secret: imported } = given ?? {};
  const change = { old: undefined, location, reason, graceMs: 0, imported, alg, keyForm };
  return (prepared) => changeSecret(prepared, change);
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
      const { store = "auto", alg = "HS512", keyForm = "text" } = options;
      await opened.prepare({ store, alg, keyForm });
      await recover(opened, "held");
      return { opened, made: await make(opened) !== false };
    } catch (error) {
      opened?.close();
      throw error;
    }
  });
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
