import { isRekeyError, RekeyError, usageError } from "../core/errors.ts";
import type { StoreChoice } from "./environment.ts";
import type { KeyringStore } from "./keyring/keyring_store.ts";
import { KEYRING_UNAVAILABLE } from "./keyring/codes.ts";
import { currentSlot, type Location } from "../core/location.ts";
import type { Version } from "./sqlite/versions.ts";

/** Whether a value with this kid belongs to this installation. */
type IsKnownKid = (kid: string) => Promise<boolean>;

/**
 * Chooses the location of a new version. `auto` is the keyring if it works and can hold the value. When the keyring of a
 * secret fails, the secret does not move to the database unless the operator says so.
 *
 * @param length of the value, in characters; of one that is still to be made the most that it can be.
 * @param known whether a kid is one of this installation's.
 * @throws {RekeyError} a `keyring_…` code when the keyring is required and cannot be used, `usage` when it is required
 * and cannot hold the value, `secret_claimed` when its entry belongs to another installation or program.
 */
export async function locationForNew(
  keyring: KeyringStore,
  choice: StoreChoice,
  length: number,
  current?: Version,
  known: IsKnownKid = () => Promise.resolve(false),
): Promise<Location> {
  if (choice === "database") return "database";
  if (choice === "etcd") {
    throw new RekeyError("failed", "Cannot rotate into etcd: the secret is not shared there", {
      hint: "Run `rekey store move etcd` first",
    });
  }
  if (choice === "keyring") mustFit(keyring, length);
  else if (!keyring.fits(length)) return "database";
  const inKeyring = current?.location === "keyring";
  // Where a value exists, a read is enough, and leaves nothing behind when it is interrupted.
  const finding = await unavailable(() =>
    inKeyring ? keyring.reach(currentSlot(current)) : keyring.probe()
  );
  if (finding !== undefined) return insteadOfKeyring(finding, choice, current);
  if (inKeyring || !await isTaken(keyring, known)) return "keyring";
  if (choice === "keyring") throw taken();
  return "database";
}

/** The location where the keyring cannot be used. @throws {RekeyError} the reason when none may take its place. */
function insteadOfKeyring(
  finding: RekeyError,
  choice: StoreChoice,
  current: Version | undefined,
): Location {
  if (current?.location === "keyring") throw withHint(finding, MOVE_HINT);
  if (choice === "keyring") throw finding;
  // A keyring that cannot be read may already hold a secret: a second one would make programs disagree.
  if (current === undefined && !isRekeyError(finding, ...HOLDS_NOTHING)) {
    throw withHint(finding, NEW_HINT);
  }
  return "database";
}

/**
 * Checks that an item of the keyring can hold a value.
 *
 * @param length in characters.
 * @throws {RekeyError} `usage` when it cannot.
 */
export function mustFit(keyring: KeyringStore, length: number): void {
  if (keyring.fits(length)) return;
  throw usageError(
    `Cannot keep the value in the keyring: it has up to ${length} characters, and an item of this system's ` +
      `keyring holds ${keyring.longestValue}`,
    "Use --store database, or give an algorithm with a shorter key: --alg ES256 or Ed25519",
  );
}

// A keyring that fails so cannot hold a secret.
const HOLDS_NOTHING = ["keyring_absent", "keyring_no_default"] as const;

const MOVE_HINT =
  "in an emergency `rekey rotate --force --store database` replaces the secret without the keyring";
const NEW_HINT = "or choose the database with --store database";

/**
 * Checks that the keyring's entry is free or belongs to this installation.
 *
 * @throws {RekeyError} `secret_claimed` when it does not, a `keyring_…` code when the keyring cannot be read.
 */
export async function mustBeFree(keyring: KeyringStore, known: IsKnownKid): Promise<void> {
  if (await isTaken(keyring, known)) throw taken();
}

// A move into the keyring must not overwrite a value of another installation or program.
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
