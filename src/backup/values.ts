import { isRekeyError, RekeyError } from "../core/errors.ts";
import { Secret } from "../core/secret.ts";
import { readNote } from "../secret/keyring_note.ts";
import { sealedSlot } from "../secret/retrieval.ts";
import type { Installation } from "../store/installation.ts";
import { currentSlot, numberedSlot } from "../store/secret_store.ts";
import type { Version } from "../store/versions.ts";
import type { Contents } from "./envelope.ts";

/** A version with its value, and where the value was found. */
export interface Found {
  readonly row: Version;
  readonly secret: Secret;
  readonly from: "keyring" | "database" | "envelope";
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
): Promise<{ found: Found[]; lacking: Map<number, RekeyError> }> {
  const now = staged.now();
  const current = staged.versions.current();
  const previous = staged.versions.previous().filter(({ grace_until }) => (grace_until ?? 0) > now);
  const found: Found[] = [];
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
): Promise<Omit<Found, "row"> | RekeyError> {
  const sealed = await attempt(() => staged.sealed.read(sealedSlot(row)));
  const kept = row.location === "keyring" || sealed instanceof RekeyError || sealed === null
    ? await attempt(() => inKeyring(staged, row))
    : null;
  if (kept instanceof Secret) return { secret: kept, from: "keyring" };
  if (sealed instanceof Secret) return { secret: sealed, from: "database" };
  const value = contents?.versions.find(({ kid }) => kid === row.kid)?.value;
  if (value !== undefined) return { secret: Secret.parse(value, row.kid), from: "envelope" };
  return [sealed, kept].find((one) => one instanceof RekeyError) ?? missing(row);
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
    if (isRekeyError(error, "keyring_absent")) return null;
    if (isRekeyError(error)) return error;
    throw error;
  }
}

/**
 * The version that this installation published in the keyring after the backup was made: it is the secret
 * in use, and not the backup's.
 */
export async function newerInKeyring(
  staged: Installation,
): Promise<{ version: number; secret: Secret } | undefined> {
  const current = staged.versions.current();
  try {
    const note = await readNote(staged.keyring);
    if (note === null || note.id !== staged.meta.get("id")) return undefined;
    const secret = await staged.keyring.readPublished();
    const newer = note.version > (current?.version ?? 0);
    const known = secret === null || staged.versions.byKid(secret.kid) !== undefined;
    return newer && !known ? { version: note.version, secret } : undefined;
  } catch (error) {
    if (isRekeyError(error)) return undefined;
    throw error;
  }
}

function missing({ version, location }: Version): RekeyError {
  return new RekeyError(
    "secret_missing",
    `Cannot restore: the value of version ${version}, which lived in the ${location}, is nowhere to be found`,
    {
      hint: "Use a backup made with --with-secret, or make a new secret with --new-secret: " +
        "then all sessions end",
    },
  );
}
