import { isRekeyError, RekeyError } from "../core/errors.ts";
import type { StoreChoice } from "./environment.ts";
import type { KeyringStore } from "./keyring/keyring_store.ts";
import { KEYRING_UNAVAILABLE } from "./keyring/errors.ts";
import { currentSlot, type Location } from "../core/secret_store.ts";
import type { Version } from "./sqlite/versions.ts";

/** Whether an entry with this kid is this installation's. */
export type IsKnownKid = (kid: string) => Promise<boolean>;

/**
 * Where a new version is to live (guarantee 2, design §5). `auto` takes the keyring when it works. A
 * secret that lives in the keyring never moves to the database because the keyring fails: that needs
 * the operator's word.
 *
 * @param known whether a kid is one of this installation's.
 * @throws {RekeyError} a `keyring_…` code when the keyring is called for and cannot be used,
 * `secret_claimed` when its entry is somebody else's.
 */
export async function locationForNew(
  keyring: KeyringStore,
  choice: StoreChoice,
  current?: Version,
  known: IsKnownKid = () => Promise.resolve(false),
): Promise<Location> {
  if (choice === "database") return "database";
  if (choice === "etcd") throw moveFirst();
  const inKeyring = current?.location === "keyring";
  // Where a value is already, reading tells enough and leaves nothing behind when it is cut off.
  const finding = await unavailable(() =>
    inKeyring ? keyring.reach(currentSlot(current)) : keyring.probe()
  );
  if (finding === undefined) {
    if (inKeyring || !await isTaken(keyring, known)) return "keyring";
    if (choice === "keyring") throw taken();
    return "database";
  }
  if (inKeyring) throw withHint(finding, MOVE_HINT);
  if (choice === "keyring") throw finding;
  // A keyring that is there and cannot be read may hold a secret already: a second one would split
  // the machine in two.
  if (current === undefined && !isRekeyError(finding, ...HOLDS_NOTHING)) {
    throw withHint(finding, NEW_HINT);
  }
  return "database";
}

function moveFirst(): RekeyError {
  return new RekeyError("failed", "Cannot rotate into etcd: the secret is not shared there", {
    hint: "`rekey store move etcd` first",
  });
}

// There is no keyring, or none that anything could have been put into.
const HOLDS_NOTHING = ["keyring_absent", "keyring_no_default"] as const;

const MOVE_HINT =
  "in an emergency `rotate --store database` replaces the secret without the keyring";
const NEW_HINT = "or decide for the database with --store database";

/**
 * Makes sure that the keyring's entry is free for this installation.
 *
 * @throws {RekeyError} `secret_claimed` when it is not, a `keyring_…` code when it cannot be told.
 */
export async function mustBeFree(
  keyring: KeyringStore,
  known: IsKnownKid,
): Promise<void> {
  if (await isTaken(keyring, known)) throw taken();
}

// Moving in must not overwrite what another installation or program keeps under the same account.
async function isTaken(keyring: KeyringStore, known: IsKnownKid): Promise<boolean> {
  try {
    const published = await keyring.readPublished();
    return published !== null && !await known(published.kid);
  } catch (error) {
    if (isRekeyError(error, "secret_damaged")) return true;
    throw error;
  }
}

function taken(): RekeyError {
  return new RekeyError(
    "secret_claimed",
    "Cannot use the keyring: its entry holds a secret that is not this installation's",
    {
      hint: "Is it another --data-dir's? Then use --app or --store database. " +
        "If no program needs it, delete the entry",
    },
  );
}

async function unavailable(attempt: () => Promise<void>): Promise<RekeyError | undefined> {
  try {
    await attempt();
    return undefined;
  } catch (error) {
    if (isRekeyError(error, ...KEYRING_UNAVAILABLE)) return error;
    throw error;
  }
}

function withHint(error: RekeyError, more: string): RekeyError {
  const hint = error.hint === undefined ? more : `${error.hint}; ${more}`;
  return new RekeyError(error.code, error.message, { hint, cause: error.cause });
}
