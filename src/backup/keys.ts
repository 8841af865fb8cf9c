import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { forgetLog } from "../audit/chain.ts";
import { verifyChain } from "../audit/verify_chain.ts";
import { asRefusal, isRekeyError, RekeyError } from "../core/errors.ts";
import type { Installation } from "../store/installation.ts";
import { newKek } from "../store/sealed/kek.ts";
import type { BackupInfo } from "../store/backup_file.ts";
import type { Contents } from "./envelope.ts";
import { otherKek, uncheckable } from "./two_keks.ts";

/** Whether two databases are copies of one installation. */
export function sameInstallation(a: Installation, b: Installation): boolean {
  return a.meta.get("id") !== undefined && a.meta.get("id") === b.meta.get("id");
}

/** The existing database, if a copy is one of it. */
export function originalOf(
  copy: Installation,
  live: Installation | undefined,
): Installation | undefined {
  return live !== undefined && sameInstallation(copy, live) ? live : undefined;
}

// For a backup whose KEK is not available.
const LOST_KEK =
  "Put the key file of that KEK back, or name it with --kek-file; or use a backup made " +
  "with --with-secret; if the KEK is lost, --new-secret restores without the sealed values";

/** What {@linkcode settleKeys} needs to know. */
export interface KeyFacts {
  readonly info: BackupInfo;
  readonly contents: Contents | undefined;
  /** Whether the original database still exists and keeps its own keys. */
  readonly clone: boolean;
  /** Whether to continue without the values sealed under a lost KEK. */
  readonly newSecret: boolean;
}

/**
 * What becomes of a backup's audit log. `continued`: it goes on, as the database's own. `left`: the database that is
 * replaced has another one, which goes on. `taken`: that database's cannot be continued, since its KEK is lost, and the
 * backup's goes on. `lost`: the KEK of both is lost, and a new one starts.
 */
export type LogFate = "continued" | "left" | "taken" | "lost";

/**
 * Gives a staged backup its keys: those of the database that it replaces if both are of the same installation; otherwise
 * its own; otherwise a new KEK over the audit key from its envelope. A clone always gets a new KEK. If all keys are lost
 * and `newSecret` is set, all keys are new.
 *
 * @throws {RekeyError} `kek_…` when the KEK is not available and there is no envelope, or when the log cannot be
 * checked; `backup_unusable` when it was changed.
 */
export async function settleKeys(
  staged: Installation,
  live: Installation | undefined,
  { info, contents, clone, newSecret }: KeyFacts,
): Promise<LogFate> {
  const original = originalOf(staged, live);
  // An automatic copy has no keys and no audit rows.
  const bare = info.kind === "automatic" && staged.meta.get("audit_key") === undefined;
  if (bare && original === undefined) return await makeKeys(staged);
  const dispensable = newSecret || contents !== undefined;
  const before = original === undefined || bare ? undefined : await keyBefore(staged, original);
  const taken = original !== undefined && await takeKeys(staged, original, dispensable);
  // Settings remembered in a backup are outdated, or from another machine.
  staged.database.transaction(() => staged.remembered.takeOver(taken ? original.meta : undefined));
  if (taken && !bare) return await checkOverLive(staged, original, before!);
  const own = await ownAuditKey(staged, contents);
  if (own instanceof RekeyError) {
    if (!newSecret) throw own;
    await startNewLog(staged);
    return "lost";
  }
  const { auditKey, sealedWith } = own;
  if (!bare) mustBeWhole(staged, auditKey);
  if (!taken && (clone || sealedWith === "envelope")) await giveKek(staged, auditKey);
  const continues = original === undefined || taken || isLogOf(original, auditKey);
  return continues ? "continued" : "taken";
}

/** Gives an automatic copy keys as a new database gets them. */
async function makeKeys(staged: Installation): Promise<LogFate> {
  const { algorithm: alg, keyForm, store } = staged;
  await staged.prepare({ alg, keyForm, store });
  forgetRetention(staged);
  return "continued";
}

/** Gives a staged backup new keys. Its old rows can no longer be verified. */
async function startNewLog(staged: Installation): Promise<void> {
  staged.database.transaction(() => forgetLog(staged.database));
  forgetRetention(staged);
  await giveKek(staged, randomBytes(32));
}

