import { isRekeyError, RekeyError } from "../core/errors.ts";
import { Secret } from "../core/secret.ts";
import { readNote } from "../secret/keyring/note.ts";
import type { Installation } from "../store/installation.ts";
import { currentSlot, numberedSlot, placeName, sealedSlot } from "../core/secret_store.ts";
import type { Version } from "../store/sqlite/versions.ts";
import type { Contents } from "./envelope.ts";

/** A version with its value, and where the value was found. */
export interface FoundValue {
  readonly row: Version;
  readonly secret: Secret;
  /** `mirror`: sealed in the backup, and the keyring, where it lives, could not be asked. */
  readonly from: "keyring" | "mirror" | "database" | "envelope";
}

/**
 * The values of the versions that verify, as far as they can be had: in the keyring, sealed in the backup
 * under a KEK that is at hand, or in the backup's envelope.
 *
 * @returns what was found, and why not, by version number.
 */
export async function findValues(
  staged: Installation,
  contents: Contents | undefined,
): Promise<{ found: FoundValue[]; lacking: Map<number, RekeyError> }> {
  const now = staged.now();
  const current = staged.versions.current();
  const previous = staged.versions.previous().filter(({ grace_until }) => (grace_until ?? 0) > now);
  const found: FoundValue[] = [];
  const lacking = new Map<number, RekeyError>();
  for (const row of current === undefined ? [] : [current, ...previous]) {
    const one = await findValue(staged, row, contents);
    if (one instanceof RekeyError) lacking.set(row.version, one);
    else found.push({ row, ...one });
  }
  return { found, lacking };
}

async function findValue(
  staged: Installation,
  row: Version,
  contents: Contents | undefined,
): Promise<Omit<FoundValue, "row"> | RekeyError> {
  const sealed = await attempt(() => staged.sealed.read(sealedSlot(row)));
  const kept = row.location === "keyring" || sealed instanceof RekeyError || sealed === null
    ? await attempt(() => inKeyring(staged, row))
    : null;
  if (kept instanceof Secret) return { secret: kept, from: "keyring" };
  if (sealed instanceof Secret) {
    return { secret: sealed, from: kept instanceof RekeyError ? "mirror" : "database" };
  }
  const value = contents?.versions.find(({ kid }) => kid === row.kid)?.value;
  if (value !== undefined) return { secret: fromEnvelope(value, row), from: "envelope" };
  return [sealed, kept].find((one) => one instanceof RekeyError) ?? missing(row);
}

// Whoever knows a recipient can seal for them: only a value whose kid is right is the version's.
function fromEnvelope(value: string, { version, kid }: Version): Secret {
  // Half of a surrogate pair has the kid of another text.
  const secret = value.isWellFormed() ? Secret.imported(value) : undefined;
  if (secret?.kid === kid) return secret;
  throw new RekeyError(
    "backup_unusable",
    `Cannot use the backup: the value sealed in it is not version ${version}`,
    { hint: "Nothing was changed; someone may have forged it" },
  );
}

async function inKeyring({ keyring }: Installation, row: Version): Promise<Secret | null> {
  for (const slot of [currentSlot(row), numberedSlot(row)]) {
    const secret = await keyring.read(slot).catch((error) => {
      if (isRekeyError(error, "secret_damaged")) return null;
      throw error;
    });
    if (secret?.kid === row.kid) return secret;
  }
  return null;
}

async function attempt(work: () => Promise<Secret | null>): Promise<Secret | null | RekeyError> {
  try {
    return await work();
  } catch (error) {
    // No keyring holds nothing; one that cannot be read may hold it.
    if (isRekeyError(error, "keyring_absent", "keyring_no_default")) return null;
    if (isRekeyError(error)) return error;
    throw error;
  }
}

/**
 * The version that this installation published in the keyring after the backup was made: it is the secret
 * in use, and not the backup's.
 *
 * @param unasked whether the operator has decided against the keyring: then one that cannot be used does
 * not matter.
 * @throws {RekeyError} a `keyring_…` code when the keyring may hold a newer version and cannot be asked.
 */
export async function newerInKeyring(
  staged: Installation,
  unasked: boolean,
): Promise<{ version: number; kid: string } | undefined> {
  const current = staged.versions.current();
  try {
    const note = await readNote(staged.keyring);
    if (note === null || note.id !== staged.meta.get("id")) return undefined;
    const secret = await staged.keyring.readPublished(note.kid);
    if (secret === null || staged.versions.byKid(secret.kid) !== undefined) return undefined;
    return { version: Math.max(note.version, (current?.version ?? 0) + 1), kid: secret.kid };
  } catch (error) {
    if (!isRekeyError(error)) throw error;
    // No keyring holds nothing, unless the secret was in one.
    const harmless = isRekeyError(error, "keyring_absent", "keyring_no_default") &&
      current?.location !== "keyring";
    if (unasked || harmless || error.code === "secret_damaged") return undefined;
    throw new RekeyError(error.code, error.message, {
      hint: `${error.hint}; the keyring may hold a newer secret than the backup. ` +
        "If it is gone for good, --store database restores without it",
      cause: error,
    });
  }
}

function missing({ version, location }: Version): RekeyError {
  return new RekeyError(
    "secret_missing",
    `Cannot restore: the value of version ${version}, which lived in ${
      placeName(location)
    }, is nowhere to be found`,
    {
      hint: "Use a backup made with --with-secret, or make a new secret with --new-secret: " +
        "then all sessions end",
    },
  );
}
