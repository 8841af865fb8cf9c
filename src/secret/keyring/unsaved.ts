import { isRekeyError } from "../../core/errors.ts";
import { sealedSlot } from "../../core/location.ts";
import type { Settled } from "../../store/keyring/keyring_store.ts";
import type { Provider, ProviderKind } from "../../store/keyring/secret_service/provider.ts";
import type { Installation } from "../../store/installation.ts";
import { damagedMeta } from "../../store/sqlite/meta.ts";
import type { Version } from "../../store/sqlite/versions.ts";

// A program that provides the keyring may acknowledge what it has not saved yet, and end. Until it was seen that it had
// saved, the database remembers which versions that concerns and keeps their values, sealed.

/** What a keyring has taken and was not seen to save. */
export interface Unsaved {
  /** The program that took it; `null` when that could not be told. */
  readonly kind: ProviderKind | null;
  /** The run of that program. */
  readonly incarnation: string | null;
  /** Numbers of versions of which something was written or deleted. */
  readonly versions: readonly number[];
  /** Numbers of those with a sealed copy that is there for this only. */
  readonly copies: readonly number[];
}

/**
 * What the keyring has not been seen to save.
 *
 * @throws {RekeyError} `database_damaged` when the row is not what rekey writes.
 */
export function unsaved({ meta }: Installation): Unsaved | undefined {
  const text = meta.get("unsaved");
  if (text === undefined) return undefined;
  try {
    const { kind = null, incarnation = null, versions, copies } = JSON.parse(text) ?? {};
    if (isNumbers(versions) && isNumbers(copies)) return { kind, incarnation, versions, copies };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw damagedMeta("unsaved");
}

function isNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every(Number.isSafeInteger);
}

/** Whether the database is to have a sealed copy of a value that the keyring has taken. */
export function needsCopy(installation: Installation, { saved }: Settled): boolean {
  return installation.mirrors() || (!saved && installation.environment.mirror !== "off");
}

/** Whether the only purpose of a version's sealed copy is that the keyring may not have saved it. */
export function isPassingCopy(installation: Installation, { version }: Version): boolean {
  return unsaved(installation)?.copies.includes(version) ?? false;
}

/** Whether the current version would be lost if the keyring's program ended now: it has no copy, and may not be saved. */
export function isAtRisk(installation: Installation): boolean {
  const current = installation.versions.current();
  return current?.location === "keyring" &&
    (unsaved(installation)?.versions.includes(current.version) ?? false) &&
    installation.sealed.sealedValue(sealedSlot(current)) === undefined;
}

/** What an operator should know when the keyring may not have saved the secret and there is no copy of it. */
export function warningsOfRisk(installation: Installation): string[] {
  if (!isAtRisk(installation)) return [];
  const { kind } = unsaved(installation)!;
  const who = kind === null || kind === "other" ? "the keyring's program" : kind;
  return [
    `${who} was not seen to save the secret, and --mirror off keeps no copy: ` +
    "it would be lost if that program ended now",
  ];
}

/** Inside a transaction: remembers versions that were written or deleted, unless that is saved. */
export function noteUnsaved(
  installation: Installation,
  { saved, provider }: Settled,
  numbers: readonly number[],
): void {
  if (saved) return;
  const before = unsaved(installation);
  const versions = union(before?.versions, numbers);
  const copies = installation.mirrors() ? before?.copies ?? [] : union(before?.copies, numbers)
    .filter((number) => hasCopy(installation, number));
  const { kind = null, incarnation = null } = provider ?? {};
  installation.meta.set("unsaved", JSON.stringify({ kind, incarnation, versions, copies }));
}

function union(some: readonly number[] = [], more: readonly number[]): number[] {
  return [...new Set([...some, ...more])].sort((a, b) => a - b);
}

// Where a value lives in the database or in etcd, the sealed one is no copy.
function hasCopy({ versions, sealed }: Installation, number: number): boolean {
  const row = versions.byNumber(number);
  return row?.location === "keyring" && row.state !== "retired" &&
    sealed.sealedValue(sealedSlot(row)) !== undefined;
}

/** Inside a transaction: everything is saved. Copies that were there for that only are destroyed. */
function noteSaved(installation: Installation): void {
  const { meta, sealed, versions } = installation;
  const left = unsaved(installation);
  if (left === undefined) return;
  for (const number of installation.mirrors() ? [] : left.copies) {
    if (hasCopy(installation, number)) sealed.drop(sealedSlot(versions.byNumber(number)!));
  }
  meta.remove("unsaved");
  if (left.copies.length > 0) meta.set("scrub_pending", "log");
}

/**
 * Inside a transaction, after the keyring was brought up to date: tells apart what is known to be saved.
 *
 * @param settled how what had to be changed has ended; `undefined` when nothing had to.
 * @param rows that the keyring was compared with.
 * @param provider who has answered.
 */
