import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { forgetLog, verifyChain } from "../audit/chain.ts";
import { isRekeyError, RekeyError } from "../core/errors.ts";
import type { Installation } from "../store/installation.ts";
import { newKek } from "../store/sealed/kek.ts";
import type { BackupInfo } from "../store/backup_file.ts";
import type { Contents } from "./envelope.ts";

/** Whether two databases are copies of one: then the newer one's audit log goes on. */
export function sameInstallation(a: Installation, b: Installation): boolean {
  return a.meta.get("id") !== undefined && a.meta.get("id") === b.meta.get("id");
}

/** What to do about a backup whose KEK is not at hand. */
export const LOST_KEK = "Name the KEK that the backup was made under, or use a backup made with " +
  "--with-secret; if the KEK is lost, --new-secret goes on without what it had sealed";

/** What {@linkcode settleKeys} goes by. */
export interface KeyFacts {
  readonly info: BackupInfo;
  readonly contents: Contents | undefined;
  /** Whether the database that it is a copy of is still there, and goes on with its own keys. */
  readonly clone: boolean;
  /** Whether to go on without what a lost KEK had sealed. */
  readonly newSecret: boolean;
}

/** How {@linkcode settleKeys} ended. */
export interface SettledKeys {
  /** Whether the key of the audit log is lost with the KEK: the log starts again. */
  readonly logLost: boolean;
}

/**
 * Gives a backup the keys that it is to work with: those of the database that it replaces when that is the
 * same installation's, else its own, else a new KEK over the audit key in its envelope. A clone gets a KEK
 * of its own in any case. Where all of them are lost, and the operator wants to go on, everything is new.
 *
 * @throws {RekeyError} `kek_…` when its KEK cannot be had and there is no envelope, `backup_unusable` when
 * its audit log was changed.
 */
export async function settleKeys(
  staged: Installation,
  live: Installation | undefined,
  { info, contents, clone, newSecret }: KeyFacts,
): Promise<SettledKeys> {
  const original = live !== undefined && sameInstallation(staged, live) ? live : undefined;
  // An automatic copy has neither keys nor audit rows.
  const bare = info.kind === "automatic" && staged.meta.get("audit_key") === undefined;
  if (bare && original === undefined) {
    const { algorithm: alg, keyForm, store } = staged;
    await staged.prepare({ alg, keyForm, store });
    return { logLost: false };
  }
  const dispensable = newSecret || contents !== undefined;
  const taken = original !== undefined && await takeKeys(staged, original, dispensable);
  // What is remembered in a backup comes from another time, or from another machine.
  staged.database.transaction(() => staged.remembered.takeOver(taken ? original.meta : undefined));
  const own = await ownAuditKey(staged, contents);
  if (own instanceof RekeyError) {
    if (!newSecret) throw own;
    await beginAnew(staged);
    return { logLost: true };
  }
  const { auditKey, sealedWith } = own;
  const { bad } = bare ? { bad: null } : verifyChain(staged.database, auditKey);
  if (bad !== null) {
    throw new RekeyError(
      "backup_unusable",
      `Cannot use the backup: its audit log is broken at row ${bad.seq}: ${bad.why}`,
      { hint: "Nothing was changed; try another backup" },
    );
  }
  if (!taken && (clone || sealedWith === "envelope")) await giveKek(staged, auditKey);
  return { logLost: false };
}

// Its rows are in the backup, and no one can tell any more whether they are the ones that were written.
async function beginAnew(staged: Installation): Promise<void> {
  staged.database.transaction(() => forgetLog(staged.database));
  await giveKek(staged, randomBytes(32));
}

/** Answers whether the database's own keys can be had. @param dispensable whether it can be done without them. */
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
    if (!isRekeyError(error) || !dispensable) throw error;
    return false;
  }
}

/** The key of its log, or why it cannot be had. */
async function ownAuditKey(
  staged: Installation,
  contents: Contents | undefined,
): Promise<{ auditKey: Uint8Array; sealedWith: "kek" | "envelope" } | RekeyError> {
  try {
    return { auditKey: await staged.auditKey(), sealedWith: "kek" };
  } catch (error) {
    if (!isRekeyError(error)) throw error;
    if (contents === undefined) {
      return new RekeyError(error.code, error.message, {
        hint: LOST_KEK,
        cause: error,
      });
    }
  }
  const auditKey = new Uint8Array(Buffer.from(contents.audit_key, "base64"));
  return { auditKey, sealedWith: "envelope" };
}

async function giveKek(staged: Installation, auditKey: Uint8Array): Promise<void> {
  const { environment: { app, folders, kek: sources } } = staged;
  const { kek, record } = await newKek(sources, folders.config, app.name);
  const sealed = await staged.sealAuditKey(auditKey, kek);
  staged.database.transaction(() => {
    staged.meta.set("kek", JSON.stringify(record));
    staged.meta.set("audit_key", sealed);
    staged.remembered.setKek(kek.isInline ? undefined : staged.remembered.kekRow(sources));
  });
  staged.useKek(kek);
}