/** The key of a staged backup's log, before the backup gets other keys; or why it cannot be read. */
async function keyBefore(
  staged: Installation,
  original: Installation,
): Promise<Uint8Array | RekeyError> {
  const key = await staged.auditKey.read().catch(asRefusal);
  const isLost = key instanceof RekeyError && key.code.startsWith("kek_");
  return isLost ? uncheckable(staged, original, key) : key;
}

/**
 * Checks the log of a backup that has got the keys of the database. Its own key counts, and without that the database's,
 * which is the same one after `kek rotate`. A log that neither can verify is not taken: it may be forged.
 */
async function checkOverLive(
  staged: Installation,
  original: Installation,
  before: Uint8Array | RekeyError,
): Promise<LogFate> {
  const key = await original.auditKey.read();
  if (before instanceof RekeyError) {
    if (isLogOf(staged, key)) return "continued";
    throw before;
  }
  mustBeWhole(staged, before);
  return Buffer.from(before).equals(key) ? "continued" : "left";
}

/** The error for a value in a staged backup whose KEK is not available: what does not help there is not advised. */
export async function lostKek(
  staged: Installation,
  live: Installation | undefined,
  cause: RekeyError,
): Promise<RekeyError> {
  const original = originalOf(staged, live);
  const key = await original?.auditKey.read().catch(asRefusal);
  if (original !== undefined && key instanceof Uint8Array && !isLogOf(staged, key)) {
    return uncheckable(staged, original, cause);
  }
  return new RekeyError(cause.code, cause.message, { hint: LOST_KEK, cause });
}

function isLogOf({ database }: Installation, key: Uint8Array): boolean {
  return verifyChain(database, key).bad === null;
}

function mustBeWhole({ database }: Installation, key: Uint8Array): void {
  const { bad } = verifyChain(database, key);
  if (bad === null) return;
  throw new RekeyError(
    "backup_unusable",
    `Cannot use the backup: its audit log is broken at row ${bad.seq}: ${bad.why}`,
    { hint: "Nothing was changed; try another backup" },
  );
}

// Only the key of the log that it was set for tells that rekey has set it.
function forgetRetention({ database, meta }: Installation): void {
  database.transaction(() => meta.remove("audit_retention"));
}

/** Takes the keys of the live database. @returns whether they are available. @param dispensable whether the restore works without them. */
async function takeKeys(
  staged: Installation,
  live: Installation,
  dispensable: boolean,
): Promise<boolean> {
  try {
    const kek = await live.kek();
    staged.database.transaction(() => {
      for (const key of ["kek", "audit_key"] as const) staged.meta.set(key, live.meta.get(key)!);
    });
    staged.useKek(kek);
    return true;
  } catch (error) {
    if (!isRekeyError(error)) throw error;
    if (!dispensable) throw otherKek(staged, live, error);
    return false;
  }
}

/** The key of the backup's audit log, or why it is not available. */
async function ownAuditKey(
  staged: Installation,
  contents: Contents | undefined,
): Promise<{ auditKey: Uint8Array; sealedWith: "kek" | "envelope" } | RekeyError> {
  try {
    return { auditKey: await staged.auditKey.read(), sealedWith: "kek" };
  } catch (error) {
    if (!isRekeyError(error)) throw error;
    if (contents === undefined) {
      return new RekeyError(error.code, error.message, { hint: LOST_KEK, cause: error });
    }
  }
  const auditKey = new Uint8Array(Buffer.from(contents.audit_key, "base64"));
  return { auditKey, sealedWith: "envelope" };
}

async function giveKek(staged: Installation, auditKey: Uint8Array): Promise<void> {
  const { environment: { app, folders, kek: sources } } = staged;
  const { kek, record } = await newKek(sources, folders.config, app.name);
  const sealed = await staged.auditKey.seal(auditKey, kek);
  staged.database.transaction(() => {
    staged.meta.set("kek", JSON.stringify(record));
    staged.meta.set("audit_key", sealed);
    staged.remembered.setKek(kek.isInline ? undefined : staged.remembered.kekRow(sources));
  });
  staged.useKek(kek);
}
