import { isRekeyError } from "../../core/errors.ts";
import { sealedSlot } from "../../core/location.ts";
import type { Settled } from "../../store/keyring/keyring_store.ts";
import type { Provider, ProviderKind } from "../../store/keyring/secret_service/provider.ts";
import type { Installation } from "../../store/installation.ts";
import { damagedMeta } from "../../store/sqlite/meta.ts";
import { isNumbered, type Version } from "../../store/sqlite/versions.ts";

// A keyring's program may acknowledge a value, and end before it saves it. Until the save is confirmed, the database
// records these versions and keeps their sealed values.

/** Changes that a keyring has acknowledged and may not have saved. */
export interface Unsaved {
  /** The keyring's program; `null` when unknown. */
  readonly kind: ProviderKind | null;
  /** The run of that program. */
  readonly incarnation: string | null;
  /** Numbers of the versions that were written or deleted. */
  readonly versions: readonly number[];
  /** Numbers of those that have a sealed copy for this reason only. */
  readonly copies: readonly number[];
}

/**
 * Changes that the keyring may not have saved.
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

/** Whether the database needs a sealed copy of a value that the keyring has taken. */
export function needsCopy(installation: Installation, { saved }: Settled): boolean {
  return installation.mirrors() || (!saved && installation.environment.mirror !== "off");
}

/** Whether a version's sealed copy exists only because the keyring may not have saved it. */
export function isPassingCopy(installation: Installation, { version }: Version): boolean {
  return unsaved(installation)?.copies.includes(version) ?? false;
}

/** Whether the current version may be unsaved and has no copy: it would be lost if the keyring's program ended now. */
export function isAtRisk(installation: Installation): boolean {
  const current = installation.versions.current();
  return current?.location === "keyring" &&
    (unsaved(installation)?.versions.includes(current.version) ?? false) &&
    installation.sealed.sealedValue(sealedSlot(current)) === undefined;
}

/** Warnings for {@linkcode isAtRisk}. */
export function warningsOfRisk(installation: Installation): string[] {
  if (!isAtRisk(installation)) return [];
  const { kind } = unsaved(installation)!;
  const who = kind === null || kind === "other" ? "the keyring's program" : kind;
  return [
    `${who} was not seen to save the secret, and --mirror off keeps no copy: ` +
    "it would be lost if that program ended now",
  ];
}

/** Inside a transaction: records versions that were written or deleted, unless the keyring has saved them. */
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

// For a version in the database or in etcd, the sealed value is not a copy.
function hasCopy({ versions, sealed }: Installation, number: number): boolean {
  const row = versions.byNumber(number);
  return row?.location === "keyring" && row.state !== "retired" &&
    sealed.sealedValue(sealedSlot(row)) !== undefined;
}

/** Inside a transaction: everything is saved. Copies that existed for this reason only are destroyed. */
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
 * Inside a transaction, after the keyring was updated: records what is saved and what may not be.
 *
 * @param settled result of saving; `undefined` when nothing had changed.
 * @param rows versions that the keyring was compared with.
 * @param provider the keyring's program.
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
  // A later run of the program has only what the earlier one had saved.
  if (settled === undefined ? compared && isLater(left, provider) : compared || sameRun) {
    noteSaved(installation);
  }
}

function isLater({ incarnation }: Unsaved, provider: Provider | undefined): boolean {
  return provider !== undefined && incarnation !== null && provider.incarnation !== incarnation;
}

/** Whether this is probably the keyring that took the unsaved values. */
export async function isSameKeyring(installation: Installation): Promise<boolean> {
  const left = unsaved(installation);
  return left !== undefined && left.kind !== null &&
    left.kind === (await installation.keyring.provider())?.kind;
}

/** Whether {@linkcode lookAgain} could confirm a save. */
export async function canLookAgain(installation: Installation): Promise<boolean> {
  const left = unsaved(installation);
  if (left === undefined) return false;
  const provider = await installation.keyring.provider();
  return provider !== undefined &&
    (provider.incarnation !== left.incarnation || installation.keyring.savesOnDemand(provider));
}

/**
 * Tries to confirm unsaved changes. After a restart of the keyring's program, which may have lost them, it marks their
 * versions for comparison with the keyring. Call it under the lock.
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

// A value that was not compared yet may be missing in the keyring: saving again would prove nothing.
function isCompared({ synced, state }: Version): boolean {
  return synced === 1 || state === "retired";
}

/**
 * Seals copies of values that the keyring may not have saved, unless one exists or the operator wants none.
 *
 * @param rows versions that were written, or are about to be deleted elsewhere.
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
  if (row.location !== "keyring" || !(row.state === "current" || isNumbered(row))) return undefined;
  const slot = sealedSlot(row);
  if (sealed.sealedValue(slot) !== undefined) return undefined;
  const secret = await keyring.read(slot);
  return secret?.kid === row.kid ? await sealed.seal(slot, secret) : undefined;
}

/** Writes a version's sealed copy back to the keyring; `false` when it is missing or cannot be opened. */
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
    // Without the KEK, the copy stays.
    if (isRekeyError(error, "secret_damaged", "kek_missing", "kek_invalid", "kek_wrong")) {
      return false;
    }
    throw error;
  }
}
