import { isHmac } from "../core/algorithms.ts";
import type { Environment, StoreChoice } from "../store/environment.ts";
import { Installation } from "../store/installation.ts";
import { locationForNew } from "../store/location_choice.ts";
import { exclusively } from "../store/sqlite/turn.ts";
import type { Backend, NewSecret } from "./backend.ts";
import { type FirstPolicy, makeWithPolicy } from "./first_policy.ts";
import type { Import } from "./import/imported.ts";
import { refuseAfterLoss } from "./lost_database.ts";
import { longestValue, madeAhead, type MakeValue, nextUse } from "./next_use.ts";
import { recover } from "./recover.ts";
import { changeSecret } from "./rotate.ts";

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
 * Makes the first version if there is none.
 *
 * @param decide returns how to make the first version, or `undefined` to make none. It runs under the lock and before
 * the database exists, so that an error leaves no file behind.
 */
export function firstVersion(
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
