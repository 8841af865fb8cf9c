import type { Environment } from "../store/environment.ts";
import { Installation } from "../store/installation.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { isAhead } from "./age.ts";
import type { CreateOptions } from "./create.ts";
import { isOpenAt } from "./grace.ts";
import { canLookAgain } from "./keyring/unsaved.ts";
import type { SecretView } from "./view.ts";

// What an older application or an earlier command left, to be adopted or finished.

/** The database of a view, if there is one, without adopting or finishing anything. */
export function openAsIs(view: SecretView): Installation | undefined {
  if (view.installation === undefined) view.use(Installation.openExisting(view.environment));
  return view.installation;
}

/**
 * The database of a view with its versions: a secret that an older application left is adopted, and what a command left
 * unfinished is finished, if no other command is at work.
 *
 * @returns `undefined` without a secret; nothing is created then.
 */
export async function openSettled(
  view: SecretView,
  options: CreateOptions = {},
): Promise<Installation | undefined> {
  if (view.installation?.versions.current() === undefined) {
    view.use(await openOrAdopt(view.environment, options));
  }
  const { installation } = view;
  if (installation !== undefined && await needsRecovery(installation)) {
    const { recover } = await import("./recover.ts");
    await recover(installation, "if free");
  }
  return installation;
}

async function openOrAdopt(
  environment: Environment,
  options: CreateOptions,
): Promise<Installation | undefined> {
  const found = Installation.openExisting(environment);
  try {
    if (found !== undefined && isComplete(found)) return found;
  } catch (error) {
    found?.close();
    throw error;
  }
  const { adoptIfLeft } = await import("./adopt.ts");
  return await adoptIfLeft(environment, options, found);
}

function isComplete({ meta, versions }: Installation): boolean {
  return meta.get("destroying") === undefined && versions.current() !== undefined;
}

/** Work that an earlier command left unfinished. */
export type Leftover = "rotation" | "grace" | "clock" | "log" | "kek" | "keyring";

/** Unfinished work: an interrupted rotation, an expired grace window, a busy log, a keyring that was unavailable. */
export function leftovers(installation: Installation): Leftover[] {
  const { versions, meta } = installation;
  const left: [Leftover, boolean][] = [
    ["rotation", interrupted(installation) !== undefined],
    ["grace", expired(installation).length > 0],
    ["clock", overlongGrace(installation).length > 0],
    ["log", meta.get("scrub_pending") !== undefined],
    ["kek", meta.get("stale_kek") !== undefined],
    ["keyring", versions.unsynced().length > 0],
  ];
  return left.filter(([, there]) => there).map(([name]) => name);
}

/** Whether there is work that a command should finish before its own. */
async function needsRecovery(installation: Installation): Promise<boolean> {
  const left = leftovers(installation);
  const waits = left.includes("keyring") && !keyringIsDue(installation);
  return left.length > (waits ? 1 : 0) || await canLookAgain(installation);
}

/** The version of an interrupted rotation, which is not one that was prepared on purpose. */
export function interrupted({ versions }: Installation): Version | undefined {
  return versions.begun();
}

/** Versions whose grace window is over and whose values are not destroyed yet. */
export function expired(installation: Installation): Version[] {
  const now = installation.now();
  return installation.versions.previous().filter((row) => !isOpenAt(row, now));
}

/** A version and the correct end of its grace window, in milliseconds since the epoch. */
interface Overlong {
  readonly row: Version;
  readonly until: number;
}

/**
 * Local grace windows that were set while the clock was ahead: after its correction they would stay open too long, by
 * the amount that it was ahead.
 */
export function overlongGrace(installation: Installation): Overlong[] {
  const rows = installation.versions.previous().filter(({ location }) => location !== "etcd");
  if (rows.length === 0) return [];
  const now = installation.now();
  const every = installation.versions.every();
  return rows.flatMap((row): Overlong[] => {
    const began = every.find(({ replaces }) => replaces === row.version)?.activated_at ?? 0;
    const length = (row.grace_until ?? 0) - began;
    // It began in the future, and was not shortened already.
    const isOverlong = isAhead(began, now) && length > 0 && now + length <= began;
    return isOverlong ? [{ row, until: now + length }] : [];
  });
}

// A keyring that does not respond must not delay every command by its timeout; one that refuses does so at once.
/** How long a silent keyring is left alone. */
export const SILENT_KEYRING_RETRY_MS = 60_000;

/** Whether to try the keyring again: after a timeout, it is not used for a while. */
function keyringIsDue(installation: Installation): boolean {
  const wait = Number(installation.meta.get("keyring_retry_at") ?? 0) - installation.now();
  // A longer wait than the constant means that the clock was set back.
  return wait <= 0 || wait > SILENT_KEYRING_RETRY_MS;
}
