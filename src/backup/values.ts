import { isRekeyError, RekeyError } from "../core/errors.ts";
import { Secret } from "../core/secret.ts";
import { isOpenAt } from "../secret/grace.ts";
import { type NotedUse, notedUse, readNote } from "../secret/keyring/reconcile.ts";
import type { Installation } from "../store/installation.ts";
import { currentSlot, numberedSlot, placeName, sealedSlot } from "../core/location.ts";
import type { Version } from "../store/sqlite/versions.ts";
import type { Contents } from "./envelope.ts";

/** A version, its value, and where the value was found. */
export interface FoundValue {
  readonly row: Version;
  readonly secret: Secret;
  /** `mirror`: the sealed copy in the backup, because the keyring was not available. */
  readonly from: "keyring" | "mirror" | "database" | "envelope";
}

/**
 * Finds the values of the versions that verify and of a prepared one: in the keyring, sealed in the backup under an
 * available KEK, or in the backup's envelope.
 *
 * @returns the values found, and by version number why others are lacking.
 */
export async function findValues(
  staged: Installation,
  contents: Contents | undefined,
): Promise<{ found: FoundValue[]; lacking: Map<number, RekeyError> }> {
  const now = staged.now();
  const rows = staged.versions.held().filter((row) =>
    row.state !== "previous" || isOpenAt(row, now)
  );
  const found: FoundValue[] = [];
  const lacking = new Map<number, RekeyError>();
  for (const row of rows) {
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

// Anyone can seal for a recipient, so a value counts only if its kid matches.
function fromEnvelope(value: string, { version, kid }: Version): Secret {
  // A lone surrogate would be encoded as U+FFFD.
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
    // An absent keyring holds nothing; an unreadable one may hold the value.
    if (isRekeyError(error, "keyring_absent", "keyring_no_default")) return null;
    if (isRekeyError(error)) return error;
    throw error;
  }
}

/** A version that only the keyring has. */
export interface NewerVersion {
  readonly version: number;
  readonly secret: Secret;
  /** How it is used, as far as the keyring's note says. */
  readonly use: NotedUse;
}

/**
 * A version that this installation stored in the keyring after the backup: it is the secret in use.
 *
 * @param optional whether the operator chose another location, so that an unavailable keyring does not matter.
 * @throws {RekeyError} a `keyring_…` code when the keyring may hold a newer version and is not available.
 */
export async function newerInKeyring(
  staged: Installation,
  optional: boolean,
): Promise<NewerVersion | undefined> {
  const current = staged.versions.current();
  try {
    const note = await readNote(staged.keyring);
    if (note === null || note.id !== staged.meta.get("id")) return undefined;
    const secret = await staged.keyring.readPublished(note.kid);
    if (secret === null || staged.versions.byKid(secret.kid) !== undefined) return undefined;
    const version = Math.max(note.version, (current?.version ?? 0) + 1);
    return { version, secret, use: notedUse(note, secret) };
  } catch (error) {
    if (!isRekeyError(error)) throw error;
    // An absent keyring holds nothing, unless the secret was in it.
    const harmless = isRekeyError(error, "keyring_absent", "keyring_no_default") &&
      current?.location !== "keyring";
    if (optional || harmless || error.code === "secret_damaged") return undefined;
    throw new RekeyError(error.code, error.message, {
      hint: `${error.hint}; the keyring may hold a newer secret than the backup. ` +
        "If it is gone for good, --store database restores without it",
      cause: error,
    });
  }
}

const WITH_VALUE: Record<Version["location"], string> = {
  database: "Use a backup made by `rekey backup`, which has the value sealed",
  etcd: "Use a backup made by `rekey backup`, which has the value sealed",
  keyring: "Use a backup made with --with-secret",
};

function missing({ version, location }: Version): RekeyError {
  return new RekeyError(
    "secret_missing",
    `Cannot restore: the value of version ${version}, which was in ${
      placeName(location)
    }, cannot be found`,
    {
      hint: `${
        WITH_VALUE[location]
      }, or make a new secret with --new-secret: then all sessions end`,
    },
  );
}