export function noteOutcome(
  installation: Installation,
  settled: Settled | undefined,
  rows: readonly Version[],
  provider: Provider | undefined,
): void {
  const numbers = rows.map(({ version }) => version);
  if (provider !== undefined && installation.versions.current()?.location === "keyring") {
    installation.meta.set("keyring_kind", provider.kind);
  }
  const left = unsaved(installation);
  if (settled?.saved === false) return noteUnsaved(installation, settled, numbers);
  if (left === undefined) return;
  const compared = left.versions.every((number) => numbers.includes(number));
  const sameRun = provider?.incarnation === left.incarnation;
  // Another run of the program can only have what the one before had saved.
  if (settled === undefined ? compared && isLater(left, provider) : compared || sameRun) {
    noteSaved(installation);
  }
}

function isLater({ incarnation }: Unsaved, provider: Provider | undefined): boolean {
  return provider !== undefined && incarnation !== null && provider.incarnation !== incarnation;
}

/** Whether this is the keyring that took what was not seen to be saved, as far as can be told. */
export async function isSameKeyring(installation: Installation): Promise<boolean> {
  const left = unsaved(installation);
  return left !== undefined && left.kind !== null &&
    left.kind === (await installation.keyring.provider())?.kind;
}

/** Whether something can be found out of what was not seen to be saved. */
export async function canLookAgain(installation: Installation): Promise<boolean> {
  const left = unsaved(installation);
  if (left === undefined) return false;
  const provider = await installation.keyring.provider();
  return provider !== undefined &&
    (provider.incarnation !== left.incarnation || installation.keyring.savesOnDemand(provider));
}

/**
 * Looks again at what was not seen to be saved. Another run of the keyring's program may have gone back to something
 * older: then the rows say that the keyring is to be compared with them. Call it under the lock.
 */
export async function lookAgain(installation: Installation): Promise<void> {
  const { database, keyring, meta, versions } = installation;
  const left = unsaved(installation);
  const provider = left && await keyring.provider();
  if (left === undefined || provider === undefined) return;
  const rows = left.versions.map((number) => versions.byNumber(number))
    .filter((row) => row !== undefined);
  if (left.incarnation === null || isLater(left, provider)) {
    const { kind, incarnation } = left.incarnation === null ? provider : left;
    database.transaction(() => {
      rows.forEach((row) => versions.markUnsynced(row));
      meta.set("unsaved", JSON.stringify({ ...left, kind, incarnation }));
    });
  } else if (keyring.savesOnDemand(provider) && rows.every(isCompared)) {
    const settled = await keyring.settle();
    if (settled.saved && settled.provider?.incarnation === left.incarnation) {
      database.transaction(() => noteSaved(installation));
    }
  }
}

// A value that is still to be compared with the keyring may be missing there: saving it again proves nothing then.
function isCompared({ synced, state }: Version): boolean {
  return synced === 1 || state === "retired";
}

/**
 * Seals what the keyring has of versions and was not seen to save, unless a copy is there or the operator wants none.
 *
 * @param rows that were written or are about to be deleted in other places.
 */
export async function keepUnsaved(
  installation: Installation,
  settled: Settled,
  rows: readonly Version[],
): Promise<void> {
  if (settled.saved) return;
  const { database, sealed } = installation;
  const copies = new Map<Version, string>();
  for (const row of needsCopy(installation, settled) ? rows : []) {
    const copy = await sealedFromKeyring(installation, row);
    if (copy !== undefined) copies.set(row, copy);
  }
  database.transaction(() => {
    for (const [row, copy] of copies) sealed.put(sealedSlot(row), copy);
    noteUnsaved(installation, settled, rows.map(({ version }) => version));
  });
}

async function sealedFromKeyring(
  { keyring, sealed }: Installation,
  row: Version,
): Promise<string | undefined> {
  if (row.location !== "keyring" || !["current", "previous"].includes(row.state)) return undefined;
  const slot = sealedSlot(row);
  if (sealed.sealedValue(slot) !== undefined) return undefined;
  const secret = await keyring.read(slot);
  return secret?.kid === row.kid ? await sealed.seal(slot, secret) : undefined;
}

/** Writes a version's sealed copy to its place in the keyring; `false` when there is none, or none that can be opened. */
export async function putBack(
  { keyring, sealed }: Installation,
  row: Version,
): Promise<boolean> {
  const slot = sealedSlot(row);
  try {
    const secret = await sealed.read(slot);
    if (secret === null) return false;
    return await keyring.keep(slot, secret);
  } catch (error) {
    // The KEK may not be at hand.
    if (isRekeyError(error, "secret_damaged", "kek_missing", "kek_invalid", "kek_wrong")) {
      return false;
    }
    throw error;
  }
}
